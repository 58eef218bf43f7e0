"""/metrics: read by the format's own parser, true to the database, closed by default, without a person in it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.exceptions import ImproperlyConfigured
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from clinic.actions.tokens import create_token
from clinic.lib import env
from clinic.lib.clock import database_now
from complications.actions.engine import advance_due
from complications.actions.escalation import acknowledge
from complications.actions.heartbeat import beat
from complications.actions.sweeping import deliver_due
from complications.models import Escalation
from complications.queries.engine import AUDIT, CLEAN_AUDIT
from tests.clients import ApiClient
from tests.make import make_actor, make_export, make_site, make_user
from tests.make_complications import Ward, make_escalation, make_ward

pytestmark = pytest.mark.django_db

SECRET = "a-secret-of-more-than-24-characters"  # noqa: S105 - of a test
ALERTS = Path(__file__).resolve().parent.parent.parent / "deploy" / "prometheus" / "alerts.yml"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def scraper(settings: Any) -> ApiClient:
    """A monitoring system with the secret."""
    settings.METRICS_TOKEN = SECRET
    return ApiClient(headers={"authorization": f"Bearer {SECRET}"})


@pytest.fixture
def ward() -> Ward:
    return make_ward(database_now())


def samples(client: ApiClient) -> dict[tuple[str, frozenset[str]], float]:
    """Every sample as the parser reads it: (name, values of its labels) → value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    return {
        (one.name, frozenset(one.labels.values())): one.value
        for family in read_text(answer.content.decode())
        for one in family.samples
    }


def of(*values: str) -> frozenset[str]:
    """The labels of a sample by their values."""
    return frozenset(values)


def test_the_numbers_are_those_of_the_database(scraper: ApiClient, ward: Ward) -> None:
    now = database_now()
    early = now - timedelta(minutes=4)
    row = make_escalation(ward, early)
    advance_due(now=early)
    deliver_due(now=early)
    found = samples(scraper)
    assert found["clinic_escalations_open", of("t0", "paging")] == 1
    assert found["clinic_escalations_open", of("t1", "paging")] == 0
    assert found["clinic_messages", of("inbox", "sent", "")] >= 3
    acknowledge(escalation=row, eta_minutes=10, by=ward.by(ward.first), now=now)
    beat(name="celery", now=now - timedelta(seconds=7), took_over=2)
    beat(name=AUDIT, now=now, note="overdue=3")
    beat(name=CLEAN_AUDIT, now=now - timedelta(seconds=90))
    make_export(ward.site, ward.manager)
    found = samples(scraper)
    assert found["clinic_escalations_open", of("t0", "acknowledged")] == 1
    assert 7 <= found["clinic_engine_age_seconds", of("celery")] < 60
    assert found["clinic_took_over_total", of("celery")] == 2
    assert found["clinic_audit_breaches", of("overdue")] == 3
    assert found["clinic_audit_breaches", of("stuck")] == 0
    assert 90 <= found["clinic_clean_audit_age_seconds", of()] < 150
    assert found["clinic_acknowledgement_seconds_bucket", of("t0", "120.0")] == 0
    assert found["clinic_acknowledgement_seconds_bucket", of("t0", "300.0")] == 1
    assert found["clinic_acknowledgement_seconds_bucket", of("t0", "+Inf")] == 1
    assert 239 <= found["clinic_acknowledgement_seconds_gsum", of("t0")] <= 241
    assert found["clinic_exports", of("finished", "no")] == 1
    assert found["clinic_ticks_held", of()] == 0


def test_an_answer_before_a_raise_still_counts_and_an_old_case_does_not(scraper: ApiClient, ward: Ward) -> None:
    long_ago = database_now() - timedelta(days=31)
    old = make_escalation(ward, long_ago)
    acknowledge(escalation=old, eta_minutes=10, by=ward.by(ward.first), now=long_ago + timedelta(minutes=1))
    assert samples(scraper)["clinic_acknowledgement_seconds_bucket", of("t0", "+Inf")] == 0
    Escalation.objects.filter(pk=old.pk).update(opened_at=database_now(), first_acknowledged_at=None)
    assert samples(scraper)["clinic_acknowledgement_seconds_bucket", of("t0", "+Inf")] == 1


def test_who_asks_for_openmetrics_gets_it(scraper: ApiClient, ward: Ward) -> None:
    answer = scraper.get("/metrics", headers={"accept": OPENMETRICS})
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    text = answer.content.decode()
    assert text.endswith("# EOF\n")
    types = {family.name: family.type for family in read_openmetrics(text)}  # type: ignore[no-untyped-call]
    assert types["clinic_acknowledgement_seconds"] == "gaugehistogram"
    assert types["clinic_took_over"] == "counter"


def test_a_scrape_costs_the_same_for_many_cases(scraper: ApiClient, ward: Ward, django_assert_num_queries: Any) -> None:
    samples(scraper)
    now = database_now()
    make_escalation(ward, now)
    with django_assert_num_queries(16):
        samples(scraper)
    for _ in range(3):
        make_escalation(make_ward(now), now)
    advance_due(now=now)
    with django_assert_num_queries(16):
        samples(scraper)


def test_no_person_patient_or_site_stands_in_it(scraper: ApiClient, ward: Ward) -> None:
    now = database_now()
    make_escalation(ward, now)
    advance_due(now=now)
    text = scraper.get("/metrics").content.decode()
    patient = ward.procedure.patient
    for secret in (
        ward.site.name,
        f'"{ward.site.code}"',
        ward.first.get_full_name(),
        ward.first.username,
        ward.first.email,
        patient.family_name,
        patient.mrn,
        "director@",
    ):
        assert secret not in text
    labels = set(re.findall(r'[{,](\w+)="', text))
    assert labels <= {"tier", "status", "engine", "reason", "le", "channel", "failure", "identified"}


def test_it_is_closed_by_default(settings: Any, ward: Ward) -> None:
    assert settings.METRICS_TOKEN == ""
    assert ApiClient().get("/metrics").status_code == 401
    assert ApiClient(headers={"authorization": "Bearer "}).get("/metrics").status_code == 401
    settings.METRICS_TOKEN = SECRET
    assert ApiClient(headers={"authorization": f"Bearer {SECRET}x"}).get("/metrics").status_code == 401
    assert ApiClient(headers={"authorization": f"Bearer {SECRET}"}).get("/api/v1/board/").status_code == 401


def test_a_token_needs_its_scope_and_its_person_the_role() -> None:
    site = make_site()
    now = database_now()
    for role, scope, status in (
        ("administrator", "metrics:read", 200),
        ("administrator", "read", 403),
        ("nurse", "metrics:read", 403),
    ):
        user = make_user(site, role)
        _, secret = create_token(
            user=user, site=site, scopes=[scope], days=1, name="scraper", by=make_actor(user), now=now
        )
        client = ApiClient(headers={"authorization": f"Bearer {secret}"})
        assert client.get("/metrics").status_code == status, (role, scope)


def test_a_short_secret_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKEN", "short")
    with pytest.raises(ImproperlyConfigured, match="too short"):
        env.secret("METRICS_TOKEN", least=24)


def test_every_alert_asks_for_a_metric_that_is_there(scraper: ApiClient, ward: Ward) -> None:
    beat(name="celery", now=database_now())
    beat(name=CLEAN_AUDIT, now=database_now())
    make_escalation(ward, database_now())
    advance_due(now=database_now())
    known = {name for name, _ in samples(scraper)} | {"clinic_audit_checkpoint_age_seconds"}
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert len(rules) > 8
    for rule in rules:
        assert set(re.findall(r"clinic_\w+", rule["expr"])) <= known, rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
