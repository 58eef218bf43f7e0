"""A draft of a list: what it changes, what stands against it, its items as forms, its text as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from checklists.access import access_draft
from checklists.actions.drafts import approve_draft, discard_draft, propose_draft, return_draft, save_draft
from checklists.models import Draft
from checklists.pages import draft_form
from checklists.queries.definitions import PAST_CASES, DryRun, dry_run, faults_of, newest_version
from checklists.rules.check import TYPES, BrokenDefinition
from checklists.rules.derived import settled
from checklists.rules.differences import differences
from checklists.rules.nodes import CONTAINERS
from checklists.rules.places import add_after, item_at, move_item, replace_item, take_out
from checklists.rules.review import cautions, walk
from checklists.rules.shape import readable, shape_faults
from checklists.rules.written import read_json
from checklists.vocabulary import DraftStatus
from clinic.access import Caller
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, NotFound, Problem, Refused
from clinic.vocabulary import Role

HEAD = ("version", "title", "title_tr", "notice", "notice_tr")


def draft(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show a draft, or take a step with it: save its head, propose, approve, send back, discard. `?cases=50` tries it."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_draft(caller, public_id)
    problem: Problem | None = None
    if request.method == "POST":
        try:
            return _step(request, caller, row)
        except Problem as refusal:
            problem = refusal
            row = access_draft(caller, public_id)
    version = newest_version(row)
    content = version.content
    faults = faults_of(content)
    usable = not any(shape_faults(row.name, content))
    base = row.base.content if row.base else None
    return render(
        request,
        "checklists/draft.html",
        {
            "draft": row,
            "version": version,
            "head": {name: request.POST.get(name, content.get(name, "")) for name in HEAD},
            "items": list(_lines(content["items"])) if usable else [],
            "usable": usable,
            "faults": faults,
            "changes": differences(base, content) if base and usable else [],
            "cautions": cautions(content, base) if usable else [],
            "tried": _tried(request, caller, content) if not faults else None,
            "cases": PAST_CASES,
            "problem": problem,
            "reason": request.POST.get("reason", ""),
            "may_edit": caller.has(Role.ADMINISTRATOR) and row.status == DraftStatus.OPEN,
            "may_approve": caller.has(Role.ADMINISTRATOR) and _may_approve(caller, row),
            "is_administrator": caller.has(Role.ADMINISTRATOR),
            "now": database_now(),
        },
    )


def _may_approve(caller: Caller, row: Draft) -> bool:
    person = caller.person
    return (
        row.status == DraftStatus.PROPOSED
        and person not in (row.author, row.proposed_by)
        and not row.versions.filter(saved_by=person).exists()
    )


def _tried(request: HttpRequest, caller: Caller, content: Mapping[str, Any]) -> DryRun | None:
    asked = request.GET.get("cases", "")
    if not asked.isdecimal():
        return None
    return dry_run(content, site=caller.place, now=database_now(), cases=int(asked[:4]))


def _lines(items: Any, depth: int = 0) -> Any:
    for item in items:
        yield depth, item
        yield from _lines(item.get("items", ()), depth + 1)


def _step(request: HttpRequest, caller: Caller, row: Draft) -> HttpResponse:
    act, by, now = request.POST.get("act", ""), caller.actor(), database_now()
    here = HttpResponseRedirect(reverse("page-draft", args=[row.public_id]))
    number = _number(request)
    if act == "head":
        content = {**newest_version(row).content, **{name: request.POST.get(name, "") for name in HEAD}}
        save_draft(draft=row, content=content, number=number, note=_("Title and version"), by=by, now=now)
        messages.success(request, _("Saved."))
    elif act == "propose":
        propose_draft(draft=row, number=number, by=by, now=now)
        messages.success(request, _("Put up for approval. Another administrator publishes it."))
    elif act == "return":
        return_draft(draft=row, reason=request.POST.get("reason", ""), by=by, now=now)
        messages.success(request, _("Sent back to be worked on."))
    elif act == "discard":
        discard_draft(draft=row, by=by, now=now)
        messages.success(request, _("The draft was given up."))
        return HttpResponseRedirect(reverse("page-definitions"))
    elif act == "approve":
        published = approve_draft(draft=row, number=number, by=by, now=now)
        messages.success(request, _("Published. New lists are opened on it; open ones keep theirs."))
        return HttpResponseRedirect(reverse("page-definition", args=[published.sha256]))
    else:
        raise Invalid.field("act", "unknown", _("Choose one of those that are shown."))
    return here


def _number(request: HttpRequest) -> int:
    text = request.POST.get("number", "")
    return int(text[:9]) if text.isdecimal() else 0


def draft_item(request: HttpRequest, public_id: UUID, item: str) -> HttpResponse:
    """Show one item as a form, or save it; what was typed stands there again where it is refused."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_draft(caller, public_id)
    version = newest_version(row)
    content = version.content
    if any(shape_faults(row.name, content)):
        messages.warning(request, _("A field of this draft has a wrong shape. Mend the text first."))
        return HttpResponseRedirect(reverse("page-draft-text", args=[row.public_id]))
    was = item_at(content, item)
    if was is None:
        raise NotFound("not_found", _("There is no such item in this draft."))
    typed = draft_form.typed_from(was)
    wrong: dict[str, str] = {}
    problem: Problem | None = None
    if request.method == "POST":
        try:
            act = request.POST.get("act", "save")
            if act != "save":
                return _rearrange(request, caller, row, content, item)
            typed = {name: str(value) for name, value in request.POST.items()}
            made, faults = draft_form.read_item(typed, was)
            wrong = dict(faults)
            if faults:
                raise Invalid("invalid", _("This cannot be kept yet. Nothing that you typed is lost."))
            _save(caller, row, replace_item(content, item, made), _number(request), item)
            left = [one for one in faults_of(newest_version(row).content) if one.item == item]
            if left:
                messages.warning(request, _("Saved. It cannot be published like this: see above the form."))
                return HttpResponseRedirect(request.path)
            messages.success(request, _("Saved."))
            return HttpResponseRedirect(f"{reverse('page-draft', args=[row.public_id])}#{quote(item)}")
        except Problem as refusal:
            problem = refusal
            row = access_draft(caller, public_id)
    faults_here = [one for one in faults_of(newest_version(row).content) if one.item == item]
    ids = [str(one["id"]) for one in walk(content["items"])]
    return render(
        request,
        "checklists/draft_item.html",
        {
            "draft": row,
            "item": was,
            "typed": typed,
            "options": draft_form.options_of(typed),
            "rules": draft_form.rules_of(typed),
            "choices": draft_form.CHOICES,
            "classes": draft_form.CLASSES,
            "takes_options": was["type"] in draft_form.CHOICE_TYPES,
            "takes_limits": was["type"] in draft_form.NUMBER_TYPES,
            "takes_numbers": was["type"] in {"integer", "decimal"},
            "takes_counts": was["type"] == "multi_choice",
            "ids": ids,
            "types": sorted(TYPES),
            "is_container": was["type"] in CONTAINERS,
            "wrong": wrong,
            "problem": problem,
            "faults": faults_here,
            "may_edit": caller.has(Role.ADMINISTRATOR) and row.status == DraftStatus.OPEN,
            "now": database_now(),
        },
    )


