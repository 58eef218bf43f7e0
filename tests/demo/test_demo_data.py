"""The made-up clinic: it can be made twice, its chains hold, its numbers are those that were published."""

import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db.models import QuerySet

from checklists.management.demo.accounts import accounts_file
from checklists.management.demo.answers import Story, catalogue_index, observation, ticks
from checklists.management.demo.cases import Case, cases
from checklists.management.demo.people import PLACES
from checklists.management.demo.theatre import LISTS
from checklists.models import Event, Quarantined, Run
from checklists.queries.runs import gate_now, look_at, signatures_of
from checklists.rules.evaluation import Evaluation, State
from checklists.rules.gates import gate_of
from checklists.rules.nodes import PHASES
from clinic.lib.clock import database_now
from clinic.models import ApiToken, Notification, Procedure, Shift, Site, User
from clinic.queries import verify_audit
from clinic.queries.rota import read_rota
from clinic.vocabulary import Anaesthesia, Indication, Post
from complications.models import Complication, Escalation, FollowUp
from complications.queries.coverage import check_coverage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _demo(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    settings.DEMO = True
    # Nineteen people with two Argon2 hashes each would cost every test four seconds.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def past(site: str) -> QuerySet[Procedure]:
    """The past cases of a site, without today's list."""
    return Procedure.objects.filter(site__code=site, ended_at__isnull=False)


@pytest.fixture(scope="module")
def many_cases() -> list[Case]:
    stream = cases(
        random.Random(7),  # noqa: S311 - made-up cases
        count=20_000,
        first=date(2025, 3, 1),
        last=date(2026, 2, 28),
        zone=ZoneInfo("Europe/Istanbul"),
        prefix="X",
        operators=4,
    )
    return list(stream)


def test_seeding_makes_everybody_the_contract_names_with_working_credentials() -> None:
    call_command("demo", "seed")
    accounts = json.loads(accounts_file().read_text())
    assert {"nurse", "nurse2", "surgeon", "surgeon2", "head", "anaesthetist", "followup", "admin", "auditor"} <= {
        name for name, account in accounts.items() if account["site"] == "A"
    }
    assert {"nurse_b", "surgeon_b"} == {name for name, account in accounts.items() if account["site"] == "B"}
    assert accounts_file().stat().st_mode & 0o777 == 0o600
    surgeon = User.objects.get(username="surgeon")
    assert surgeon.check_password(accounts["surgeon"]["password"])
    assert surgeon.check_pin(accounts["surgeon"]["pin"])
    assert len({account["password"] for account in accounts.values()}) == len(accounts)


def test_seeding_again_changes_nothing() -> None:
    call_command("demo", "seed")
    before = accounts_file().read_bytes(), Shift.objects.count(), ApiToken.objects.count(), User.objects.count()
    call_command("demo", "seed")
    assert (
        accounts_file().read_bytes(),
        Shift.objects.count(),
        ApiToken.objects.count(),
        User.objects.count(),
    ) == before


def test_a_lost_accounts_file_is_made_again() -> None:
    call_command("demo", "seed")
    before = json.loads(accounts_file().read_text())
    accounts_file().unlink()
    call_command("demo", "seed")
    after = json.loads(accounts_file().read_text())
    assert after["nurse"]["token"] != before["nurse"]["token"]
    assert User.objects.get(username="nurse").check_pin(after["nurse"]["pin"])


def test_every_post_is_staffed_from_a_month_ago_to_a_year_ahead() -> None:
    call_command("demo", "seed")
    now = database_now()
    for site in Site.objects.all():
        for days in (-31, 0, 100, 364):
            at = now + timedelta(days=days)
            on_duty = {(row.post, row.rank) for row in read_rota(site, at).on_duty(at)}
            assert {post for post, _ in on_duty} == set(Post), (site.code, days)
            assert (Post.ON_CALL_SPINE, 2) in on_duty


def test_the_rota_of_the_demo_has_nothing_to_mend() -> None:
    call_command("demo", "seed")
    for site in Site.objects.all():
        found = check_coverage(site, database_now())
        assert found.red == [], site.code


def test_today_has_a_list_of_everything_in_mixed_phases() -> None:
    call_command("demo", "seed")
    today = Procedure.objects.filter(site__code="A").prefetch_related("levels")
    assert {row.kind for row in today} == {"vertebroplasty", "kyphoplasty"}
    assert {row.indication for row in today} == {str(word) for word in Indication}
    assert {row.anaesthesia for row in today} == {str(word) for word in Anaesthesia}
    assert {len(row.levels.all()) for row in today} == {1, 2, 3, 4}
    assert {row.status for row in today} == {"booked", "in_progress"}
    assert Event.objects.exclude(outcome="applied").count() == 0
    assert not Quarantined.objects.exists()
    assert Run.objects.filter(status="signed").values_list("phase").distinct().count() == 3


def test_what_is_ticked_on_todays_list_opens_the_gates() -> None:
    """Whatever is asked in the phases that are done has an answer that stops nothing."""
    index = catalogue_index()
    for slot in (slot for slots in LISTS.values() for slot in slots):
        story = Story(
            kind=slot.kind,
            indication=slot.indication,
            anaesthesia=slot.anaesthesia,
            levels=slot.levels,
            incision_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
            operator="radiologist",
            surgeon="surgeon",
            second_surgeon="surgeon2",
            nurse="nurse",
            watcher="anaesthetist",
        )
        answers = {one.key: one.value for phase in ticks(story).values() for one in phase}
        answers |= {one.key: one.value for one in observation(story.incision_at + timedelta(hours=2), "1")}
        evaluation = Evaluation(index, State(answers=answers, facts=story.facts(), now=story.incision_at))
        for phase in PHASES:
            blockers = gate_of(evaluation, phase).blockers
            assert [one.key.text() for one in blockers if one.kind != "warning"] == [], (slot, phase)


def test_site_d_runs_sixty_times_faster_and_the_others_do_not() -> None:
    call_command("demo", "seed")
    assert {place.code: place.time_scale for place in PLACES} == {"A": 1, "B": 1, "D": 60}
    assert Site.objects.get(code="D").time_scale == 60


def test_history_and_load_leave_whole_audit_chains() -> None:
    call_command("demo", "seed")
    call_command("demo", "history", "--scale", "0.05")
    call_command("demo", "load", "--procedures", "200")
    result = verify_audit()
    assert (result.faults, result.exit_code) == ([], 0)
    assert past("A").count() == 200 + 23
    assert past("A").filter(ended_at__gt=database_now()).count() == 0


def test_past_lists_are_signed_over_what_they_hold_and_their_gates_are_open() -> None:
    call_command("demo", "seed")
    call_command("demo", "history", "--scale", "0.02")
    now = database_now()
    signed = Run.objects.filter(status="signed").select_related(
        "definition", "procedure__site", "procedure__patient", "procedure__operator"
    )
    runs = [run for run in signed if run.procedure.ended_at is not None]
    assert len(runs) == 6 * (9 + 2)
    for run in runs:
        assert {one["current"] for one in signatures_of(run, run.definition)} == {True}
        assert gate_now(run, look_at(run, now)).is_open, run.phase


def test_a_deficit_of_the_past_was_answered_and_pages_nobody_today() -> None:
    call_command("demo", "seed")
    call_command("demo", "history", "--scale", "0.25")
    closed = Escalation.objects.filter(status="closed")
    # A quarter of a year may pass without one: how many there are is chance, that each was answered is not.
    assert {row.decision for row in closed} <= {"decompress", "no_deficit"}
    assert Escalation.objects.open().count() == 0
    assert Notification.objects.unsent().count() == 0
    assert FollowUp.objects.due(database_now()).count() == 0
    assert FollowUp.objects.filter(status="planned").exists()
    assert Complication.objects.filter(site__code="A").exclude(code="").exists()


def test_history_that_was_cut_off_goes_on_and_a_whole_one_is_left_alone() -> None:
    call_command("demo", "seed")
    call_command("demo", "history", "--scale", "0.02")
    call_command("demo", "history", "--scale", "0.04")
    count = Procedure.objects.count()
    call_command("demo", "history", "--scale", "0.04")
    assert Procedure.objects.count() == count


def test_every_past_case_has_its_version_rows() -> None:
    call_command("demo", "seed")
    call_command("demo", "load", "--procedures", "50")
    for procedure in past("A").prefetch_related("levels"):
        assert procedure.versions.count() == 1  # type: ignore[attr-defined]
        assert all(level.versions.count() == 1 for level in procedure.levels.all())  # type: ignore[attr-defined]


def test_made_up_patients_are_refused_where_real_ones_may_be(settings: Any) -> None:
    settings.DEMO = False
    with pytest.raises(CommandError, match="DEMO=0"):
        call_command("demo", "seed")
    assert not Site.objects.exists()
    assert django_settings.DEMO is False


@pytest.mark.parametrize(
    ("kind", "code", "low", "high"),
    [
        # shares of procedures with at least one such event, around the published rate per level or procedure
        ("vertebroplasty", "LEK-DIS", 0.28, 0.40),
        ("kyphoplasty", "LEK-DIS", 0.09, 0.15),
        ("vertebroplasty", "EMB-PCA", 0.014, 0.024),
        ("kyphoplasty", "FRX-ADJ", 0.07, 0.11),
    ],
)
def test_complications_come_at_published_rates(
    many_cases: list[Case], kind: str, code: str, low: float, high: float
) -> None:
    those = [case for case in many_cases if case.kind == kind]
    share = sum(any(event.code == code for event in case.events) for case in those) / len(those)
    assert low < share < high


def test_cases_are_possible(many_cases: list[Case]) -> None:
    for case in many_cases[:2000]:
        assert case.scheduled_at <= case.started_at < case.incision_at < case.ended_at < case.left_at
        assert 1 <= len(case.levels) <= 4
        assert case.patient.birth_date.year <= case.scheduled_at.year - case.age
        assert all(0.8 <= level.cement_ml <= 8 for level in case.levels)
