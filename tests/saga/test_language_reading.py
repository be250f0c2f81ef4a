"""Texts: JSON and YAML, where errors stand, and what is too much."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kessai.saga.expression import Scope
from kessai.saga.language import DefinitionError, Machine, Position, ServiceTask, explain, load
from kessai.saga.language.document import MAX_BYTES, MAX_STATES

TASK = {"Type": "ServiceTask", "ServiceName": "s", "ServiceMethod": "m"}

JSON = """{
  "Name": "m",
  "StartState": "A",
  "States": {
    "A": {
      "Type": "ServiceTask",
      "ServiceName": "s", "ServiceMethod": "m",
      "Input": [1, {"k": "x\\"y: {["}],
      "Catch": [
        {"Exceptions": ["x"], "Next": "B"},
        {"Exceptions": ["y"], "Next": "Z"}
      ]
    },
    "B": {"Type": "Succeed"}
  }
}
"""
YAML = """\
# A saga in YAML.
Name: m
StartState: A
States:
  A:
    Type: ServiceTask
    ServiceName: s
    ServiceMethod: m
    Input: ["$.[a]", {on: yes, when: 2026-11-26}, {octal: 010, long: 1_000, f: 1.5, t: true}]
    Output: {all: $.#root}
    Status:
      "#root != null": SU
    Catch:
      - Exceptions: [java.lang.Throwable]
        Next: B
  B: {Type: Succeed}
"""


def shape(machine: Machine) -> str:
    """Compiled expressions are equal to nothing but themselves."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(machine))


def where(text: str | bytes | Path) -> list[tuple[str, Position | None]]:
    return [(error.sentence, error.position) for error in explain(text).errors]


def test_an_error_stands_where_its_attribute_stands() -> None:
    at = Position(11, 31)
    assert where(JSON) == [("state 'A': Catch[1]: Next 'Z' does not exist", at)]
    with pytest.raises(DefinitionError, match=r"'Z' does not exist \(line 11, column 31\)"):
        load(JSON)


def test_a_missing_attribute_stands_where_its_object_stands() -> None:
    text = JSON.replace('"Next": "Z"', '"Next": "B"').replace('"Type": "Succeed"', "")
    assert where(text) == [("state 'B': Type is missing", Position(14, 5))]


def test_doubts_have_positions_and_are_kept_with_the_machine() -> None:
    text = JSON.replace('"Next": "Z"', '"Next": " "')
    report = explain(text)
    assert report.machine is not None
    assert report.machine.doubts == tuple(map(str, report.doubts))
    assert [(doubt.state, doubt.attribute, doubt.position) for doubt in report.doubts] == [
        ("A", "Catch[1]: Next", Position(11, 31)),
        ("A", "Catch[1]: Next", Position(11, 31)),
    ]


def test_a_report_prints_like_a_compiler() -> None:
    text = JSON.replace('"Succeed"', '"Succeed", "Next": "Z"').replace('"B"}', '" "}')
    assert list(explain(text).lines("m.json")) == [
        "m.json:11:31: error: state 'A': Catch[1]: Next 'Z' does not exist",
        "m.json:14:30: error: state 'B': Next 'Z' does not exist",
        "m.json:10:31: doubt: state 'A': Catch[0]: Next is blank and counts as missing",
        "m.json:10:31: doubt: state 'A': Catch[0]: Next is missing: the state's own Next follows",
    ]
    assert next(explain("{").lines("m.json")).startswith("m.json:1:2: error: not a JSON")
    assert list(explain({}).lines("m")) == [
        "m: error: machine: States is missing",
        "m: error: machine: StartState is missing",
        "m: doubt: machine: Name is missing: a machine is stored and started by its name",
    ]


def test_a_state_that_is_named_twice_is_refused_with_both_places() -> None:
    text = JSON.replace('"B": {"Type": "Succeed"}', '"B": {},\n    "A": {"Type": "Succeed"}')
    assert where(text) == [
        ("state 'A': is defined twice, first at line 5, column 5", Position(15, 5))
    ]


def test_every_duplicate_is_reported_once() -> None:
    text = '{"a": {"b": 1, "b": 2}, "c": [{"d": 1}, {"d": 1, "d": 2}], "a": {"b": 3}}'
    assert where(text) == [
        ("machine: c[1]: d is defined twice, first at line 1, column 42", Position(1, 50)),
        ("machine: a is defined twice, first at line 1, column 2", Position(1, 60)),
    ]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1E+400"])
def test_numbers_have_an_end(number: str) -> None:
    text = JSON.replace("[1,", f"[{number},")
    assert where(text) == [(f"state 'A': Input[0] {number} is not a JSON number", Position(8, 17))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a JSON document"),
        ("{", "not a JSON document"),
        ("{} {}", "not a JSON document: Extra data"),
        ("[]", "a JSON object"),
        ("just words", "a YAML object"),
        ("{}", "States is missing"),
        ('{"a": ' + "9" * 5000 + "}", "a number is too long"),
        (b'{"a": "\xff"}', "not a UTF-8 text"),
        ('{"a": "\udc00"}', "not a UTF-8 text"),
        ('{"a": "\\udc00"}', "a has half of a surrogate pair"),
        ('{"\\ud800": 1}', "half of a surrogate pair"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 150 + "1" + "}" * 150, "nested too deeply"),
    ],
)
def test_a_wrong_text_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        load(text)


def test_a_byte_order_mark_is_no_part_of_a_file_but_of_a_text() -> None:
    text = JSON.replace('"Z"', '"B"')
    assert load(text.encode("utf-8-sig")) == load(text) == load(text.encode())
    for marked in (f"\ufeff{text}", f"\ufeff{text}".encode("utf-8-sig")):
        with pytest.raises(DefinitionError, match="not a JSON document"):
            load(marked)


@pytest.mark.parametrize("value", [float("nan"), object(), {1: 2}, {"a", "b"}])
def test_an_object_has_only_what_json_has(value: Any) -> None:
    task = {**TASK, "Input": [value]}
    machine: dict[str, Any] = {"Name": "m", "StartState": "A", "States": {"A": task}}
    with pytest.raises(DefinitionError, match=r"state 'A': Input\[0\]"):
        load(machine)


def test_an_object_that_contains_itself_is_refused() -> None:
    machine: dict[str, Any] = {"Name": "m", "StartState": "A", "States": {"A": TASK}}
    machine["States"]["A"] = {**TASK, "Input": [machine]}
    with pytest.raises(DefinitionError, match="nested too deeply"):
        load(machine)


def test_a_text_that_is_too_long_is_refused_without_being_read(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(b" " * (10 * MAX_BYTES))
    for source in (file, " " * (MAX_BYTES + 1), "é" * (MAX_BYTES // 2 + 1)):
        with pytest.raises(DefinitionError, match=f"at most {MAX_BYTES} bytes"):
            load(source)


@pytest.mark.parametrize("write", [json.dumps, lambda value: _yaml(value)])
def test_too_many_states_are_refused_at_the_first_that_is_too_many(write: Any) -> None:
    states = {f"s{n}": {"Type": "Succeed"} for n in range(10 * MAX_STATES)}
    (error,) = explain(write({"Name": "m", "StartState": "s0", "States": states})).errors
    assert error.state == f"s{MAX_STATES}"
    assert "at most 1000 states" in error.what
    assert error.position is not None


def test_as_many_states_as_allowed_load() -> None:
    states = {f"s{n}": {**TASK, "Next": f"s{n + 1}"} for n in range(MAX_STATES - 1)}
    states[f"s{MAX_STATES - 1}"] = {"Type": "Succeed"}
    loaded = load(json.dumps({"Name": "m", "StartState": "s0", "States": states}), strict=True)
    assert len(loaded.states) == MAX_STATES


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="the file cannot be read: No such file"):
        load(tmp_path / "none.json")
    with pytest.raises(DefinitionError, match="the file cannot be read: Is a directory"):
        load(tmp_path)


def test_yaml_says_what_json_says(tmp_path: Path) -> None:
    file = tmp_path / "m.yml"
    file.write_text(YAML, encoding="utf-8")
    loaded = load(file, strict=True)
    assert shape(load(YAML)) == shape(loaded)
    task = loaded.states["A"]
    assert isinstance(task, ServiceTask)
    assert [item.evaluate(Scope(root={})) for item in task.input[1:]] == [
        {"on": "yes", "when": "2026-11-26"},
        {"octal": 10, "long": "1_000", "f": 1.5, "t": True},
    ]
    assert [entry.text for entry, _ in task.status] == ["#root != null"]


def test_a_file_is_read_as_its_name_says(tmp_path: Path) -> None:
    json_text = JSON.replace('"Z"', '"B"')
    for name, text in (("m.yaml", json_text), ("m.json", json_text), ("m", YAML), ("n", json_text)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert list(load(tmp_path / name).states) == ["A", "B"]
    (tmp_path / "y.json").write_text(YAML, encoding="utf-8")
    with pytest.raises(DefinitionError, match="not a JSON document"):
        load(tmp_path / "y.json")


def test_errors_in_yaml_stand_where_their_attributes_stand() -> None:
    assert where(YAML.replace("Next: B", "Next: Z")) == [
        ("state 'A': Catch[0]: Next 'Z' does not exist", Position(15, 9))
    ]
    assert where(YAML.replace("Name: m", "Name: m\nVersion: 1.0")) == [
        ("machine: Version must be a string, not 1.0", Position(3, 1))
    ]


def test_an_alias_repeats_what_is_anchored() -> None:
    text = YAML.replace("Output: {all: $.#root}", "Retry: &again [{MaxAttempts: 2}]").replace(
        "  B: {Type: Succeed}",
        "  B: {Type: ServiceTask, ServiceName: s, ServiceMethod: m, Retry: *again}",
    )
    loaded = load(text, strict=True)
    assert loaded.task("B").retry == loaded.task("A").retry != ()


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "more than 100000 values, aliases unfolded"),
        ("a: &a [*a]", r"\*a contains itself \(line 1, column 8\)"),
        ("a: &a {b: *a}", r"\*a contains itself"),
        ("a: *b", r"\*b is not anchored above"),
        ("a: 1\nb: 2\na: 3", r"a is defined twice, first at line 1, column 1 \(line 3, column 1"),
        ("a: !!python/object:os.system x", "tag 'tag:yaml.org,2002:python/object:os.system'"),
        ("a: !own {b: 1}", "tag '!own'"),
        ("a: !!set {b}", "tag 'tag:yaml.org,2002:set'"),
        ("!own a: 1", "tag '!own'"),
        ("a: !!int x", "not of its tag"),
        ("a: .inf", "not a finite number"),
        ("a: -.INF", "not a finite number"),
        ("a: .nan", "not a finite number"),
        ("a: 1e999", "not a finite number"),
        ("a: " + "9" * 5000, "is a number that is too long"),
        ("a: &b {c: 1}\nd: {<<: *b}", r"merge keys \(<<\) are not part of YAML 1.2"),
        ("[a]: 1\n", "JSON"),
        ("? [a]\n: 1\n", "a key must be a string"),
        ("--- {a: 1}\n--- {a: 1}\n", r"a second begins \(line 2, column 1\)"),
        ("a: [1\nb: 2", r"not a YAML document: .* \(line 2, column 2\)"),
        ("a: b: c", "not a YAML document"),
        ("a: \x07", "not a YAML document"),
        ("a: " + "[" * 100_000, "nested too deeply"),
        ("\n".join(" " * depth + "a:" for depth in range(200)), "nested too deeply"),
        (
            "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 120)),
            "nested too deeply",
        ),
    ],
)
def test_yaml_that_could_surprise_is_refused(text: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        load(text)


def test_tags_of_yaml_itself_say_what_a_word_is() -> None:
    text = YAML.replace("Name: m", "Name: !!str 1.0\nVersion: ! 2\nIsPersist: !!bool false")
    loaded = load(text)
    assert (loaded.name, loaded.version, loaded.persist) == ("1.0", "2", False)


def _yaml(value: dict[str, Any]) -> str:
    states = "".join(f"  {name}: {{Type: Succeed}}\n" for name in value["States"])
    return f"Name: {value['Name']}\nStartState: {value['StartState']}\nStates:\n{states}"
