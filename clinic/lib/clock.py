"""The one clock: the database's. Entry points read it once and pass it on as `now`."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return PostgreSQL's statement_timestamp() as an aware UTC datetime."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        row = cursor.fetchone()
    now: datetime = row[0]
    return now
