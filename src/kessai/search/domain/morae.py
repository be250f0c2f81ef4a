"""The sound of a word in plain letters, so loosely that the ways of writing it become one.

Letters follow the Kunrei table (ISO 3602: si, ti, tu, hu, zi), whose rows are regular: a prefix of
the letters is a prefix of the kana. Long vowels and double consonants are left out, since nobody
agrees on them: `コーヒー`, `こうひい`, `koohii`, `ko-hi-` and `kohi` all are `ko hi`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

_VOWELS: Final = "aiueo"
_ROWS: Final = {
    "": "あいうえお",
    "k": "かきくけこ",
    "g": "がぎぐげご",
    "s": "さしすせそ",
    "z": "ざじずぜぞ",
    "t": "たちつてと",
    "d": "だぢづでど",
    "n": "なにぬねの",
    "h": "はひふへほ",
    "b": "ばびぶべぼ",
    "p": "ぱぴぷぺぽ",
    "m": "まみむめも",
    "y": "や ゆ よ",
    "r": "らりるれろ",
    "w": "わゐ ゑを",
}
_SMALL: Final = {
    "ゃ": "ya",
    "ゅ": "yu",
    "ょ": "yo",
    "ぁ": "a",
    "ぃ": "i",
    "ぅ": "u",
    "ぇ": "e",
    "ぉ": "o",
    "ゎ": "wa",
}


# っ and ー are no kana of this table: they are silent.
def _kana_table() -> dict[str, str]:
    table = {
        kana: consonant + vowel
        for consonant, row in _ROWS.items()
        for vowel, kana in zip(_VOWELS, row, strict=True)
        if kana != " "
    }
    # Sounded alike nowadays.
    table |= {"ぢ": "zi", "づ": "zu", "ゐ": "i", "ゑ": "e", "を": "o", "ん": "n", "ゔ": "bu"}
    table |= {"ゕ": "ka", "ゖ": "ke"} | _SMALL
    return table


_KANA: Final = _kana_table()


def _joined(first: str, small: str) -> str:
    """き + ゃ = kya, ふ + ぉ = ho, てぃ = ti, ゔぁ = ba: the nearest old sound."""
    stem, glide = first[:-1], _SMALL[small]
    if small in "ゃゅょ":
        return stem + glide
    if first == "u":
        return "wa"
    if first in ("si", "zi", "ti") and glide != "i":
        # しぇ, じぇ, ちぇ keep their glide, as しゃ does.
        return stem + "y" + glide
    return stem + glide


def _apart(first: str, small: str) -> bool:
    """ウィ is heard as ウイ."""
    return first == "u" and small in "ぃぇぉ"


def morae(hiragana: str) -> tuple[str, ...]:
    """The sounds of folded kana; anything that is no kana is left out."""
    found: list[str] = []
    before = ""
    for char in hiragana:
        if char in _KANA:
            joins = char in _SMALL and before in _KANA and before not in _SMALL
            if joins and not _apart(found[-1], char):
                found[-1] = _joined(found[-1], char) if found[-1][-1] in _VOWELS else _KANA[char]
            else:
                found.append(_KANA[char])
        before = char
    return shortened(found)


def shortened(sounds: Sequence[str]) -> tuple[str, ...]:
    """Without the second half of long vowels: `o u`, `e i` and every repeated vowel."""
    kept: list[str] = []
    for sound in sounds:
        before = kept[-1][-1] if kept else ""
        lone = len(sound) == 1 and sound in _VOWELS
        if not (lone and before and (sound == before or before + sound in ("ou", "ei"))):
            kept.append(sound)
    return tuple(kept)


def pairs(sounds: Sequence[str]) -> list[str]:
    """Tokens of neighbours, for phrases; a single sound stands alone."""
    return [f"{a}.{b}" for a, b in pairwise(sounds)] or list(sounds)


def letters(sounds: Sequence[str]) -> str:
    return "".join(sounds)
