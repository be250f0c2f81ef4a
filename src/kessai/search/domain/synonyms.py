"""Words that mean the same to a shopper, from a file that the shop may replace.

A line `a, b, c` makes each find what the others find; `a => b, c` makes `a` find `b` and `c`, and
not the other way round. `#` begins a remark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from kessai.kernel.errors import Invalid
from kessai.search.domain.folding import fold, is_kana_text, runs
from kessai.search.domain.morae import letters, morae
from kessai.search.domain.words import Split

_MAX_LINES = 20_000


class Synonyms:
    """The dictionary is asked how words sound when the first one is looked up."""

    def __init__(self, table: Mapping[str, tuple[str, ...]], split: Split) -> None:
        self._table = table
        self._split = split

    @classmethod
    def read(cls, lines: Iterable[str], split: Split) -> Synonyms:
        """Raises `Invalid` that names the line."""
        table: dict[str, dict[str, None]] = {}
        for number, line in enumerate(lines, start=1):
            text = line.partition("#")[0].strip()
            if not text:
                continue
            if number > _MAX_LINES:
                raise Invalid("synonyms", "TOO_LONG", f"more than {_MAX_LINES} lines")
            for word, others in _rules(text, number):
                table.setdefault(key(word), {}).update(dict.fromkeys(others))
        return cls({word: tuple(others) for word, others in table.items()}, split)

    def of(self, word: str) -> tuple[str, ...]:
        """As it is written; kana and their sound in plain letters also find kanji."""
        wanted = key(word)
        return self._table.get(wanted) or self._by_sound.get(wanted, ())

    @cached_property
    def _by_sound(self) -> dict[str, tuple[str, ...]]:
        """Short sounds belong to too many words: はし is a bridge too."""
        found: dict[str, tuple[str, ...]] = {}
        for word, others in self._table.items():
            if word.isascii():
                continue
            sounds = morae(fold("".join(w.reading for w in self._split(word))))
            if len(sounds) > 1:
                found.setdefault(letters(sounds), (word, *others))
        return found


def key(word: str) -> str:
    """Kana by their sound, so that every way of writing them is one word."""
    plain = "".join(run.text for run in runs(fold(word)))
    return letters(morae(plain)) if is_kana_text(plain) else plain


def _rules(text: str, number: int) -> list[tuple[str, list[str]]]:
    left, arrow, right = text.partition("=>")
    words, others = _words(left), _words(right)
    if arrow and words and others:
        return [(word, others) for word in words]
    if arrow or len(words) < 2:
        raise Invalid("synonyms", "BAD_LINE", f"line {number}: neither `a, b` nor `a => b`")
    return [(word, [other for other in words if other != word]) for word in words]


def _words(text: str) -> list[str]:
    return [word for part in text.replace("、", ",").split(",") if (word := part.strip())]
