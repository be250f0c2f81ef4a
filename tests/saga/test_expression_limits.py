"""No expression runs away: depth, length, numbers, texts, elements and results have limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kessai.saga.expression import ExpressionError, Scope, compile_condition
from kessai.saga.expression.pattern import Pattern


@pytest.mark.parametrize(
    "text",
    [
        "(" * 41 + "1" + ")" * 41,
        "[" * 1000 + "a" + "]" * 1000,
        "{" * 1000 + "1" + "}" * 1000,
        "- " * 41 + "1",
        "- " * 900 + "1",
        "true ? " * 200 + "1" + " : 1" * 200,
        "[a].![" * 300 + "1" + "]" * 300,
        "1 ?: " * 300 + "1",
    ],
    ids=range(8),
)
def test_deep_nesting_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"nested too deeply|at most 2000"):
        compile_condition(text)


def test_a_long_text_is_refused_when_it_is_read() -> None:
    with pytest.raises(ExpressionError, match="at most 2000 characters"):
        compile_condition("1+" * 1000 + "1")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+".join("1" * 900), 900),
        (" and ".join(["true"] * 200), True),
        ("#root" + "[a]" * 600, None),
        ("((" * 15 + "1" + "))" * 15, 1),
    ],
    ids=range(4),
)
def test_length_without_depth_is_no_problem(text: str, value: object) -> None:
    root: dict[str, object] = {}
    root["a"] = root
    found = compile_condition(text).evaluate(Scope(root))
    assert found == value if value is not None else found is root


ITEMS = list(range(2_000))
ROOT = {"l": ITEMS, "s": "a" * 9_000, "n": 2**63 * 10, "big": [ITEMS] * 20, "one": [1]}
DOUBLED = "[one]" + ".![{#this,#this}]" * 50

RUNAWAYS = [
    "[s] + [s]",
    "'a' * 2147483647",
    "'ab'.repeat(2147483647)",
    "[s].replace('a', [s])",
    "[s].replace('', [s])",
    "[l].toString() + [l].toString()",
    "[l].?[#root[l].?[#root[l].?[true].size() > 0].size() > 0]",
    "[l].![#root[l].![#this]].size()",
    "[l].![#root[l]]",
    "[l].![#root[s]]",
    "[l].?[#root[l].contains(#this - 5000)].size()",
    "[l].![#root[big] == #root[big].?[true]]",
    "[l].containsAll([l])",
    DOUBLED,
    f"({DOUBLED}).toString()",
    f"({DOUBLED}) == ({DOUBLED})",
    " * ".join(["[n]"] * 300),
    "[n] ^ 100000",
]


@pytest.mark.parametrize("text", RUNAWAYS, ids=[text[:40] for text in RUNAWAYS])
def test_what_grows_without_bounds_ends_with_an_error(text: str) -> None:
    expression = compile_condition(text)
    with pytest.raises(ExpressionError):
        expression.evaluate(Scope(ROOT))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[l].?[#this % 2 == 0].size()", 1_000),
        ("[l].![#this * 2].size()", 2_000),
        ("[l].?[#root[l][5] == #this].size()", 1),
        ("[l].subList(0,300).?[#root[l].contains(#this)].size()", 300),
    ],
)
def test_what_machines_ask_of_long_lists_is_answered(text: str, value: int) -> None:
    assert compile_condition(text).evaluate(Scope(ROOT)) == value


def test_deep_data_is_an_error_and_not_the_end_of_the_stack() -> None:
    deep: object = 1
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(ExpressionError, match="too deeply"):
        compile_condition("[d].toString()").evaluate(Scope({"d": deep}))


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("", "", True),
        ("h.*o", "hello", True),
        ("ell", "hello", False),
        ("a|b|", "", True),
        ("a|b|", "ab", False),
        ("(ab)+", "ababab", True),
        ("(?:ab){2}", "ababab", False),
        ("(?<x>ab){2,}", "ababab", True),
        ("a{0,2}?", "aaa", False),
        ("[^a-c]+", "xyz", True),
        ("[]a-]+", "]-a", True),
        (r"[\w.]+@[\w-]+\.com", "a.b@c-d.com", True),
        (r"\d{3}-\d{4}", "123-4567", True),
        (r"[^\d]", "1", False),
        (r"[\D]", "1", False),
        (r"\S+\s\S+", "a b", True),
        (r"\u0041\x42", "AB", True),
        (r"^a$", "a", True),
        (r"a\b.*", "a b", True),
        (r"a\b.*", "ab", False),
        ("(?i)hElLo[A-C]", "HELLOb", True),
        (".", "\n", False),
        ("(?s).", "\n", True),
        (r"\d", "\u0661", False),
        ("(a*)*b", "a" * 500, False),
        ("(a|aa)+$", "a" * 500 + "b", False),
        ("(.*)(.*)(.*)(.*)x", "a" * 500, False),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, text: str, matches: bool) -> None:
    assert Pattern(pattern).matches(text) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "*a",
        "a**",
        "[a",
        "[b-a]",
        "{",
        "a{2",
        "a{3,2}",
        "a*+",
        "(?=a)",
        "(?<=a)b",
        r"(a)\1",
        r"\p{L}",
        r"\k",
        "\\",
        "[a&&b]",
        "[a[b]]",
        "a(?i)b",
        "(?x)a",
        "a" * 501,
        "(a{1000}){1000}",
        "(((a{99}){99}){99}){99}",
        "(){9999}" * 60 + "a{2001}",
        "(" * 21 + ")" * 21,
    ],
)
def test_a_pattern_that_is_wrong_or_could_run_away_is_refused(pattern: str) -> None:
    with pytest.raises(ExpressionError):
        Pattern(pattern)


def test_a_match_has_a_limit_of_steps() -> None:
    with pytest.raises(ExpressionError, match="steps"):
        Pattern("(a*a*){200}").matches("a" * 2_000 + "b")


def test_a_constant_pattern_is_read_with_the_expression() -> None:
    with pytest.raises(ExpressionError, match="expected"):
        compile_condition("[s] matches '(a'")


@given(st.text(alphabet="ab01.*+?|()[]{}^$\\-,dwsi:<>", max_size=25), st.text("ab01 -\n"))
def test_any_pattern_is_refused_or_answers(pattern: str, text: str) -> None:
    try:
        compiled = Pattern(pattern)
    except ExpressionError:
        return
    assert compiled.matches(text) in (True, False)
