"""Reads over several models."""

from complications.queries.engine import engine_health

__all__ = ["engine_health"]
