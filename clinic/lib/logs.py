"""Log lines as JSON, without patient data.

The message of an exception may quote what somebody typed, and the database's own detail quotes whole rows: a logged
exception keeps its type, its place and, from PostgreSQL, the code and the name of the constraint. Never the text.
"""

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType

request_id: ContextVar[str] = ContextVar("request_id", default="")

# Loggers whose messages are written here, from ids and codes. What others say about an error may quote its text.
OWN = ("clinic", "complications", "checklists")
PLAIN = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class JsonFormatter(logging.Formatter):
    """One line for each record: `at`, `level`, `logger`, `message`, `request_id`, `fields`, `error`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
        }
        if current := request_id.get():
            line["request_id"] = current
        if fields := self.fields(record):
            line["fields"] = fields
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = describe(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)

    @staticmethod
    def fields(record: logging.LogRecord) -> dict[str, object]:
        """Return what one of our own modules passed as `extra`, and the name and id of a Celery task."""
        if record.name.startswith(OWN):
            return {name: value for name, value in vars(record).items() if name not in PLAIN}
        data = getattr(record, "data", None)
        return {name: data[name] for name in ("name", "id") if name in data} if isinstance(data, dict) else {}

    @staticmethod
    def message(record: logging.LogRecord) -> str:
        """Return the message; for another package's report of an error only its pattern, which has no values in it."""
        if record.exc_info and not record.name.startswith(OWN):
            return str(record.msg)
        return record.getMessage()


def describe(info: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]) -> object:
    """Return the chain of an exception, each as type, `file:line function` of its frames, and database code."""
    found: list[dict[str, object]] = []
    error = info[1]
    while error is not None and len(found) < 5:
        kind = type(error)
        entry: dict[str, object] = {
            "type": f"{kind.__module__}.{kind.__qualname__}",
            "where": [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__, limit=-12)
            ],
        }
        if state := getattr(error, "sqlstate", None):
            entry["sqlstate"] = state
            entry["constraint"] = getattr(getattr(error, "diag", None), "constraint_name", None)
        found.append(entry)
        error = error.__cause__ or error.__context__
    return found
