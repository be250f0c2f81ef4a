"""Expressions by table: what SpEL makes of them, and what is refused where."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kessai.saga.expression import (
    Bean,
    ExpressionError,
    Form,
    NotAllowed,
    Scope,
    compile_condition,
    compile_value,
)

ROOT = {
    "a": 1,
    "b": 2,
    "s": "hello",
    "t": True,
    "f": False,
    "d": 1.5,
    "l": [1, 2, 3],
    "m": {"k": "v", "n": {"x": 5}},
    "person": Bean(name="lilei", age=18, friends=None),
    "rows": [{"r": {"q": 1}}, {}],
    "neg": -3,
    "z": 0,
    "str1": "1",
    "big": 9999999999,
    "empty": {},
    "el": [],
}


def value_of(text: str, root: object = ROOT) -> object:
    return compile_condition(text).evaluate(Scope(root))


VALUES = [
    # literals
    ("1", 1),
    ("012", 12),
    ("1L", 1),
    ("0x1F", 31),
    ("0xFFFFFFFFL", 4294967295),
    ("1.5", 1.5),
    ("1.1f", 1.1),
    ("1e3", 1000.0),
    ("1.5e-3", 0.0015),
    ("2d", 2.0),
    ("'it''s'", "it's"),
    ('"say ""hi"""', 'say "hi"'),
    ("'a\"\"b'", 'a"b'),
    ("TRUE", True),
    ("Null", None),
    ("3.toString()", "3"),
    # lists and maps
    ("{}", []),
    ("{:}", {}),
    ("{1,'a',null,{[a],2}}", [1, "a", None, [1, 2]]),
    ("{a:1,'b c':[s],(d):2}", {"a": 1, "b c": "hello", "d": 2}),
    ("{[s]:1}", {"hello": 1}),
    ("{1:2,false:3}", {"1": 2, "false": 3}),
    ("{1:2}[1]", 2),
    ("{1:2}['1']", None),
    ("{1:2}[1L]", None),
    ("{a:1}[a]", 1),
    ("{ne:1}[ne]", 1),
    # names and indices
    ("[a]", 1),
    ("['a']", 1),
    ('["a"]', 1),
    ("[ a ]", 1),
    ("#root[a]", 1),
    ("#this['a']", 1),
    ("[missing]", None),
    ("[and]", None),
    ("[T]", None),
    ("[new]", None),
    ("[1]", None),
    ("#nosuch", None),
    ("[m][n][x]", 5),
    ("[m].n.x", 5),
    ("#root.m['k']", "v"),
    ("[m]?.n?.x", 5),
    ("[missing]?.x", None),
    ("#nosuch?.x", None),
    ("[l][0]", 1),
    ("[l]['0']", 1),
    ("[l][1.7]", 2),
    ("[s][0]", "h"),
    ("[el].empty", True),
    ("empty", False),
    ("[m].#root[a]", 1),
    ("[m].#this", {"k": "v", "n": {"x": 5}}),
    ("[person].name", "lilei"),
    ("[person]['na' + 'me']", "lilei"),
    ("[person].getName()", "lilei"),
    ("[person].Name", "lilei"),
    ("[person].friends?.size()", None),
    # numbers
    ("-7 / 2", -3),
    ("-7 % 3", -1),
    ("7 div 2 + 7 mod 2", 4),
    ("3.0 / 2", 1.5),
    ("1.1f + 1", 2.1),
    ("1.1f + 1.0", 2.100000023841858),
    ("1f / 3", 0.33333334),
    ("100000 * 100000", 1410065408),
    ("2147483647 + 1", -2147483648),
    ("2147483647 + 1L", 2147483648),
    ("9223372036854775807L + 1", -9223372036854775808),
    ("[big] + 1", 10000000000),
    ("([big] - [big]) + 2147483647 + 1", 2147483648),
    ("[big] * [big]", 7766279611452241921),
    ("2 ^ 3", 8),
    ("-2 ^ 2", 4),
    ("2 ^ 31", 2147483648),
    ("2 ^ 63", 9223372036854775807),
    ("2 ^ -1", 0),
    ("(-2) ^ 33", -2147483648),
    ("2.0 ^ 0.5", 1.4142135623730951),
    ("-(-2147483647 - 1)", -2147483648),
    ("1 - -2", 3),
    ("10 - 2 - 3", 5),
    ("2 * 3 % 4", 2),
    # texts
    ("[s] + 1", "hello1"),
    ("'x' + 1 + 2", "x12"),
    ("1 + 2 + 'x'", "3x"),
    ("null + 'a'", "nulla"),
    ("'a' + 1e7", "a1.0E7"),
    ("'a' + 1234567.0", "a1234567.0"),
    ("'a' + 0.0001", "a1.0E-4"),
    ("'a' + 100.0", "a100.0"),
    ("'a' + 16777216f", "a1.6777216E7"),
    ("'a' + (1.0 / 0)", "aInfinity"),
    ("'a' + -0.0", "a0.0"),
    ("'a' + true", "atrue"),
    ("'a' + [l]", "a1,2,3"),
    ("'a' + {1,{2,null}}", "a1,2,null"),
    ("'a' + [m]", "a{k=v, n={x=5}}"),
    ("[l].toString()", "[1, 2, 3]"),
    ("'ab' * 2", "abab"),
    ("'b' - 1", "a"),
    # logic
    ("true and 'yes'", True),
    ("false and null", False),
    ("true or null", True),
    ("not [f]", True),
    ("! [t]", False),
    ("'off' ? 1 : 2", 2),
    ("false ? 1 : true ? 2 : 3", 2),
    ("[missing] ?: 'def'", "def"),
    ("'' ?: 'def'", "def"),
    ("[z] ?: 5", 0),
    ("[missing] ?:", None),
    # comparisons
    ("[a] == 1.0", True),
    ("[a] == 1L", True),
    ("1.1f == 1.1", False),
    ("[str1] == 1", False),
    ("[t] == 1", False),
    ("[l] == {1,2,3}", True),
    ("{1.0,2,3} == [l]", False),
    ("[m] == {k:'v',n:{x:5}}", True),
    ("0.0/0 == 0.0/0", False),
    ("0.0/0 <= 1", False),
    ("null < 1", True),
    ("null > 1", False),
    ("[l] > null", True),
    ("[t] > [f]", True),
    ("'Z' < 'a'", True),
    ("'\uffff' < '\U00010000'", False),
    ("1 LT 2", True),
    ("[a] between {0.5, 1.5}", True),
    ("'b' between {'c','d'}", False),
    ("[missing] between {0,2}", False),
    ("[a] matches '\\d'", True),
    ("[s] matches 'h.*' + 'o'", True),
    ("[s] matches 'ell'", False),
    ("[a] instanceof T(Integer)", True),
    ("[big] instanceof T(java.lang.Long)", True),
    ("[l] instanceof T(java.util.List)", True),
    ("[person] instanceof T(java.util.Map)", False),
    ("null instanceof T(Object)", False),
    ("1 instanceof T(int)", False),
    # selections and projections
    ("[l].?[#this > 1]", [2, 3]),
    ("[l].^[#this > 1]", 2),
    ("[l].$[#this > 1]", 3),
    ("[l].^[#this > 5]", None),
    ("[l].![#this * 2].?[#this > 2][0]", 4),
    ("[l].![#root['a'] + #this]", [2, 3, 4]),
    ("[rows].?[#this[r] == null].size()", 1),
    ("[rows].?[[r] != null].![[r][q]]", [1]),
    ("{[person]}.![name]", ["lilei"]),
    ("{'ab',[s]}.![length()]", [2, 5]),
    ("{'ab'}.![concat(#this)]", ["abab"]),
    ("{{1,2},{3,4}}.![![#this+1]]", [[2, 3], [4, 5]]),
    ("[m].?[key == 'k']", {"k": "v"}),
    ("[m].$[true]", {"n": {"x": 5}}),
    ("[m].![getValue()]", ["v", {"x": 5}]),
    ("[missing]?.![#this]", None),
    ("![1].size() > 3", True),
    # methods
    ("size()", len(ROOT)),
    ("[s].substring(1,3).toUpperCase()", "EL"),
    ("[s].indexOf('l', 3) + [s].lastIndexOf(104)", 3),
    ("'\U0001f600a'.length()", 3),
    ("'\U0001f600a'.substring(2)", "a"),
    ("'a\U0001f600'.indexOf('\U0001f600')", 1),
    ("' x '.trim().equals('x')", True),
    ("[s].charAt(0)", "h"),
    ("[s].charAt(0) == 'h'", False),
    ("'a' + [s].charAt(0)", "ah"),
    ("[s].replace('l','L').startsWith('L', 2)", True),
    ("',a,,b,,'.split(',').length", 4),
    ("'a.b'.split('\\.')[1]", "b"),
    ("'hello'.hashCode()", 99162322),
    ("'abc'.compareTo('ab')", 1),
    ("[l].contains(1.0)", False),
    ("[l].contains(1)", True),
    ("[l].containsAll({2,1})", True),
    ("[l].subList(1,3).indexOf(3)", 1),
    ("[m].getOrDefault('zz',3)", 3),
    ("[m].keySet().contains('k')", True),
    ("[m].containsValue('v')", True),
    ("{1,2}.size()", 2),
    ("[d].intValue() + (1.9e10).intValue()", -2147483648),
    ("(1L).equals(1)", False),
    ("[missing]?.size()", None),
]


