"""The check of the days to come: each thing that can be wrong with a rota is found, from when until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg.types.range import TimestamptzRange

from clinic.actions.notification import claim_due, deliver
from clinic.actions.rota import add_leave, add_override
from clinic.lib.clock import database_now
from clinic.models import AuditEntry, Membership, Notification, Shift, Site, User
from clinic.vocabulary import Post, Role
from complications.actions.coverage import tell_coverage
from complications.actions.policy import set_policy
from complications.queries.coverage import Coverage, check_coverage
from complications.rules.policy import default_policy
from tests.make import make_actor, make_user
from tests.make_complications import BACKSTOP, Ward, make_ward

pytestmark = pytest.mark.django_db


def whole(ward: Ward, now: datetime) -> Ward:
    """Let every shift of the ward last three weeks."""
    Shift.objects.filter(site=ward.site).update(period=TimestamptzRange(now, now + timedelta(days=21)))
    return ward


@pytest.fixture
def ward(now: datetime) -> Ward:
    return whole(make_ward(now), now)


def codes(found: Coverage) -> set[tuple[str, str]]:
    return {(one.code, one.severity) for one in found.findings}


def the(found: Coverage, code: str) -> Any:
    (one,) = [one for one in found.findings if one.code == code]
    return one


def test_a_staffed_fortnight_has_no_finding(ward: Ward, now: datetime) -> None:
    assert check_coverage(ward.site, now).findings == []


def test_a_gap_at_the_first_rank_is_red_from_its_first_minute_to_its_last(ward: Ward, now: datetime) -> None:
    Shift.objects.filter(user=ward.first).update(period=TimestamptzRange(now, now + timedelta(days=3)))
    found = check_coverage(ward.site, now)
    gap = the(found, "nobody")
    assert (gap.severity, gap.post, gap.rank) == ("red", "on_call_spine", 1)
    assert (gap.start, gap.end) == (now + timedelta(days=3), now + timedelta(days=14))


def test_a_gap_at_another_post_is_amber_and_its_step_is_named(ward: Ward, now: datetime) -> None:
    Shift.objects.filter(user__in=[ward.head, ward.manager]).delete()
    found = check_coverage(ward.site, now)
    assert codes(found) == {("nobody", "amber"), ("step_skipped", "amber")}
    skipped = {one.pathway: (one.step, one.tiers) for one in found.findings if one.code == "step_skipped"}
    assert skipped["spine"] == (2, ("t0", "t1", "t2", "t3"))


def test_a_person_on_leave_still_on_the_rota_is_found_and_an_override_mends_it(ward: Ward, now: datetime) -> None:
    span = (now + timedelta(days=2), now + timedelta(days=4))
    add_leave(site=ward.site, user=ward.second, span=span, by=ward.by(ward.second), now=now)
    found = check_coverage(ward.site, now)
    leave = the(found, "on_leave")
    assert (leave.person, leave.severity, leave.start, leave.end) == (ward.second.pk, "red", *span)
    assert the(found, "nobody").rank == 2
    by = ward.by(ward.manager, "administrator")
    other = make_user(ward.site, Role.SURGEON)
    add_override(site=ward.site, post="on_call_spine", rank=2, user=other, span=span, reason="", by=by, now=now)
    assert check_coverage(ward.site, now).findings == []


def test_somebody_out_of_reach_and_somebody_gone(ward: Ward, now: datetime) -> None:
    User.objects.filter(pk=ward.first.pk).update(email="", phone="")
    assert codes(check_coverage(ward.site, now)) == {("unreachable", "red")}
    User.objects.filter(pk=ward.first.pk).update(is_active=False)
    assert {("nobody", "red"), ("has_left", "red")} <= codes(check_coverage(ward.site, now))


def test_one_person_at_two_ranks_is_no_second_call(ward: Ward, now: datetime) -> None:
    Shift.objects.filter(user=ward.second).update(user=ward.first)
    assert the(check_coverage(ward.site, now), "same_person").severity == "red"


def test_the_last_resort_must_not_be_who_was_called_first(ward: Ward, now: datetime) -> None:
    User.objects.filter(pk=ward.first.pk).update(email=BACKSTOP["email"].upper())
    loop = the(check_coverage(ward.site, now), "loop")
    assert (loop.severity, loop.person) == ("red", ward.first.pk)


def test_who_cannot_answer_or_operate_is_found(ward: Ward, now: datetime) -> None:
    Membership.objects.filter(user=ward.second).update(role=Role.NURSE.value)
    User.objects.filter(pk=ward.first.pk).update(can_decompress=False)
    found = codes(check_coverage(ward.site, now))
    assert found == {("cannot_answer", "red"), ("cannot_operate", "amber"), ("nobody_can_operate", "red")}
    User.objects.exclude(pk=ward.head.pk).update(can_decompress=False)
    assert ("too_few_can_decompress", "red") in codes(check_coverage(ward.site, now))


def test_too_few_of_those_who_can_operate_are_there_while_the_others_are_on_leave(ward: Ward, now: datetime) -> None:
    span = (now + timedelta(days=5), now + timedelta(days=6))
    for user in (ward.operator, ward.head, ward.second):
        add_leave(site=ward.site, user=user, span=span, by=ward.by(user), now=now)
    few = the(check_coverage(ward.site, now), "too_few_can_decompress")
    assert (few.start, few.end) == span


def test_nobody_but_the_backstop_is_red(ward: Ward, now: datetime) -> None:
    Shift.objects.filter(site=ward.site).delete()
    found = [one for one in check_coverage(ward.site, now).findings if one.code == "only_backstop"]
    assert {one.pathway for one in found} == {"medical"}
    data = default_policy()
    for tier in data["tiers"].values():
        tier["steps"][0]["to"] = ["on_call_rank_1"]
    set_policy(site=ward.site, data={**data, "backstop": BACKSTOP}, by=make_actor(), now=now)
    found = [one for one in check_coverage(ward.site, now).findings if one.code == "only_backstop"]
    assert ("spine", ("t0", "t1", "t2")) in {(one.pathway, one.tiers) for one in found}


def test_it_costs_the_same_for_a_day_and_for_three_months_and_for_two_people_and_twelve(
    ward: Ward, now: datetime
) -> None:
    def cost(days: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            check_coverage(ward.site, now, days)
        return len(captured)

    one = cost(1)
    for number in range(12):
        user = make_user(ward.site, Role.SURGEON)
        span = TimestamptzRange(now + timedelta(days=22 + number), now + timedelta(days=23 + number))
        Shift.objects.create(site=ward.site, post=Post.ON_CALL_SPINE.value, rank=1, user=user, period=span)
    assert cost(90) == one <= 6


def test_the_administrators_are_told_once_a_day_while_something_is_red(ward: Ward, now: datetime) -> None:
    assert tell_coverage(now=now) == 0
    Shift.objects.filter(user=ward.first).delete()
    assert tell_coverage(now=now.replace(hour=2)) == 0
    assert tell_coverage(now=now) == 1
    assert tell_coverage(now=now + timedelta(hours=1)) == 0
    (message,) = Notification.objects.filter(kind="coverage_red")
    assert message.recipient == ward.manager
    assert AuditEntry.objects.filter(action="coverage.told").count() == 1
    assert tell_coverage(now=now + timedelta(days=1)) == 1
    for language in ("en", "tr"):
        Notification.objects.update(language=language, status="queued")
        assert all(deliver(key=key, now=now) for key in claim_due(now=now + timedelta(days=2)))


def test_a_site_that_cannot_be_checked_never_keeps_the_others_from_it(ward: Ward, now: datetime) -> None:
    other = whole(make_ward(now), now)
    Site.objects.filter(pk=ward.site.pk).update(timezone="Mars/Base")
    Shift.objects.filter(user=other.first).delete()
    assert tell_coverage(now=now) == 1
    assert Notification.objects.get(kind="coverage_red").recipient == other.manager


def test_the_command_exits_with_one_while_something_is_red(capsys: Any) -> None:
    now = database_now()
    ward = whole(make_ward(now), now)
    call_command("coverage", site=ward.site.code)
    Shift.objects.filter(user=ward.first).delete()
    with pytest.raises(SystemExit) as ended:
        call_command("coverage", site=ward.site.code)
    assert ended.value.code == 1
    assert "red" in capsys.readouterr().out
    assert Site.objects.count() == 1


def test_over_the_api_the_check_and_the_simulator_answer_for_the_own_site(as_: Callable[[User], Any]) -> None:
    now = database_now()
    ward = whole(make_ward(now), now)
    Shift.objects.filter(user=ward.second).delete()
    client = as_(ward.manager)
    found = client.get("/api/v1/rota/coverage/", {"days": "7"}).json()
    assert (found["red"], found["findings"][0]["code"], found["findings"][0]["rank"]) == (1, "nobody", 2)
    assert client.get("/api/v1/rota/coverage/", {"days": "1000"}).status_code == 400
    asked = {"tier": "t1", "at": (now + timedelta(hours=3)).isoformat(), "operator": ward.operator.username}
    played = client.get("/api/v1/escalations/simulation/", asked).json()
    pages = [one for one in played["moments"] if one["what"] == "page"]
    assert [one["after_s"] / 60 for one in pages] == [0, 15, 30, 45, 90, 135]
    assert [one["name"] for one in pages[0]["to"]] == [
        user.get_full_name() for user in (ward.first, ward.operator, ward.nurse)
    ]
    wrong = client.get("/api/v1/escalations/simulation/", {"tier": "t9", "operator": "nobody"})
    assert wrong.status_code == 400
    assert client.get("/api/v1/escalations/simulation/", {"pathway": "stroke"}).status_code == 400
