"""The pure interpreter: statuses, routes, tokens, and a log that reproduces every decision."""

from __future__ import annotations

from typing import Any

import pytest
from tests.saga.tape import BUG, NOW, OK, REFUSED, UNKNOWN, Tape, plain
from tests.saga.world import a_machine, a_task, order_saga

from kessai.kernel.errors import JsonValue
from kessai.saga import load
from kessai.saga.history import EventKind
from kessai.saga.interpreter import Result, Wait, commands, compensate


def test_a_step_ends_and_the_next_begins_in_one_event() -> None:
    tape = Tape(order_saga()).answer(OK)
    assert tape.events[-1].body == {
        "n": 1,
        "value": {"ok": True},
        "gives": ["reserve"],
        "enter": [{"n": 2, "state": "Pay", "token": "i-1.Pay.1", "input": ["o-1"]}],
    }


@pytest.mark.parametrize(
    ("answers", "ended", "calls"),
    [
        ([OK, OK, OK], ("SU", None), ["Reserve", "Pay", "Ship"]),
        ([REFUSED], ("FA", None), ["Reserve"]),
        (
            [OK, REFUSED, OK, OK],
            ("UN", "SU"),
            ["Reserve", "Pay", "Release", "Tell"],
        ),
        ([OK, BUG], ("UN", None), ["Reserve", "Pay"]),
        (
            [OK, OK, REFUSED, OK, OK, OK],
            ("UN", "SU"),
            ["Reserve", "Pay", "Ship", "Refund", "Release", "Tell"],
        ),
        (
            [OK, OK, REFUSED, OK, BUG],
            ("UN", "UN"),
            ["Reserve", "Pay", "Ship", "Refund", "Release"],
        ),
        (
            [OK, OK, REFUSED, OK, OK, BUG],
            ("UN", "UN"),
            ["Reserve", "Pay", "Ship", "Refund", "Release", "Tell"],
        ),
    ],
)
def test_both_statuses_follow_from_the_answers(
    answers: list[Result], ended: tuple[str, str | None], calls: list[str]
) -> None:
    tape = Tape(order_saga()).answer(*answers)
    assert (tape.ended, tape.calls) == (ended, calls)


@pytest.mark.parametrize(
    ("answer", "status"), [(OK, "SU"), (REFUSED, "FA"), (UNKNOWN, "UN"), (BUG, "FA")]
)
def test_a_step_without_an_undo_is_unknown_only_when_its_effect_is(
    answer: Result, status: str
) -> None:
    task: dict[str, JsonValue] = {
        "Type": "ServiceTask",
        "ServiceName": "shop",
        "ServiceMethod": "ship",
    }
    machine = load({"Name": "m", "StartState": "A", "States": {"A": task}})
    assert Tape(machine).answer(answer).ended == (status, None)


def test_retries_grow_are_capped_and_then_exhausted() -> None:
    tape = Tape(order_saga())
    pauses = []
    for _ in range(3):
        tape.answer(UNKNOWN)
        body = tape.events[-1].body
        pauses.append(body["due"])
        assert tape.events[-1].kind is EventKind.RETRY
    assert pauses == [NOW + 150, NOW + 300, NOW + 600]
    (command,) = commands(tape.run, NOW)
    assert command == Wait(tape.run.steps[1], NOW + 600)
    assert tape.answer(UNKNOWN).ended == ("UN", None)


def test_a_pause_is_never_longer_than_the_cap() -> None:
    slow = {"Exceptions": ["Unknown"], "IntervalSeconds": 600, "MaxAttempts": 1}
    tape = Tape(order_saga(Reserve={"Retry": [slow]})).answer(UNKNOWN)
    assert tape.events[-1].body["due"] == NOW + 3750


def test_a_status_entry_that_makes_an_exception_a_success_still_follows_its_catch() -> None:
    machine = order_saga(
        Pay={
            "Status": {"$Exception{NO}": "SU"},
            "Catch": [{"Exceptions": ["NO"], "Next": "Ship"}],
        }
    )
    assert Tape(machine).answer(OK, REFUSED, OK).ended == ("SU", None)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Pay": {"Status": {"#root.missing": "SU"}}}, "StatusExpression"),
        ({"Pay": {"Status": {"#root == null": "SU"}}}, "NoMatchedStatus"),
        ({"Pay": {"Status": {"#root != null": "XX"}}}, "StatusName"),
        ({"Pay": {"Output": {"p": "$.[nothing]"}}}, "VariablesAssignError"),
        ({"Ship": {"Input": ["$.[nothing].at.all"]}}, "VariablesAssignError"),
        ({"Pay": {"Next": "Which"}, "Which": {"Type": "Choice", "Choices": []}},
         "StateMachineNoChoiceMatched"),
    ],
)  # fmt: skip
def test_a_machine_that_cannot_go_on_ends_instead_of_hanging(
    change: dict[str, Any], code: str
) -> None:
    tape = Tape(order_saga(**change)).answer(OK, OK)
    assert tape.ended == ("UN", None)
    assert tape.run.fault is not None
    assert tape.run.fault.code == code


