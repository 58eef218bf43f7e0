"""The paging policy: the ladder to read, its versions with who set them and why, and a form for a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.access import Caller
from clinic.lib.clock import database_now
from clinic.lib.problems import FieldError, Invalid, NotFound, Problem
from clinic.vocabulary import Role
from complications.actions.policy import set_policy
from complications.models import EscalationPolicy
from complications.pages.policy_form import CLOCKS, Fault, as_form, read_form
from complications.pages.policy_trial import Trial
from complications.queries.policy import policy_in_force
from complications.rules.policy import POSTS, Policy, check
from complications.rules.policy_review import Change, differences
from complications.vocabulary import Pathway, Tier

PATHWAYS = [pathway for pathway in Pathway if pathway.pages]


@dataclass(frozen=True)
class LadderView:
    """One tier to read: the steps of each pathway, the repeat, the clocks."""

    tier: str
    rows: list[tuple[float, bool, list[tuple[tuple[str, ...], tuple[str, ...]]]]]
    every: float
    clocks: list[tuple[str, float]]
    quiet: Any


def ladders(data: dict[str, Any]) -> list[LadderView]:
    """Return the policy in the order in which it is read: minutes as they stand in it, whatever the site's scale."""
    policy = Policy({**data, "time_scale": 1})
    found: list[LadderView] = []
    for tier in Tier:
        by_pathway = [(pathway.value, policy.ladder(tier, pathway)) for pathway in PATHWAYS]
        first = by_pathway[0][1]
        rows = [
            (step.after.total_seconds() / 60, False, _alike([(name, one.steps[index].to) for name, one in by_pathway]))
            for index, step in enumerate(first.steps)
        ]
        again = _alike([(name, one.repeat_to) for name, one in by_pathway])
        rows.append((first.repeat_from.total_seconds() / 60, True, again))
        row = data["tiers"][tier.value]
        clocks = [(key, value) for key in CLOCKS if (value := _value(row, key)) is not None]
        found.append(LadderView(tier.value, rows, first.repeat_every.total_seconds() / 60, clocks, row.get("quiet")))
    return found


def _alike(rows: list[tuple[str, tuple[str, ...]]]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return which pathways page whom, those that page the same together."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for pathway, posts in rows:
        found[posts] = (*found.get(posts, ()), pathway)
    return [(pathways, posts) for posts, pathways in found.items()]


def _value(row: Any, key: str) -> Any:
    for part in key.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    return row


def policy(request: HttpRequest) -> HttpResponse:
    """Show the policy in force, or `?version=3` with what differs from the one in force."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    in_force, number = policy_in_force(caller.place)
    versions = list(
        EscalationPolicy.objects.filter(site=caller.place).select_related("created_by").order_by("-version")
    )
    asked = request.GET.get("version", "")
    chosen = next((row for row in versions if str(row.version) == asked), None)
    if asked and chosen is None:
        raise NotFound("not_found", _("There is no such version of the policy."))
    shown = chosen.data if chosen else in_force
    usable = chosen is None or not check({**in_force, **chosen.data})
    changes: list[Change] = []
    if chosen is not None and chosen.version != number:
        changes = differences(chosen.data, in_force)
    return render(
        request,
        "complications/policy.html",
        {
            "ladders": ladders(dict(shown)) if usable else [],
            "backstop": shown.get("backstop") or {},
            "versions": versions,
            "number": number,
            "shown": chosen.version if chosen else number,
            "changes": changes,
            "may_edit": caller.has(Role.ADMINISTRATOR),
            "now": database_now(),
        },
    )


def policy_edit(request: HttpRequest) -> HttpResponse:
    """Show the form, filled with the policy in force (or `?version=3`), or set a new version with its reason."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    base, number = policy_in_force(caller.place)
    older = EscalationPolicy.objects.filter(site=caller.place, version=_whole(request.GET.get("version", ""))).first()
    if older is not None and not check({**base, **older.data}):
        base = {**older.data}
    base = {key: value for key, value in base.items() if key not in ("timezone", "time_scale")}
    data, reason = dict(base), ""
    wrong: list[Fault] = []
    problem: Problem | None = None
    tried = Trial(caller, request.POST)
    if request.method == "POST":
        data, wrong = read_form(request.POST, base)
        reason = request.POST.get("reason", "").strip()
    if tried.asked:
        problem = tried.play(data, wrong)
    elif request.method == "POST":
        try:
            if not reason:
                wrong.append(("reason", "missing", _("Say why: whoever reads this in a year will ask.")))
            if wrong:
                raise Invalid("invalid", _("This policy cannot be used."), [FieldError(*one) for one in wrong])
            row = set_policy(site=caller.place, data=data, reason=reason, by=caller.actor(), now=database_now())
        except Problem as refusal:
            problem = refusal
        else:
            messages.success(request, _("Version %(n)s is in force. Open cases keep theirs.") % {"n": row.version})
            return HttpResponseRedirect(reverse("page-escalation-policy"))
    errors: dict[str, str] = {}
    for one in problem.errors if problem else ():
        errors.setdefault(one.field, one.detail)
    return render(
        request,
        "complications/policy_form.html",
        {
            "form": as_form(data),
            "posts": POSTS,
            "errors": errors,
            "problem": problem,
            "reason": reason,
            "number": number,
            "trial": tried,
            "changes": differences(base, data) if request.method == "POST" and not wrong else [],
            "now": database_now(),
        },
    )


def _whole(text: str) -> int:
    return int(text[:6]) if text.isdecimal() else 0
