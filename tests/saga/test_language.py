"""Definitions: what loads, and what is refused with the state and the attribute named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.saga.demo import SEATA

from kessai.saga import DefinitionError, load

TASK = {"Type": "ServiceTask", "ServiceName": "s", "ServiceMethod": "m"}


def machine(**states: dict[str, Any]) -> dict[str, Any]:
    return {"Name": "m", "StartState": "A", "States": {"A": TASK, **states}}


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ({"A": {"Type": "Nonsense"}}, "state 'A': Type 'Nonsense' is unknown"),
        ({"A": {}}, "state 'A': Type is missing"),
        ({"A": {"Type": "ScriptTask"}}, "state 'A': Type ScriptTask is not supported"),
        ({"A": {"Type": "SubStateMachine"}}, "Type SubStateMachine is not supported"),
        ({"A": {"Type": "CompensateSubMachine"}}, "Type CompensateSubMachine is not supported"),
        ({"A": {**TASK, "Loop": {"Parallel": 1}}}, "state 'A': Loop of a ServiceTask is not"),
        ({"A": {**TASK, "IsAsync": True}}, "state 'A': IsAsync of a ServiceTask is not"),
        ({"A": {"Type": "ServiceTask", "ServiceName": "s"}}, "state 'A': ServiceMethod is missing"),
        ({"A": {**TASK, "Next": "Z"}}, "state 'A': Next 'Z' does not exist"),
        ({"A": {**TASK, "Input": "x"}}, "state 'A': Input must be an array"),
        ({"A": {**TASK, "Input": ["$.[a"]}}, r"state 'A': Input has a wrong expression: .*end"),
        ({"A": {**TASK, "Input": [{"k": ["$.=="]}]}}, "state 'A': Input has a wrong expression"),
        ({"A": {**TASK, "Output": {"r": "$.)"}}}, "state 'A': Output 'r' has a wrong expression"),
        ({"A": {**TASK, "Status": {"[a": "SU"}}}, "state 'A': Status has a wrong expression"),
        ({"A": {**TASK, "Retry": [{}]}}, r"state 'A': Retry\[0\]: MaxAttempts must be a whole"),
        ({"A": {**TASK, "Retry": [{"MaxAttempts": 1.5}]}}, r"Retry\[0\]: MaxAttempts must be"),
        (
            {"A": {**TASK, "Catch": [{"Exceptions": ["x"], "Next": "Z"}]}},
            r"state 'A': Catch\[0\]: Next 'Z' does not exist",
        ),
        ({"A": {**TASK, "Extensions": {"TimeoutSeconds": "1"}}}, "TimeoutSeconds must be a number"),
        ({"A": {"Type": "Choice"}}, "state 'A': Choices must be an array"),
        ({"A": {"Type": "Fail", "ErrorCode": 500}}, "state 'A': ErrorCode must be a string"),
        (
            {"A": {**TASK, "Next": "B"}, "B": {**TASK, "Next": "A"}},
            "states 'A', 'B': Next makes a cycle without an end",
        ),
    ],
)
def test_a_wrong_state_is_refused_by_name_and_attribute(
    states: dict[str, Any], message: str
) -> None:
    with pytest.raises(DefinitionError, match=message):
        load(machine(**states))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a JSON document"),
        ("[]", "a JSON object"),
        ("{}", "States is missing"),
        ('{"Name":"m","StartState":"A","States":{"A":{},"A":{}}}', "'A' is defined twice"),
        ('{"Name":"m","States":{"A":{"Type":"Succeed"}}}', "StartState is missing"),
        ('{"Name":"m","StartState":"B","States":{"A":{"Type":"Succeed"}}}', "'B' does not exist"),
        (" " * 1_000_001, "at most 1000000 bytes"),
        ("[" * 100_000, "not a JSON document"),
    ],
)
def test_a_wrong_document_is_refused(text: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        load(text)


def test_too_many_states_are_refused() -> None:
    with pytest.raises(DefinitionError, match="more than 1000"):
        load(machine(**{f"s{n}": TASK for n in range(1000)}))


@pytest.mark.parametrize(
    ("states", "doubt"),
    [
        ({"A": {**TASK, "Next": "A"}}, "state 'A': Next leads to itself"),
        ({"U": TASK}, "state 'U': cannot be reached"),
        ({"A": {**TASK, "CompensateState": "C"}}, "CompensateState 'C' is not a ServiceTask"),
        ({"A": {**TASK, "Status": {"#root": "XX"}}}, "has no status 'XX'"),
    ],
)
def test_a_doubt_is_a_warning_and_strictly_an_error(states: dict[str, Any], doubt: str) -> None:
    definition = machine(**states)
    assert any(doubt in warning for warning in load(definition).warnings)
    with pytest.raises(DefinitionError, match=doubt):
        load(definition, strict=True)


def test_a_cycle_with_an_exit_is_accepted() -> None:
    choice = {
        "Type": "Choice",
        "Choices": [{"Expression": "[again] == true", "Next": "A"}],
        "Default": "End",
    }
    loaded = load(machine(A={**TASK, "Next": "B"}, B=choice, End={"Type": "Succeed"}), strict=True)
    assert list(loaded.states) == ["A", "B", "End"]


def test_a_state_with_an_undo_is_an_update_and_its_target_a_compensation() -> None:
    loaded = load(machine(A={**TASK, "CompensateState": "C"}, C=TASK), strict=True)
    first, undo = loaded.states.values()
    assert (first.for_update, undo.for_compensation) == (True, True)  # type: ignore[union-attr]


def test_unknown_attributes_and_layout_are_ignored(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    styled = {**TASK, "style": {"bounds": {"x": 1}}, "Whatever": 3, "Extensions": {"k": 1}}
    file.write_text(json.dumps({**machine(A=styled), "style": {}}), encoding="utf-8")
    assert load(file).name == "m"


# Recorded, and decided otherwise: a machine is stored and started by its name, so it needs one.
OURS = ("noName",)


def recorded() -> list[dict[str, Any]]:
    path = SEATA / "parsing.json"
    return json.loads(path.read_text(encoding="utf-8"))["cases"] if path.is_file() else []


@pytest.mark.skipif(not recorded(), reason="Seata's definitions are not beside the repository")
@pytest.mark.parametrize(
    "case", [c for c in recorded() if c["id"] not in OURS], ids=lambda case: case["id"]
)
def test_a_recorded_definition_is_accepted_or_refused_as_in_java(case: dict[str, Any]) -> None:
    if case["ok"]:
        assert list(load(case["json"]).states) == case["states"]
    else:
        with pytest.raises(DefinitionError):
            load(case["json"])
