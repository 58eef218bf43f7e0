"""The name under which Django looks for a database backend."""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base


class Cursor(base.Cursor):
    """Django's cursor; in a pipeline (`clinic.lib.prepared`) it waits for its result before it says how many rows."""

    @property
    def rowcount(self) -> int:
        """The number of rows of the last statement."""
        self._fetch_pipeline()  # type: ignore[attr-defined]
        return int(super().rowcount)  # type: ignore[misc]


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL; each request looks at its connection's socket instead of asking the server `SELECT 1`."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a new connection whose cursors know of pipelines."""
        found = super().get_new_connection(conn_params)
        if found.cursor_factory is base.Cursor:
            found.cursor_factory = Cursor
        return found

    def is_usable(self) -> bool:
        """Tell whether the connection can be used.

        An idle server says nothing: a socket with something to read was closed by a server that ended, or holds a notice,
        and only then the server is asked. (A machine that vanished without a word is noticed by neither way.)
        """
        if self.connection is None or self.connection.closed:
            return False
        watch = select.poll()
        watch.register(self.connection.fileno(), select.POLLIN)
        if not watch.poll(0):
            return True
        return bool(super().is_usable())
