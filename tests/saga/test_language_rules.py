"""Rules that refuse a machine, and doubts that only make an author look twice."""

from __future__ import annotations

from typing import Any

import pytest

from kessai.saga.language import DefinitionError, check_machines, load

TASK = {"Type": "ServiceTask", "ServiceName": "s", "ServiceMethod": "m"}
SCRIPT = {"Type": "ScriptTask", "ScriptContent": "x + y"}
SUB = {"Type": "SubStateMachine", "StateMachineName": "other"}
END = {"Type": "Succeed"}
TRIGGER = {"Type": "CompensationTrigger"}


def choice(*targets: str, **attributes: Any) -> dict[str, Any]:
    entries = [{"Expression": f"[a] == {at}", "Next": target} for at, target in enumerate(targets)]
    return {"Type": "Choice", "Choices": entries, **attributes}


def to(target: str, **attributes: Any) -> dict[str, Any]:
    return {**TASK, "Next": target, **attributes}


def catching(target: str, **attributes: Any) -> dict[str, Any]:
    return {**TASK, "Catch": [{"Exceptions": ["x"], "Next": target}], **attributes}


def machine(**states: Any) -> dict[str, Any]:
    return {"Name": "m", "StartState": "A", "States": {"A": TASK, **states}}


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ({"A": to("Z")}, "state 'A': Next 'Z' does not exist"),
        ({"A": {**SCRIPT, "Next": "Z"}}, "state 'A': Next 'Z' does not exist"),
        ({"A": {**SUB, "Next": "Z"}}, "state 'A': Next 'Z' does not exist"),
        ({"A": {**END, "Next": "Z"}}, "state 'A': Next 'Z' does not exist"),
        ({"A": {"Type": "Fail", "Next": "Z"}}, "state 'A': Next 'Z' does not exist"),
        ({"A": {**TRIGGER, "Next": "Z"}}, "state 'A': Next 'Z' does not exist"),
        ({"A": catching("Z")}, r"state 'A': Catch\[0\]: Next 'Z' does not exist"),
        ({"A": choice("A", "Z")}, r"state 'A': Choices\[1\]: Next 'Z' does not exist"),
        ({"A": choice(Default="Z")}, "state 'A': Default 'Z' does not exist"),
        ({"A": choice(Next="Z")}, "state 'A': Next 'Z' does not exist"),
        ({"U": to("Z")}, "state 'U': Next 'Z' does not exist"),
        ({"A": to("B"), "B": to("A")}, "state 'A': a cycle without an end: 'A', 'B'"),
        (
            {"A": to("B"), "B": to("C"), "C": to("D"), "D": to("B")},
            "a cycle without an end: 'B', 'C', 'D'",
        ),
        (
            {"A": to("B"), "B": choice("A", "C", Default="A"), "C": to("A")},
            "a cycle without an end: 'A', 'B', 'C'",
        ),
        ({"A": to("B"), "B": {**END, "Next": "A"}}, "a cycle without an end: 'A', 'B'"),
        ({"A": to("B"), "B": to("B")}, "state 'B': follows itself"),
        ({"A": to("B"), "B": choice("B", Default="C"), "C": END}, "state 'B': follows itself"),
        ({"A": to("B"), "B": catching("B", Next="C"), "C": END}, "state 'B': follows itself"),
        ({"A": {**SUB, "StateMachineName": "m"}}, "StateMachineName is the machine itself"),
        ({"U": {**SUB, "StateMachineName": "m"}}, "StateMachineName is the machine itself"),
    ],
)
def test_a_machine_that_cannot_end_or_leads_nowhere_is_refused(
    states: dict[str, Any], message: str
) -> None:
    with pytest.raises(DefinitionError, match=message):
        load(machine(**states))


def test_a_machine_without_a_name_may_call_no_other() -> None:
    nameless: dict[str, Any] = {"StartState": "A", "States": {"A": TASK}}
    assert load(nameless).name == ""
    with pytest.raises(DefinitionError, match="Name is missing, and the machine calls another"):
        load({"StartState": "A", "States": {"A": SUB}})


@pytest.mark.parametrize(
    "states",
    [
        {"A": to("B"), "B": choice("A", Default="End"), "End": END},
        {"A": to("B"), "B": catching("End", Next="A"), "End": END},
        {"A": to("B"), "B": to("C"), "C": choice("B", "A", "D", Default="A"), "D": TASK},
        # Two cycles that share a state, of which one has a way out.
        {"A": to("B"), "B": choice("C", "D", Default="D"), "C": to("B"), "D": choice("B", "E")}
        | {"E": END},
    ],
)
def test_a_cycle_with_a_way_out_is_accepted(states: dict[str, Any]) -> None:
    assert list(load(machine(**states)).states) == list(states)