def _save(caller: Caller, row: Draft, content: Mapping[str, Any], number: int, note: str) -> None:
    save_draft(draft=row, content=content, number=number, note=note, by=caller.actor(), now=database_now())


def _rearrange(request: HttpRequest, caller: Caller, row: Draft, content: dict[str, Any], item: str) -> HttpResponse:
    """Add an item after this one or below it, take this one out, or move it among its neighbours."""
    act, target = request.POST.get("act", ""), item
    if act in {"up", "down"}:
        made = move_item(content, item, -1 if act == "up" else 1)
    elif act == "remove":
        made = take_out(content, item)
        if not made["items"]:
            raise Refused("last_item", _("A list keeps at least one item."))
    elif act in {"add_after", "add_below"}:
        target = request.POST.get("new_id", "").strip()
        kind = request.POST.get("new_type", "boolean")
        if not target or item_at(content, target) is not None:
            raise Invalid.field("new_id", "taken", _("Give the new item an id of its own."))
        new = {
            "id": target, "title": target, "title_tr": target, "type": kind if kind in TYPES else "boolean",
            "required": "optional", "per": "procedure", "by": ["nurse"], "emergency": "now", "source": "", "evidence": "K",
        }  # fmt: skip
        made = add_after(content, item, new, below=act == "add_below")
    else:
        raise Invalid.field("act", "unknown", _("Choose one of those that are shown."))
    shaped = made if any(shape_faults(row.name, made)) else settled(made)
    _save(caller, row, shaped, _number(request), f"{act}: {target}"[:200])
    messages.success(request, _("Saved."))
    if act in {"add_after", "add_below"} and not any(shape_faults(row.name, shaped)):
        return HttpResponseRedirect(reverse("page-draft-item", args=[row.public_id, target]))
    return HttpResponseRedirect(reverse("page-draft", args=[row.public_id]))


def draft_text(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the draft's text as it is, or save it; text that is no JSON stays in the form."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    row = access_draft(caller, public_id)
    text = json.dumps(readable(newest_version(row).content), ensure_ascii=False, indent=1)
    problem: Problem | None = None
    if request.method == "POST":
        text = request.POST.get("text", "")
        try:
            content = _read(row, text)
            _save(caller, row, content, _number(request), _("Text"))
            messages.success(request, _("Saved."))
            return HttpResponseRedirect(reverse("page-draft", args=[row.public_id]))
        except Problem as refusal:
            problem = refusal
            row = access_draft(caller, public_id)
    return render(
        request,
        "checklists/draft_text.html",
        {
            "draft": row,
            "text": text,
            "rows": min(40, max(12, text.count("\n") + 1)),
            "problem": problem,
            "may_edit": caller.has(Role.ADMINISTRATOR) and row.status == DraftStatus.OPEN,
            "now": database_now(),
        },
    )


def _read(row: Draft, text: str) -> dict[str, Any]:
    try:
        content = read_json(row.name, text)
    except BrokenDefinition as error:
        raise Invalid.field("text", "not_json", f"{error.field}: {error.remedy}".removeprefix(": ")) from error
    if not isinstance(content, dict):
        raise Invalid.field("text", "not_json", _("A list is a JSON object {…}."))
    return content
