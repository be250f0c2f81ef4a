"""Scripts by table: what Groovy makes of them, and what they throw."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kessai.kernel.errors import JsonValue
from kessai.saga.script import ScriptError, ScriptThrown, compile_script

BINDINGS: dict[str, JsonValue] = {
    "x": 5,
    "y": 2,
    "z": 0,
    "d": 1.5,
    "s": "hello",
    "t": True,
    "n": None,
    "l": [1, 2, 3],
    "el": [],
    "m": {"k": "v", "n": {"x": 5}},
    "rows": [{"a": 1}, {"a": 2}],
    "big": 9999999999,
}


def run(text: str, **bindings: JsonValue) -> JsonValue:
    return compile_script(text, "groovy").run({**BINDINGS, **bindings})


VALUES: list[tuple[str, JsonValue]] = [
    # what Seata's machines say
    ("if(!t){ throw new RuntimeException(\"test\") } else { 'hello ' + x }", "hello 5"),
    ("x + y", 7),
    ("[k: x * 2, l: [1,2,3]]", {"k": 10, "l": [1, 2, 3]}),
    ("return 41 + 1", 42),
    ("null", None),
    # numbers
    ("7 / 2", 3.5),
    ("6 / 2", 3),
    ("10 / 3", 3.3333333333),
    ("1 / 3 * 3", 0.9999999999),
    ("1 / 1024", 0.0009765625),
    ("123456789012 / 7", 17636684144.5714285714),
    ("(2 / 3).toString()", "0.6666666667"),
    ("0.1 + 0.2", 0.3),
    ("1.50 * 2 + ''", "3.00"),
    ("100 * 1.1 + ''", "110.0"),
    ("1e10 + ''", "1E+10"),
    ("d / 2", 0.75),
    ("d * 1.1", 1.6500000000000001),
    ("1.0d / 3", 0.3333333333333333),
    ("1.5f + 1", 2.5),
    ("-7 / 2", -3.5),
    ("-7 % 3", -1),
    ("5.intdiv(2) + (-7).mod(3)", 1),
    ("2147483647 + 1", -2147483648),
    ("-2147483648", -2147483648),
    ("2147483647 + 1L", 2147483648),
    ("9223372036854775807 + 1", -9223372036854775808),
    ("9223372036854775807G + 1", 9223372036854775808),
    ("-9223372036854775808 - 1", 9223372036854775807),
    ("big * big", 7766279611452241921),
    ("2 ** 10", 1024),
    ("2 ** 63 * 2", 18446744073709551616),
    ("2 ** -1", 0.5),
    ("4 ** 0.5", 2),
    ("2.5 ** 2", 6.25),
    ("2 ** 3 ** 2", 64),
    ("-x ** 2", -25),
    ("0x1F + 0b11 + 017 + 1_000", 1049),
    ("x & 4 | 2 ^ 3", 5),
    ("true & false", False),
    ("1.5.setScale(0, BigDecimal.ROUND_HALF_UP)", 2),
    ("2.345.setScale(2, java.math.RoundingMode.HALF_EVEN)", 2.34),
    ("[1.25d.round(1), (-1.5d).round(), 5.75d.trunc(1)]", [1.3, -1, 5.7]),
    ("Math.max(x, y) + Math.abs(-1) + Math.round(1.5)", 8),
    ("Integer.MAX_VALUE + 1", -2147483648),
    ("'5'.toInteger() + '1.5'.toBigDecimal()", 6.5),
    ("d.intValue() + 1.9.toInteger()", 2),
    # texts
    ('"a ${x + 1} $m.k!"', "a 6 v!"),
    ('"${s}.length $s"', "hello.length hello"),
    ('"in ${"deep ${x}"}"', "in deep 5"),
    ("'$x' + \"\\$x\"", "$x$x"),
    ("'it\\'s\\n\\u0041'", "it's\nA"),
    ('"""a\nb ${x}"""', "a\nb 5"),
    ("'''a\n'b'''", "a\n'b"),
    ('"a\\\nb"', "ab"),
    ('"${n}${l}${m}${[:]}${1.50}"', "null[1, 2, 3][k:v, n:[x:5]][:]1.50"),
    ("s + 1 + n + t", "hello1nulltrue"),
    ("n + 'a'", "nulla"),
    ("s * 2 - 'l'", "helohello"),
    ("s[0] + s[-1] + s[1..2]", "hoel"),
    ("s.toUpperCase().substring(1, 3) + s.capitalize().take(1)", "ELH"),
    ("s.padLeft(7, '*') + s.reverse() + s.count('l')", "**helloolleh2"),
    ("'a,b,,c'.tokenize(',')", ["a", "b", "c"]),
    ("',a,,b,,'.split(',')", ["", "a", "", "b"]),
    ("s.replace('l', 'L').indexOf('L') + s.length()", 7),
    ("'\U0001f600'.size()", 2),
    ("s.matches('h.*o')", True),
    ("'abc'.compareTo('ad')", -2),
    ("'12'.isNumber() && !'a'.isInteger()", True),
    # lists and maps
    ("[]", []),
    ("[:]", {}),
    (
        "[a: 1, 'b c': 2, (s): 3, 4: 5, \"$s!\": 6]",
        {"a": 1, "b c": 2, "hello": 3, "4": 5, "hello!": 6},
    ),
    ("[1, [2], [c: 3],]", [1, [2], {"c": 3}]),
    ("[if: 1, class: 2].if", 1),
    ("l[0] + l[-1]", 4),
    ("l[5]", None),
    ("l[1..-1] + l[0,1] + l[0..<1]", [2, 3, 1, 2, 1]),
    ("m.n.x + m['n']['x'] + m.'n'.x", 15),
    ("m.zz", None),
    ("m.size", None),
    ("rows.a + rows*.a", [1, 2, 1, 2]),
    ("['ab', 'c']*.size()", [2, 1]),
    ("l + 4 - 1 - [2]", [3, 4]),
    ("l + n", [1, 2, 3, None]),
    ("[1, 2] * 2", [1, 2, 1, 2]),
    ("m + [z: 1] - [k: 'v']", {"n": {"x": 5}, "z": 1}),
    ("1..3", [1, 2, 3]),
    ("3..<1", [3, 2]),
    ("'a'..'c'", ["a", "b", "c"]),
    ("l.sum() + l.max() + l.min() + l.first() + l.last()", 14),
    ("el.sum()", None),
    ("['a', 1].sum()", "a1"),
    ("l.join('-') + l.tail() + l.take(2).reverse()", "1-2-3[2, 3][2, 1]"),
    ("[3, 1, 2].toSorted() + [1, 1].toUnique() + [[1], 2].flatten()", [1, 2, 3, 1, 1, 2]),
    ("m.keySet() + m.get('k') + m.getOrDefault('q', 1)", ["k", "n", "v", 1]),
    ("m.containsKey('k') && l.contains(2) && !l.contains(2L)", True),
    # truth, equality and order
    ("[!0, !'', ![], ![:], !n, !0.0, !'a']", [True, True, True, True, True, True, False]),
    ("n ?: z ?: '' ?: 'last'", "last"),
    ("x ? 'yes' : 'no'", "yes"),
    ("n?.foo?.bar", None),
    ("m.zz?.y", None),
    ("x == 5.0 && x == 5L && 1.0 == 1.00 && 1 != '1'", True),
    ("'A' == 65 && \"$s\" == s", True),
    ("[1, 2.0] == [1L, 2] && [a: 1] == [a: 1.0]", True),
    ("1.0.equals(1.00) || 1.equals(1L)", False),
    ("[1 <=> 2, 'b' <=> 'a', n <=> 1, 1 <=> n]", [-1, 1, -1, 1]),
    ("n < 1 && 1 > n && 'a' < 'b'", True),
    ("x in l || 2 in l && 'k' in m && 2 in 1..3", True),
    ("x instanceof Integer && !(x instanceof java.lang.Long) && 1.5 instanceof BigDecimal", True),
    # types
    ("['5' as int, 1.9 as int, x as String, d as BigDecimal]", [5, 1, "5", 1.5]),
    ("(int) '5'", 53),
    ("(int) 3.9 + (double) 1", 4.0),
    ("int q = 1.7; q = 2.9; q", 2),
    ("String q = 5; q + 1", "51"),
    ("boolean q = 'a'; q", True),
    ("String q = [m]; q + ([m] as String)", "[{k=v, n={x=5}}][[k:v, n:[x:5]]]"),
    ("long q; q", 0),
    ("(x) + 1", 6),
    # statements
    ("", None),
    ("// nothing\n/* at all */", None),
    ("x; y", 2),
    ("x\n+ 1", 1),
    ("x +\n1", 6),
    ("s\n.length()", 5),
    ("(x\n+ 1)", 6),
    ("def q = x, r = 1; q += r; q *= 2; q", 12),
    ("def q = 5", 5),
    ("q = 5; q", 5),
    ("x = x + 1; x++; ++x; x", 8),
    ("[x++, x--, x]", [5, 6, 5]),
    ("final q = 1; q", 1),
    ("a = b = 2; a + b", 4),
    ("def x = x + 1; x", 6),
    ("if (x > 30) { 1 }", None),
    ("if (x > 30) 'big'\nelse if (x > 3) 'middle'\nelse 'small'", "middle"),
    ("if (t) { def q = 1; q + 1 } else { 3 }", 2),
    ("if (t) return 1; 2", 1),
    ("def r\nif (t) {\n  r = 2\n}\nelse {\n  r = 3\n}\nr", 2),
    ("if (t) { if (n) 1 else { return 7 } }; 9", 7),
    ("return\n5", None),
]


@pytest.mark.parametrize(("text", "value"), VALUES, ids=range(len(VALUES)))
def test_a_value(text: str, value: JsonValue) -> None:
    found = run(text)
    assert (found, type(found)) == (value, type(value))


MISSING = "groovy.lang.MissingPropertyException"
NO_METHOD = "groovy.lang.MissingMethodException"
NULL = "java.lang.NullPointerException"
CAST = "org.codehaus.groovy.runtime.typehandling.GroovyCastException"
GROOVY = "groovy.lang.GroovyRuntimeException"
NUMBER = "java.lang.NumberFormatException"
ARITHMETIC = "java.lang.ArithmeticException"

THROWN = [
    ("throw new IllegalStateException('x' + x)", "java.lang.IllegalStateException", "x5"),
    ("throw new java.lang.IllegalStateException()", "java.lang.IllegalStateException", None),
    ('throw new com.shop.OutOfStock("no $s")', "com.shop.OutOfStock", "no hello"),
    ("throw new IOException('io')", "java.io.IOException", "io"),
    ("throw new ConnectException('net')", "java.net.ConnectException", "net"),
    ("throw new RuntimeException(x)", GROOVY, None),
    ("missing", MISSING, "No such property: missing"),
    ("if (t) { def q = 1 }; q", MISSING, "No such property: q"),
    ("s.foo", MISSING, "No such property: foo for class: java.lang.String"),
    ("l.foo", MISSING, "No such property: foo for class: java.lang.Integer"),
    ("n.foo", NULL, "Cannot get property 'foo' on null object"),
    ("n.size()", NULL, "Cannot invoke method size() on null object"),
    ("m.zz.y", NULL, "Cannot get property 'y' on null object"),
    ("n[0]", NULL, "Cannot invoke method getAt() on null object"),
    ("n + 1", NULL, "Cannot execute null+1"),
    ("n * 2", NULL, "Cannot invoke method multiply() on null object"),
    ("1 + n", GROOVY, None),
    ("1 / 0", ARITHMETIC, "Division by zero"),
    ("1 % 0", ARITHMETIC, "/ by zero"),
    ("1.0 / z", ARITHMETIC, "Division by zero"),
    ("d / 0", ARITHMETIC, "Infinity is no value of JSON"),
    ("1.5 % 1", "java.lang.UnsupportedOperationException", None),
    ("2.345.setScale(2)", ARITHMETIC, "Rounding necessary"),
    ("t + 1", NO_METHOD, None),
    ("x.toUpperCase()", NO_METHOD, None),
    ("s.startsWith(1)", NO_METHOD, None),
    ("x[0]", NO_METHOD, None),
    ("s < 1", "java.lang.ClassCastException", None),
    ("l < [2]", GROOVY, None),
    ("s.toInteger()", NUMBER, 'For input string: "hello"'),
    ("'1.5' as int", NUMBER, 'For input string: "1.5"'),
    ("'99999999999'.toInteger()", NUMBER, None),
    ("int q = 'ab'", CAST, None),
    ("int q = n", CAST, None),
    ("(List) s", CAST, None),
    ("t as int", CAST, None),
    ("s[9]", "java.lang.StringIndexOutOfBoundsException", None),
    ("s.substring(9)", "java.lang.StringIndexOutOfBoundsException", None),
    ("l[-5]", "java.lang.ArrayIndexOutOfBoundsException", None),
    ("l.get(5)", "java.lang.IndexOutOfBoundsException", "Index 5 out of bounds for length 3"),
    ("l[1..9]", "java.lang.IndexOutOfBoundsException", "toIndex = 10"),
    ("el.first()", "java.util.NoSuchElementException", None),
    ("s * -1", "java.lang.IllegalArgumentException", None),
    ("s.matches('(')", "java.util.regex.PatternSyntaxException", None),
]


@pytest.mark.parametrize(("text", "name", "message"), THROWN, ids=[text for text, *_ in THROWN])
def test_what_a_script_throws_has_javas_name(text: str, name: str, message: str | None) -> None:
    with pytest.raises(ScriptThrown) as thrown:
        run(text)
    assert thrown.value.name == name
    if message is not None or text.endswith("Exception()"):
        assert thrown.value.message == message


def test_a_script_sees_nothing_but_its_bindings() -> None:
    with pytest.raises(ScriptThrown, match="No such property: x"):
        compile_script("x", "groovy").run({})


def test_a_binding_is_never_changed() -> None:
    items: list[JsonValue] = [1]
    given: dict[str, JsonValue] = {"x": 1, "l": items}
    script = compile_script("x = 2; l += 2; l = l + x; y = 3; [x, l]", None)
    assert script.run(given) == [2, [1, 2, 2]]
    assert given == {"x": 1, "l": items}
    assert items == [1]
    assert script.run(given) == [2, [1, 2, 2]]


INT = st.integers(-(2**31), 2**31 - 1)
JAVA = {
    "+": lambda one, two: one + two,
    "-": lambda one, two: one - two,
    "*": lambda one, two: one * two,
    "%": lambda one, two: abs(one) % abs(two) * (1 if one >= 0 else -1),
}


@given(INT, st.sampled_from(sorted(JAVA)), INT)
def test_whole_numbers_count_in_32_bits(one: int, symbol: str, two: int) -> None:
    script = compile_script(f"a {symbol} ({two})", "groovy")
    if symbol == "%" and two == 0:
        with pytest.raises(ScriptThrown, match="by zero"):
            script.run({"a": one})
        return
    assert script.run({"a": one}) == (JAVA[symbol](one, two) + 2**31) % 2**32 - 2**31


@given(INT, INT.filter(bool))
def test_a_quotient_times_its_divisor_is_nearly_the_dividend(one: int, two: int) -> None:
    found = compile_script("(a / b * b - a).abs() < 1", None)
    assert found.run({"a": one, "b": two}) is True


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("kna"), inner),
    max_leaves=12,
)
WORDS = """x y l m s n . ?. *. [ ] ( ) { } : , ; + - * / % ** ! == < <=> && || ? ?: .. in as = +=
 ++ if else return throw new RuntimeException( def int String 1 2L 1.5 1d 'a' "$x" "${l}" null true
 size() toString() join( get( sum() k"""
PIECES = st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=14).map(" ".join)


@settings(max_examples=250)
@given(
    st.text(alphabet="xlms.?[](){}:;,+-*/%!=<>&|'\"$01 \nifelsedef", max_size=60) | PIECES,
    st.dictionaries(st.sampled_from("xylmsn"), JSON),
)
def test_any_text_is_refused_or_answers_or_throws(
    text: str, bindings: dict[str, JsonValue]
) -> None:
    with suppress(ScriptError, ScriptThrown):
        compile_script(text, "groovy").run(bindings)
