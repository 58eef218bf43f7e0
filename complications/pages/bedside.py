"""The bedside form on a phone: one shell without data for every case, filled by its script from the API or from what the phone keeps."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.csrf import ensure_csrf_cookie

from clinic.vocabulary import LEVELS, ProcedureKind
from complications.access import access_escalation
from complications.actions.standing import refuse_drill
from complications.pages.exam import ExamForm
from complications.vocabulary import Decision, Finding, Milestone

SCRIPT, SHEET = "complications/bedside-page.js", "complications/bedside-page.css"
INTERVALS = (15, 30, 60, 120)
STONES = (Milestone.IMAGING_REQUESTED, Milestone.IMAGING_DONE, Milestone.IMAGING_REPORTED, Milestone.FAMILY_TOLD)


def words() -> dict[str, Any]:
    """Return the sentences that the script says, in the reader's language; `%s` is filled in there."""
    return {
        "online": _("Connected"),
        "looking": _("Looking for the service"),
        "offline": _("No connection. This is what the phone knew at %s."),
        "offline_empty": _("No connection, and this phone does not hold this case."),
        "offline_list": _("No connection. These are the cases that this phone holds."),
        "logged_out": _("Logged out. What waits on this phone is sent once its author logs in here."),
        "log_in": _("Log in"),
        "not_sent": _("Not sent: call"),
        "paging_goes_on": _(
            "Nobody knows that you have this case. Paging goes on until an answer reaches the service."
        ),
        "nobody_knows": _("What you recorded is on this phone only. Tell the ward by telephone."),
        "no_phones": _("No number is stored for this site: use the switchboard."),
        "kept": _("Kept on this phone as you type"),
        "not_kept": _("This phone does not keep what you type: record it before you leave the page."),
        "was": _("was: %s"),
        "born": _("born %s"),
        "no_baseline": _("No baseline"),
        "arrived": _("I am at the bedside"),
        "arrived_since": _("At the bedside since %s"),
        "has_it": _("%s has it"),
        "nobody_has_it": _("Nobody has answered yet."),
        "in_force": _("In force:"),
        "no_number": _("Give a number."),
        "to_ten": _("Give a number from 0 to 10."),
        "to_hundred": _("Give a number from 0 to 100."),
        "choose_decision": _("Choose the decision that this belongs to."),
        "say_why": _("Say why, in a few words."),
        "say_when": _("Say when the patient is examined again."),
        "say_where": _("Say to which centre."),
        "contradicts": _("The examination shows a deficit: choose another decision, or correct the examination."),
        "say_arrived": _("Touch “I am at the bedside” first: a decision is made there."),
        "nothing_yet": _("Nothing is filled in yet."),
        "written": _("written %s"),
        "stored_at": _("stored %s"),
        "on_phone": _("On this phone, not yet sent"),
        "unkept": _("Not kept by this phone: do not close this page"),
        "stored": _("Sent, stored"),
        "refused": _("Not accepted; it is still on this phone"),
        "partly": _("Stored, but not taken: %s"),
        "correct": _("Correct it"),
        "send_again": _("Send it again as it is"),
        "other_waits": _("%s's record waits on this phone"),
        "other_waits_says": _(
            "It is sent once %s logs in here, and never in another name. Until then nobody knows of it: call."
        ),
        "conflict": _("Somebody else decided meanwhile"),
        "conflict_closed": _("The case ended meanwhile"),
        "conflict_says": _("Both are kept. The first one stands until you change it."),
        "stands": _("In force"),
        "yours": _("Yours, not in force"),
        "not_in_force": _("not in force"),
        "make_mine": _("Make mine the decision"),
        "leave": _("Leave theirs in force"),
        "leave_it": _("Leave it"),
        "parts": {
            "arrival": _("At the bedside"),
            "examination": _("Examination"),
            "imaging": _("Imaging"),
            "decision": _("Decision"),
        },
    }


def shell_html() -> str:
    """Return the shell in the reader's language: no patient, no person, no token."""
    return render_to_string(
        "complications/bedside.html",
        {
            "LANGUAGE_CODE": get_language() or "en",
            "exam": ExamForm.blank(),
            "decisions": list(Decision),
            "intervals": INTERVALS,
            "levels": LEVELS,
            "findings": list(Finding),
            "stones": STONES,
            "kinds": [str(kind) for kind in ProcedureKind],
            "words": words(),
            "script": static(SCRIPT),
            "sheet": static(SHEET),
        },
    )


def kept_files() -> list[str]:
    """Return what the phone's worker keeps beside the shell."""
    return [static(SCRIPT), static(SHEET), static("clinic/icon.svg"), static("clinic/phone-192.png")]


def version(html: str) -> str:
    """Return the name under which the worker keeps all of it: another word or file, another version."""
    return sha256("\n".join([html, *kept_files()]).encode()).hexdigest()[:16]


@ensure_csrf_cookie
def bedside(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """GET /escalations/{id}/bedside/: the shell; which case it shows, its script reads from the address. 404 for another site's."""
    refuse_drill(access_escalation(request.caller, public_id))  # type: ignore[attr-defined]
    return HttpResponse(shell_html())


def shell(request: HttpRequest) -> HttpResponse:
    """GET /escalations/bedside/shell/: the shell as the phone's worker keeps it."""
    return HttpResponse(shell_html())


SHELL = "page-bedside-shell"


def worker_words() -> dict[str, Any]:
    """Return what the worker's script needs to know of the form."""
    return {"version": version(shell_html()), "shell": reverse(SHELL), "keep": kept_files()}
