#!/usr/bin/env python
"""Run a management command of the service."""

import os
import sys

# These change tables, or say what would change: they log in as the role that owns them.
AS_OWNER = {"migrate", "prepare", "restored", "roles", "showmigrations", "sqlmigrate"}


def main() -> None:
    """Hand the command line to Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
    if len(sys.argv) > 1 and sys.argv[1] in AS_OWNER:
        os.environ.setdefault("DATABASE_ROLE", "owner")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A senseless value is the person's to correct, in one line; a stack trace would hide it.
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
