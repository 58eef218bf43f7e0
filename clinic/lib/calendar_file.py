"""Read an iCalendar file (RFC 5545) as plain occurrences; refuse what is malformed or huge, naming line and property."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

from clinic.lib.problems import FieldError, Invalid
from clinic.lib.sentences import Sentence

MOST_BYTES = 512 * 1024
MOST_EVENTS = 2000
MOST_OCCURRENCES = 5000
#: A rule that never matches is searched to the end of the calendar; a rota needs none that takes longer.
LONGEST_S = 5.0
LONGEST_OCCURRENCE = timedelta(days=400)
OLDEST = timedelta(days=3660)
MOST_FAULTS = 20
FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY"}
RULE_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "WKST"}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time of an event. `recurrence` is its RECURRENCE-ID in UTC, empty for an event that does not repeat."""

    uid: str
    recurrence: str
    start: datetime
    end: datetime
    summary: str
    attendees: tuple[str, ...]
    categories: tuple[str, ...]
    cancelled: bool
    line: int


@dataclass(frozen=True)
class CalendarFile:
    """What a file says: its occurrences in the window in order of time, and every UID in it."""

    occurrences: list[Occurrence]
    uids: frozenset[str]


@dataclass
class _Block:
    """Where an event stands: the line of its BEGIN and of each of its properties."""

    line: int
    properties: dict[str, int]


