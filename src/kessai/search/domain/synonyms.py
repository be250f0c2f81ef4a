"""Words that mean the same to a shopper, from a file that the shop may replace.

A line `a, b, c` makes each find what the others find; `a => b, c` makes `a` find `b` and `c`, and
not the other way round. `#` begins a remark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kessai.kernel.errors import Invalid
from kessai.search.domain.folding import fold, is_kana_text, runs
from kessai.search.domain.morae import letters, morae

_MAX_LINES = 20_000


class Synonyms:
    def __init__(self, table: Mapping[str, tuple[str, ...]]) -> None:
        self._table = table

    @classmethod
    def read(cls, lines: Iterable[str]) -> Synonyms:
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
        return cls({word: tuple(others) for word, others in table.items()})

    def of(self, word: str) -> tuple[str, ...]:
        return self._table.get(key(word), ())


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
