"""The import of a calendar as a page: choose a file, read what would happen, then let it happen."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.access import Caller
from clinic.actions.rota_import import import_rota
from clinic.lib.calendar_file import MOST_BYTES
from clinic.lib.clock import database_now
from clinic.lib.problems import Invalid, Problem
from clinic.queries.rota_import import ImportPlan, plan_import
from clinic.vocabulary import Post

SHOWN = 200


def rota_import(request: HttpRequest) -> HttpResponse:
    """Show the form, what a file would change, or go back to the calendar once it is changed."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    post, rank = request.POST.get("post", ""), request.POST.get("rank", "")
    text, plan = "", None
    problem: Problem | None = None
    if request.method == "POST":
        try:
            text = _text(request)
            place = {"post": post if post in set(Post) else "", "rank": _rank(rank)}
            if request.POST.get("digest"):
                done = import_rota(
                    site=caller.place,
                    text=text,
                    digest=request.POST["digest"],
                    leave_out=request.POST.get("leave_out") == "yes",
                    by=caller.actor(),
                    now=now,
                    post=str(place["post"]),
                    rank=_rank(rank),
                )
                messages.success(request, _done(done))
                return HttpResponseRedirect(reverse("page-rota"))
        except Problem as refusal:
            problem = refusal
        if text:
            try:
                plan = plan_import(
                    site=caller.place, text=text, now=now, post=post if post in set(Post) else "", rank=_rank(rank)
                )
            except Problem as refusal:
                problem = refusal
    rows = plan.of("leave_out", "remove", "change", "add") if plan else []
    return render(
        request,
        "clinic/rota_import.html",
        {
            "posts": list(Post),
            "post": post,
            "rank": rank,
            "text": text if plan else "",
            "plan": plan,
            "rows": rows[:SHOWN],
            "more": max(0, len(rows) - SHOWN),
            "new": plan is not None and bool(plan.of("add", "change", "remove")),
            "problem": problem,
            "now": now,
        },
    )


def _text(request: HttpRequest) -> str:
    """Return the file that was chosen, or the one that was read before; raise Invalid naming what is wrong with it."""
    file = request.FILES.get("file")
    if file is None:
        text = request.POST.get("calendar", "")
        if not text:
            raise Invalid.field("file", "missing", _("Choose a calendar file (.ics)."))
        return text
    if file.size is None or file.size > MOST_BYTES:
        raise Invalid.field("file", "too_large", _("The file is larger than %(n)s KiB.") % {"n": MOST_BYTES // 1024})
    content = file.read()
    try:
        return str(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Invalid.field("file", "not_text", _("Line %(n)s is not UTF-8 text.") % {"n": line}) from None


def _rank(text: str) -> int | None:
    return int(text) if text.isdecimal() and 1 <= int(text[:3]) <= 9 else None


def _done(plan: ImportPlan) -> str:
    changed = len(plan.of("add", "change", "remove"))
    return ngettext("%(n)s shift changed by the calendar.", "%(n)s shifts changed by the calendar.", changed) % {
        "n": changed
    }
