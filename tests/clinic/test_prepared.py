"""The short way into the database: prepared statements read what the ORM reads, and hashes stay what they were."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import rfc8785
from django.db import connection, models
from django.test import Client
from hypothesis import given
from hypothesis import strategies as some

from clinic.access import find_token
from clinic.actions.outbox import write
from clinic.actions.tokens import create_token
from clinic.lib.canonical import canonical
from clinic.lib.clock import database_now
from clinic.lib.prepared import Row, fetch, update
from clinic.models import ApiToken, ContactPoint, Notification, Patient, Procedure, Site, User
from clinic.vocabulary import Role
from tests.make import make_actor, make_contact, make_procedure, make_site, make_user
from tests.waiting import eventually

NUMBER_MOST = 2**53 - 1
plain = some.none() | some.booleans() | some.integers(-NUMBER_MOST, NUMBER_MOST) | some.floats(allow_nan=False)
values = some.recursive(
    plain.filter(lambda value: value not in (float("inf"), float("-inf"))) | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)


@given(values)
def test_the_canonical_form_is_that_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, [float("nan")], {1: "a"}, "\ud800", {"a": ["\udfff"]}, {"a": object()}])
def test_what_has_no_canonical_form_is_refused_as_before(value: Any) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical(value)


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Procedure, Patient, Site, User, ApiToken, ContactPoint, Notification])
def test_a_prepared_row_is_what_the_orm_loads(model: type[models.Model]) -> None:
    site = make_site()
    make_procedure(site)
    make_contact(make_user(site), "email", "one@example.org")
    write([a_message(site)])
    create_token(user=make_user(site), site=site, scopes=["read"], days=1, name="", by=make_actor(), now=database_now())
    row = Row(model, "one")
    statement = f"SELECT {row.columns} FROM {model._meta.db_table} one ORDER BY id"  # noqa: S608 - names only
    read = [row.read(one) for one in fetch(statement, [])]
    loaded = list(model._default_manager.order_by("pk"))
    assert loaded
    assert [vars_of(one) for one in read] == [vars_of(one) for one in loaded]
    assert not any(one._state.adding for one in read)


def a_message(site: Site, **fields: Any) -> Notification:
    """A message with something in every kind of column."""
    now = database_now()
    context = {"word": 'İğne “€” \\ "', "number": 1.5, "nothing": None, "list": [1, {"a": True}]}
    values: dict[str, Any] = {
        "kind": "test",
        "channel": "email",
        "dedup_key": "one",
        "reference": "escalation:1",
        "language": "tr",
    }
    values |= {"recipient": make_user(site), "urgent": True, "rank": 2, "created_at": now, "due_at": now, **fields}
    return Notification(site=site, context=context, **values)


@pytest.mark.django_db
def test_rows_are_inserted_together_as_the_orm_would_and_a_known_one_adds_nothing() -> None:
    site = make_site()
    rows = [a_message(site), a_message(site, dedup_key="two", lease_until=database_now(), attempts=3)]
    written = write(rows).rows()
    assert [key for _, key in written] == ["one", "two"]
    for row, (pk, _) in zip(rows, written, strict=True):
        row.pk = pk
        assert vars_of(Notification.objects.get(pk=pk)) == vars_of(row)
    assert write([a_message(site, dedup_key="two")]).rows() == []


@pytest.mark.django_db
def test_an_update_writes_the_named_columns_only() -> None:
    site = make_site()
    before = vars_of(site)
    site.phone_list, site.time_scale, site.name = [{"name": "Ward", "number": "1"}], 7, "never"
    update(site, ["phone_list", "time_scale"])
    after = vars_of(Site.objects.get(pk=site.pk))
    assert after == {**before, "phone_list": site.phone_list, "time_scale": 7}


def vars_of(row: models.Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.mark.django_db
def test_a_token_is_found_with_its_person_and_the_roles_at_its_site_only() -> None:
    site, other = make_site(), make_site()
    user = make_user(site, Role.NURSE)
    user.memberships.create(site=site, role=str(Role.AUDITOR), is_active=False)
    user.memberships.create(site=other, role=str(Role.SURGEON))
    token, secret = create_token(
        user=user, site=site, scopes=["read"], days=1, name="", by=make_actor(), now=database_now()
    )
    found = find_token(secret)
    assert found is not None
    assert found[0] == token
    assert (found[0].user, found[0].site, found[1]) == (user, site, frozenset({str(Role.NURSE)}))


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["unknown", "revoked", "expired", "person left"])
def test_a_token_that_has_ended_opens_nothing(end: str) -> None:
    site = make_site()
    user = make_user(site, Role.AUDITOR)
    now = database_now()
    token, secret = create_token(
        user=user, site=site, scopes=["exports:read"], days=1, name="", by=make_actor(), now=now
    )
    headers = {"authorization": f"Bearer {secret}"}
    assert Client().get("/api/v1/exports/", headers=headers).status_code == 200
    if end == "unknown":
        headers = {"authorization": f"Bearer {secret}x"}
    elif end == "revoked":
        ApiToken.objects.filter(pk=token.pk).update(revoked_at=now)
    elif end == "expired":
        ApiToken.objects.filter(pk=token.pk).update(created_at=now - timedelta(days=3), expires_at=now)
    else:
        User.objects.filter(pk=user.pk).update(is_active=False)
    answer = Client().get("/api/v1/exports/", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


@pytest.mark.django_db
def test_a_connection_whose_server_process_ended_is_not_used_again() -> None:
    kept: Any = connection.copy()
    try:
        kept.ensure_connection()
        assert kept.is_usable()
        fetch("SELECT pg_terminate_backend(%s::int)", [kept.connection.info.backend_pid])
        eventually(lambda: not kept.is_usable(), what="the loss is noticed")
    finally:
        kept.close()
