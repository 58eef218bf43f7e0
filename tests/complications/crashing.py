"""Kill the connection of this process at a chosen boundary between two statements, in real PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

import psycopg
import pytest
from django.db import DatabaseError, InterfaceError, connection

Scene = TypeVar("Scene")


class Dying:
    """Ends the server's side of this process's connection at its n-th boundary: before each statement and each commit,
    and right after each commit, when nobody can tell the caller any more that it held. A statement outside of a
    transaction is its own commit.
    """

    def __init__(self, at: int) -> None:
        self.left = at
        self.fired = False

    def __enter__(self) -> Dying:
        self.put_back = ExitStack()
        self.put_back.enter_context(connection.execute_wrapper(self.statement))
        patch = self.put_back.enter_context(pytest.MonkeyPatch.context())
        self.commit: Callable[[], Any] = getattr(connection, "_commit")  # noqa: B009 - the stubs do not know it
        patch.setattr(connection, "_commit", self.dying_commit)
        return self

    def __exit__(self, *error: object) -> None:
        self.put_back.close()

    def boundary(self) -> None:
        """Kill here, when it is time."""
        if self.left == 0 and connection.connection is not None:
            self.fired = True
            # As the same role, which may end its own; it returns once the backend is gone.
            with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.connection.info.backend_pid])
        self.left -= 1

    def statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        """Stand between Django and the cursor."""
        self.boundary()
        done = execute(sql, params, many, context)
        if not connection.in_atomic_block:
            self.boundary()
        return done

    def dying_commit(self) -> Any:
        """Stand before and after each commit."""
        self.boundary()
        done = self.commit()
        self.boundary()
        return done


def crash_everywhere(
    prepare: Callable[[], Scene], act: Callable[[Scene], object], restart: Callable[[Scene], None], *, every: int = 1
) -> int:
    """Do `act` again and again, killed `every` boundary later each time, until it comes through; return how many there are.

    Each time begins with a scene of its own and ends with `restart`, on a new connection, which says what must hold.
    """
    for at in range(0, 2000, every):
        scene = prepare()
        with Dying(at) as dying, suppress(DatabaseError, InterfaceError):
            act(scene)
        connection.close()
        restart(scene)
        if not dying.fired:
            return at
    raise AssertionError("it never came through")
