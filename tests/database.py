"""The test database of one pytest process: copied from the template, emptied between tests that commit."""

import os
from functools import cache
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

from tests.plugin_servers import TEMPLATE, with_database


def _name() -> str:
    return f"clinic_test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"


def create() -> str:
    """Copy the template and point Django's connection, which works as the app's role, at the copy; return its name."""
    name = _name()
    with psycopg.connect(with_database(os.environ["DATABASE_OWNER_URL"], "postgres"), autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
    connection.close()
    connection.settings_dict["NAME"] = name
    os.environ["DATABASE_URL"] = with_database(os.environ["DATABASE_URL"], name)
    os.environ["DATABASE_OWNER_URL"] = with_database(os.environ["DATABASE_OWNER_URL"], name)
    os.environ["DATABASE_RESET_URL"] = with_database(os.environ["DATABASE_RESET_URL"], name)
    return name


def drop(name: str) -> None:
    """Remove the copy."""
    connection.close()
    # As the superuser: only that role may end the server's own housekeeping in a database that goes.
    with psycopg.connect(with_database(os.environ["DATABASE_RESET_URL"], "postgres"), autocommit=True) as owner:
        owner.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


# Rows that the migrations made (content types, permissions, sites, …) are put back after each emptying.
_PREPARE = """
CREATE SCHEMA kept;
DO $$
DECLARE name text; filled boolean;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO filled;
        IF filled AND name <> 'django_migrations' THEN
            EXECUTE format('CREATE TABLE kept.%I AS TABLE public.%I', name, name);
        END IF;
    END LOOP;
END $$;
"""

# As replica, neither the append-only triggers nor the foreign keys stand in the way.
_RESET = """
SET session_replication_role = replica;
SET lock_timeout = '10s';
DO $$
DECLARE name text; columns text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'django_migrations' LOOP
        EXECUTE format('DELETE FROM public.%I', name);
    END LOOP;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'kept' LOOP
        SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
            WHERE attrelid = format('public.%I', name)::regclass AND attnum > 0 AND NOT attisdropped
              AND attgenerated = '';
        EXECUTE format('INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM kept.%I',
                       name, columns, columns, name);
    END LOOP;
END $$;
"""


@cache
def _owner() -> psycopg.Connection[Any]:
    owner = psycopg.connect(os.environ["DATABASE_RESET_URL"], autocommit=True)
    owner.execute(_PREPARE)
    return owner


def remember() -> None:
    """Note what the migrations left in the tables, before the first test writes."""
    _owner()


def reset() -> None:
    """Empty every table, through the owner's connection: the app's role could not, and should not."""
    _owner().execute(_RESET)


def forget() -> None:
    """Close the owner's connection."""
    _owner().close()
