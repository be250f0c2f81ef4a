"""Text as it is compared: width, case, accents and the two kana scripts make no difference."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal, NamedTuple

# ァ..ヶ lie 0x60 above ぁ..ゖ; ヽヾ likewise above ゝゞ. ー has no hiragana.
_TO_HIRAGANA: Final = {code: code - 0x60 for code in (*range(0x30A1, 0x30F7), 0x30FD, 0x30FE)}
_LONG: Final = "ー"
# What people type for the long vowel mark.
_DASHES: Final = frozenset("-‐‑‒–—―−〜~")
_HIRAGANA: Final = range(0x3041, 0x3097)
_LETTERS: Final = {"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "×": "x"}

Kind = Literal["cjk", "latin", "digit"]


class Run(NamedTuple):
    """Letters of one kind side by side, folded; `glued` to the run before it."""

    kind: Kind
    text: str
    glued: bool


@lru_cache(maxsize=4096)
def _fold_char(char: str) -> str:
    folded = unicodedata.normalize("NFKC", char).casefold()
    bare = [c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c)]
    # The marks of voiced kana are combining ones too, and those tell words apart.
    if not any("a" <= c <= "z" for c in bare):
        bare = list(unicodedata.normalize("NFKC", folded))
    return "".join(_LETTERS.get(c, c) for c in bare).translate(_TO_HIRAGANA)


def fold(text: str) -> str:
    """`ｷｭｳｽ`, `キュウス` and `きゅうす` become one, as do `ＴＥＡ` and `tea`, `café` and `cafe`."""
    whole = unicodedata.normalize("NFKC", text)
    folded = "".join(map(_fold_char, whole))
    return _long_marks(folded) if not folded.isalnum() else folded


def _long_marks(text: str) -> str:
    """A dash after a kana is meant as the long vowel mark: `スニ-カ-`."""
    chars: list[str] = []
    for char in text:
        after_kana = bool(chars) and (is_kana(chars[-1]) or chars[-1] == _LONG)
        chars.append(_LONG if after_kana and char in _DASHES else char)
    return "".join(chars)


def is_kana(char: str) -> bool:
    return ord(char) in _HIRAGANA


def is_kana_text(text: str) -> bool:
    """Folded text that is hiragana alone, long vowel marks included."""
    return bool(text) and all(is_kana(c) or c == _LONG for c in text)


def runs(folded: str) -> Iterator[Run]:
    """What stands between blanks and signs, and letters apart from digits: `a5`, `280ml`."""
    kind: Kind | None = None
    start, glued = 0, False
    for at, char in enumerate(folded):
        of = _kind(char)
        if of == kind:
            continue
        if kind is not None:
            yield Run(kind, folded[start:at], glued)
        glued = kind is not None and of is not None
        kind, start = of, at
    if kind is not None:
        yield Run(kind, folded[start:], glued)


@lru_cache(maxsize=4096)
def _kind(char: str) -> Kind | None:
    if char.isdecimal() and char.isascii():
        return "digit"
    if char == _LONG or char == "々":
        return "cjk"
    if not char.isalnum():
        return None
    code = ord(char)
    if 0x3041 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or code >= 0x20000:
        return "cjk"
    # Hangul has no blanks to rely on inside its words either.
    return "cjk" if 0xAC00 <= code <= 0xD7A3 else "latin"


def bigrams(text: str) -> list[str]:
    """Pairs of neighbours; a single letter stands alone."""
    return [text[at : at + 2] for at in range(len(text) - 1)] or [text]


def literal(folded: str) -> list[str]:
    """The tokens of a text as it is written, in order."""
    found: list[str] = []
    for run in runs(folded):
        found.extend(bigrams(run.text) if run.kind == "cjk" else [run.text])
    return found
