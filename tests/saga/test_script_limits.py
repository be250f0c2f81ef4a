"""What a script may not say is refused with its place, and what it makes has limits."""

from __future__ import annotations

import pytest

from kessai.kernel.errors import JsonValue
from kessai.saga.script import ScriptError, ScriptThrown, compile_script

REFUSED = [
    # beyond the subset
    ("for (i in l) { }", 1, 1, "a loop"),
    ("x\nwhile (true) { }", 2, 1, "a loop"),
    ("switch (x) { case 1: 2 }", 1, 1, "a switch"),
    ("try { 1 } catch (Exception e) { 2 }", 1, 1, "try"),
    ("class A { }", 1, 1, "a class"),
    ("import java.util.Date", 1, 1, "an import"),
    ("new Date()", 1, 1, "new outside of throw"),
    ("def q = new File('/')", 1, 9, "new outside of throw"),
    ("assert x", 1, 1, "assert"),
    ("this.x", 1, 1, "an object's own view"),
    ("def f(a) { a }", 1, 5, "methods are not"),
    ("void f() { }", 1, 1, "a method"),
    ("l.collect { it }", 1, 11, "closures"),
    ("l.each({ it })", 1, 8, "closures"),
    ("{ -> 1 }", 1, 1, "closures"),
    ("def c = { 1 }", 1, 9, "closures"),
    ("def (a, b) = [1, 2]", 1, 5, "several variables"),
    ("m.k = 1", 1, 1, "only a variable can be assigned"),
    ("l[0] = 1", 1, 1, "only a variable can be assigned"),
    ("m.k++", 1, 1, "only a variable can be counted"),
    ("l << 4", 1, 3, "unexpected"),
    ("s =~ 'a'", 1, 3, "unexpected"),
    ("s ==~ 'a'", 1, 3, "unexpected"),
    ("x === y", 1, 3, "unexpected"),
    ("~x", 1, 1, "unexpected"),
    ("/abc/", 1, 1, "unexpected"),
    ("println x", 1, 9, "unexpected"),
    ("println(x)", 1, 1, "function println"),
    ("missing()", 1, 1, "function missing"),
    ("System.exit(1)", 1, 8, "method exit"),
    ("Runtime.getRuntime()", 1, 9, "method getRuntime"),
    ("x.getClass()", 1, 3, "method getClass"),
    ("x.class.forName('a')", 1, 9, "method forName"),
    ("'ls'.execute()", 1, 6, "method execute"),
    ("l.sort()", 1, 3, "method sort"),
    ("l.add(4)", 1, 3, "method add"),
    ("m.put('a', 1)", 1, 3, "method put"),
    ("Math.max(1)", 1, 1, "takes other arguments"),
    ("[1](2)", 1, 4, "only methods"),
    ("s.substring(from: 1)", 1, 13, "an argument has no name"),
    ("@Grab('a:b:1') x", 1, 1, "unexpected"),
    ("x as Set", 1, 6, "nothing can be made"),
    ("x instanceof Date", 1, 14, "type Date"),
    ("throw new Foo('x')", 1, 11, "class Foo is not known"),
    ("throw new RuntimeException('x', null)", 1, 11, "one text"),
    ("throw e", 1, 7, "throw needs new"),
    # mistakes
    ("x +", 1, 4, "unexpected"),
    ("(x", 1, 3, "expected"),
    ("[1, 2", 1, 6, "expected"),
    ("[a: 1, 2]", 1, 9, "expected"),
    ("if x { 1 }", 1, 4, "expected"),
    ("if (x) { 1", 1, 11, "unexpected"),
    ("x }", 1, 3, "unexpected"),
    ("x\n  y z", 2, 5, "unexpected"),
    ("else 1", 1, 1, "unexpected"),
    ("x ? 1", 1, 6, "expected"),
    ("def 1", 1, 5, "a name expected"),
    ("def if = 1", 1, 5, "cannot be the name"),
    ("def q = 1; def q = 2", 1, 16, "declared already"),
    ("def q = 1; if (x) { def q = 2 }", 1, 25, "declared already"),
    ("'abc", 1, 1, "without an end"),
    ("'a\nb'", 1, 1, "without an end"),
    ('"${x', 1, 5, "is missing"),
    ('"a $ b"', 1, 4, "without a name"),
    ('"${x y}"', 1, 6, "unexpected"),
    ("'\\q'", 1, 2, "wrong escape"),
    ("09", 1, 1, "no number"),
    ("1x", 1, 1, "no number"),
    ("1.5L", 1, 1, "no number"),
    ("99999999999999999999L", 1, 1, "does not fit"),
    ("1e999999999", 1, 1, "too great"),
    ("9" * 301, 1, 1, "at most 300 digits"),
    ("x \u20ac", 1, 3, "unexpected character"),
]


