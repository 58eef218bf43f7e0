"""Decisions about lists and answers as plain functions: no Django, no database, no clock."""
