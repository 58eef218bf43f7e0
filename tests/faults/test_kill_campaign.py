"""Whatever is killed while a deficit is paged, every page goes out: each step once, in order, within seconds."""

import os
import sys
from collections.abc import Callable

import pytest

from tests.faults.campaign import STEPS_OF_AN_EMERGENCY, VICTIMS, Campaign
from tests.service import RunningService

pytestmark = [pytest.mark.faults]

LONG = os.environ.get("FAULTS") == "long"
# Kills in a run: every victim at least once; the long form is what `make faults` runs.
KILLS = 210 if LONG else 14
REPORT_EVERY = 3
# A killed process is started again within a fraction of a second, and a message that it held is sent again when its
# lease ends; nobody waits longer than this for a page that was due.
LATEST_S = 60.0


def test_every_page_is_sent_whatever_is_killed(start_service: Callable[..., RunningService]) -> None:
    seed = int(os.environ.get("FAULTS_SEED", "7"))
    campaign = Campaign(start_service(DEMO="1"), seed)
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(KILLS)]
    campaign.random.shuffle(victims)
    runs = [campaign.book() for _ in range(KILLS // REPORT_EVERY + 1)]

    for number, victim in enumerate(victims):
        if number % REPORT_EVERY == 0:
            campaign.report(runs[number // REPORT_EVERY])
        campaign.breathe()
        campaign.kill(victim)
    for run in runs[(KILLS - 1) // REPORT_EVERY + 1 :]:
        campaign.report(run)
    campaign.settle(rounds=2)

    found = campaign.escalations("e.id, e.public_id::text, e.status")
    assert len(found) == len(runs), "one escalation for each report, never two"
    delays: list[float] = []
    again = 0
    for key, public_id, _ in found:
        steps = campaign.steps(key)
        first = [(0, step) for step in range(STEPS_OF_AN_EMERGENCY)]
        # The repeats follow as rounds of their own, all of them the last step.
        assert [pair[:2] for pair in steps[: len(first)]] == first, (seed, steps)
        repeats = [pair[0] for pair in steps[len(first) :]]
        assert repeats == list(range(len(repeats))) or repeats == list(range(1, len(repeats) + 1)), (seed, steps)
        messages = campaign.messages(public_id)
        keys = [message[0] for message in messages]
        assert len(keys) == len(set(keys))
        for round_, step, told in steps:
            written = [one for one in keys if f":{round_}:{step}:" in one]
            assert len(written) == sum(len(one["channels"]) for one in told), (seed, round_, step, written, told)
        # The very last step may still be on its way; everything before it has left.
        last = f":{steps[-1][0]}:{steps[-1][1]}:"
        for message_key, status, attempts, delay in messages:
            if last in message_key:
                continue
            assert status == "sent", (seed, message_key, status)
            assert delay is not None
            delays.append(delay)
            again += attempts > 1
    report = (
        f"kill campaign: seed {seed}, {sum(campaign.kills.values())} kills {dict(campaign.kills)}, "
        f"{len(found)} escalations, {len(delays)} pages: 0 lost, 0 doubled, {again} tried again; "
        f"due → sent p50 {sorted(delays)[len(delays) // 2]:.2f} s, longest {max(delays):.1f} s; "
        f"slowest answer to a tablet {campaign.slowest_answer_s:.1f} s"
    )
    sys.stdout.write(report + "\n")
    assert max(delays) < LATEST_S, report
