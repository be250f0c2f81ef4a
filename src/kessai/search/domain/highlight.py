"""A title as HTML, with what was looked for between `<em>` and `</em>` and all else escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from kessai.search.domain.folding import fold, is_kana_text, runs
from kessai.search.domain.morae import letters, morae
from kessai.search.domain.planner import words_of
from kessai.search.domain.romaji import hear
from kessai.search.domain.words import Split, sound


def highlight(title: str, query: str, split: Split) -> str | None:
    """None where nothing of the title was typed: it was found by another way."""
    marked = [False] * len(title)
    folded, places = _folded(title)
    wanted = [run.text for chunk in words_of(query) for run in runs(chunk)]
    unseen = [text for text in wanted if not _mark(folded, places, text, marked)]
    sounds = [heard for text in unseen if (heard := _heard(text))]
    if sounds:
        _mark_words(title, split, sounds, marked)
    return _html(title, marked) if any(marked) else None


def _folded(title: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its letters the letter of the title that it came from."""
    text, places = "", list[int]()
    for at, char in enumerate(title):
        folded = fold(char)
        text += folded
        places += [at] * len(folded)
    return text, places


def _mark(folded: str, places: Sequence[int], text: str, marked: list[bool]) -> bool:
    at = folded.find(text)
    found = at >= 0
    while at >= 0:
        for place in places[at : at + len(text)]:
            marked[place] = True
        at = folded.find(text, at + len(text))
    return found


def _heard(text: str) -> str:
    if is_kana_text(text):
        return letters(morae(text))
    heard = hear(text) if text.isascii() and text.isalpha() else None
    return letters(heard.sounds) if heard else ""


def _mark_words(title: str, split: Split, sounds: Sequence[str], marked: list[bool]) -> None:
    """Words, or several side by side, that sound like it or begin so."""
    words = split(title)
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word.surface))
    for first in range(len(words)):
        reading = ""
        for last in range(first, min(len(words), first + 5)):
            reading += words[last].reading
            if sound(reading) in sounds:
                for place in range(starts[first], min(starts[last + 1], len(title))):
                    marked[place] = True
                break


def _html(title: str, marked: Sequence[bool]) -> str:
    parts: list[str] = []
    inside = False
    for char, found in zip(title, marked, strict=True):
        if found != inside:
            parts.append("<em>" if found else "</em>")
            inside = found
        parts.append(escape(char))
    return "".join(parts) + ("</em>" if inside else "")
