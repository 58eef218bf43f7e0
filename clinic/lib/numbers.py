"""Telephone numbers."""


def number(text: str) -> str:
    """Return a telephone number as gateways take it: + and digits (E.164)."""
    digits = "".join(letter for letter in text if letter.isdecimal())
    if text.strip().startswith("00"):
        digits = digits[2:]
    return f"+{digits}"