@pytest.mark.parametrize(
    ("states", "doubts"),
    [
        ({"A": to("A")}, ["'A': follows itself"]),
        (
            {"U": to("V"), "V": to("U")},
            ["'U': cannot be reached", "'V': cannot be reached"],
        ),
        ({"A": to("B"), "B": END, "U": to("U")}, ["'U': follows itself", "'U': cannot be reached"]),
        (
            {"U": {**TASK, "IsForCompensation": True}},
            ["'U': no state names it as its CompensateState"],
        ),
        (
            {"A": {**TASK, "CompensateState": "C"}},
            ["'A': CompensateState 'C' does not exist"],
        ),
        (
            {"A": {**TASK, "CompensateState": "C"}, "C": END},
            ["'A': CompensateState 'C' is no task, so it cannot undo anything"],
        ),
        ({"A": {**TASK, "CompensateState": "A"}}, ["'A': CompensateState is the state itself"]),
        (
            {"A": {**TASK, "CompensateState": "C"}, "C": {"Type": "CompensateSubMachine"}},
            ["'A': CompensateState 'C' compensates machines, and this state starts none"],
        ),
        (
            {"A": {**catching("T"), "IsForUpdate": True}, "T": TRIGGER},
            ["'A': IsForUpdate but no CompensateState: no compensation can begin after it"],
        ),
        (
            {"A": choice("B"), "B": END},
            ["'A': has no Default: the machine fails when no entry matches"],
        ),
        (
            {"A": choice("C", Next="B"), "B": END, "C": END},
            ["'C': cannot be reached", "'A': Next wins over every entry of Choices"],
        ),
        (
            {"A": {**END, "Next": "B"}, "B": END},
            ["'B': cannot be reached", "'A': Next has no effect: the machine ends here"],
        ),
        ({"A": {**TASK, "Status": {"#root": "XX"}}}, ["'A': Status '#root' 'XX' is no status"]),
        ({"A": {**TASK, "Status": {"#root": "RU"}}}, ["'A': Status '#root' 'RU' is no status"]),
        ({"A": {**TASK, "Status": {"#root": 5}}}, ["'A': Status '#root' 5 is no status"]),
        ({"A": {**TASK, "Status": {"'SU'": "SU"}}}, ["\"'SU'\" can never be true"]),
        ({"A": {**TASK, "Status": {"1": "SU"}}}, ["'1' can never be true"]),
        ({"A": {**TASK, "Status": {"#root.size()": "SU"}}}, ["'#root.size()' can never be true"]),
        ({"A": {**TASK, "Status": {"$Sequence.A|B": "SU"}}}, ["can never be true"]),
        (
            {"A": {"Type": "Choice", "Choices": [{"Expression": "false", "Next": "B"}]}}
            | {"B": {**END}},
            ["'A': Choices[0]: Expression 'false' can never be true", "'A': has no Default"],
        ),
        ({"A": {**SCRIPT, "Retry": [{"MaxAttempts": 1}]}}, ["'A': Retry has no effect: only a"]),
        ({"A": {**SUB, "Retry": [{"MaxAttempts": 1}]}}, ["'A': Retry has no effect: only a"]),
        ({"A": {**SCRIPT, "Status": {"true": "SU"}}}, ["'A': Status has no effect: a script"]),
        (
            {"A": {**SCRIPT, "CompensateState": "B"}, "B": TASK},
            ["'A': CompensateState has no effect: a script"],
        ),
        (
            {"A": {**TASK, "IsAsync": True, "Output": {"x": 1}, "Status": {"true": "SU"}}},
            ["'A': Output has no effect: nobody waits", "'A': Status has no effect: nobody waits"],
        ),
        ({"A": {**TASK, "Retry": [{"MaxAttempts": 0}]}}, ["MaxAttempts is below 1"]),
        (
            {"A": {**TASK, "Retry": [{"MaxAttempts": 1, "IntervalSeconds": -1}]}},
            ["IntervalSeconds is negative and counts as 0"],
        ),
        (
            {"A": {**TASK, "Retry": [{"MaxAttempts": 1, "Exceptions": ["x", 3]}]}},
            ["Exceptions[1] is not a string and is left out"],
        ),
        (
            {"A": {**TASK, "Loop": {"Parallel": 0, "Collection": "$.[a]"}}},
            ["Loop: Parallel is 0 and counts as 1"],
        ),
        (
            {"A": {**TASK, "Loop": {"Parallel": "many", "Collection": "$.[a]"}}},
            ["Loop: Parallel counts as 1: it must be a whole number"],
        ),
        ({"A": {**TASK, "Loop": {"Parallel": 1}}}, ["Loop: Collection is not an expression"]),
        (
            {
                "A": {
                    **TASK,
                    "Loop": {"Parallel": 1, "Collection": "$.[a]", "ElementIndexName": None},
                }
            },
            ["Loop: ElementIndexName is null and counts as 'loopCounter'"],
        ),
        (
            {"A": {**SUB, "CompensateState": "C"}}
            | {
                "C": {
                    "Type": "CompensateSubMachine",
                    "Loop": {"Parallel": 1, "Collection": "$.[a]"},
                }
            },
            ["'C': Loop has no effect: a CompensateSubMachine runs once"],
        ),
        ({"A": {**TASK, "IsPersist": "false"}}, ["'A': IsPersist has no effect: it must be true"]),
        (
            {"A": {**TASK, "Extensions": {"TimeoutSeconds": "1"}}},
            ["'A': Extensions: TimeoutSeconds has no effect"],
        ),
        ({"A": {**TASK, "Extensions": {"TimeoutSeconds": 0}}}, ["TimeoutSeconds has no effect"]),
        ({"A": {"Type": "ServiceTask"}}, ["ServiceName is missing", "ServiceMethod is missing"]),
        ({"A": {"Type": "ScriptTask"}}, ["ScriptContent is missing: the state fails"]),
        ({"A": {"Type": "SubStateMachine"}}, ["StateMachineName is missing: the state fails"]),
        ({"A": {**TASK, "Next": ""}}, ["'A': Next is blank and counts as missing"]),
        (
            {"A": to("B", CompensationState="B"), "B": TASK},
            ["CompensationState is unknown and ignored: CompensateState is meant?"],
        ),
        (
            {"A": to("B", compensatestate="B"), "B": TASK},
            ["compensatestate is unknown and ignored: CompensateState is meant?"],
        ),
        (
            {"A": {**TASK, "Retry": [{"MaxAttempts": 1, "Exception": ["x"]}]}},
            ["Retry[0]: Exception is unknown and ignored: Exceptions is meant?"],
        ),
    ],
)
def test_a_doubt_loads_and_is_refused_only_strictly(
    states: dict[str, Any], doubts: list[str]
) -> None:
    found = load(machine(**states)).doubts
    assert len(found) == len(doubts)
    for doubt, expected in zip(found, doubts, strict=True):
        assert expected in doubt
    with pytest.raises(DefinitionError) as refused:
        load(machine(**states), strict=True)
    assert [str(finding) for finding in refused.value.findings] == list(found)