@pytest.mark.parametrize(("text", "value"), VALUES, ids=[text for text, _ in VALUES])
def test_a_value(text: str, value: object) -> None:
    found = value_of(text)
    assert (found, type(found)) == (value, type(value))


NO_VALUE = [
    "[s] > 1",
    "[l] < [l]",
    "[t] > 1",
    "1 and true",
    "true and null",
    "true and 'x'",
    "1 ? 2 : 3",
    "!null",
    "![t] == true",
    "[t] + 1",
    "[l] + [l]",
    "null + 1",
    "-[s]",
    "+'a'",
    "'bc' - 1",
    "2 * 'ab'",
    "'a' + {[m],1}",
    "1 / 0",
    "1 % 0",
    "1.0 / 0",
    "[missing].x",
    "[missing][0]",
    "#nosuch.x",
    "[missing]?.x.y",
    "[m].nosuch",
    "[m]?.nosuch",
    "[l].length",
    "[s].length",
    "[l][3]",
    "[l][-1]",
    "[l][true]",
    "[s][9]",
    "[a][0]",
    "[a]['x']",
    "[t]['x']",
    "[null]",
    "[nosuch + 1]",
    "[person][nosuch]",
    "[person][0]",
    "[person]['nosuch']",
    "[person].size()",
    "[person].?[true]",
    "[s].?[true]",
    "[missing].![1]",
    "[l].?[1]",
    "[l].?[null]",
    "[a].size()",
    "[missing].size()",
    "[m].length()",
    "[s].substring(9)",
    "[s].contains(1)",
    "'a'.concat(null)",
    "'\U0001f600'.substring(1)",
    "'a.b'.split('.')",
    "null matches 'a'",
    "[m] matches 'a'",
    "[s] matches 1",
    "[a] between {1}",
    "[a] between [l]",
    "[a] between {'a','b'}",
]


