"""Who is asked to swap is told once, and who asked is told the answer once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from clinic.actions.notification import claim_due, deliver
from clinic.actions.swaps import Part, answer_swap, propose_swap, withdraw_swap
from clinic.models import Notification, ShiftSwap
from complications.actions.swap_notices import tell_swaps
from tests.make_complications import Ward, make_ward

pytestmark = pytest.mark.django_db


@pytest.fixture
def ward(now: datetime) -> Ward:
    return make_ward(now)


def propose(ward: Ward, now: datetime) -> ShiftSwap:
    part = Part("on_call_spine", 1, (now + timedelta(hours=2), now + timedelta(hours=8)))
    by = ward.by(ward.first)
    return propose_swap(site=ward.site, giver=ward.first, asked=ward.head, part=part, back=None, by=by, now=now)


@pytest.mark.parametrize("answer", ["accepted", "declined"])
def test_both_are_told_once_in_their_language(ward: Ward, now: datetime, answer: str) -> None:
    accept = answer == "accepted"
    swap = propose(ward, now)
    assert [tell_swaps(now=now), tell_swaps(now=now + timedelta(minutes=1))] == [1, 0]
    assert Notification.objects.get().recipient == ward.head
    answer_swap(swap=swap, accept=accept, by=ward.by(ward.head), now=now + timedelta(minutes=5))
    later = now + timedelta(minutes=6)
    assert [tell_swaps(now=later), tell_swaps(now=later)] == [1, 0]
    told = Notification.objects.get(kind="swap_answered")
    assert told.recipient == ward.first
    assert told.context["accepted"] is accept
    for language in ("en", "tr"):
        Notification.objects.update(language=language, status="queued")
        assert all(deliver(key=key, now=later) for key in claim_due(now=later))


def test_nobody_is_told_of_a_swap_that_was_withdrawn_or_is_over(ward: Ward, now: datetime) -> None:
    withdraw_swap(swap=propose(ward, now), by=ward.by(ward.first), now=now)
    propose(ward, now)
    assert tell_swaps(now=now + timedelta(hours=9)) == 0
