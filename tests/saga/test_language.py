"""Definitions: what loads, as what, and what is refused with the state and the attribute named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kessai.saga.expression import ExpressionError, Scope
from kessai.saga.language import (
    Branch,
    Catch,
    Choice,
    CompensateSubMachine,
    CompensationTrigger,
    DefinitionError,
    Fail,
    Loop,
    Machine,
    Retry,
    ScriptTask,
    ServiceTask,
    SubStateMachine,
    Succeed,
    Task,
    explain,
    load,
)

TASK = {"Type": "ServiceTask", "ServiceName": "s", "ServiceMethod": "m"}
SCRIPT = {"Type": "ScriptTask", "ScriptContent": "x + y"}
SUB = {"Type": "SubStateMachine", "StateMachineName": "other"}


def machine(**states: Any) -> dict[str, Any]:
    return {"Name": "m", "StartState": "A", "States": {"A": TASK, **states}}


def one(**attributes: Any) -> ServiceTask:
    task = load(machine(A={**TASK, **attributes})).states["A"]
    assert isinstance(task, ServiceTask)
    return task


def test_a_service_task_has_all_its_attributes() -> None:
    loaded = load(
        machine(
            A={
                **TASK,
                "Comment": "said",
                "Next": "B",
                "ServiceType": "http",
                "ParameterTypes": ["int", "java.lang.String"],
                "IsForUpdate": True,
                "IsPersist": False,
                "IsAsync": True,
                "IsRetryPersistModeUpdate": True,
                "IsCompensatePersistModeUpdate": False,
                "Retry": [
                    {
                        "Exceptions": ["java.lang.Exception"],
                        "IntervalSeconds": 1.5,
                        "MaxAttempts": 3,
                        "BackoffRate": 2,
                    },
                    {"MaxAttempts": 1},
                ],
                "Catch": [{"Exceptions": ["a.B", "c.D"], "Next": "End"}],
                "Extensions": {"TimeoutSeconds": 2.5, "own": [1]},
            },
            B=TASK,
            End={"Type": "Succeed"},
        )
    )
    assert loaded.states["A"] == ServiceTask(
        name="A",
        next="B",
        service="s",
        method="m",
        service_type="http",
        parameter_types=("int", "java.lang.String"),
        is_async=True,
        for_update=True,
        persist=False,
        retry_updates=True,
        compensation_updates=False,
        retry=(
            Retry(("java.lang.Exception",), 1.5, 2.0, 3),
            Retry((), 0, 0, 1),
        ),
        catch=(Catch(("a.B", "c.D"), "End"),),
        timeout_s=2.5,
    )
    assert loaded.states["B"] == ServiceTask(name="B", service="s", method="m")


def test_a_machine_has_all_its_attributes() -> None:
    loaded = load(
        {
            **machine(),
            "Comment": "said",
            "Version": "0.1",
            "RecoverStrategy": "Forward",
            "IsPersist": False,
            "IsRetryPersistModeUpdate": False,
            "IsCompensatePersistModeUpdate": True,
            "Extensions": {"TimeoutSeconds": 60},
            "Whatever": 1,
        },
        strict=True,
    )
    assert loaded == Machine(
        name="m",
        comment="said",
        version="0.1",
        start_state="A",
        states={"A": ServiceTask(name="A", service="s", method="m")},
        recover_forward=True,
        persist=False,
        retry_updates=False,
        compensation_updates=True,
        timeout_s=60.0,
    )


def test_what_is_left_out_has_seatas_defaults() -> None:
    loaded = load(machine())
    assert (loaded.version, loaded.recover_forward, loaded.persist) == ("", False, True)
    assert (loaded.retry_updates, loaded.compensation_updates, loaded.timeout_s) == (None,) * 3


def test_input_output_and_status_keep_their_order_and_nesting() -> None:
    task = one(
        Input=["$.[a]", {"k": ["$.[b]", "plain", 3, None]}, "[a]"],
        Output={"z": "$.#root", "a": 1},
        Status={"#root == null": "FA", "$Exception{x.Y}": "UN", "true": "SU"},
    )
    scope = Scope(root={"a": 1, "b": None})
    assert [item.evaluate(scope) for item in task.input] == [
        1,
        {"k": [None, "plain", 3, None]},
        "[a]",
    ]
    assert [name for name, _ in task.output] == ["z", "a"]
    assert [(entry.text, status) for entry, status in task.status] == [
        ("#root == null", "FA"),
        ("$Exception{x.Y}", "UN"),
        ("true", "SU"),
    ]


def test_a_loop_has_seatas_defaults() -> None:
    loop = one(Loop={"Parallel": 2, "Collection": "$.[items]"}).loop
    assert isinstance(loop, Loop)
    assert (loop.parallel, loop.element_name, loop.index_name) == (2, "loopElement", "loopCounter")
    assert loop.collection is not None
    assert loop.collection.text == "$.[items]"
    assert loop.condition.text == "[nrOfInstances] == [nrOfCompletedInstances]"


def test_a_loop_keeps_its_own_names() -> None:
    loop = one(
        Loop={
            "Parallel": "3",
            "Collection": "$.[items]",
            "ElementVariableName": "e",
            "ElementIndexName": "i",
            "CompletionCondition": "[nrOfCompletedInstances] > 1",
        }
    ).loop
    assert loop is not None
    assert (loop.parallel, loop.element_name, loop.index_name) == (3, "e", "i")
    assert loop.condition.text == "[nrOfCompletedInstances] > 1"


@pytest.mark.parametrize(
    ("parallel", "counts_as"),
    [
        *[("3", 3), ("+3", 3), ("３", 3), (" 3", 1), ("x", 1), ("1_0", 1), (str(2**31), 1)],
        *[(2**31 - 1, 2**31 - 1), (2**31, 1), (0, 1), (-2, 1)],
        *[(1.5, 1), (3.0, 1), (True, 1), ([], 1)],
    ],
)
def test_parallel_is_read_as_java_reads_a_number(parallel: Any, counts_as: int) -> None:
    loop = one(Loop={"Parallel": parallel, "Collection": "$.[items]"}).loop
    assert loop is not None
    assert loop.parallel == counts_as


def test_a_collection_that_is_no_expression_makes_no_loop() -> None:
    for collection in ("items", "[items]", "", None):
        loop = one(Loop={"Parallel": 1, "Collection": collection}).loop
        assert loop is not None
        assert loop.collection is None


def test_a_choice_has_branches_in_order_and_a_default() -> None:
    choice = load(
        machine(
            A={
                "Type": "Choice",
                "Choices": [
                    {"Expression": "[a] == 1", "Next": "B"},
                    {"Expression": "[a] == 2", "Next": "A"},
                ],
                "Default": "B",
            },
            B={"Type": "Succeed"},
        )
    ).states["A"]
    assert isinstance(choice, Choice)
    branches = [(branch.expression.text, branch.next) for branch in choice.branches]
    assert branches == [("[a] == 1", "B"), ("[a] == 2", "A")]
    assert choice.default == "B"


def test_ends_and_triggers() -> None:
    loaded = load(
        machine(
            T={"Type": "CompensationTrigger", "Next": "F"},
            F={"Type": "Fail", "ErrorCode": "E1", "Message": "no"},
            S={"Type": "Succeed"},
        )
    )
    assert loaded.states["T"] == CompensationTrigger("T", "F")
    assert loaded.states["F"] == Fail("F", "E1", "no")
    assert loaded.states["S"] == Succeed("S")


def test_a_state_with_an_undo_is_an_update_and_its_target_a_compensation() -> None:
    loaded = load(machine(A={**TASK, "CompensateState": "C"}, C=TASK), strict=True)
    assert loaded.task("A") == ServiceTask(
        name="A", service="s", method="m", compensate_state="C", for_update=True
    )
    assert loaded.task("C").for_compensation


def test_a_sub_machine_is_an_update_and_undoes_itself_unless_told_how() -> None:
    loaded = load(
        machine(
            A={**SUB, "Next": "B"},
            B={**SUB, "CompensateState": "C"},
            C={"Type": "CompensateSubMachine", "Input": [{"x": "$.[a]"}]},
        ),
        strict=True,
    )
    first, second, undo = loaded.states.values()
    assert isinstance(first, SubStateMachine)
    assert isinstance(second, SubStateMachine)
    assert isinstance(undo, CompensateSubMachine)
    assert (first.machine, first.for_update, first.compensate_state) == ("other", True, None)
    assert (second.for_update, second.compensate_state) == (True, "C")
    assert undo.for_compensation


def test_a_script_never_leaves_a_step() -> None:
    script = load(
        machine(
            A={**SCRIPT, "IsForUpdate": True, "IsForCompensation": True, "CompensateState": "B"},
            B={**SCRIPT, "ScriptType": "groovy"},
        )
    ).states["A"]
    assert isinstance(script, ScriptTask)
    assert (script.for_update, script.for_compensation, script.persist) == (False, False, False)


def test_flags_count_only_as_true_and_false() -> None:
    odd = one(IsPersist="false", IsForUpdate="true", IsForCompensation=1, IsAsync="yes")
    assert (odd.persist, odd.for_update, odd.for_compensation, odd.is_async) == (
        True,
        False,
        False,
        False,
    )
    assert one(IsRetryPersistModeUpdate="true").retry_updates is None


def test_blank_names_count_as_missing() -> None:
    task = one(Next=" ", CompensateState="")
    assert (task.next, task.compensate_state, task.for_update) == (None, None, False)


def test_numbers_of_a_retry_that_are_none_are_zero() -> None:
    (retry,) = one(Retry=[{"MaxAttempts": 2, "IntervalSeconds": "x", "BackoffRate": True}]).retry
    assert retry == Retry((), 0, 0, 2)


def test_a_retry_never_waits_less_than_nothing_or_for_ever() -> None:
    (retry,) = one(Retry=[{"MaxAttempts": 1, "IntervalSeconds": -2, "BackoffRate": 10**400}]).retry
    assert retry == Retry((), 0, 1e9, 1)


def test_a_catch_without_next_leads_on_and_one_that_leads_nowhere_is_left_out() -> None:
    entry = {"Exceptions": ["a.B"]}
    loaded = load(machine(A={**TASK, "Catch": [entry], "Next": "B"}, B={**TASK, "Catch": [entry]}))
    assert loaded.task("A").catch == (Catch(("a.B",), "B"),)
    assert loaded.task("B").catch == ()


def test_a_choice_without_expression_fails_where_it_is_asked() -> None:
    choice = load(machine(A={"Type": "Choice", "Choices": [{}], "Default": "A"})).states["A"]
    assert isinstance(choice, Choice)
    (branch,) = choice.branches
    assert branch.next is None
    with pytest.raises(ExpressionError):
        branch.expression.holds(Scope(root={}))


@pytest.mark.parametrize("expression", [{}, {"Expression": ""}, {"Expression": None}])
def test_the_designers_second_copy_of_the_default_is_no_branch(expression: dict[str, Any]) -> None:
    entry = {**expression, "Next": "B"}
    choices = [{"Expression": "[a] == 1", "Next": "B"}, entry]
    choice = load(
        machine(A={"Type": "Choice", "Choices": choices, "Default": "B"}, B=TASK), strict=True
    ).states["A"]
    assert isinstance(choice, Choice)
    assert [type(branch) for branch in choice.branches] == [Branch]


def test_unknown_attributes_are_ignored(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    odd = {**TASK, "Whatever": 3, "style": {"bounds": {"x": 1}}, "Extensions": {"k": 1}}
    file.write_text(json.dumps({**machine(A=odd), "style": {}}), encoding="utf-8")
    assert load(file, strict=True) == load(machine())


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ({"A": {"Type": "Nonsense"}}, "state 'A': Type 'Nonsense' is unknown"),
        ({"A": {"Type": "LoopStart"}}, "state 'A': Type 'LoopStart' is unknown"),
        ({"A": {}}, "state 'A': Type is missing"),
        ({"A": {"Type": 3}}, "state 'A': Type must be a string, not 3"),
        ({"A": None}, "state 'A': must be an object"),
        ({"A": {**TASK, "ServiceName": {}}}, "ServiceName must be a string, not an object"),
        ({"A": {**TASK, "Next": 1}}, "state 'A': Next must be a string, not 1"),
        ({"A": {**TASK, "Comment": True}}, "state 'A': Comment must be a string, not true"),
        ({"A": {**TASK, "ParameterTypes": "int"}}, "ParameterTypes must be an array, not a string"),
        ({"A": {**TASK, "Input": "x"}}, "state 'A': Input must be an array, not a string"),
        ({"A": {**TASK, "Output": ["x"]}}, "state 'A': Output must be an object, not an array"),
        ({"A": {**TASK, "Status": "SU"}}, "state 'A': Status must be an object, not a string"),
        ({"A": {**TASK, "Extensions": []}}, "state 'A': Extensions must be an object"),
        ({"A": {**TASK, "Input": ["$.[a"]}}, r"state 'A': Input\[0\] has a wrong expression"),
        ({"A": {**TASK, "Input": ["$"]}}, r"state 'A': Input\[0\] has a wrong expression"),
        (
            {"A": {**TASK, "Input": [{"k": ["$.=="]}]}},
            r"Input\[0\] 'k'\[0\] has a wrong expression",
        ),
        ({"A": {**TASK, "Output": {"r": "$.)"}}}, "state 'A': Output 'r' has a wrong expression"),
        ({"A": {**TASK, "Status": {"[a": "SU"}}}, r"state 'A': Status '\[a' has a wrong"),
        ({"A": {**TASK, "Retry": {}}}, "state 'A': Retry must be an array"),
        ({"A": {**TASK, "Retry": [None]}}, r"state 'A': Retry\[0\] must be an object"),
        ({"A": {**TASK, "Retry": [{}]}}, r"state 'A': Retry\[0\]: MaxAttempts is missing"),
        ({"A": {**TASK, "Retry": [{"MaxAttempts": 1.5}]}}, "MaxAttempts must be a whole number"),
        ({"A": {**TASK, "Retry": [{"MaxAttempts": "1"}]}}, "MaxAttempts must be a whole number"),
        ({"A": {**TASK, "Retry": [{"MaxAttempts": 2**31}]}}, "MaxAttempts must be a whole number"),
        ({"A": {**TASK, "Retry": [{"MaxAttempts": True}]}}, "MaxAttempts must be a whole number"),
        (
            {"A": {**TASK, "Retry": [{"MaxAttempts": 1, "Exceptions": "x"}]}},
            r"state 'A': Retry\[0\]: Exceptions must be an array",
        ),
        ({"A": {**TASK, "Catch": ["x"]}}, r"state 'A': Catch\[0\] must be an object"),
        ({"A": {**TASK, "Catch": [{"Next": []}]}}, r"Catch\[0\]: Next must be a string, not an"),
        ({"A": {**TASK, "Loop": []}}, "state 'A': Loop must be an object"),
        ({"A": {**TASK, "Loop": {}}}, "state 'A': Loop: Parallel is missing"),
        (
            {"A": {**TASK, "Loop": {"Parallel": 1, "Collection": [1]}}},
            "state 'A': Loop: Collection must be a string",
        ),
        (
            {"A": {**TASK, "Loop": {"Parallel": 1, "Collection": "$.[a"}}},
            "state 'A': Loop: Collection has a wrong expression",
        ),
        (
            {"A": {**TASK, "Loop": {"Parallel": 1, "CompletionCondition": "[a] =="}}},
            "state 'A': Loop: CompletionCondition has a wrong expression",
        ),
        ({"A": {"Type": "Choice"}}, "state 'A': Choices is missing"),
        ({"A": {"Type": "Choice", "Choices": {}}}, "state 'A': Choices must be an array"),
        ({"A": {"Type": "Choice", "Choices": [1]}}, r"state 'A': Choices\[0\] must be an object"),
        (
            {"A": {"Type": "Choice", "Choices": [{"Expression": "[a"}]}},
            r"state 'A': Choices\[0\]: Expression has a wrong expression",
        ),
        ({"A": {"Type": "Fail", "ErrorCode": 500}}, "state 'A': ErrorCode must be a string"),
        ({"A": {"Type": "Fail", "Message": {}}}, "state 'A': Message must be a string"),
        ({"A": {**SUB, "StateMachineName": 1}}, "state 'A': StateMachineName must be a string"),
    ],
)
def test_a_wrong_state_is_refused_by_name_and_attribute(
    states: dict[str, Any], message: str
) -> None:
    with pytest.raises(DefinitionError, match=message):
        load(machine(**states))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Name": 1}, "machine: Name must be a string, not 1"),
        ({"Version": 1.0}, "machine: Version must be a string, not 1.0"),
        ({"StartState": None}, "machine: StartState is missing"),
        ({"StartState": "Z"}, "machine: StartState 'Z' does not exist"),
        ({"States": None}, "machine: States is missing"),
        ({"States": []}, "machine: States must be an object"),
        ({"States": {}}, "machine: StartState 'A' does not exist"),
        ({"RecoverStrategy": "forward"}, "RecoverStrategy must be Compensate or Forward"),
    ],
)
def test_a_wrong_machine_is_refused_by_attribute(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        load({**machine(), **attributes})


def test_all_errors_are_found_at_once_and_a_long_list_is_cut() -> None:
    wrong = {f"s{n}": {**TASK, "Next": n} for n in range(12)}
    errors = explain(machine(**wrong)).errors
    assert [(error.state, error.attribute) for error in errors] == [
        (f"s{n}", "Next") for n in range(12)
    ]
    with pytest.raises(DefinitionError, match=r"state 's9': Next .*; and 2 more$") as refused:
        load(machine(**wrong))
    assert refused.value.findings == errors


def test_tasks_are_found_by_name() -> None:
    loaded = load(machine(S={"Type": "Succeed"}))
    assert isinstance(loaded.task("A"), Task)
    for name in ("S", "Z"):
        with pytest.raises(KeyError):
            loaded.task(name)


def test_the_name_of_a_file_is_as_good_as_the_file(tmp_path: Path) -> None:
    path = tmp_path / "order.json"
    path.write_text(json.dumps(machine()))
    assert load(str(path)) == load(path)
    with pytest.raises(DefinitionError, match="the file cannot be read"):
        load(str(tmp_path / "missing.yaml"))
