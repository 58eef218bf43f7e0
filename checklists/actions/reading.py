"""Hand a run to somebody who looks at it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from checklists.models import Run
from checklists.queries.identity import known_until
from checklists.queries.runs import etag_of, run_body
from clinic.access import Caller, ticket_for
from clinic.actions.access import record_read

LANGUAGES = ("en", "tr")


def shown_in(language: str) -> str:
    """Return the language in which a list is shown to somebody who reads that one: English where there is none."""
    return language if language in LANGUAGES else LANGUAGES[0]


def read_run(
    *, run: Run, caller: Caller, language: str, with_definition: bool, with_gate: bool, known: str, now: datetime
) -> tuple[str, dict[str, Any] | None]:
    """Return the tag of a run and the run as this caller sees it, and note who looked.

    `known` are the tags that the caller has already (`If-None-Match`): while nothing changed there is no second part.
    """
    parts = f"{language}{with_definition:d}{with_gate:d}"
    tag = etag_of(run, now=now, language=parts, user=caller.user)
    if tag in known:
        return tag, None
    record_read(caller, f"procedure:{run.procedure.public_id}", now)
    body = run_body(
        run,
        now=now,
        language=language,
        with_definition=with_definition,
        with_gate=with_gate,
        ticket=(caller.person.username, ticket_for(caller.person)),
    )
    body["identity_until"] = known_until(run, user=caller.user, tablet=caller.tablet, now=now)
    return tag, body