@pytest.mark.parametrize(
    ("attributes", "doubt"),
    [
        ({"Name": None}, "machine: Name is missing"),
        ({"Extensions": 1}, "machine: Extensions has no effect"),
        ({"Extensions": {"TimeoutSeconds": -1}}, "Extensions: TimeoutSeconds has no effect"),
        ({"IsPersist": 0}, "machine: IsPersist has no effect"),
        ({"IsRetryPersistModeUpdate": "true"}, "IsRetryPersistModeUpdate has no effect"),
        ({"RecoveryStrategy": "Forward"}, "RecoverStrategy is meant?"),
    ],
)
def test_a_machine_may_be_doubted(attributes: dict[str, Any], doubt: str) -> None:
    (found,) = load({**machine(), **attributes}).doubts
    assert doubt in found


def test_a_well_made_machine_is_not_doubted() -> None:
    states = {
        "A": {
            **TASK,
            "Next": "B",
            "CompensateState": "UndoA",
            "Status": {"#root == true": "SU", "$Exception{x}": "UN", "[a].size() > 1": "FA"},
            "Catch": [{"Exceptions": ["x"], "Next": "T"}],
        },
        "B": {**SUB, "Next": "C", "Loop": {"Parallel": 2, "Collection": "$.[items]"}},
        "C": choice("D", Default="F"),
        "D": {**SCRIPT, "Next": "End"},
        "End": END,
        "UndoA": {**TASK, "IsForUpdate": True},
        "T": {**TRIGGER, "Next": "F"},
        "F": {"Type": "Fail", "ErrorCode": "x", "Message": "y"},
    }
    assert load(machine(**states), strict=True).doubts == ()


def calling(name: str, *others: str) -> Any:
    states: dict[str, Any] = {"A": TASK}
    for at, other in enumerate(others):
        states[f"S{at}"] = {"Type": "SubStateMachine", "StateMachineName": other}
    return load({"Name": name, "StartState": "A", "States": states})


def test_machines_that_call_one_another_in_a_circle_are_refused() -> None:
    circle = [calling("a", "b"), calling("b", "c"), calling("c", "a"), calling("d", "a")]
    with pytest.raises(DefinitionError, match="without end: 'a', 'b', 'c'"):
        check_machines(circle)
    with pytest.raises(DefinitionError, match="without end: 'a', 'b'"):
        check_machines([calling("a", "x"), calling("a", "b"), calling("b", "a")])


def test_machines_that_call_without_circles_are_accepted() -> None:
    assert check_machines([calling("a", "b", "c"), calling("b", "c"), calling("c")]) == ()
    assert check_machines([]) == ()


def test_a_machine_that_is_not_there_is_doubtful() -> None:
    assert check_machines([calling("a", "b", "z"), calling("b")]) == (
        "machine 'a': state 'S1': StateMachineName 'z' is not among the machines",
    )
