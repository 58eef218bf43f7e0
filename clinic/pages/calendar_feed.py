"""One's own calendar of the rota: the page that gives it an address, and the address itself."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_safe

from clinic.access import Caller
from clinic.actions.calendar_feed import digest_of, make_calendar_feed, stop_calendar_feed
from clinic.lib.calendar_feed import Entry, write_calendar
from clinic.lib.clock import database_now
from clinic.models import CalendarFeed
from clinic.queries.rota_feed import OnCall, feed_of, on_call

BACK, AHEAD = timedelta(days=31), timedelta(days=400)
LONGEST_KEY = 200


def calendar_feed(request: HttpRequest) -> HttpResponse:
    """Show whether there is an address; POST makes a new one, shown this once, or stops it."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    now = database_now()
    address = ""
    if request.method == "POST" and request.POST.get("act") == "stop":
        stop_calendar_feed(by=caller.actor(), now=now)
        messages.success(request, _("Stopped: the address answers nobody any more."))
        return HttpResponseRedirect(reverse("page-rota-calendar"))
    if request.method == "POST":
        _feed, secret = make_calendar_feed(by=caller.actor(), now=now)
        address = f"{settings.BASE_URL.rstrip('/')}{reverse('page-rota-mine')}?key={secret}"
    feed = CalendarFeed.objects.standing().filter(user=caller.person).first()
    context = {"feed": feed, "address": address, "now": now}
    response = render(request, "clinic/calendar_feed.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """GET /rota/mine.ics?key=…: when its owner is on call, a month back and 400 days ahead. No patient, nobody else."""
    key = request.GET.get("key", "")
    feed = feed_of(digest_of(key)) if 0 < len(key) <= LONGEST_KEY else None
    if feed is None:
        response = HttpResponse("There is no such calendar.\n", status=404, content_type="text/plain; charset=utf-8")
    else:
        now = database_now()
        host = urlsplit(settings.BASE_URL).hostname or "localhost"
        with override(feed.user.language):
            entries = [_entry(one, host) for one in on_call(feed.user, now - BACK, now + AHEAD)]
            name = _("On call: %(name)s") % {"name": feed.user.get_full_name()}
        url = f"{settings.BASE_URL.rstrip('/')}{reverse('page-rota')}"
        body = write_calendar(name, entries, url=url, now=now)
        response = HttpResponse(body, content_type="text/calendar; charset=utf-8")
        response["Content-Disposition"] = 'inline; filename="on-call.ics"'
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex"
    return response


def _entry(one: OnCall, host: str) -> Entry:
    summary = render_to_string("clinic/calendar_entry.txt", {"post": one.post, "rank": one.rank}).strip()
    zone = ZoneInfo(one.site.timezone)
    uid = f"{one.key}-{one.start:%Y%m%dT%H%M%S}@{host}"
    return Entry(uid, one.start, one.end, zone, f"{summary}, {one.site.name}", one.site.name)
