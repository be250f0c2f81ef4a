"""Words by Sudachi's core dictionary, which is loaded when the first text asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sudachipy import Dictionary, Morpheme, SplitMode, Tokenizer

from kessai.search.domain.words import Weight, Word

# Its parts of speech (UniDic); what is not named carries meaning.
_GRAMMAR: Final = frozenset({"助詞", "助動詞", "補助記号", "空白", "記号", "接続詞"})
_AFFIX: Final = frozenset({"接頭辞", "接尾辞"})
# A longer text is no title and no query.
_MAX_LETTERS: Final = 2_000
_SHORT: Final = 40
_MAX_KNOWN: Final = 16_384


class SudachiWords:
    """Callable as `domain.words.Split`. About 80 MB from the first call on, 0.2 s for loading."""

    def __init__(self) -> None:
        self._tokenizer: Tokenizer | None = None
        # A query is asked about again and again, a title seldom.
        self._short = lru_cache(maxsize=8_192)(self._split)
        self._known: dict[tuple[int, str], Word] = {}

    def __call__(self, text: str) -> Sequence[Word]:
        return self._short(text) if len(text) <= _SHORT else self._split(text)

    def _split(self, text: str) -> tuple[Word, ...]:
        if self._tokenizer is None:
            self._tokenizer = Dictionary(dict="core").tokenizer(mode=SplitMode.A)
        return tuple(map(self._word, self._tokenizer.tokenize(text[:_MAX_LETTERS])))

    def _word(self, found: Morpheme) -> Word:
        """Titles are made of few words, and each question about one costs time."""
        if found.is_oov():
            return _word(found)
        key = (found.word_id(), found.surface())
        if key not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[key] = _word(found)
        return self._known[key]


def _word(found: Morpheme) -> Word:
    weight = _weight(*found.part_of_speech()[:3])
    return Word(found.surface(), found.reading_form(), found.normalized_form(), weight)


@lru_cache(maxsize=256)
def _weight(part_of_speech: str, kind: str, use: str) -> Weight:
    if part_of_speech in _GRAMMAR:
        return "grammar"
    # Numbers and what they count say nothing alone.
    is_bound = part_of_speech in _AFFIX or kind == "数詞" or use == "助数詞可能"
    return "affix" if is_bound else "content"
