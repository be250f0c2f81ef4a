"""Words without a dictionary, for tests in which no word needs one."""

from __future__ import annotations

from itertools import groupby

from kessai.search.domain.folding import fold, is_kana_text, runs
from kessai.search.domain.words import Word


def split_plainly(text: str) -> list[Word]:
    """Without a dictionary: letters of one kind side by side; kana are their own reading."""
    found = []
    for kind, letters_ in groupby(text, _kind):
        surface = "".join(letters_)
        folded = fold(surface)
        reading = folded if is_kana_text(folded) else ""
        found.append(Word(surface, reading, surface, "content" if kind else "grammar"))
    return found


def _kind(char: str) -> str:
    return next((run.kind for run in runs(fold(char))), "")
