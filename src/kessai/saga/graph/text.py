"""How wide a text may become, guessed high: no font is asked."""

from __future__ import annotations

import unicodedata

_NARROW = frozenset("ijlItf.,:;'|!()[]{}/\\-\" ")
_WIDE = frozenset("mwMW@%&+=<>~")
_ELLIPSIS = "…"


def width(text: str, size: float, *, mono: bool = False) -> float:
    return sum(_character(one, mono) for one in text) * size


def shortened(text: str, size: float, room: float, *, mono: bool = False) -> str:
    """As much of the text as fits, with an ellipsis where something is missing."""
    text = " ".join(text.split())
    if width(text, size, mono=mono) <= room:
        return text
    left = room - width(_ELLIPSIS, size, mono=mono)
    kept = ""
    for character in text:
        left -= _character(character, mono) * size
        if left < 0:
            break
        kept += character
    return kept.rstrip() + _ELLIPSIS


def condensed(text: str, size: float, room: float) -> str:
    """Both ends of an expression, which differ more often at the end than in the middle."""
    text = " ".join(text.split())
    if width(text, size, mono=True) <= room:
        return text
    head = shortened(text, size, room * 0.55, mono=True)
    tail = shortened(text[::-1], size, room - width(head, size, mono=True) + size, mono=True)
    return head + tail.removesuffix(_ELLIPSIS)[::-1].lstrip()


def _character(one: str, mono: bool) -> float:
    if unicodedata.combining(one) or unicodedata.category(one) in ("Cf", "Cc"):
        return 0.0
    # Ambiguous ones are as wide as a kanji where the font is a Japanese one.
    if unicodedata.east_asian_width(one) in ("W", "F", "A"):
        return 1.0
    if mono:
        return 0.62
    if one in _NARROW:
        return 0.4
    if one in _WIDE:
        return 0.98
    return 0.74 if one.isupper() else 0.64
