"""The Turkish words of the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.utils.translation import gettext, override

from clinic.models import User
from tests.make import make_site, make_user

WORDS = settings.BASE_DIR / "locale" / "tr" / "LC_MESSAGES" / "django.po"


def test_no_word_of_the_turkish_catalogue_is_missing_or_guessed() -> None:
    entries = WORDS.read_text(encoding="utf-8").split("\n\n")[1:]
    missing = [one for one in entries if re.search(r'^msgstr(\[\d\])? ""$', one, re.M)]
    assert not missing
    assert not [one for one in entries if ", fuzzy" in one]


def test_the_compiled_words_are_those_of_the_catalogue() -> None:
    entries = [one for one in WORDS.read_text(encoding="utf-8").split("\n\n")[1:] if "msgctxt" not in one]
    plain = re.compile(r'^msgid "([^"\\%]+)"\nmsgstr "([^"\\%]+)"$', re.M)
    pairs = [found.groups() for one in entries if (found := plain.search(one))]
    assert len(pairs) > 300
    with override("tr"):
        assert [(word, said) for word, said in pairs if gettext(word) != said] == []


@pytest.mark.django_db
def test_a_turkish_reader_reads_turkish(as_: Callable[[User], Any]) -> None:
    page = as_(make_user(make_site(), "nurse", language="tr")).get("/board/").content.decode()
    assert 'lang="tr"' in page
    assert "Bu gün işlem yok" in page
