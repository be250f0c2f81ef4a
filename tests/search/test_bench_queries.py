"""What the benchmark of the search asks for, and what it counts as found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bench.catalogue import Chance, Product, products
from bench.search_peer import Fts5
from bench.search_queries import SHARES, Query, mistyped, queries, romaji, typed


@pytest.mark.parametrize(
    ("kana", "letters"),
    [
        ("きゅうす", "kyuusu"),
        ("すにーかー", "suniikaa"),
        ("まっちゃ", "maccha"),
        ("めしわん", "meshiwan"),
        ("へっどふぉん", "heddofon"),
        ("じゅうばこ", "juubako"),
        ("てぃーぽっと", "tiipotto"),
        ("しゃつ", "shatsu"),
    ],
)
def test_romaji_is_as_it_is_typed(kana: str, letters: str) -> None:
    assert romaji(kana) == letters


def test_a_typo_is_one_edit_after_the_first_letter() -> None:
    chance = Chance(1)
    for _ in range(200):
        wrong = mistyped("teapot", chance)
        assert wrong[0] == "t"
        assert len(wrong) in (5, 6)
        assert sorted(wrong) == sorted("teapot") or len(wrong) == 5


def test_every_kind_is_asked_and_its_own_product_fits() -> None:
    sold = list(products(2_000))
    for one in sold:
        for asked in queries([one], 1, seed=one.product_id):
            assert asked.fits(one), asked
    made = queries(sold, 1_000, seed=1)
    assert len(made) == 1_000
    assert all(any(asked.fits(one) for one in sold) for asked in made)
    assert {asked.kind for asked in made} == set(SHARES)
    assert queries(sold, 1_000, seed=1) == made
    assert any(asked.in_stock for asked in made)
    assert any(asked.max_price for asked in made)
    assert any(asked.category for asked in made)
    for asked, start in zip(made, typed(made, Chance(2)), strict=True):
        assert start
        assert asked.text.startswith(start)


def _first(**about: object) -> Product:
    return replace(next(products(1)), **about)  # type: ignore[arg-type]


def test_filters_are_part_of_what_fits() -> None:
    one = _first(active=True, stock=0, price=500, title="檜の箸 18cm")
    assert Query("箸", "kanji", ("箸",)).fits(one)
    assert not Query("箸", "kanji", ("箸",), in_stock=True).fits(one)
    assert not Query("箸", "kanji", ("箸",), max_price=499).fits(one)
    assert not Query("箸", "kanji", ("箸",), category="無い").fits(one)
    assert not Query("箸", "kanji", ("箸",)).fits(replace(one, active=False))
    assert not Query("檜 皿", "words", ("檜", "皿")).fits(one)


def test_the_peer_finds_long_and_short_words_with_filters(tmp_path: Path) -> None:
    peer = Fts5(tmp_path / "peer.db")
    try:
        peer.fill(
            [
                _first(product_id=1, active=True, title="檜の三徳包丁", price=10, stock=0),
                _first(product_id=2, active=True, title="三徳包丁 黒", price=20, stock=5),
                _first(product_id=3, active=False, title="三徳包丁"),
            ]
        )
        assert peer.search(Query("三徳包丁 檜", "words", ())) == [1]
        assert set(peer.search(Query("三徳包丁", "kanji", ()))) == {1, 2}
        assert peer.search(Query("包丁", "kanji", (), in_stock=True)) == [2]
        assert peer.search(Query('"OR" 包丁', "kanji", ())) == []
        assert peer.size_mb > 0
    finally:
        peer.close()