@pytest.mark.parametrize("text", NO_VALUE)
def test_no_value_here_is_an_error_of_its_own(text: str) -> None:
    expression = compile_condition(text)
    with pytest.raises(ExpressionError):
        expression.evaluate(Scope(ROOT))


REFUSED = [
    ("", 1),
    ("[a] == ", 8),
    ("== 1", 1),
    ("[a", 3),
    ("([a]", 5),
    ("()", 2),
    ("[a] [b", 7),
    ("1 2", 3),
    ("[a b]", 4),
    ("[a].", 5),
    ("[a].[b]", 5),
    ("[l]?[0]", 4),
    ("[t]?[a]:[b]", 4),
    ("1 == 1 == true", 8),
    ("2 ^ 3 ^ 2", 7),
    ("{1,}", 4),
    ("{a:}", 4),
    ("'abc", 1),
    ("[a] == 1;", 9),
    ("1 | 2", 3),
    ("[\u91d1\u989d]", 2),
    ("#eq", 2),
    ("2147483648", 1),
    ("9223372036854775808L", 1),
    ("0x", 1),
    ("1.5L", 1),
    ("[s] matches '('", None),
    # what reaches into the program
    ("[a] = 1", 5),
    ("[a]++", 4),
    ("--[a]", 1),
    ("T(java.lang.Runtime)", 1),
    ("T(java.lang.Runtime).getRuntime().exec('x')", 1),
    ("[a] instanceof T(java.io.File)", 18),
    ("[a] instanceof 'x'", 16),
    ("new java.util.Date()", 1),
    ("NEW String('x')", 1),
    ("@bean", 1),
    ("&bean", 1),
    ("#f(1)", 3),
    ("[a].getClass()", 5),
    ("#root.put('x',1)", 7),
    ("[l].add(4)", 5),
    ("[s].size(1)", 5),
    ("__import__('os')", 1),
]


@pytest.mark.parametrize(("text", "position"), REFUSED, ids=[text for text, _ in REFUSED])
def test_what_cannot_be_parsed_is_refused_with_its_place(text: str, position: int | None) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_condition(text)
    assert refused.value.position == position
    assert position is None or str(refused.value).endswith(f"at {position}")


FORBIDDEN = [
    "[a] = 1",
    "[a]++",
    "--[a]",
    "T(java.lang.Runtime)",
    "[a] instanceof T(java.io.File)",
    "new java.util.Date()",
    "@bean",
    "#f(1)",
    "[a].getClass()",
    "[l].add(4)",
]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_what_spel_would_run_is_told_from_a_mistake(text: str) -> None:
    with pytest.raises(NotAllowed):
        compile_condition(text)
    with pytest.raises(ExpressionError) as mistake:
        compile_condition("[a] 1")
    assert not isinstance(mistake.value, NotAllowed)


