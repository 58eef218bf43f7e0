"""Whatever is killed, frozen or edited while a deficit is paged, every page goes out: each step once, in order, in seconds."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.faults.campaign import STEPS_OF_AN_EMERGENCY, TROUBLES, VICTIMS, Campaign, Page, Step
from tests.faults.report import rank, write
from tests.service import RunningService

pytestmark = [pytest.mark.faults]

LONG = os.environ.get("FAULTS") == "long"
# Kills in a run: every victim at least once; the long form is what `make faults` runs.
KILLS = int(os.environ.get("FAULTS_KILLS") or (210 if LONG else 14))
REPORT_EVERY = 3
# Something else goes wrong, or is changed, beside every so many kills; how long what freezes stays frozen: minutes of the
# demo site's policy, a second each.
TROUBLE_EVERY = 8 if LONG else 2
FROZEN_S = 20.0 if LONG else 3.0
# A case that has been paged through so many further reports is ended: the others go on.
WITHDRAWN_AFTER = 12
# A killed process is started again within a fraction of a second, and a message that it held is sent again when its
# lease ends (22 s, and 5 s more until the watchman takes over). Faults that follow each other hit the same page twice.
LATEST_S = 60.0


@pytest.fixture
def campaign(start_service: Callable[..., RunningService]) -> Iterator[Campaign]:
    """A demo service under attack; its minutes pass in a second."""
    running = Campaign(start_service(DEMO="1"), int(os.environ.get("FAULTS_SEED", "7")))
    yield running
    running.put_away()


def attack(campaign: Campaign) -> int:
    """Report deficits while the service is killed, frozen and edited; return how many were reported."""
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(KILLS)]
    campaign.random.shuffle(victims)
    runs = [campaign.book() for _ in range(KILLS // REPORT_EVERY + 1)]
    # Two of what should be there once are enough.
    once = {"second beat", "second watchman"}
    troubles = [*TROUBLES]
    campaign.random.shuffle(troubles)
    for number, victim in enumerate(victims):
        if number % REPORT_EVERY == 0:
            part = number // REPORT_EVERY
            campaign.report(runs[part])
            if part >= WITHDRAWN_AFTER:
                campaign.withdraw(campaign.procedures[part - WITHDRAWN_AFTER])
        campaign.breathe()
        campaign.kill(victim)
        if number % TROUBLE_EVERY == 0 and troubles:
            kind = troubles.pop(0)
            campaign.trouble(kind, seconds=FROZEN_S)
            if kind not in once and LONG:
                troubles.append(kind)
    for run in runs[(KILLS - 1) // REPORT_EVERY + 1 :]:
        campaign.report(run)
    campaign.settle(rounds=2)
    return len(runs)


def look_at_steps(campaign: Campaign, steps: list[Step], pages: list[Page]) -> None:
    """Assert that each step ran once and in order and wrote what it says."""
    ran = [(0, step) for step in range(STEPS_OF_AN_EMERGENCY)]
    # The repeats follow as rounds of their own, all of them the last step.
    assert [(one.turn, one.number) for one in steps[: len(ran)]] == ran, (campaign.seed, steps)
    repeats = [one.turn for one in steps[len(ran) :]]
    assert repeats in (list(range(len(repeats))), list(range(1, len(repeats) + 1))), (campaign.seed, steps)
    for step in steps:
        written = [page for page in pages if step.part in page.key]
        assert len(written) == sum(len(one["channels"]) for one in step.told), (campaign.seed, step, written)


def test_every_page_is_sent_whatever_is_killed_frozen_or_edited(campaign: Campaign) -> None:
    reported = attack(campaign)
    found = campaign.escalations("e.id, e.public_id::text")
    assert len(found) == reported, "one escalation for each report, never two"
    left: list[Page] = []
    for key, public_id in found:
        steps = campaign.steps(key)
        pages = campaign.messages(public_id, steps)
        look_at_steps(campaign, steps, pages)
        # The very last step may still be on its way; everything before it has left.
        left += [page for page in pages if steps[-1].part not in page.key]
    # What was unsent as its case was ended is cancelled with it.
    ended = [page for page in left if page.status == "cancelled"]
    left = [page for page in left if page.status != "cancelled"]
    lost = [page for page in left if page.status != "sent"]
    doubled = [key for key, times in Counter(page.key for page in left).items() if times > 1]
    shared = [one for one, times in Counter(page.message_id for page in left).items() if times > 1]
    delays = [page.delay_s for page in left]
    table = write(
        campaign,
        left,
        {
            "reports": reported,
            "escalations": len(found),
            "pages": len(left),
            "cancelled with their case": len(ended),
            "lost": len(lost),
            "doubled": len(doubled),
            "message ids that went to two people": len(shared),
            "tried again": sum(page.attempts > 1 for page in left),
            "due to sent, p50 s": round(rank(delays, 0.5), 2),
            "due to sent, p99 s": round(rank(delays, 0.99), 1),
            "due to sent, longest s": round(max(delays), 1),
            "slowest answer to a tablet, s": round(campaign.slowest_answer_s, 1),
        },
    )
    sys.stdout.write(table)
    assert not lost, (campaign.seed, lost)
    assert not doubled, (campaign.seed, doubled)
    assert not shared, (campaign.seed, shared)
    assert max(delays) < LATEST_S, table
