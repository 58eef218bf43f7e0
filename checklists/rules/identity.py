"""Whether what somebody reads off a wristband names the patient of the list: two identifiers, compared as a person would."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import date

#: What may be compared; two of them make an identification.
IDENTIFIERS = ("name", "birth_date", "mrn")
_TURKISH = str.maketrans({"ı": "i", "İ": "i", "I": "i", "ß": "ss"})


def plain(text: str) -> str:
    """Return a text without case, accents, signs and spaces, so that YILDIZ, Yıldız and yildiz are one."""
    folded = unicodedata.normalize("NFKD", text.translate(_TURKISH).casefold())
    return "".join(letter for letter in folded if letter.isalnum())


def same_name(said: str, family: str, given: str) -> bool:
    """Tell whether a name holds the whole family name and a given name, in any order, and nothing else."""
    words = [word for part in said.replace(",", " ").split() if (word := plain(part))]
    own = [word for part in family.split() if (word := plain(part))]
    first = [word for part in given.split() if (word := plain(part))]
    rest = list(words)
    for word in own:
        if word not in rest:
            return False
        rest.remove(word)
    return bool(rest) and all(word in first for word in rest)


def compare(said: Mapping[str, str | date], *, family: str, given: str, birth_date: date, mrn: str) -> dict[str, bool]:
    """Return for each identifier that was said whether it is this patient's."""
    found: dict[str, bool] = {}
    for name, value in said.items():
        if name == "birth_date":
            found[name] = value == birth_date
        elif name == "mrn":
            found[name] = plain(str(value)) == plain(mrn)
        else:
            found[name] = same_name(str(value), family, given)
    return found
