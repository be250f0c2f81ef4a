"""Expressions by table: values as Seata's resolver gives them, and what is refused where."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.saga.demo import SEATA, unmarked

from kessai.saga.expression import ExpressionError, Scope, compile_condition, compile_value

ROOT = {
    "a": 1,
    "b": 2,
    "s": "hello",
    "t": True,
    "f": False,
    "d": 1.5,
    "l": [1, 2, 3],
    "m": {"k": "v", "n": {"x": 5}},
    "neg": -3,
    "str1": "1",
    "empty": {},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$.[a]", 1),
        ("${[a]}", 1),
        ("$.[missing]", None),
        ("$.[m].k", "v"),
        ("$.[m].n.x", 5),
        ("$.[m][n][x]", 5),
        ("$.[m]['n']", {"x": 5}),
        ("$.[l][0]", 1),
        ("$.#root", ROOT),
        ("$.#root.a", 1),
        ("$.#nosuch", None),
        ("$.#who.name", "K"),
        ("$.[m]?.n?.x", 5),
        ("$.[missing]?.x", None),
        ("$.[a]-2", -1),
        ("$.1", 1),
        ("$.1.5 + 1", 2.5),
        ("$.'it''s'", "it's"),
        ("$.[s] + 1", "hello1"),
        ("$.(1 + 2) * 3", 9),
        ("$.1 + 2 * 3", 7),
        ("$.-7 / 2", -3),
        ("$.-7 % 3", -1),
        ("$.3.0 / 2", 1.5),
        ("$.100000 * 100000", 1410065408),
        ("$.9999999999 + 1", 10000000000),
        ("$.[l].size()", 3),
        ("$Sequence.A|B", "seq:A|B"),
        ("$Exception{Boom}", True),
        ("$Exception{Other}", False),
    ],
)
def test_a_value(text: str, value: object) -> None:
    scope = Scope(
        ROOT, variables={"who": {"name": "K"}}, thrown=("Boom",), sequence=lambda c: f"seq:{c}"
    )
    assert compile_value(text).evaluate(scope) == value


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("[a] == 1", True),
        ("[a] == 1.0", True),
        ("[str1] == 1", False),
        ("[t] == 1", False),
        ("[a] != 1", False),
        ("[a] ne 2", True),
        ("[missing] == null", True),
        ("[a] > 0 && [a] < 2", True),
        ("[a] == 3 || [a] == 1", True),
        ("[t] and not [f]", True),
        ("!([f])", True),
        ("![t] == true", None),
        ("null < 1", True),
        ("null > 1", False),
        ("[s] >= 'hallo'", True),
        ("#root != null && #root.size() > 0", True),
        ("#root == null || #root.size() == 0", False),
        ("[a]", False),
        ("'true'", False),
        ("[t]", True),
        ("[f] && [nothing].x == 1", False),
    ],
)
def test_a_condition_holds_only_for_a_real_true(text: str, holds: bool | None) -> None:
    if holds is None:
        with pytest.raises(ExpressionError):
            compile_condition(text)
    else:
        assert compile_condition(text).holds(Scope(ROOT)) is holds


@pytest.mark.parametrize(
    "text",
    [
        "[s] > 1",
        "1 and true",
        "[t] + 1",
        "[missing].x",
        "[l][3]",
        "[l][-1]",
        "[a][0]",
        "[m].nosuch",
        "1 / 0",
        "-[s]",
    ],
)
def test_no_value_here_is_an_error_of_its_own(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_condition(text).evaluate(Scope(ROOT))


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("[a] == ", "end"),
        ("[a] = 1", "at 5"),
        ("[a", "end"),
        ("([a]", "end"),
        ("[a] [b", "end"),
        ("1 2", "at 3"),
        ("[a].", "end"),
        ("T(java.lang.Runtime)", "at 2"),
        ("[a].getClass()", "getClass"),
        ("__import__('os')", "at 11"),
        ("@bean", "at 1"),
        ("$Other.x", "Other"),
        ("$nothing", "form"),
        ("[a] == 1;", "at 9"),
        ("(" * 100 + "1" + ")" * 100, "too deeply"),
        ("-" * 100 + "1", "too deeply"),
        ("1+" * 1500 + "1", "at most"),
    ],
)
def test_what_cannot_be_parsed_is_refused_with_its_place(text: str, position: str) -> None:
    with pytest.raises(ExpressionError, match=position):
        compile_condition(text)


@given(st.text(alphabet="[]().?#'\"ab01 +-*/%<>=!&|,$Tnull", max_size=60))
def test_any_text_has_a_value_or_an_expression_error(text: str) -> None:
    with suppress(ExpressionError):
        compile_condition(text).evaluate(Scope(ROOT))


# Forms that the machines of this engine do not use yet; SpEL refuses properties of maps, we do not.
NOT_YET = ("?[", "$[", " ? ", "?:", "{", "^", "matches", "@", "Sequence")
WIDER = ("[people][name]", "m.k", "].n", "?.n", "#root.length()")


def recorded() -> list[dict[str, object]]:
    path = SEATA / "expressions.json"
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"] if path.is_file() else []
    return [case for case in cases if not any(part in case["expr"] for part in (*NOT_YET, *WIDER))]


@pytest.mark.skipif(not recorded(), reason="Seata's expressions are not beside the repository")
@pytest.mark.parametrize("case", recorded(), ids=lambda case: str(case["expr"]))
def test_a_recorded_expression_has_javas_value(case: dict[str, object]) -> None:
    scope = Scope(unmarked(case["root"]))
    expression = compile_condition(str(case["expr"]))
    if "error" in case:
        with pytest.raises(ExpressionError):
            expression.evaluate(scope)
        return
    value = expression.evaluate(scope)
    assert (value, type(value)) == (case["value"], type(case["value"]))
