"""Each log-in, log-out and wrong password of a known person is an entry of their stream."""

import pytest
from django.test import Client

from clinic.models import AuditEntry
from tests.make import PASSWORD, make_site, make_user

pytestmark = pytest.mark.django_db


def names(user: object) -> list[str]:
    """The actions in a person's stream, oldest first."""
    stream = f"user:{user.public_id}"  # type: ignore[attr-defined]
    return [
        str(one) for one in AuditEntry.objects.filter(stream=stream).order_by("seq").values_list("action", flat=True)
    ]


def test_a_log_in_and_a_log_out_are_entries() -> None:
    user = make_user(make_site())
    client = Client()
    client.post("/accounts/login/", {"login": user.username, "password": PASSWORD})
    assert names(user) == ["session.opened"]
    client.post("/accounts/logout/")
    assert names(user) == ["session.opened", "session.closed"]
    entry = AuditEntry.objects.get(stream=f"user:{user.public_id}", seq=1)
    assert entry.actor == f"user:{user.public_id}"


def test_a_wrong_password_is_an_entry_without_what_was_typed() -> None:
    user = make_user(make_site())
    Client().post("/accounts/login/", {"login": user.username, "password": "not the right one"})
    entry = AuditEntry.objects.get(stream=f"user:{user.public_id}")
    assert entry.action == "session.refused"
    assert "not the right one" not in entry.canonical
    assert entry.actor == "system:log_in"


def test_an_unknown_name_leaves_nothing() -> None:
    make_user(make_site())
    before = AuditEntry.objects.count()
    Client().post("/accounts/login/", {"login": "nobody-here", "password": "whatever it is"})
    assert AuditEntry.objects.count() == before
