"""What makes no difference when texts are compared, and what does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kessai.search.domain.folding import bigrams, fold, literal, runs


@pytest.mark.parametrize(
    ("written", "also"),
    [
        ("ｷｭｳｽ", "きゅうす"),
        ("キュウス", "きゅうす"),
        ("ＴＥＡ", "tea"),
        ("café", "cafe"),
        ("ｉＰｈｏｎｅ１３", "iphone13"),
        ("スニ-カ-", "すにーかー"),
        ("スニ―カ〜", "すにーかー"),
        ("ﾍﾞﾙﾄ", "べると"),
        ("绿茶", "緑茶"),
        ("铁锅", "鉄鍋"),
        ("①", "1"),
    ],
)
def test_the_same_word(written: str, also: str) -> None:
    assert fold(written) == fold(also)


@pytest.mark.parametrize(("one", "other"), [("はし", "ばし"), ("はし", "ぱし"), ("a5", "a4")])
def test_not_the_same_word(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_a_dash_between_latin_letters_stays_a_dash() -> None:
    assert fold("T-シャツ") == "t-しゃつ"


def test_runs_part_letters_and_digits() -> None:
    found = [(run.kind, run.text, run.glued) for run in runs(fold("急須280ml A5・ノート"))]
    assert found == [
        ("cjk", "急須", False),
        ("digit", "280", True),
        ("latin", "ml", True),
        ("latin", "a", False),
        ("digit", "5", True),
        ("cjk", "のーと", False),
    ]


def test_tokens_of_a_text() -> None:
    assert literal(fold("茶こし 24cm")) == ["茶こ", "こし", "24", "cm"]
    assert bigrams("茶") == ["茶"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    for token in literal(once):
        assert token
        assert not any(char.isspace() for char in token)
