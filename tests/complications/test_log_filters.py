"""The filters of the log against the same questions asked of the columns, and against a procedure that changes."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from clinic.lib.clock import database_now
from clinic.models import Procedure
from complications.models import Complication
from complications.queries.log import log_of, own_cases
from tests.make import make_site
from tests.make_complications import Ward, make_report, make_ward

pytestmark = pytest.mark.django_db

COLUMNS = {
    "type": "code",
    "site_of_leak": "site_of_leak",
    "clavien": "clavien",
    "level": "level",
    "status": "status",
    "kind": "procedure__kind",
    "indication": "procedure__indication",
    "anaesthesia": "procedure__anaesthesia",
    "operator": "procedure__operator__username",
    "symptomatic": "symptomatic",
}


@pytest.fixture
def ward() -> Ward:
    ward, now = make_ward(database_now()), database_now()
    given: list[dict[str, Any]] = [
        {"type": "LEK-DIS", "level": "L1", "symptomatic": False},
        {"type": "LEK-DIS", "level": "L2", "symptomatic": True},
        {"type": "LEK-PVT", "level": "L1"},
        {"type": "BLD-SUB", "symptomatic": True, "treatment": {"therapies": ["transfusion"]}},
        {"type": "BLD-SUB", "treatment": {"therapies": ["surgery"], "anaesthesia": "general"}},
        {},
    ]
    for number, values in enumerate(given):
        make_report(ward, now, occurred_at=now - timedelta(minutes=number), **values)
    return ward


def test_any_pair_of_filters_finds_what_the_columns_say(ward: Ward) -> None:
    site = ward.procedure.site
    values = {
        name: {str(value) for value in Complication.objects.values_list(column, flat=True) if value not in ("", None)}
        for name, column in COLUMNS.items()
    }
    asked = [(name, value) for name, every in values.items() for value in sorted(every)]
    assert len(asked) > 15
    for one, other in itertools.combinations(asked, 2):
        if one[0] == other[0]:
            given = dict([read(one[0], f"{one[1]},{other[1]}")])
            plain = Complication.objects.filter(**{f"{COLUMNS[one[0]]}__in": [one[1], other[1]]})
        else:
            given = dict(read(*pair) for pair in (one, other))
            plain = Complication.objects.filter(**{COLUMNS[name]: value for name, value in (one, other)})
        assert set(log_of(site, given)) == set(plain), given


def read(name: str, value: str) -> tuple[str, str]:
    """Return a filter as a person writes it."""
    return name, value.lower() if name == "symptomatic" else value


def test_a_procedure_that_changes_is_found_by_what_it_is_now(ward: Ward) -> None:
    site, every = ward.procedure.site, set(Complication.objects.all())
    versions = {row.pk: row.versions.count() for row in every}  # type: ignore[attr-defined] # made by pghistory
    assert set(log_of(site, {"kind": ward.procedure.kind})) == every
    Procedure.objects.filter(pk=ward.procedure.pk).update(kind="vertebroplasty", operator=ward.second)
    assert set(log_of(site, {"kind": "vertebroplasty", "operator": ward.second.username})) == every
    assert not log_of(site, {"operator": ward.operator.username})
    assert set(own_cases(log_of(site, {}), site, ward.second)) == every
    assert versions == {row.pk: row.versions.count() for row in every}  # type: ignore[attr-defined]


def test_nothing_is_found_for_another_site_or_an_unknown_person(ward: Ward) -> None:
    other = make_site()
    assert not log_of(other, {"level": "L1"})
    assert not log_of(other, {"level": "L1,L2"})
    assert not log_of(ward.procedure.site, {"operator": "nobody"})
