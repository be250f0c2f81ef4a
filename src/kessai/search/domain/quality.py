"""How good a search is, by people's judgements of what fits each query.

nDCG with graded gain is that of Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR
techniques" (ACM TOIS 20(4), 2002), with the gain 2^g - 1 of Burges et al. (ICML 2005):
DCG@k = sum over the ranks i = 1..k of (2^g(i) - 1) / log2(i + 1), and nDCG is DCG divided by that
of the best possible order. Recall@k is the share of what fits that is among the first k.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

CLASSES: Final = (
    "kanji",
    "kana",
    "romaji",
    "typo",
    "model",
    "mixed",
    "synonym",
    "english",
    "chinese",
    "prefix",
    "width",
    "category",
)
BEST_GRADE: Final = 3
# What is only related (grade 1) may be shown and need not be.
FITS: Final = 2
NDCG_DEPTH: Final = 10
RECALL_DEPTH: Final = 50
_KEYS: Final = {"query", "class", "fixed", "products"}


class BadJudgement(Exception):
    """What is wrong with which line, in one sentence."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A query and the products that fit it: 3 exactly what is meant, 2 good, 1 related.

    A `fixed` one was judged before the ranking was tuned, and is never changed.
    """

    query: str
    kind: str
    fixed: bool
    grades: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Measured:
    judged: Judged
    found: tuple[int, ...]
    ndcg: float
    recall: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over `queries`; `zero_rate` is the share of them that found nothing at all."""

    queries: int
    ndcg: float
    recall: float
    zero_rate: float


def ndcg(found: Sequence[int], grades: Mapping[int, int], depth: int = NDCG_DEPTH) -> float:
    """A product that is found twice counts once, and its second place is lost."""
    best = _dcg(sorted(grades.values(), reverse=True)[:depth])
    if best == 0:
        raise ValueError("nothing fits")
    seen: dict[int, None] = {}
    gained = []
    for product_id in found[:depth]:
        gained.append(0 if product_id in seen else grades.get(product_id, 0))
        seen[product_id] = None
    return _dcg(gained) / best


def _dcg(grades: Sequence[int]) -> float:
    return sum((2.0**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def recall(
    found: Sequence[int],
    grades: Mapping[int, int],
    depth: int = RECALL_DEPTH,
    least: int = FITS,
) -> float:
    fitting = [product_id for product_id, grade in grades.items() if grade >= least]
    if not fitting:
        raise ValueError("nothing fits")
    shown = frozenset(found[:depth])
    return sum(product_id in shown for product_id in fitting) / len(fitting)


def measure(judged: Judged, found: Sequence[int]) -> Measured:
    return Measured(judged, tuple(found), ndcg(found, judged.grades), recall(found, judged.grades))


def figures(measured: Sequence[Measured]) -> Figures:
    if not measured:
        raise ValueError("no queries")
    count = len(measured)
    return Figures(
        queries=count,
        ndcg=math.fsum(one.ndcg for one in measured) / count,
        recall=math.fsum(one.recall for one in measured) / count,
        zero_rate=sum(not one.found for one in measured) / count,
    )


def by_class(measured: Sequence[Measured]) -> dict[str, Figures]:
    """In the order of `CLASSES`, without those that nobody asked for."""
    sorted_in: dict[str, list[Measured]] = {kind: [] for kind in CLASSES}
    for one in measured:
        sorted_in[one.judged.kind].append(one)
    return {kind: figures(some) for kind, some in sorted_in.items() if some}


def read_judgements(lines: Iterable[str]) -> tuple[Judged, ...]:
    """One JSON object a line; blank lines are left out. Raises `BadJudgement`."""
    found: dict[str, Judged] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            judged = _read(line)
            if judged.query in found:
                raise BadJudgement(f"{judged.query!r} is judged already")
        except BadJudgement as bad:
            raise BadJudgement(f"line {number}: {bad}") from bad
        found[judged.query] = judged
    if not found:
        raise BadJudgement("there are no judgements")
    return tuple(found.values())


def _read(line: str) -> Judged:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadJudgement("is not JSON") from error
    if not isinstance(row, dict) or set(row) != _KEYS:
        raise BadJudgement(f"is no object of {', '.join(sorted(_KEYS))}")
    if not isinstance(row["query"], str) or not row["query"].strip():
        raise BadJudgement("query is empty or no text")
    if row["class"] not in CLASSES:
        raise BadJudgement(f"class is not one of {', '.join(CLASSES)}")
    if not isinstance(row["fixed"], bool):
        raise BadJudgement("fixed is neither true nor false")
    return Judged(row["query"], row["class"], row["fixed"], _grades(row["products"]))


def _grades(products: Any) -> dict[int, int]:
    if not isinstance(products, dict):
        raise BadJudgement("products is no object of grades by product id")
    grades: dict[int, int] = {}
    for product_id, grade in products.items():
        if not product_id.isascii() or not product_id.isdecimal() or len(product_id) > 16:
            raise BadJudgement(f"{product_id[:40]!r} is no product id")
        # `True` is an int to Python.
        if type(grade) is not int or not 1 <= grade <= BEST_GRADE:
            raise BadJudgement(f"the grade of {product_id} is not 1 to {BEST_GRADE}")
        grades[int(product_id)] = grade
    if not any(grade >= FITS for grade in grades.values()):
        raise BadJudgement(f"no product has a grade of {FITS} or more")
    return grades
