"""Latin letters read as Japanese: Hepburn, Kunrei and what input methods take, mixed freely."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from kessai.search.domain.morae import shortened

_VOWELS: Final = "aiueo"
# Longest first; what is not named is one consonant of the table, as it stands.
_ONSETS: Final = (
    ("tch", "ty"),
    ("sh", "sy"),
    ("ch", "ty"),
    ("cy", "ty"),
    ("ts", "t"),
    ("jy", "zy"),
    ("kw", "k"),
    ("th", "t"),
    ("dh", "d"),
    ("wh", ""),
    ("ky", "ky"),
    ("gy", "gy"),
    ("sy", "sy"),
    ("zy", "zy"),
    ("ty", "ty"),
    ("dy", "zy"),
    ("ny", "ny"),
    ("hy", "hy"),
    ("by", "by"),
    ("py", "py"),
    ("my", "my"),
    ("ry", "ry"),
    ("ly", "ry"),
    ("fy", "hy"),
    ("vy", "by"),
    ("j", "zy"),
    ("f", "h"),
    ("v", "b"),
    ("l", "r"),
    ("c", "k"),
    ("q", "k"),
)
_PLAIN: Final = frozenset("kgsztdnhbpmyrw")
_AFTER_N: Final = frozenset("aiueoy")
# What may still become a sound when more is typed, as the letters that it will begin with.
_UNFINISHED: Final = {
    "sh": ("sy", "si"),
    "ch": ("ty", "ti"),
    "c": ("ty", "ti", "k"),
    "ts": ("tu",),
    "f": ("h",),
    "j": ("zy", "zi"),
    "v": ("b",),
    "l": ("r",),
    "q": ("k",),
}


class Heard(NamedTuple):
    """Sounds, and what was begun after them: none, or the beginnings that it may mean."""

    sounds: tuple[str, ...]
    begun: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def hear(latin: str) -> Heard | None:
    """None for letters that are no Japanese: `sneaker`, `ink`."""
    at, sounds = 0, list[str]()
    while at < len(latin):
        step = _sound(latin, at)
        if step is None:
            begun = _begun(latin[at:])
            return Heard(shortened(sounds), begun) if begun else None
        sound, at = step
        # wi is ウィ, which is heard as ウイ.
        sounds += sound if sound in ("ui", "ue") else [sound] if sound else []
    return Heard(shortened(sounds))


def _sound(latin: str, at: int) -> tuple[str, int] | None:
    """One sound from here on and where the next begins; an empty one for a doubled consonant."""
    char, after = latin[at], latin[at + 1 : at + 2]
    if char in _VOWELS:
        return char, at + 1
    if char == "n" and after not in _AFTER_N:
        # `nn` is ん, and before a vowel ん and the n of な.
        ends_here = after == "n" and latin[at + 2 : at + 3] not in _AFTER_N
        return "n", at + 2 if ends_here else at + 1
    if char == "m" and after in ("b", "p", "m"):
        return "n", at + 1
    if char == after and char in "kgstdpbczjfrl":
        # Three of them are no small っ.
        return None if latin[at + 2 : at + 3] == char else ("", at + 1)
    return _syllable(latin, at)


def _syllable(latin: str, at: int) -> tuple[str, int] | None:
    for spelt, meant in _ONSETS:
        if latin.startswith(spelt, at):
            end = at + len(spelt)
            vowel = latin[end : end + 1]
            if not vowel or vowel not in _VOWELS:
                return None
            return _regular(spelt, meant, vowel), end + 1
    vowel = latin[at + 1 : at + 2]
    if latin[at] not in _PLAIN or not vowel or vowel not in _VOWELS:
        return None
    return _regular(latin[at], latin[at], vowel), at + 2


def _regular(spelt: str, meant: str, vowel: str) -> str:
    """shi = si, ja = zya, ji = zi, chi = ti, no glide before an i, nor before most e."""
    if vowel == "i" and meant.endswith("y"):
        meant = meant[:-1]
    if meant == "d" and vowel in "iu" and spelt == "d":
        meant = "z"
    if meant == "w" and vowel in "ieo":
        meant = "" if vowel == "o" else "u"
    if meant == "y" and vowel == "e":
        meant = ""
    return meant + vowel


def _begun(rest: str) -> tuple[str, ...]:
    """The last letters, when they are the beginning of a sound."""
    if rest in _UNFINISHED:
        return _UNFINISHED[rest]
    if len(rest) == 1 and rest in _PLAIN:
        return (rest,)
    if len(rest) == 2 and rest[1] == "y" and rest[0] in _PLAIN:
        return (rest,)
    # A doubled consonant that waits for its vowel.
    if len(rest) == 2 and rest[0] == rest[1] and rest[0] in _PLAIN:
        return (rest[0],)
    return ()
