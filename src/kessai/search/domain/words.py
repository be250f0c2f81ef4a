"""Words of a Japanese text, as a dictionary tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
    """Without a dictionary: runs of letters, which have a reading only where they are kana."""
    found = []
    for run in runs(fold(text)):
        reading = run.text if is_kana_text(run.text) else ""
        found.append(Word(run.text, reading, run.text, "content"))
    return found


@lru_cache(maxsize=32_768)
def sound(reading: str) -> str:
    """A reading in plain letters: `キュウス` is `kyusu`."""
    return letters(morae(fold(reading)))
