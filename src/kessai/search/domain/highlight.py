"""A title as HTML, with what was looked for between `<em>` and `</em>` and all else escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from kessai.search.domain.folding import fold_apart, is_kana_text, runs
from kessai.search.domain.morae import letters, morae
from kessai.search.domain.planner import words_of
from kessai.search.domain.romaji import hear
from kessai.search.domain.words import sound

# A reading of more words side by side is nobody's query.
_SIDE_BY_SIDE: Final = 5
# Most titles have nothing to escape.
_MARKUP: Final = frozenset("&<>\"'")
# A word of a title: how long it is, and its reading in kana.
Spoken: TypeAlias = tuple[int, str]


class Marker:
    """Marks one query in many titles."""

    def __init__(self, query: str) -> None:
        texts = dict.fromkeys(run.text for chunk in words_of(query) for run in runs(chunk))
        self._wanted = [(text, _heard(text)) for text in texts]

    def html(self, title: str, spoken: Iterable[Spoken]) -> str | None:
        """None where nothing of the title was typed: it was found by another way."""
        folded, places = _folded(title)
        spans: list[tuple[int, int]] = []
        sounds: list[str] = []
        for text, heard in self._wanted:
            found = _written(folded, places, text)
            spans += found
            if heard and not found:
                sounds.append(heard)
        if sounds:
            spans += _sounded(title, list(spoken), sounds)
        return _html(title, spans) if spans else None


@lru_cache(maxsize=4_096)
def _folded(title: str) -> tuple[str, Sequence[int]]:
    """The folded text, and for each of its letters the letter of the title that it came from."""
    folded = fold_apart(title)
    if len(folded) == len(title):
        # No letter is folded to none.
        return folded, range(len(title))
    return folded, [at for at, char in enumerate(title) for _ in fold_apart(char)]


def _written(folded: str, places: Sequence[int], text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    at = folded.find(text)
    while at >= 0:
        end = at + len(text)
        found.append((places[at], places[end - 1] + 1))
        at = folded.find(text, end)
    return found


def _heard(text: str) -> str:
    if is_kana_text(text):
        return letters(morae(text))
    heard = hear(text) if text.isascii() and text.isalpha() else None
    return letters(heard.sounds) if heard else ""


def _sounded(title: str, words: Sequence[Spoken], sounds: Sequence[str]) -> list[tuple[int, int]]:
    """Words, or several side by side, that sound like it."""
    begun = _beginnings(tuple(sounds))
    found = []
    start = 0
    for first, (width, reading) in enumerate(words):
        alone = sound(reading)
        near = words[first : first + _SIDE_BY_SIDE] if (alone[:-1] or alone) in begun else ()
        if (length := _side_by_side(near, sounds, begun)) is not None:
            found.append((start, min(start + length, len(title))))
        start += width
    return found


@lru_cache(maxsize=256)
def _beginnings(sounds: tuple[str, ...]) -> frozenset[str]:
    """Whatever is read behind it, of what a word sounds like at most the last letter changes."""
    return frozenset(one[:length] for one in sounds for length in range(len(one) + 1))


def _side_by_side(
    words: Sequence[Spoken], sounds: Sequence[str], begun: frozenset[str]
) -> int | None:
    """How many letters the fewest of the first words have that sound like one of `sounds`."""
    reading, length = "", 0
    for width, one in words:
        reading += one
        length += width
        heard = sound(reading)
        if heard in sounds:
            return length
        if heard[:-1] not in begun:
            break
    return None


def _html(title: str, spans: Sequence[tuple[int, int]]) -> str:
    escape = _as_it_is if _MARKUP.isdisjoint(title) else html.escape
    if len(spans) == 1:
        first, last = spans[0]
        return f"{escape(title[:first])}<em>{escape(title[first:last])}</em>{escape(title[last:])}"
    parts: list[str] = []
    end = 0
    for first, last in _merged(spans):
        parts += [escape(title[end:first]), "<em>", escape(title[first:last]), "</em>"]
        end = last
    return "".join(parts) + escape(title[end:])


def _as_it_is(text: str) -> str:
    return text


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
