"""Every product index finds and ranks alike, whatever the tree and whatever the text."""

from __future__ import annotations

import pytest
from tests.support.indexes import find, product

from kessai.search.application.ports import ProductIndex
from kessai.search.domain.wanted import (
    AllOf,
    AnyOf,
    Fuzzy,
    Phrase,
    Term,
    Wanted,
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
