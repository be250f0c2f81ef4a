"""What a tree of `domain.wanted` is worth, reckoned one product after the other."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from kessai.search.domain.document import Document
from kessai.search.domain.wanted import AllOf, AnyOf, Boost, Const, Fuzzy, Phrase, Term, Wanted

K1, B = 1.2, 0.75


def scores(wanted: Wanted, documents: Sequence[Document]) -> dict[int, float]:
    """Of those that are found."""
    found = {one.product_id: _score(wanted, one, documents) for one in documents}
    return {product_id: score for product_id, score in found.items() if score is not None}


def _score(wanted: Wanted, of: Document, every: Sequence[Document]) -> float | None:
    match wanted:
        case Term(field, token):
            return _bm25(field, (token,), of, every)
        case Phrase(field, tokens):
            return _bm25(field, tokens, of, every)
        case Fuzzy(field, token, edits):
            return 1.0 if any(_apart(token, o) <= edits for o in _tokens(of, field)) else None
        case AnyOf(parts, tie):
            some = [s for part in parts if (s := _score(part, of, every)) is not None]
            return max(some) + tie * (sum(some) - max(some)) if some else None
        case AllOf(parts):
            each = [_score(part, of, every) for part in parts]
            return None if None in each else sum(s for s in each if s is not None)
        case Boost(part, factor):
            score = _score(part, of, every)
            return None if score is None else factor * score
        case Const(part, worth):
            return None if _score(part, of, every) is None else worth


def _bm25(
    field: str, phrase: tuple[str, ...], of: Document, every: Sequence[Document]
) -> float | None:
    if not (times := _times(phrase, _tokens(of, field))):
        return None
    lengths = [len(_tokens(one, field)) for one in every]
    relative = len(_tokens(of, field)) / (sum(lengths) / len(lengths))
    rarity = 0.0
    for token in phrase:
        having = sum(token in _tokens(one, field) for one in every)
        rarity += log(1 + (len(every) - having + 0.5) / (having + 0.5))
    return rarity * (K1 + 1) * times / (times + K1 * (1 - B + B * relative))


def _tokens(of: Document, field: str) -> list[str]:
    return of.tokens.get(field, "").split()


def _times(phrase: tuple[str, ...], tokens: list[str]) -> int:
    size = len(phrase)
    return sum(
        tuple(tokens[start : start + size]) == phrase for start in range(len(tokens) - size + 1)
    )


def _apart(one: str, other: str) -> int:
    """Edits between them; two neighbours that changed places are one."""
    rows = [list(range(len(other) + 1))]
    for i, left in enumerate(one, 1):
        row = [i]
        for j, right in enumerate(other, 1):
            edits = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                edits = min(edits, rows[-2][j - 2] + 1)
            row.append(edits)
        rows.append(row)
    return rows[-1][-1]
