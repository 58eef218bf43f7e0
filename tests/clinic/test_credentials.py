"""Guessing a PIN: the limit holds however many guess at once."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from clinic.actions.credentials import PIN_TRIES, check_credential
from clinic.lib.clock import database_now
from clinic.lib.problems import Denied
from clinic.models import Actor, User
from tests.make import PASSWORD, PIN, make_actor, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def guess(user: User, pin: str) -> str:
    try:
        return check_credential(user=user, pin=pin, by=Actor.system("tests"), now=database_now())
    except Denied as denied:
        return denied.code


def test_many_who_guess_at_once_over_connections_of_their_own_get_no_more_tries_than_one() -> None:
    user = make_user()
    guessers = 12
    together, said = threading.Barrier(guessers), []

    def work() -> None:
        # Each has read the person before anybody guessed, as twelve requests at once have.
        own = User.objects.get(pk=user.pk)
        together.wait()
        said.append(guess(own, "000000"))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(guessers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["credential_wrong"] * PIN_TRIES + ["pin_locked"] * (guessers - PIN_TRIES)
    user.refresh_from_db()
    assert user.pin_failures == PIN_TRIES
    assert guess(user, PIN) == "pin_locked"


def test_a_right_pin_and_a_password_set_the_count_back() -> None:
    user = make_user()
    assert [guess(user, "000000") for _ in range(PIN_TRIES - 1)] == ["credential_wrong"] * (PIN_TRIES - 1)
    assert guess(user, PIN) == "pin"
    assert [guess(user, "000000") for _ in range(PIN_TRIES)] == ["credential_wrong"] * PIN_TRIES
    assert guess(user, PIN) == "pin_locked"
    assert check_credential(user=user, password=PASSWORD, by=make_actor(user), now=database_now()) == "password"
    assert guess(user, PIN) == "pin"