def test_positions_count_from_the_start_of_the_whole_text() -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_value("$.[a] ==")
    assert refused.value.position == 9


@pytest.mark.parametrize(
    ("text", "form", "content"),
    [
        ("$.[a]", Form.SPEL, "[a]"),
        ("${[a]}", Form.SPEL, "[a]"),
        ("$.{[a]}", Form.SPEL, "{[a]}"),
        ("$Sequence.A|B", Form.SEQUENCE, "A|B"),
        ("$Sequence{A|B}", Form.SEQUENCE, "A|B"),
        ("$Exception{java.lang.Exception}", Form.EXCEPTION, "java.lang.Exception"),
    ],
)
def test_the_forms(text: str, form: Form, content: str) -> None:
    expression = compile_value(text)
    assert (expression.form, expression.content) == (form, content)


@pytest.mark.parametrize("text", ["$", "$a", "[a]", "$Other.x", "${[a]", "$ .x", "$Exception{}"])
def test_a_value_of_no_form_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_value(text)


def test_exceptions_and_sequences_come_from_the_scope() -> None:
    scope = Scope(None, thrown=("Boom",), sequence=lambda content: f"seq:{content}")
    assert compile_value("$Exception{Boom}").holds(scope)
    assert not compile_value("$Exception{Other}").holds(scope)
    assert compile_value("$Sequence.A|B").evaluate(scope) == "seq:A|B"


@pytest.mark.parametrize("text", ["1", "'true'", "[a]", "[missing]", "'yes'", "{true}"])
def test_only_a_real_true_holds(text: str) -> None:
    assert not compile_condition(text).holds(Scope(ROOT))
    assert compile_condition("[t]").holds(Scope(ROOT))


def test_variables_come_from_the_scope() -> None:
    scope = Scope(ROOT, variables={"who": {"name": "K"}})
    assert compile_condition("#who.name + [l].![#who.name][0]").evaluate(scope) == "KK"


def test_what_needs_no_evaluation_is_seen_from_outside() -> None:
    assert compile_value("$.#root").is_root
    assert compile_value("$.[a]").key == "a"
    assert compile_value("$.['a b']").key == "a b"
    for text in ("$.[a].x", "$.[a]-2", "$.[[a]]", "$.1"):
        assert (compile_value(text).is_root, compile_value(text).key) == (False, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abls"), inner),
    max_leaves=15,
)
WORDS = """[a] [b] #root #this #x . ?. .?[ .![ .^[ .$[ [ ] ( ) { } : , + - * / % ^ ! == < >= && or
 matches between ? ?: 1 2L 1.5 1f 'a' '' null true size() toString() contains( get("""
PIECES = st.lists(st.sampled_from(WORDS.split()), max_size=14).map(" ".join)


@settings(max_examples=400)
@given(st.text(alphabet="[]().?#'\"ab01 +-*/%<>=!&|,$T{}:^nul", max_size=60) | PIECES, JSON)
def test_any_text_on_any_root_has_a_value_or_an_expression_error(text: str, root: object) -> None:
    with suppress(ExpressionError):
        compile_condition(text).evaluate(Scope(root))


INT = st.integers(-(2**31) + 1, 2**31 - 1)
JAVA = {
    "+": lambda one, two: one + two,
    "-": lambda one, two: one - two,
    "*": lambda one, two: one * two,
    "/": lambda one, two: abs(one) // abs(two) * (1 if one * two >= 0 else -1),
    "%": lambda one, two: abs(one) % abs(two) * (1 if one >= 0 else -1),
}


@given(INT, st.sampled_from(sorted(JAVA)), INT, st.sampled_from(["{} {} {}", "[x] {1} [y]"]))
def test_whole_numbers_count_in_32_bits(one: int, symbol: str, two: int, form: str) -> None:
    text = form.format(f"({one})", symbol, f"({two})")
    expression = compile_condition(text)
    scope = Scope({"x": one, "y": two})
    if symbol in "/%" and two == 0:
        with pytest.raises(ExpressionError, match=r"zero|by 0"):
            expression.evaluate(scope)
        return
    wrapped = (JAVA[symbol](one, two) + 2**31) % 2**32 - 2**31
    assert expression.evaluate(scope) == wrapped


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_number_reads_as_itself(number: float) -> None:
    text = value_of("'' + [n]", {"n": number})
    assert float(str(text)) == number
    assert "." in str(text)
