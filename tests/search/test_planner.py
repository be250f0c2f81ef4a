"""What is looked for when somebody types, and that nothing typed can hurt."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.plain_words import split_plainly

from kessai.contracts.search import FoundProduct
from kessai.kernel.errors import Invalid
from kessai.search.domain.document import Shown, products, to_show
from kessai.search.domain.highlight import Marker
from kessai.search.domain.lexicon import Lexicon
from kessai.search.domain.planner import MAX_WORDS, Planner, fuzzy
from kessai.search.domain.synonyms import Synonyms
from kessai.search.domain.wanted import AllOf, AnyOf, Boost, Const, Fuzzy, Phrase, Term, Wanted


def a_planner() -> Planner:
    return Planner(split_plainly, Synonyms.read(["傘, アンブレラ", "ペン => 鉛筆"], split_plainly))


PLANNER = a_planner()


def leaves(wanted: Wanted) -> Iterator[Term | Phrase | Fuzzy]:
    match wanted:
        case AnyOf(parts) | AllOf(parts):
            for part in parts:
                yield from leaves(part)
        case Boost(part) | Const(part):
            yield from leaves(part)
        case _:
            yield wanted


def spoken(title: str) -> list[tuple[int, str]]:
    return [(len(word.surface), word.reading) for word in split_plainly(title)]


def looks_for(query: str) -> set[Term | Phrase | Fuzzy]:
    plan = PLANNER.plan(query)
    assert plan is not None
    return set(leaves(plan.strict))


def test_kana_are_looked_for_as_written_and_as_sounded() -> None:
    assert {
        Phrase("title", ("きゅ", "ゅう", "うす")),
        Term("reading", "kyu.su"),
        Term("whole", "kyusu"),
    } <= looks_for("キュウス")


def test_small_kana_may_have_been_typed_large() -> None:
    assert Term("reading", "kyu.su") in looks_for("きゆうす")


def test_latin_letters_are_english_or_japanese() -> None:
    found = looks_for("kyuusu")
    assert {Term("names", "kyuusu"), Term("reading", "kyu.su")} <= found


def test_english_numbers_find_each_other() -> None:
    assert Term("names", "knife") in looks_for("knives")
    assert Term("names", "cups") in looks_for("cup")
    assert Term("names", "berry") in looks_for("berries")


def test_a_model_number_is_one_word_however_it_is_spaced() -> None:
    assert Phrase("title", ("iphone", "13")) in looks_for("ｉＰｈｏｎｅ１３")
    apart = looks_for("iPhone 13")
    assert {
        Term("title", "iphone"),
        Term("title", "13"),
        Phrase("title", ("iphone", "13")),
    } <= apart


def test_synonyms_work_both_ways_or_one() -> None:
    assert Term("single", "傘") in looks_for("アンブレラ")
    assert Term("title", "鉛筆") in looks_for("ペン")
    assert Term("title", "ぺん") not in looks_for("鉛筆")


@pytest.mark.parametrize("line", ["傘", "傘,", "=> 鉛筆", "ペン =>", ","])
def test_a_line_that_says_nothing_is_named(line: str) -> None:
    with pytest.raises(Invalid, match="line 2"):
        Synonyms.read(["# remark", line], split_plainly)


@pytest.mark.parametrize(
    "query",
    ["アンブレラ 急須", "あんぶれら 急須", "急須 ペン", "ペン", "ぺん", "ko-hi- ペン", "にk"],
)
def test_words_that_were_asked_for_before_are_planned_the_same(query: str) -> None:
    used = a_planner()
    for before in ("ペン 傘", "アンブレラ", "ぺん あんぶれら", "急須 にk", "ko-hi-"):
        used.plan(before)
    assert used.plan(query) == a_planner().plan(query)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 50), st.text(max_size=6)), max_size=6))
def test_what_is_shown_is_read_with_the_words_of_its_title(words: list[tuple[int, str]]) -> None:
    product = FoundProduct(
        product_id=7, title='急須 "a\nb"', price=1, stock=0, category_id=1, created_at=""
    )
    shown = Shown.read(to_show(product, words))
    assert products([shown]) == (product,)
    assert shown.title == product.title
    marked = product.model_copy(update={"highlight": '<em>"'})
    assert products([shown.with_highlight('<em>"'), shown]) == (marked, product)
    # No blank has a sound.
    assert list(shown.words()) == [(length, "".join(text.split())) for length, text in words]


def test_nothing_typed_and_signs_alone_are_no_plan() -> None:
    for query in ("", "   ", "!!!", "・・・", "+-&&||", "\x00\x1f", "🍵"):
        assert PLANNER.plan(query) is None
        assert PLANNER.typing(query) is None


def test_a_long_query_has_so_many_words_at_most() -> None:
    plan = PLANNER.plan(" ".join(f"語{n}" for n in range(200)))
    assert plan is not None
    assert len(plan.clauses) <= MAX_WORDS


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=200))
def test_no_text_makes_a_tree_that_is_large_or_broken(text: str) -> None:
    for plan in (PLANNER.plan(text), PLANNER.typing(text)):
        if plan is None:
            continue
        found = list(leaves(plan.strict))
        assert 0 < len(found) < 1_500
        for leaf in found:
            tokens = leaf.tokens if isinstance(leaf, Phrase) else (leaf.token,)
            assert all(token and not any(c.isspace() for c in token) for token in tokens)
            assert not isinstance(leaf, Phrase) or len(tokens) > 1
        list(map(fuzzy, plan.clauses))


LEXICON = Lexicon(
    [
        ("急須\tkyusu", 6),
        ("九寸\tkyusun", 1),
        ("スニーカー\tsunika", 4),
        ("headphones\t", 3),
        ("皿\tsara", 9),
    ]
)


def test_completions_by_letters_and_by_sound_the_commonest_first() -> None:
    assert LEXICON.complete("きゅ", 10) == ["急須", "九寸"]
    assert LEXICON.complete("ky", 10) == ["急須", "九寸"]
    assert LEXICON.complete("急", 10) == ["急須"]
    assert LEXICON.complete("すにk", 10) == ["スニーカー"]
    assert LEXICON.complete("HEAD", 10) == ["headphones"]
    assert LEXICON.complete("ky", 1) == ["急須"]
    assert LEXICON.complete("zzz", 10) == LEXICON.complete("", 10) == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("すりーかー", "スニーカー"), ("headfones", "headphones"), ("hedphones", "headphones")],
)
def test_what_was_probably_meant(typed: str, meant: str) -> None:
    assert LEXICON.meant(typed) == meant


@pytest.mark.parametrize("typed", ["さら", "ねこ", "完全に違う言葉", "", "!!", "スニーカー"])
def test_nothing_near_is_no_guess(typed: str) -> None:
    assert LEXICON.meant(typed) is None


@pytest.mark.parametrize(
    ("title", "query", "html"),
    [
        ("白磁の急須", "急須", "白磁の<em>急須</em>"),
        ("スニーカー 鉄紺", "ｽﾆｰｶｰ", "<em>スニーカー</em> 鉄紺"),
        ("スニーカー 鉄紺", "sunikaa", "<em>スニーカー</em> 鉄紺"),
        ('<b>急須</b> & "盆"', "急須", "&lt;b&gt;<em>急須</em>&lt;/b&gt; &amp; &quot;盆&quot;"),
        ("急須 急須", "急須", "<em>急須</em> <em>急須</em>"),
        ("白磁の皿", "急須", None),
        ("", "急須", None),
    ],
)
def test_what_was_found_is_marked_and_all_else_escaped(
    title: str, query: str, html: str | None
) -> None:
    assert Marker(query).html(title, spoken(title)) == html


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=40), st.text(max_size=20))
def test_marks_never_change_the_text(title: str, query: str) -> None:
    html = Marker(query).html(title, spoken(title))
    if html is not None:
        bare = html.replace("<em>", "").replace("</em>", "")
        assert "<" not in bare
        assert unescape(bare).replace("\r", "\n") == title.replace("\r", "\n")
