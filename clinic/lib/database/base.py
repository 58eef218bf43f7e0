"""The name under which Django looks for a database backend."""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL; each request looks at its connection's socket instead of asking the server `SELECT 1`."""

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
