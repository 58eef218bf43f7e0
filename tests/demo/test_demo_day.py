"""The scripted day against the real service: processes, broker, database and all."""

import subprocess
import sys

import pytest

from tests.service import TOP, RunningService

pytestmark = [pytest.mark.service]


def test_the_day_ends_well_and_is_told_as_it_happened(service: RunningService) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "day", "--url", service.url, "--minutes-to-deficit", "16"],
        cwd=TOP,
        env={**service.env, "DJANGO_SETTINGS_MODULE": "clinic.settings"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    told = " ".join(done.stdout.split())
    for sentence in (
        "HARD STOP",
        "none stored twice",
        'Shown as "cannot operate"',
        "does not answer",
        "The alarm closes",
        "not as it was exported",
        "the chain breaks at entry",
        "nothing lost",
    ):
        assert sentence in told, sentence
    assert (service.data / "demo-accounts.json").stat().st_mode & 0o777 == 0o600
