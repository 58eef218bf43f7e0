"""Go on with a newer version of an open list: what is kept, asked again, new and no longer asked, then one signature."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from checklists.access import access_run
from checklists.actions.moving import may_move, move_run, plan_for, target_of
from checklists.actions.signing import Credential
from checklists.models import Definition
from checklists.rules.nodes import Key, build_index
from clinic.access import Caller
from clinic.actions.access import record_read
from clinic.lib.clock import database_now
from clinic.lib.problems import Problem
from clinic.vocabulary import Via


def run_move(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the plan, or carry it out under the credential of the person who is logged in."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    run = access_run(caller, public_id)
    now = database_now()
    record_read(caller, f"procedure:{run.procedure.public_id}", now)
    problem: Problem | None = None
    becomes = target_of(run)
    if request.method == "POST" and becomes is not None:
        try:
            move_run(
                run=run,
                becomes=becomes,
                plan_sha256=request.POST.get("plan_sha256", ""),
                user=caller.person,
                credential=Credential(pin=request.POST.get("pin", ""), password=request.POST.get("password", "")),
                by=caller.actor(),
                tablet=caller.tablet,
                now=now,
            )
        except Problem as refusal:
            problem = refusal
        else:
            messages.success(request, _("The list goes on with version %(version)s.") % {"version": becomes.version})
            # A tablet's PIN opens the list and not the timeline.
            on_tablet = caller.via == Via.PIN.value
            target = ("page-run", run.public_id) if on_tablet else ("page-procedure", run.procedure.public_id)
            return HttpResponseRedirect(reverse(target[0], args=[target[1]]))
    was = Definition.objects.select_related("withdrawal").get(pk=run.definition_id)
    plan = plan_for(run, becomes) if becomes else None
    rows: dict[str, Any] = {}
    if plan is not None and becomes is not None:
        old, new = build_index([was.content]).nodes, build_index([becomes.content]).nodes
        rows = {
            "kept": [_line(key, value, new) for key, value in plan.kept],
            "unfit": [(*_line(key, value, old), why) for key, value, why in plan.unfit],
            "retired": [_line(key, value, old) for key, value in plan.retired],
            "added": [new[name] for name in plan.new],
            "plan_sha256": plan.sha256(str(run.public_id)),
        }
    return render(
        request,
        "checklists/run_move.html",
        {
            "run": run,
            "procedure": run.procedure,
            "was": was,
            "withdrawal": getattr(was, "withdrawal", None),
            "becomes": becomes,
            **rows,
            "may_sign": may_move(run, caller.person, now),
            "problem": problem,
            "now": now,
        },
    )


def _line(key: Key, value: Any, items: Any) -> tuple[Key, Any, Any]:
    return key, items.get(key.node_id), value
