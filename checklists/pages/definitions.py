"""The lists: which versions are in force, in work and withdrawn; what one says, who uses it, and how it comes and goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models.fields.json import KeyTextTransform
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from checklists.access import access_definition
from checklists.actions.drafts import next_version, open_draft, withdraw_definition
from checklists.actions.questionnaires import import_questionnaire, read_questionnaire
from checklists.models import Definition, Draft, Run
from checklists.queries.definitions import in_force, runs_of, versions_with_use
from checklists.queries.questionnaires import questionnaire_of
from checklists.rules.differences import differences
from checklists.rules.nodes import PHASES
from checklists.rules.review import walk
from checklists.vocabulary import RunStatus
from clinic.access import Caller
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, Problem
from clinic.vocabulary import Role

MOST_BYTES = 2_000_000
SHOWN = 100


@dataclass(frozen=True)
class ListRow:
    """One list: its versions newest first, the one in force, and the draft in work."""

    name: str
    title: str
    title_tr: str
    code: str
    versions: list[Definition]
    in_force: Definition | None
    draft: Draft | None


def definitions(request: HttpRequest) -> HttpResponse:
    """Show every list with its versions, or begin a draft of one."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    if request.method == "POST":
        base = in_force(request.POST.get("list", ""))
        if base is None:
            raise Invalid.field("list", "unknown_list", _("There is no such list."))
        content = {**base.content, "version": next_version(base.name)}
        draft = open_draft(name=base.name, content=content, base=base, note="", by=caller.actor(), now=now)
        return HttpResponseRedirect(reverse("page-draft", args=[draft.public_id]))
    return render(
        request,
        "checklists/definitions.html",
        {"lists": _lists(caller), "may_edit": caller.has(Role.ADMINISTRATOR), "now": now},
    )


def _lists(caller: Caller) -> list[ListRow]:
    drafts = {row.name: row for row in Draft.objects.in_work().select_related("author")}
    versions: dict[str, list[Definition]] = {}
    for row in versions_with_use(caller.place):
        versions.setdefault(row.name, []).append(row)
    titles = {row.name: (row.title, row.title_tr) for row in _titles()}
    order = {name: place for place, name in enumerate(PHASES)}
    found = []
    for name, rows in versions.items():
        usable = next((row for row in rows if not hasattr(row, "withdrawal")), None)
        title, title_tr = titles.get(name, (name, name))
        found.append(ListRow(name, title, title_tr, rows[0].code, rows, usable, drafts.get(name)))
    return sorted(found, key=lambda one: (order.get(one.name, 99), one.versions[-1].pk))


def _titles() -> Any:
    """Return the newest titles without reading whole lists."""
    texts = {name: KeyTextTransform(name, "content") for name in ("title", "title_tr")}
    return Definition.objects.newest().annotate(**texts).only("pk", "name")


def definition(request: HttpRequest, sha256: str) -> HttpResponse:
    """Show a version: what it says, what differs `?against=` another one, who uses it."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_definition(caller, sha256)
    versions = list(
        Definition.objects.filter(name=row.name)
        .defer("content")
        .select_related("withdrawal", "published_by", "authored_by")
        .order_by("-id")
    )
    before = next((one for one in versions if one.pk < row.pk), None)
    asked = request.GET.get("against", "")
    other = next((one for one in versions if one.sha256 == asked and one.pk != row.pk), before)
    runs = runs_of(row, caller.place)
    shown = next(one for one in versions if one.pk == row.pk)
    current = next((one for one in versions if not hasattr(one, "withdrawal")), None)
    return render(
        request,
        "checklists/definition.html",
        {
            "row": shown,
            "content": row.content,
            "count": sum(1 for item in walk(row.content["items"]) if item["type"] not in {"group", "series"}),
            "versions": versions,
            "other": other,
            "changes": differences(other.content, row.content) if other else [],
            "current": current,
            "withdrawal": getattr(shown, "withdrawal", None),
            "open_runs": [run for run in runs if run.status == RunStatus.OPEN and run.definition_id == row.pk][:SHOWN],
            "past_runs": [run for run in runs if run.status != RunStatus.OPEN or run.definition_id != row.pk][:SHOWN],
            "all_runs": len(runs),
            "elsewhere": Run.objects.filter(definition=row).exclude(procedure__site=caller.place).count(),
            "notes": questionnaire_of(row)[1],
            "may_edit": caller.has(Role.ADMINISTRATOR),
            "reason": "",
            "now": database_now(),
        },
    )


@require_POST
def withdrawal(request: HttpRequest, sha256: str) -> HttpResponse:
    """Withdraw a version, and come back to it with the list of who uses it."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_definition(caller, sha256)
    try:
        withdraw_definition(
            definition=row, reason=request.POST.get("reason", ""), by=caller.actor(), now=database_now()
        )
    except Problem as problem:
        messages.error(request, problem.detail)
    else:
        left = Run.objects.filter(definition=row, status=RunStatus.OPEN.value, procedure__site=caller.place).count()
        messages.success(
            request,
            ngettext(
                "Withdrawn. %(n)s open list still uses it: see below.",
                "Withdrawn. %(n)s open lists still use it: see below.",
                left,
            )
            % {"n": left},
        )
    return HttpResponseRedirect(reverse("page-definition", args=[sha256]))


def questionnaire_import(request: HttpRequest) -> HttpResponse:
    """Take a FHIR questionnaire in: a file or pasted text, which stays in the form where it is refused."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    text, name = request.POST.get("text", ""), request.POST.get("list", "")
    problem: Problem | None = None
    if request.method == "POST":
        try:
            text = _text(request)
            draft, notes = import_questionnaire(
                resource=read_questionnaire(text), name=name, by=caller.actor(), now=now
            )
        except Problem as refusal:
            problem = refusal
        else:
            messages.success(
                request,
                ngettext(
                    "Taken in. %(n)s point could not be represented: see the report.",
                    "Taken in. %(n)s points could not be represented: see the report.",
                    len(notes),
                )
                % {"n": len(notes)},
            )
            return HttpResponseRedirect(reverse("page-draft", args=[draft.public_id]))
    return render(
        request,
        "checklists/questionnaire_import.html",
        {"lists": _lists(caller), "text": text, "chosen": name, "problem": problem, "now": now},
    )


def _text(request: HttpRequest) -> str:
    file = request.FILES.get("file")
    if file is None:
        text = request.POST.get("text", "")
        if not text.strip():
            raise Invalid.field("file", "missing", _("Choose a file, or paste the text."))
        return text
    if file.size is None or file.size > MOST_BYTES:
        raise Invalid.field("file", "too_large", _("The file is larger than %(n)s KiB.") % {"n": MOST_BYTES // 1024})
    try:
        return str(file.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Invalid.field("file", "not_text", _("The file is not UTF-8 text.")) from None
