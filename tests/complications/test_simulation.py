"""The simulator says what the engine does: random rotas, policies and times, played and then really run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.types.range import TimestamptzRange

from clinic.models import AuditEntry, Leave, Notification, Shift, ShiftOverride, User
from clinic.vocabulary import Post, Role
from complications.actions.engine import advance_due
from complications.actions.policy import set_policy
from complications.actions.reporting import raise_triggers
from complications.models import Escalation
from complications.queries.recipients import Recipient
from complications.queries.simulation import Simulation, recipient_line, simulate
from complications.rules.policy import POSTS, default_policy
from complications.rules.policy_review import loops
from complications.rules.simulation import REPEATS, Moment, play
from complications.rules.triggers import FiredTrigger
from complications.vocabulary import Pathway, Setting, Tier
from tests.make import make_actor, make_procedure, make_site, make_user
from tests.make_complications import BACKSTOP, make_ward

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PATHWAYS = [pathway for pathway in Pathway if pathway.pages]
PLACES = [
    (Post.ON_CALL_SPINE, 1),
    (Post.ON_CALL_SPINE, 2),
    *((post, 1) for post in Post if post is not Post.ON_CALL_SPINE),
]
HOURS = st.integers(-30, 120)
LENGTHS = st.sampled_from([1, 2, 8, 24, 100])


def spans(most: int) -> st.SearchStrategy[list[tuple[int, int, int, int]]]:
    """(place, person, from, length) in quarters of an hour around the report."""
    return st.lists(st.tuples(st.integers(0, len(PLACES) - 1), st.integers(0, 5), HOURS, LENGTHS), max_size=most)


@st.composite
def policies(draw: Any) -> dict[str, Any]:
    """The default with other waits and other recipients; still one that is not refused."""
    data = default_policy()
    inside = [post for post in POSTS if post != "backstop"]
    posts = st.lists(st.sampled_from(inside), min_size=1, max_size=4, unique=True)
    for tier in data["tiers"].values():
        count = draw(st.integers(1, 4))
        waits = sorted(draw(st.sets(st.integers(1, 90), min_size=count - 1, max_size=count - 1)))
        steps = [{"after_min": after, "to": draw(posts)} for after in [0, *waits]]
        steps[-1]["to"] = [*steps[-1]["to"], "backstop"]
        last = steps[-1]["after_min"]
        every = draw(st.integers(1, 60))
        repeat = [*draw(posts), "backstop"]
        tier["steps"] = steps
        tier["repeat"] = {"from_min": last + draw(st.integers(1, 60)), "every_min": every, "to": repeat}
    data["backstop"] = BACKSTOP
    if loops(data):
        # a pathway whose own steps are more than the tier's
        del data["pathways"]
    return data


def apart(rows: list[tuple[int, int, int, int]], key: int) -> list[tuple[int, int, int, int]]:
    """Leave out what the database would refuse: two at one place (or of one person) at a time."""
    kept: list[tuple[int, int, int, int]] = []
    for row in rows:
        same = [one for one in kept if one[key] == row[key]]
        if all(row[2] + row[3] <= one[2] or one[2] + one[3] <= row[2] for one in same):
            kept.append(row)
    return kept


def period(start: int, length: int) -> TimestamptzRange:
    return TimestamptzRange(START + start * timedelta(minutes=15), START + (start + length) * timedelta(minutes=15))


def run_for_real(site: Any, found: Simulation, operator: User) -> Escalation:
    """Report, and let the engine look whenever something is due, until the repeat ran as often as it was played."""
    procedure = make_procedure(site, operator)
    fired = FiredTrigger("NT-13", found.tier, "concern", found.pathway)
    row = raise_triggers(
        procedure=procedure,
        triggers=[fired],
        source="run:1:2",
        occurred_at=found.at,
        exam=None,
        by=make_actor(None, "nurse"),
        now=found.at,
        setting=found.setting,
    )
    assert row is not None
    now = found.at
    for _ in range(500):
        assert advance_due(now=now).failed == 0
        row = Escalation.objects.get(pk=row.pk)
        assert row.next_due_at is not None
        if now >= found.moments[-1].at:
            return row
        now = max(row.next_due_at, now)
    raise AssertionError("the engine never came so far")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # without shrinking: each step of it would play two hundred histories
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    shifts=spans(14),
    overrides=spans(5),
    leave=spans(5),
    mute=st.sets(st.integers(0, 5), max_size=3),
    policy=policies(),
    tier=st.sampled_from(list(Tier)),
    pathway=st.sampled_from(PATHWAYS),
    setting=st.sampled_from(list(Setting)),
    minutes=st.integers(0, 24 * 60),
)
def test_simulator_and_engine_agree(
    shifts: list[Any],
    overrides: list[Any],
    leave: list[Any],
    mute: set[int],
    policy: dict[str, Any],
    tier: Tier,
    pathway: Pathway,
    setting: Setting,
    minutes: int,
) -> None:
    with transaction.atomic():
        site = make_site()
        people = [make_user(site, Role.SURGEON) for _ in range(6)]
        User.objects.filter(pk__in=[people[one].pk for one in mute]).update(email="", phone="")
        for place, person, start, length in apart(shifts, 0):
            post, rank = PLACES[place]
            Shift.objects.create(site=site, post=post, rank=rank, user=people[person], period=period(start, length))
        for place, person, start, length in apart(overrides, 0):
            post, rank = PLACES[place]
            ShiftOverride.objects.create(
                site=site, post=post, rank=rank, user=people[person], period=period(start, length), created_at=START
            )
        for _, person, start, length in apart(leave, 1):
            Leave.objects.create(site=site, user=people[person], period=period(start, length), created_at=START)
        set_policy(site=site, data=policy, by=make_actor(), now=START)
        at = START + timedelta(minutes=minutes)
        operator = User.objects.get(pk=people[0].pk)
        found = simulate(site=site, at=at, tier=tier, pathway=pathway, setting=setting, operator=operator)
        row = run_for_real(site, found, operator)
        last = found.moments[-1].at

        played = [
            (one.round, one.step, list(one.posts), [recipient_line(person) for person in one.people], one.at)
            for one in found.steps
        ]
        real = [
            (e.data["round"], e.data["step"], e.data["posts"], e.data["to"], e.at)
            for e in row.events.filter(kind__in=("step_paged", "step_skipped"), at__lte=last)
        ]
        assert real[: len(played)] == played
        assert sum(one.repeat for one in found.steps) == REPEATS
        told = [(one.what, one.clock, one.at) for one in found.moments if one.what != "page" and one.at < last]
        kinds = {"clock_warned": "warn", "clock_breached": "breach"}
        events = row.events.filter(kind__in=kinds, at__lt=last)
        assert [(kinds[e.kind], e.data["clock"], e.at) for e in events] == told
        pages = Notification.objects.filter(reference=row.reference, kind="escalation_page", created_at__lt=last)
        sent = {(one.created_at, one.recipient_name, one.channel) for one in pages}
        assert sent == {
            (one.at, person.name, channel.value)
            for one in found.steps
            if one.at < last
            for person in one.people
            for channel in person.channels()
        }
        quiet = Notification.objects.filter(reference=row.reference, kind="escalation_quiet")
        assert {one.recipient_name for one in quiet} == {one.name for one in found.told_now}
        transaction.set_rollback(True)


def test_it_changes_nothing(now: datetime) -> None:
    ward = make_ward(now)
    before = AuditEntry.objects.count(), Notification.objects.count(), Escalation.objects.count()
    found = simulate(site=ward.site, at=now, tier=Tier.T0, pathway=Pathway.SPINE, setting=Setting.IN_HOUSE)
    assert found.steps
    assert (AuditEntry.objects.count(), Notification.objects.count(), Escalation.objects.count()) == before


def test_an_emergency_is_told_round_by_round_down_to_the_backstop_and_its_repeat(now: datetime) -> None:
    ward = make_ward(now)
    found = simulate(
        site=ward.site, at=now, tier=Tier.T0, pathway=Pathway.SPINE, setting=Setting.IN_HOUSE, operator=ward.operator
    )
    names = [[person.name for person in one.people] for one in found.steps]
    full = [user.get_full_name() for user in (ward.first, ward.second, ward.head)]
    assert names[0] == [full[0], ward.operator.get_full_name(), ward.nurse.get_full_name()]
    assert names[3] == [BACKSTOP["name"]]
    assert [(one.at - now) / timedelta(minutes=1) for one in found.steps] == [0, 5, 10, 15, 30, 45]
    assert [one.repeat for one in found.steps] == [False] * 4 + [True] * 2
    assert {clock.name for clock in found.clocks} >= {"acknowledgement", "bedside", "imaging_done", "decision"}


def test_without_an_operator_the_step_goes_on_without_one(now: datetime) -> None:
    ward = make_ward(now)
    found = simulate(site=ward.site, at=now, tier=Tier.T3, pathway=Pathway.SPINE, setting=Setting.AT_HOME)
    assert found.steps[0].skipped
    assert found.steps[1].at == now


def test_the_shift_that_begins_between_two_steps_is_seen(now: datetime) -> None:
    ward = make_ward(now)
    other = make_user(ward.site, Role.SURGEON)
    ShiftOverride.objects.create(
        site=ward.site,
        post="on_call_spine",
        rank=1,
        user=other,
        period=TimestamptzRange(now + timedelta(minutes=3), now + timedelta(hours=1)),
        created_at=now,
    )
    found = simulate(site=ward.site, at=now, tier=Tier.T0, pathway=Pathway.SPINE, setting=Setting.IN_HOUSE)
    assert found.steps[0].people[0].user == ward.first
    assert found.steps[1].people[0].user == other


def test_a_ladder_that_reaches_nobody_ends_all_the_same(now: datetime) -> None:
    ward = make_ward(now)
    row = Escalation(
        site=ward.site,
        procedure=ward.procedure,
        pathway="spine",
        tier="t0",
        setting="in_house",
        origin=now,
        page_due_at=now,
        policy={**default_policy(), "backstop": BACKSTOP},
    )
    moments: list[Moment[Recipient]] = play(row.standing(), lambda posts, at: (), opened_at=now)
    assert [one.skipped for one in moments if one.what == "page"] == [True] * 6
