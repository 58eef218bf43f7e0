"""Refusals that a person can act on; the API renders them as problem details (RFC 9457), pages as a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One field that was not accepted: its path in the input, a machine code, and what to do."""

    field: str
    code: str
    detail: str


class Problem(Exception):
    """A request that is not carried out: HTTP status, machine code, title, and a sentence with the remedy."""

    status = 400
    title = "The request was not carried out"

    def __init__(self, code: str, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = list(errors)


class Invalid(Problem):
    """What was sent cannot be read or is outside what is accepted (400)."""

    status = 400
    title = "The input was not accepted"

    @classmethod
    def field(cls, field: str, code: str, detail: str) -> "Invalid":
        """Return the problem of a single field."""
        return cls("invalid", detail, [FieldError(field, code, detail)])


class NotLoggedIn(Problem):
    """Nobody is logged in, or the log-in has expired (401)."""

    status = 401
    title = "Log in again"


class Denied(Problem):
    """The person is known and may not do this (403)."""

    status = 403
    title = "Not allowed"


class NotFound(Problem):
    """Not there, or at another site: both look the same (404)."""

    status = 404
    title = "Not found"

    def __init__(self, code: str = "not_found", detail: str = "There is no such record at your site.") -> None:
        super().__init__(code, detail)


class Refused(Problem):
    """The state of the record does not allow it, or somebody was first (409)."""

    status = 409
    title = "Not possible in this state"


class LostUpdate(Problem):
    """The record changed since it was read (412)."""

    status = 412
    title = "The record has changed"


class TooMany(Problem):
    """A rate or size limit (429); `retry_after` in seconds."""

    status = 429
    title = "Too many requests"

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after
