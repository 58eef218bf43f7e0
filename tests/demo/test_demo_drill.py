"""The demo's drill against the real service: a newcomer sees it from end to end in under two minutes."""

import subprocess
import sys

import pytest

from tests.service import TOP, RunningService

pytestmark = [pytest.mark.service]


def test_a_newcomer_sees_a_drill_from_end_to_end(service: RunningService) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "drill", "--url", service.url],
        cwd=TOP,
        env={**service.env, "DJANGO_SETTINGS_MODULE": "clinic.settings"},
        capture_output=True,
        text=True,
        # What the README promises.
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    told = " ".join(done.stdout.split())
    for sentence in (
        "begins an unannounced drill",
        "first on call, does not answer",
        "The drill ends by itself",
        "pass each step began in its time",
        "FAIL a surgeon who can operate answered",
        "NOT PASSED",
    ):
        assert sentence in told, sentence
