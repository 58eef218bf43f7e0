"""Text messages in the GSM-7 alphabet (3GPP TS 23.038, section 6.2.1): 160 characters in one message."""

from __future__ import annotations

import unicodedata

#: Septets in one message.
ONE_MESSAGE = 160

_BASIC = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: Two septets each.
_EXTENDED = set("^{}\\[~]|€")
#: Letters without a decomposition, and typography.
_FOLDED = {
    "ı": "i",
    "İ": "I",
    "–": "-",
    "—": "-",
    "−": "-",
    "’": "'",
    "\u2018": "'",
    "“": '"',
    "”": '"',
    "…": "...",
    "\u00a0": " ",
}


def fold(text: str) -> str:
    """Return the text in GSM-7: Turkish letters lose their marks (ş → s, ğ → g, ı → i), what is left over becomes ?."""
    found: list[str] = []
    for letter in text:
        if letter in _BASIC or letter in _EXTENDED:
            found.append(letter)
            continue
        plain = _FOLDED.get(letter) or "".join(
            one for one in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(one)
        )
        found.append("".join(one if one in _BASIC or one in _EXTENDED else "?" for one in plain) or "?")
    return "".join(found)


def septets(text: str) -> int:
    """Return how many of the 160 places of one message a folded text takes."""
    return sum(2 if letter in _EXTENDED else 1 for letter in text)