def test_choices_that_lead_to_each_other_end_the_machine() -> None:
    definition: dict[str, JsonValue] = {
        "Name": "m",
        "StartState": "A",
        "States": {
            "A": {"Type": "Choice", "Choices": [], "Default": "B"},
            "B": {
                "Type": "Choice",
                "Choices": [{"Expression": "[never] == 1", "Next": "C"}],
                "Default": "A",
            },
            "C": {"Type": "Succeed"},
        },
    }
    tape = Tape(load(definition))
    assert tape.ended == ("FA", None)
    assert tape.run.fault is not None
    assert tape.run.fault.code == "TooManyHops"


def test_the_cause_is_an_input_of_what_follows_the_trigger() -> None:
    tape = Tape(order_saga()).answer(OK, REFUSED, OK)
    assert tape.run.steps[4].input == ["NO"]


def test_deciding_does_not_change_the_run() -> None:
    tape = Tape(order_saga()).answer(OK, OK)
    before = plain(tape.run)
    tape.conclude(3, REFUSED)
    compensate(tape.run, {"x": 1}, now_ms=NOW)
    assert plain(tape.run) == before


def test_the_time_of_a_machine_is_over_when_the_next_step_would_begin() -> None:
    tape = Tape(order_saga(), timeout_s=60).answer(OK)
    tape.now_ms += 60_000
    tape.answer(OK)
    assert tape.ended is None
    tape.now_ms += 1
    tape.answer(OK)
    assert tape.ended == ("SU", None)

    late = Tape(order_saga(), timeout_s=60).answer(OK)
    late.now_ms += 60_001
    late.answer(OK)
    assert (late.ended, late.calls) == (("UN", None), ["Reserve", "Pay"])
    assert late.run.fault is not None
    assert late.run.fault.code == "StateMachineExecutionTimeout"


def test_a_machine_names_its_own_time_before_the_engine_does() -> None:
    machine = a_machine(
        {"A": a_task("reserve", Next="B"), "B": a_task("pay")},
        Extensions={"TimeoutSeconds": 2},
    )
    tape = Tape(machine, timeout_s=1000)
    tape.now_ms += 2001
    assert tape.answer(OK).ended == ("UN", None)


def test_null_parameters_are_dropped_and_the_business_key_joins_them() -> None:
    tape = Tape(order_saga(), {"orderId": "o-1", "nothing": None})
    assert tape.run.context == {"orderId": "o-1", "_business_key_": "key"}


def test_a_state_that_leaves_no_row_still_changes_the_context() -> None:
    states = {
        "A": a_task("reserve", Next="B", IsPersist=False, Output={"got": "$.#root"}),
        "B": a_task("pay", Input=["$.[got]"]),
    }
    tape = Tape(a_machine(states))
    assert tape.events[0].body["params"] == {"orderId": "o-1", "_business_key_": "key"}
    assert "enter" not in tape.events[0].body
    tape.answer(OK)
    assert [(event.name, event.body.get("n")) for event in tape.events] == [
        ("m", None),
        ("A", None),
    ]
    again = tape.replayed()
    assert (again.context["got"], again.steps[2].input) == ({"ok": True}, [{"ok": True}])
    assert list(again.steps) == [2]


def test_sequences_differ_even_where_no_row_lies_between_them() -> None:
    states = {
        "A": a_task("reserve", Next="B", IsPersist=False, Input=["$Sequence.ID|SIMPLE"]),
        "B": a_task("pay", Next="C", IsPersist=False, Input=["$Sequence.ID|SIMPLE"]),
        "C": a_task("ship", IsPersist=False, Input=["$Sequence.ID|SIMPLE"]),
    }
    tape = Tape(a_machine(states)).answer(OK, OK)
    keys = [step.input[0] for step in tape.run.steps.values()]
    assert len(dict.fromkeys(keys)) == 3


def test_the_first_sequence_of_a_state_is_its_business_key() -> None:
    task = a_task("reserve", Input=[{"key": "$Sequence.ID|SIMPLE"}, "$Sequence.ID|SIMPLE"])
    tape = Tape(a_machine({"A": task}))
    first, second = tape.run.steps[1].input
    assert tape.run.context["A_business_key_"] == first["key"] != second  # type: ignore[index,call-overload]
