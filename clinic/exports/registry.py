"""Find the datasets that the packages declare, by the names in settings.EXPORTS."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from clinic.exports.shape import Dataset
from clinic.lib.problems import NotFound


@cache
def datasets() -> dict[str, Dataset]:
    """Return every dataset by name, in the order of declaration; raise ValueError for a name given twice."""
    found: dict[str, Dataset] = {}
    for place in settings.EXPORTS:
        for dataset in import_string(place):
            if dataset.name in found:
                raise ValueError(f"{place}: the dataset {dataset.name!r} is declared twice")
            found[dataset.name] = dataset
    return found


def dataset_called(name: str) -> Dataset:
    """Return the dataset; raise NotFound naming those that exist."""
    found = datasets().get(name)
    if found is None:
        raise NotFound("unknown_dataset", f"There is no such dataset. Use one of: {', '.join(datasets())}.")
    return found