def read_calendar(text: str, zone: ZoneInfo, start: datetime, end: datetime) -> CalendarFile:
    """Return what touches the time from `start` to `end`; times without a zone are those of `zone`.

    A day without time begins and ends at midnight there. Raise Invalid with a FieldError `calendar` for each fault,
    `Line 12, DTSTART: …`.
    """
    # Here and below: ten megabytes that only a web process which reads a calendar needs.
    import icalendar

    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise _refusal([(0, "", Sentence("The file is larger than %(n)s KiB.", n=MOST_BYTES // 1024))])
    blocks = _scan(text)
    if len(blocks) > MOST_EVENTS:
        raise _refusal([(blocks[MOST_EVENTS].line, "VEVENT", Sentence("More than %(n)s events.", n=MOST_EVENTS))])
    try:
        calendar = icalendar.Calendar.from_ical(text)
    except ValueError as error:
        raise _refusal([(0, "", _short(str(error)))]) from None
    events = list(calendar.walk("VEVENT"))
    faults = [fault for event, block in zip(events, blocks, strict=True) for fault in _faults(event, block, start)]
    if faults:
        raise _refusal(faults)
    return CalendarFile(
        _expand(calendar, events, blocks, zone, start, end), frozenset(str(event["UID"]) for event in events)
    )


def _refusal(faults: list[tuple[int, str, str]]) -> Invalid:
    errors = []
    for line, name, sentence in faults[:MOST_FAULTS]:
        what: str = sentence
        if line and name:
            what = Sentence("Line %(line)s, %(name)s: %(what)s", line=line, name=name, what=sentence)
        elif line:
            what = Sentence("Line %(line)s: %(what)s", line=line, what=sentence)
        elif name:
            what = Sentence("%(name)s: %(what)s", name=name, what=sentence)
        errors.append(FieldError("calendar", "not_a_calendar", what))
    return Invalid("invalid", errors[0].detail, errors)


def _short(sentence: str) -> str:
    """Return a library's sentence without the whole file in it."""
    text = " ".join(sentence.split())
    return text if len(text) <= 200 else f"{text[:200]}…"


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Yield each content line with the number of its first line in the file."""
    number, whole = 0, ""
    for index, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        if line[:1] in (" ", "\t") and whole:
            whole += line[1:]
        else:
            if whole:
                yield number, whole
            number, whole = index, line
    if whole:
        yield number, whole


def _scan(text: str) -> list[_Block]:
    """Return where each event stands; raise Invalid for lines that are none, and for BEGIN and END that do not fit."""
    from icalendar.parser import Contentline

    faults: list[tuple[int, str, str]] = []
    open_: list[tuple[str, int]] = []
    blocks: list[_Block] = []
    seen = False
    for number, line in _unfolded(text):
        if not line.strip():
            continue
        try:
            name, _parameters, value = Contentline(line).parts()  # type: ignore[no-untyped-call]
        except ValueError:
            faults.append((number, "", Sentence("This is not a line of a calendar (NAME:value).")))
            if len(faults) >= MOST_FAULTS:
                break
            continue
        name, value = name.upper(), value.strip().upper()
        if not seen and (name, value) != ("BEGIN", "VCALENDAR"):
            raise _refusal([(number, name, Sentence("A calendar begins with BEGIN:VCALENDAR."))])
        if name == "BEGIN":
            if seen and not open_:
                raise _refusal([(number, name, Sentence("Only one calendar in a file."))])
            seen = True
            open_.append((value, number))
            if value == "VEVENT":
                blocks.append(_Block(number, {}))
        elif name == "END":
            if not open_ or open_[-1][0] != value:
                raise _refusal([(number, name, Sentence("END:%(name)s without its BEGIN.", name=value))])
            open_.pop()
        elif open_ and open_[-1][0] == "VEVENT":
            blocks[-1].properties.setdefault(name, number)
    if not seen and not faults:
        raise _refusal([(0, "", Sentence("The file is empty."))])
    if faults:
        raise _refusal(faults)
    if open_:
        raise _refusal([(open_[-1][1], "BEGIN", Sentence("BEGIN:%(name)s without its END.", name=open_[-1][0]))])
    return blocks


def _faults(event: Any, block: _Block, now: datetime) -> Iterator[tuple[int, str, str]]:
    """Yield what forbids reading one event."""

    def at(name: str) -> int:
        return block.properties.get(name, block.line)

    if event.errors:
        for name, sentence in event.errors:
            yield at(name or ""), name or "", _short(str(sentence))
        return
    uid = str(event.get("UID", ""))
    if not uid or len(uid) > 255:
        yield at("UID"), "UID", Sentence("Each event needs a UID of at most 255 letters.")
    for name in ("UID", "DTSTART", "DTEND", "DURATION", "RRULE", "RECURRENCE-ID", "SUMMARY"):
        if isinstance(event.get(name), list):
            yield at(name), name, Sentence("This may stand once in an event.")
            return
    begin = event.get("DTSTART")
    if begin is None:
        yield at("DTSTART"), "DTSTART", Sentence("Each event needs its beginning.")
        return
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        moment = event.get(name)
        if moment is None:
            continue
        if not isinstance(moment.dt, date):
            yield at(name), name, Sentence("Give a day, or a day and a time.")
        elif not 1970 <= moment.dt.year <= 2200:
            yield at(name), name, Sentence("That year is not one of a rota.")
        elif isinstance(moment.dt, datetime) and moment.dt.tzinfo is None and moment.params.get("TZID"):
            yield at(name), name, Sentence("The time zone %(zone)s is not known.", zone=moment.params["TZID"])
    close = event.get("DTEND")
    if close is not None and isinstance(close.dt, date) and isinstance(begin.dt, date):
        utc = ZoneInfo("UTC")
        if _instant(close.dt, utc) <= _instant(begin.dt, utc):
            yield at("DTEND"), "DTEND", Sentence("It ends after it begins.")
    if (rule := event.get("RRULE")) is not None:
        yield from ((at("RRULE"), "RRULE", sentence) for sentence in _rule_faults(rule, begin.dt, now))


def _rule_faults(rule: Any, begin: date, now: datetime) -> Iterator[str]:
    unknown = {str(name).upper() for name in rule} - RULE_PARTS
    if unknown:
        known = ", ".join(sorted(RULE_PARTS))
        yield Sentence("%(names)s: rotas repeat by %(known)s only.", names=", ".join(sorted(unknown)), known=known)
    if {str(one).upper() for one in rule.get("FREQ", [])} - FREQUENCIES or not rule.get("FREQ"):
        yield Sentence("FREQ is one of %(known)s.", known=", ".join(sorted(FREQUENCIES)))
    interval = rule.get("INTERVAL", [1])
    if not all(isinstance(one, int) and 1 <= one <= 1000 for one in interval):
        yield Sentence("INTERVAL is a whole number from 1 to 1000.")
    day = begin.date() if isinstance(begin, datetime) else begin
    if (now.date() - day) > OLDEST:
        yield Sentence("It repeats from more than ten years ago: begin it later.")


def _expand(
    calendar: Any, events: list[Any], blocks: list[_Block], zone: ZoneInfo, start: datetime, end: datetime
) -> list[Occurrence]:
    import icalendar
    import recurring_ical_events  # type: ignore[import-untyped]

    zones = list(calendar.walk("VTIMEZONE"))
    series: dict[str, list[tuple[Any, _Block]]] = {}
    for event, block in zip(events, blocks, strict=True):
        series.setdefault(str(event["UID"]), []).append((event, block))
    begun, found = monotonic(), []
    for uid, rows in series.items():
        own = icalendar.Calendar()
        for component in [*zones, *(event for event, _ in rows)]:
            own.add_component(component)
        line = rows[0][1].line
        try:
            times = recurring_ical_events.of(own).between(start, end)
        except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
            raise _refusal(
                [(line, "VEVENT", Sentence("It cannot be repeated (%(why)s).", why=_short(str(error))))]
            ) from None
        if monotonic() - begun > LONGEST_S:
            raise _refusal([(line, "RRULE", Sentence("The repetitions of this file take too long to work out."))])
        repeats = len(rows) > 1 or any(name in rows[0][0] for name in ("RRULE", "RDATE", "RECURRENCE-ID"))
        found += [_occurrence(event, uid, repeats, rows, zone) for event in times]
        if len(found) > MOST_OCCURRENCES:
            raise _refusal(
                [
                    (
                        line,
                        "RRULE",
                        Sentence(
                            "More than %(n)s occurrences until %(day)s.", n=MOST_OCCURRENCES, day=f"{end:%Y-%m-%d}"
                        ),
                    )
                ]
            )
    return sorted(found, key=lambda one: (one.start, one.uid))


def _occurrence(event: Any, uid: str, repeats: bool, rows: list[tuple[Any, _Block]], zone: ZoneInfo) -> Occurrence:  # noqa: FBT001
    begin, end = _instant(event.start, zone), _instant(event.end, zone)
    identity = _instant(event["RECURRENCE-ID"].dt if "RECURRENCE-ID" in event else event.start, zone)
    attendees = event.get("ATTENDEE", [])
    categories = event.get("CATEGORIES", [])
    moved = [
        block for one, block in rows if "RECURRENCE-ID" in one and _instant(one["RECURRENCE-ID"].dt, zone) == identity
    ]
    line = (moved[0] if moved else rows[0][1]).line
    if end <= begin or end - begin > LONGEST_OCCURRENCE:
        raise _refusal([(line, "DTEND", Sentence("It ends after it begins, at most 400 days later."))])
    return Occurrence(
        uid=uid,
        recurrence=identity.strftime("%Y%m%dT%H%M%SZ") if repeats else "",
        start=begin,
        end=end,
        summary=str(event.get("SUMMARY", "")),
        attendees=tuple(str(one) for one in (attendees if isinstance(attendees, list) else [attendees])),
        categories=tuple(
            str(word)
            for one in (categories if isinstance(categories, list) else [categories])
            for word in getattr(one, "cats", [one])
        ),
        cancelled=str(event.get("STATUS", "")).upper() == "CANCELLED",
        line=line,
    )


def _instant(moment: date, zone: ZoneInfo) -> datetime:
    """Return an instant in UTC; a day is its midnight, and a time without zone is one of `zone`."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
