"""Reads over several tables: the state of a procedure's lists, what a run shows, the board."""
