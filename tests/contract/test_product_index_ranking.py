"""Every product index finds and ranks alike, whatever the tree and whatever the text."""

from __future__ import annotations

from random import Random
from typing import Literal

import pytest
from tests.support.bm25 import scores
from tests.support.indexes import find, product

from kessai.search.application.ports import ProductIndex
from kessai.search.domain.wanted import (
    AllOf,
    AnyOf,
    Boost,
    Const,
    Fuzzy,
    Phrase,
    Request,
    Term,
    Wanted,
)

# Every field is filled everywhere: of one that is not, engines reckon the length each in its way.
CORPUS = tuple(
    product(number, title, text=text, prefix=prefix, rank=f"r{number % 3}")
    for number, (title, text, prefix) in enumerate(
        (
            ("green tea", "tea from uji in a tin", "g gr gre"),
            ("black tea", "tea leaves and more tea", "b bl bla"),
            ("tea pot black", "a pot for green tea", "t te tea"),
            ("pot", "cast iron", "p po pot"),
            ("green green pot of tea for two", "iron tea pot in green", "g gr gre"),
            ("急須 急 須 茶", "茶 を 淹れる 急須", "急 急須"),
            ("茶 急 須", "急 須 と 茶", "茶"),
            ("iphone 13 case", "case for iphone 13", "i ip iph"),
            ("iphone 14 case green", "13 colours", "i ip iph"),
            ("ipohne cover", "a cover", "i ip ipo"),
            ("teas and teapots", "tead teh eta", "t te tea"),
        ),
        1,
    )
)
TREES: dict[str, Wanted] = {
    "term": Term("title", "tea"),
    "term twice in one": Term("text", "tea"),
    "term that nobody has": Term("title", "coffee"),
    "term of a field without positions": Term("prefix", "tea"),
    "kanji": Term("title", "急須"),
    "phrase": Phrase("title", ("green", "tea")),
    "phrase of kanji": Phrase("title", ("急", "須")),
    "phrase of three": Phrase("text", ("iron", "tea", "pot")),
    "phrase the wrong way round": Phrase("title", ("tea", "green")),
    "phrase over a gap": Phrase("title", ("green", "of")),
    "one edit": Fuzzy("title", "teb", 1),
    "one transposition": Fuzzy("title", "ihpone", 1),
    "two edits": Fuzzy("title", "iphnoee", 2),
    "two edits of a short one": Fuzzy("text", "tea", 2),
    "nothing near": Fuzzy("title", "xylophone", 2),
    "any of": AnyOf((Term("title", "tea"), Term("text", "iron"))),
    "any of with a tie": AnyOf(
        (Term("title", "tea"), Term("text", "tea"), Term("text", "pot")), 0.3
    ),
    "any of none": AnyOf((Term("title", "coffee"), Term("title", "cocoa")), 0.5),
    "all of": AllOf((Term("title", "tea"), Term("text", "tea"))),
    "all of with one that is nowhere": AllOf((Term("title", "tea"), Term("title", "coffee"))),
    "boost": Boost(Term("title", "green"), 2.5),
    "boost of a boost": Boost(
        Boost(AnyOf((Term("title", "pot"), Term("text", "pot")), 0.1), 3.0), 0.5
    ),
    "boost of a constant": Boost(Const(Term("title", "pot"), 2.0), 3.0),
    "boost of something near": Boost(Fuzzy("title", "pit", 1), 4.0),
    "constant": Const(AllOf((Term("title", "tea"), Boost(Term("title", "pot"), 9.0))), 7.0),
    "constant of a constant": Const(Const(Phrase("title", ("iphone", "13")), 3.0), 0.25),
    "a shopper's": AllOf(
        (
            AnyOf(
                (
                    Boost(Term("title", "green"), 2.2),
                    Boost(Term("text", "green"), 0.35),
                    Boost(Const(Term("prefix", "gre"), 1.0), 0.5),
                ),
                0.15,
            ),
            AnyOf((Boost(Term("title", "tea"), 2.2), Boost(Fuzzy("title", "tea", 1), 0.4)), 0.15),
        )
    ),
}


@pytest.mark.parametrize("name", TREES)
async def test_each_tree_finds_and_ranks_as_it_says(index: ProductIndex, name: str) -> None:
    await index.put(CORPUS)
    await require_ranking(index, TREES[name])


async def test_trees_that_nobody_thought_of(index: ProductIndex) -> None:
    await index.put(CORPUS)
    chance = Random(7)
    for _ in range(60):
        await require_ranking(index, grown(chance, depth=4))


async def require_ranking(index: ProductIndex, wanted: Wanted) -> None:
    """The scores of BM25 within 5 %, and so the order wherever it is not a matter of opinion."""
    expected = scores(wanted, CORPUS)
    answer = await index.search(Request(wanted, limit=50))
    found = {one.product_id: one.score for one in answer.items}
    assert found == pytest.approx(expected, rel=0.05), wanted
    assert answer.total == len(expected)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def grown(chance: Random, depth: int) -> Wanted:
    field = chance.choice(("title", "text"))
    given = chance.choice(CORPUS).tokens[field].split()
    token = chance.choice(given)
    edits: Literal[1, 2] = 1 if chance.random() < 0.5 else 2
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(
            (
                Term(field, token),
                Phrase(field, tuple(given[:2]) if len(given) > 1 else (token, token)),
                Fuzzy(field, f"{token}s" if len(token) > 3 else f"{token}xyz", edits),
            )
        )
    parts = tuple(grown(chance, depth - 1) for _ in range(chance.choice((2, 3))))
    return chance.choice(
        (
            AnyOf(parts, round(chance.random(), 2)),
            AllOf(parts),
            Boost(parts[0], round(0.1 + 3 * chance.random(), 2)),
            Const(parts[0], round(0.1 + 3 * chance.random(), 2)),
            AnyOf(parts),
        )
    )


WEIRD = (
    "",
    " ",
    "\t\n\r\x0b\x0c",
    "\x00",
    "\x1f\x7f\x85\u200b\u2028\ufeff\u3000",
    '+ - = && || > < ! ( ) { } [ ] ^ " ~ * ? : \\ /',
    "title:tea AND NOT (",
    "*:*",
    "_exists_:title",
    '{"match_all":{}}',
    "%s %d $where",
    "🍵👨‍👩‍👧‍👦🏳️‍🌈",
    "ｶﾞ が か\u3099",
    "﷽" * 40,
    "𠮷野家" * 50,
    "x" * 10_000,
    "x " * 5_000,
    "茶" * 10_000,
    "\ufffe\uffff\U0010ffff",
)


@pytest.mark.parametrize("text", WEIRD)
async def test_weird_text_is_only_text(index: ProductIndex, text: str) -> None:
    tokens = [token for token in text.split(" ") if token] or [text]
    given = product(1, text, text=text, prefix=text, words=tuple(dict.fromkeys(tokens)))
    await index.put([product(2, "tea"), given])
    assert sorted(await find(index)) == [1, 2]
    for wanted in weird_questions(tokens):
        assert set(await find(index, wanted)) <= {1}
    assert len(await index.words(1000)) <= len(given.words)


def weird_questions(tokens: list[str]) -> list[Wanted]:
    terms = tuple(Term("title", token) for token in tokens[:60])
    fuzzy = tuple(Fuzzy("text", token, 2) for token in tokens[:60])
    pair, many = tuple((tokens * 2)[:2]), tuple((tokens * 2)[:60])
    phrases = (Phrase("title", pair), Phrase("title", many))
    return [terms[0], fuzzy[0], AnyOf(terms, 0.1), AllOf(terms), AnyOf(fuzzy), *phrases]
