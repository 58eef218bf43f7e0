"""From an entry of a calendar to a place in the rota: who is meant, which post, which rank."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clinic.lib.sentences import Sentence
from clinic.vocabulary import Post

RANK = re.compile(r"(?:\brank|\bsıra|#|/)\s*([1-9])\b", re.IGNORECASE)
TITLES = {"dr", "prof", "doc", "mr", "mrs", "ms", "op", "uzm", "sr", "hem"}


@dataclass(frozen=True, slots=True)
class Colleague:
    """A person who may be meant: key, user name, full name, e-mail."""

    key: int
    username: str
    full_name: str
    email: str


@dataclass(frozen=True, slots=True)
class Match:
    """Who and which place an entry means; `field` and `detail` say what could not be matched."""

    person: int | None = None
    post: str = ""
    rank: int = 1
    field: str = ""
    detail: str = ""


def match(
    *,
    summary: str,
    attendees: Sequence[str],
    categories: Sequence[str],
    people: Iterable[Colleague],
    post: str = "",
    rank: int | None = None,
) -> Match:
    """Return what an entry means.

    The person: an ATTENDEE by e-mail, else the one whose full or user name stands in the SUMMARY. The post: as given for
    the whole file, else one named in CATEGORIES or SUMMARY (`on_call_spine`, "on call spine"); the rank likewise
    ("rank 2", "#2", "on_call_spine/2"), 1 where nothing is said.
    """
    everybody = list(people)
    words = [*categories, summary]
    named = post or next((one for text in words if (one := _post_in(text))), "")
    if not named:
        known = ", ".join(Post)
        return Match(
            field="CATEGORIES",
            detail=Sentence("No post: choose one for the whole file, or name one of %(known)s.", known=known),
        )
    place = rank or next((int(said[1]) for text in words if (said := RANK.search(text))), 1)
    mails = {address.casefold().removeprefix("mailto:") for address in attendees}
    found = [one.key for one in everybody if one.email and one.email.casefold() in mails]
    if len(found) == 1:
        return Match(found[0], named, place)
    if len(found) > 1:
        return Match(None, named, place, "ATTENDEE", Sentence("More than one of these people works here."))
    found = _named(summary, everybody)
    if len(found) == 1:
        return Match(found[0], named, place)
    field = "SUMMARY" if not mails else "ATTENDEE"
    detail = Sentence("More than one person of this site is named." if found else "Nobody of this site is named.")
    return Match(None, named, place, field, detail)


def _post_in(text: str) -> str:
    plain = text.casefold().replace("_", " ").replace("-", " ")
    return next((post.value for post in Post if post.value.replace("_", " ") in plain), "")


def _named(summary: str, people: Iterable[Colleague]) -> list[int]:
    said = _words(summary)
    found: list[tuple[int, int]] = []
    for one in people:
        names = [_words(one.full_name), _words(one.username)]
        longest = max((len(name) for name in names if name and _within(name, said)), default=0)
        if longest:
            found.append((longest, one.key))
    most = max((length for length, _ in found), default=0)
    # "Ayşe Kaya Demir" names her, not Ayşe Kaya
    return [key for length, key in found if length == most]


def _within(name: Sequence[str], said: Sequence[str]) -> bool:
    return any(list(said[start : start + len(name)]) == list(name) for start in range(len(said) - len(name) + 1))


def _words(text: str) -> list[str]:
    """Return the words of a name without title, case and accents: people type them differently."""
    plain = unicodedata.normalize("NFKD", text.replace("ı", "i").replace("İ", "I")).casefold()
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return [word for word in re.findall(r"[\w']+", plain) if word not in TITLES]
