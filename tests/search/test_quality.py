"""The measures of a search on values that were worked out by hand, and what judgements are."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from kessai.search.domain.quality import (
    CLASSES,
    BadJudgement,
    Judged,
    by_class,
    figures,
    measure,
    ndcg,
    read_judgements,
    recall,
)
from kessai.storage.domain.catalogue_file import CatalogueFile, FileLimits

FILE = Path(__file__).with_name("judgements.jsonl")
# Judged before the first search was made; a change of them is a change of the goal.
FIXED_SHA256 = "614ef103e39aae0b585b307adb94f951338d22cca14f9dd453f578a57e149819"
GOOD = {"query": "急須", "class": "kanji", "fixed": True, "products": {"1001": 3, "1002": 1}}


def test_ndcg_by_hand() -> None:
    grades = {1: 3, 2: 2, 3: 1}
    # Best: 7/1 + 3/1.58496 + 1/2 = 9.39279. Found 2, 9, 1: 3/1 + 0 + 7/2 = 6.5.
    assert ndcg([1, 2, 3], grades) == pytest.approx(1.0)
    assert ndcg([2, 9, 1], grades) == pytest.approx(6.5 / 9.392789, abs=1e-6)
    assert ndcg([], grades) == 0.0
    assert ndcg([9, 8], grades) == 0.0


def test_ndcg_looks_at_ten_places_only() -> None:
    grades = dict.fromkeys(range(1, 13), 3)
    assert ndcg(list(range(1, 11)), grades) == pytest.approx(1.0)
    assert ndcg([*range(101, 111), 1], grades) == 0.0


def test_one_product_found_twice_gains_once() -> None:
    assert ndcg([1, 1], {1: 2, 2: 2}) == pytest.approx(3 / (3 + 3 / 1.5849625))


def test_recall_counts_what_fits_among_the_first_fifty() -> None:
    grades = {1: 3, 2: 2, 3: 1}
    assert recall([2, 3], grades) == 0.5
    assert recall([2, 1], grades) == 1.0
    assert recall([*range(100, 150), 1, 2], grades) == 0.0
    assert recall([*range(100, 149), 1], grades) == 0.5


def test_a_query_that_nothing_fits_has_no_measure() -> None:
    with pytest.raises(ValueError, match="nothing fits"):
        ndcg([1], {})
    with pytest.raises(ValueError, match="nothing fits"):
        recall([1], {1: 1})


def test_figures_are_means_per_class_and_over_all() -> None:
    kana = measure(Judged("きゅうす", "kana", False, {1: 3}), [1])
    lost = measure(Judged("きゅす", "typo", False, {1: 3}), [])
    late = measure(Judged("kyusu", "typo", True, {1: 3}), [9, 1])
    over_all = figures([kana, lost, late])
    assert over_all.queries == 3
    assert over_all.zero_rate == pytest.approx(1 / 3)
    assert over_all.ndcg == pytest.approx((1 + 0 + 1 / 1.5849625) / 3)
    assert over_all.recall == pytest.approx(2 / 3)
    classes = by_class([late, kana, lost])
    assert list(classes) == ["kana", "typo"]
    assert (classes["kana"].ndcg, classes["kana"].zero_rate) == (1.0, 0.0)
    assert (classes["typo"].queries, classes["typo"].zero_rate) == (2, 0.5)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"query": " "}, "query is empty"),
        ({"class": "other"}, "class is not one of kanji"),
        ({"fixed": 1}, "fixed is neither"),
        ({"products": [1001]}, "products is no object"),
        ({"products": {"x": 3}}, "'x' is no product id"),
        ({"products": {"1001": 4}}, "the grade of 1001 is not 1 to 3"),
        ({"products": {"1001": True}}, "the grade of 1001 is not 1 to 3"),
        ({"products": {"1001": 1}}, "no product has a grade of 2 or more"),
        ({"note": "?"}, "is no object of class, fixed, products, query"),
    ],
)
def test_a_bad_judgement_is_named_with_its_line(change: dict[str, object], why: str) -> None:
    lines = ["", json.dumps({**GOOD, **change}, ensure_ascii=False)]
    with pytest.raises(BadJudgement, match=f"^line 2: {why}"):
        read_judgements(lines)


def test_a_query_is_judged_once_and_something_is_judged() -> None:
    line = json.dumps(GOOD)
    with pytest.raises(BadJudgement, match="line 2: '急須' is judged already"):
        read_judgements([line, line])
    with pytest.raises(BadJudgement, match="line 1: is not JSON"):
        read_judgements(["急須"])
    with pytest.raises(BadJudgement, match="no judgements"):
        read_judgements(["", "\n"])


def test_judgements_cover_every_class_and_name_products_that_are_there() -> None:
    judgements = read_judgements(FILE.read_text("utf-8").splitlines())
    content = resources.files("kessai.storage").joinpath("catalogue.csv").read_bytes()
    catalogue = CatalogueFile(content, FileLimits())
    sold = {found[1].product_id for found in catalogue.rows() if isinstance(found, tuple)}
    assert {product_id for judged in judgements for product_id in judged.grades} <= sold
    classes = Counter(judged.kind for judged in judgements)
    assert set(classes) == set(CLASSES)
    assert min(classes.values()) >= 10
    assert len(judgements) >= 165


def test_what_was_judged_before_the_ranking_is_as_it_was() -> None:
    fixed = [line for line in FILE.read_text("utf-8").splitlines() if '"fixed": true' in line]
    assert len(fixed) == 88
    assert hashlib.sha256("\n".join(fixed).encode()).hexdigest() == FIXED_SHA256
