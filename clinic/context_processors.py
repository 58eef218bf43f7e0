"""What the frame of every page shows: who, where, which pages, is paging alive, whom to call when it is not."""

from dataclasses import dataclass
from functools import cached_property
from re import sub
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from clinic.access import Caller, verdict
from clinic.models import Site, User

#: Seconds without a finished sweep after which every page says so (escalation design: 30 s).
STALE_AFTER_S = 30

#: The pages of the top bar, in the order of a day: url name, word, prefix of the addresses that belong to it.
PAGES = (
    ("page-board", gettext_lazy("Board"), "/board/"),
    ("page-complications", gettext_lazy("Complications"), "/complications/"),
    ("page-escalations", gettext_lazy("Escalations"), "/escalations/"),
    ("page-follow-ups", gettext_lazy("Follow-ups"), "/follow-ups/"),
    ("page-rota", gettext_lazy("Rota"), "/rota/"),
    ("page-exports", gettext_lazy("Exports"), "/exports/"),
    ("page-audit", gettext_lazy("Audit"), "/audit/"),
    ("page-inbox", gettext_lazy("Inbox (demo)"), "/inbox/"),
)

#: Reports of the escalations: url name, word.
REPORTS = (
    ("page-escalation-intervals", gettext_lazy("Intervals of the escalations")),
    ("page-drills", gettext_lazy("Drills")),
)


@dataclass(frozen=True)
class Link:
    """One entry of the top bar."""

    name: str
    href: str
    word: str
    current: bool


@dataclass(frozen=True)
class Phone:
    """One line of the site's list for the day when nothing works."""

    name: str
    number: str

    @property
    def href(self) -> str:
        """The number as a tel: address carries it."""
        return sub(r"[^0-9+*#]", "", self.number)


class Frame:
    """The frame of one answer; everything is looked up on first use, so that a fragment costs nothing."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.caller: Caller = getattr(request, "caller", None) or Caller()

    @property
    def person(self) -> User | None:
        """Who is logged in."""
        return self.caller.user

    @property
    def site(self) -> Site | None:
        """The site at which the person works in this session."""
        return self.caller.site

    @property
    def roles(self) -> list[str]:
        """The person's roles here."""
        return sorted(self.caller.roles)

    @property
    def theme(self) -> str:
        """light, dark or auto: the person's setting, before log-in this device's."""
        if self.person:
            return self.person.theme
        chosen = self.request.COOKIES.get("theme", "auto")
        return chosen if chosen in {"light", "dark", "auto"} else "auto"

    @property
    def themes(self) -> list[tuple[str, str]]:
        """The themes to choose from."""
        return [("auto", _("As the device")), ("light", _("Light")), ("dark", _("Dark"))]

    @property
    def languages(self) -> list[tuple[str, str]]:
        """The languages to choose from, each in its own name."""
        return list(settings.LANGUAGES)

    @cached_property
    def links(self) -> list[Link]:
        """The pages that the matrix opens to this person."""
        found = []
        for name, text, prefix in PAGES:
            if verdict(name, "GET", self.caller) not in {"allow", "own"}:
                continue
            try:
                href = reverse(name)
            except NoReverseMatch:
                continue
            found.append(Link(name, href, str(text), self.request.path.startswith(prefix)))
        return found

    @property
    def may_administer(self) -> bool:
        """Whether the page about reaching people stands in the menu."""
        return verdict("page-site-contacts", "GET", self.caller) == "allow"

    @property
    def reports(self) -> list[Link]:
        """What stands in the person's menu, because an auditor has no other page that leads there."""
        return [
            Link(name, reverse(name), str(text), self.request.path.startswith(reverse(name)))
            for name, text in REPORTS
            if verdict(name, "GET", self.caller) in {"allow", "own"}
        ]

    @property
    def may_see_lists(self) -> bool:
        """Whether the page of the lists stands in the menu: the top bar has no room for what is opened once a month."""
        return verdict("page-definitions", "GET", self.caller) == "allow"

    @cached_property
    def _health(self) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for name in settings.HEALTH_PROBES:
            members |= dict(import_string(name)())
        return members

    @property
    def engine_known(self) -> bool:
        """Whether an engine is installed at all."""
        return "engine_age_s" in self._health

    @property
    def engine_age(self) -> float | None:
        """Seconds since the last finished sweep; None when none has ever finished."""
        age = self._health.get("engine_age_s")
        return None if age is None else float(age)

    @property
    def stale(self) -> bool:
        """Whether paging must be done by hand now."""
        if not self.person or not self.engine_known:
            return False
        return self.engine_age is None or self.engine_age > STALE_AFTER_S

    @property
    def phones(self) -> list[Phone]:
        """The site's phone list."""
        return [Phone(str(entry["name"]), str(entry["number"])) for entry in self.site.phone_list] if self.site else []

    @property
    def unapproved(self) -> bool:
        """Whether the site has still to approve the clinical content that is in force."""
        if self.site is None:
            return True
        source: str = getattr(settings, "CONTENT_SHA256", "")
        current = import_string(source)() if source else None
        approved = self.site.content_approved_sha256
        return not approved or (current is not None and approved != current)

    @property
    def time_scale(self) -> int:
        """How many times faster this site's policies run (demo only)."""
        return self.site.time_scale if self.site else 1


def frame(request: HttpRequest) -> dict[str, Any]:
    """Give every template `frame` and the language."""
    return {"frame": Frame(request), "LANGUAGE_CODE": get_language() or settings.LANGUAGE_CODE}
