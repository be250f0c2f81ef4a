"""Words of a Japanese text, as a dictionary tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Literal, TypeAlias

from kessai.search.domain.folding import fold, is_kana_text, runs
from kessai.search.domain.morae import letters, morae

# Carries meaning alone; carries it with its neighbour; only binds.
Weight = Literal["content", "affix", "grammar"]


@dataclass(frozen=True, slots=True)
class Word:
    """`reading` in kana; `normal` is the spelling that the dictionary prefers: 珈琲 is コーヒー."""

    surface: str
    reading: str
    normal: str
    weight: Weight


Split: TypeAlias = Callable[[str], Sequence[Word]]


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


@lru_cache(maxsize=32_768)
def sound(reading: str) -> str:
    """A reading in plain letters: `キュウス` is `kyusu`."""
    return letters(morae(fold(reading)))
