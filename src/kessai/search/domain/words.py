"""Words of a Japanese text, as a dictionary tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from kessai.search.domain.folding import fold
from kessai.search.domain.morae import letters, morae

# Carries meaning alone; carries it with its neighbour; only binds.
Weight = Literal["content", "affix", "grammar"]


class Word(NamedTuple):
    """`reading` in kana; `normal` is the spelling that the dictionary prefers: 珈琲 is コーヒー."""

    surface: str
    reading: str
    normal: str
    weight: Weight


Split: TypeAlias = Callable[[str], Sequence[Word]]


@lru_cache(maxsize=32_768)
def sound(reading: str) -> str:
    """A reading in plain letters: `キュウス` is `kyusu`."""
    return letters(morae(fold(reading)))