@pytest.mark.parametrize(("text", "line", "column", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_not_in_the_subset_is_refused_with_its_place(
    text: str, line: int, column: int, reason: str
) -> None:
    with pytest.raises(ScriptError, match=reason) as refused:
        compile_script(text, "groovy")
    assert (refused.value.line, refused.value.column) == (line, column)
    assert str(refused.value).startswith(f"line {line}, column {column}: ")


@pytest.mark.parametrize("script_type", ["javascript", "js", "python", "Groovy", "jython"])
def test_other_languages_are_refused(script_type: str) -> None:
    with pytest.raises(ScriptError, match=script_type):
        compile_script("1", script_type)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 1000 + "1" + ")" * 1000,
        "[" * 1000 + "]" * 1000,
        "(int) " * 1000 + "1",
        "!" * 1000 + "x",
        "x ? 1 : " * 1000 + "2",
        "x = " * 1000 + "1",
        "if (true) { " * 500 + "1" + " }" * 500,
        "if (true) " * 500 + "1",
        '"${' * 300 + "1" + '}"' * 300,
        "[a: " * 500 + "1" + "]" * 500,
    ],
    ids=range(10),
)
def test_deep_nesting_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(ScriptError, match="nested too deeply"):
        compile_script(text, "groovy")


def test_a_long_script_is_refused_when_it_is_read() -> None:
    with pytest.raises(ScriptError, match="at most 20000 characters"):
        compile_script("x;" * 10_001, "groovy")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+".join("1" * 5_000), 5_000),
        ("x = x + 1\n" * 1_500, 1_501),
        ("if (x == 0) 0 " + "else if (x == 2) 2 " * 500 + "else 3", 3),
        ("m" + ".m" * 1_000 + ".size()", 1),
    ],
    ids=range(4),
)
def test_length_without_depth_is_no_problem(text: str, value: int) -> None:
    m: dict[str, JsonValue] = {}
    m["m"] = m
    assert compile_script(text, "groovy").run({"x": 1, "m": m}) == value


DOUBLED = "q = [1]\n" + "q = [q, q]\n" * 60
RUNAWAYS = [
    "'a' * 2147483647",
    "'a'.padLeft(2147483647)",
    "[1] * 2147483647",
    "1..2147483647",
    "q = 'abcdefgh'\n" + "q = q + q\n" * 40,
    "q = 'abcdefgh'\n" + 'q = "$q$q"\n' * 40,
    "q = 'abcdefgh'\n" + "q = q.replace('a', q)\n" * 40,
    "q = [1, 2]\n" + "q = q + q\n" * 40,
    "10 ** 2147483647",
    "q = 10G\n" + "q = q * q\n" * 40,
    "q = 1.1\n" + "q = q * q\n" * 40,
    "1e300 ** 1000",
    "1.1 ** 2147483647",
    "1e300 + 1e-300 + 1e-299 ** 9",
    "1.5.setScale(2147483647)",
    DOUBLED,
    DOUBLED + '"$q"',
    DOUBLED + "q.toString()",
    DOUBLED + "q.flatten()",
    DOUBLED + "-q",
    DOUBLED + "q == (q + [])",
    DOUBLED + "q.a",
    "q = (1..9000) + []\nq - q",
    "q = (1..9000) + []\nq.intersect(q)",
    "q = (1..9000) + []\nq.toUnique()",
    "q = ['abcdefgh'] * 9000\nq.sum().size() + ([[1] * 900] * 9000).sum().size()",
    "('a' * 9000).matches('(a*a*){200}b')",
]


@pytest.mark.parametrize("text", RUNAWAYS, ids=range(len(RUNAWAYS)))
def test_what_grows_without_bounds_ends_with_an_exception(text: str) -> None:
    script = compile_script(text, "groovy")
    with pytest.raises(ScriptThrown):
        script.run({})


def test_deep_data_is_an_exception_and_not_the_end_of_the_stack() -> None:
    deep: JsonValue = 1
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(ScriptThrown, match="too deeply"):
        compile_script("d", "groovy").run({"d": deep})
