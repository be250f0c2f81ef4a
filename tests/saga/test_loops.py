"""A Loop as pure decisions: what begins, how many at once, when it is enough, what fails."""

from __future__ import annotations

from typing import Any

import pytest
from tests.saga.tape import BUG, NOW, OK, REFUSED, UNKNOWN, Tape, plain
from tests.saga.world import a_machine, a_task

from kessai.kernel.errors import JsonValue
from kessai.saga.interpreter import SubEnded, Value, compensate, forward, recover, redrive

LOOP: dict[str, Any] = {
    "Collection": "$.[all]",
    "ElementVariableName": "one",
    "ElementIndexName": "at",
    "Parallel": 2,
}


def looping(*elements: JsonValue, loop: dict[str, Any] | None = None, **changes: Any) -> Tape:
    states: dict[str, dict[str, Any]] = {
        "Each": a_task(
            "reserve",
            Input=["$.[one]", "$.[at]"],
            Output={"got": "$.#root"},
            Loop={**LOOP, **(loop or {})},
            CompensateState="UndoEach",
            Catch=[{"Exceptions": ["Refused"], "Next": "Undo"}],
            Retry=[],
            Next="Then",
        ),
        "Then": a_task("ship", Input=["$.[loopResult]"]),
        "UndoEach": a_task("release", Input=["$.[one]"], Retry=[]),
        "Undo": {"Type": "CompensationTrigger"},
    }
    for name, change in changes.items():
        states[name] = {**states[name], **change}
    return Tape(a_machine(states), {"all": list(elements)})


def open_of(tape: Tape) -> list[int | None]:
    return [tape.run.steps[n].index for n in tape.run.open]


def end(tape: Tape, at: int, result: Any = OK) -> Tape:
    """The iteration of this index answers."""
    found = [n for n in tape.run.open if tape.run.steps[n].index == at]
    tape.add(tape.conclude(found[-1], result))
    return tape


def test_as_many_run_at_once_as_the_loop_allows_and_the_next_begins_when_one_ends() -> None:
    tape = looping("a", "b", "c", "d", loop={"Parallel": 3})
    assert open_of(tape) == [0, 1, 2]
    assert [tape.run.steps[n].input for n in tape.run.open] == [["a", 0], ["b", 1], ["c", 2]]
    assert [tape.run.steps[n].token for n in tape.run.open] == [
        "i-1.Each-loop-0.1",
        "i-1.Each-loop-1.1",
        "i-1.Each-loop-2.1",
    ]
    end(tape, 1)
    assert open_of(tape) == [0, 2, 3]
    for at in (3, 0, 2):
        end(tape, at)
    assert (tape.calls[-1], tape.run.loop) == ("Then", None)


def test_the_results_stand_in_the_order_in_which_the_iterations_began() -> None:
    tape = looping("a", "b", "c")
    for at in (1, 2, 0):
        end(tape, at, Value(f"did {at}"))
    assert tape.run.context["loopResult"] == [{"got": f"did {at}"} for at in range(3)]
    assert "got" not in tape.run.context
    assert plain(tape.replayed()) == plain(tape.run)


@pytest.mark.parametrize("elements", [[], None, "text", {"a": 1}])
def test_without_a_list_of_something_the_state_runs_once_as_any_other(elements: Any) -> None:
    states = {"Each": a_task("reserve", Input=["$.[one]"], Loop=LOOP)}
    tape = Tape(a_machine(states), {} if elements is None else {"all": elements})
    assert [(step.name, step.input) for step in tape.run.steps.values()] == [("Each", [None])]


def test_the_condition_is_asked_before_each_new_iteration_and_what_runs_still_ends() -> None:
    tape = looping(*"abcdef", loop={"CompletionCondition": "[nrOfCompletedInstances] >= 2"})
    end(end(tape, 0), 1)
    assert open_of(tape) == [2]
    assert tape.run.context["nrOfCompletedInstances"] == 2.0
    end(tape, 2)
    assert tape.calls == ["Each-loop-0", "Each-loop-1", "Each-loop-2", "Then"]


def test_after_a_failure_nothing_new_begins_and_the_catch_waits_for_those_that_run() -> None:
    tape = end(looping(*"abcd"), 0, REFUSED)
    assert open_of(tape) == [1]
    end(tape, 1)
    assert (tape.calls[2:], tape.run.compensation) == (["UndoEach"], "RU")
    assert tape.answer(OK).ended == ("UN", "SU")
    assert [step.undoes for step in tape.run.steps.values()] == [None, None, 2]


def test_every_iteration_is_undone_in_reverse_without_its_element_as_in_seata() -> None:
    tape = looping("a", "b", "c")
    for at in (1, 0, 2):
        end(tape, at)
    tape.answer(REFUSED)
    tape.add(compensate(tape.reload(), {}, now_ms=NOW))
    tape.answer(OK, OK, OK)
    undoing = [step for step in tape.run.steps.values() if step.undoes]
    assert [(step.undoes, step.input) for step in undoing] == [
        (3, [None]),
        (2, [None]),
        (1, [None]),
    ]
    assert tape.ended == ("UN", "SU")


def test_an_uncaught_failure_ends_the_machine_with_the_first_iterations_exception() -> None:
    tape = looping("a", "b", Each={"Catch": []})
    end(end(tape, 1, REFUSED), 0, BUG)
    assert (tape.ended, tape.run.exception) == (("UN", None), BUG)


def test_a_catch_that_compensates_goes_before_one_that_does_not() -> None:
    catches = [
        {"Exceptions": ["ValueError"], "Next": "Then"},
        {"Exceptions": ["Refused"], "Next": "Undo"},
    ]
    tape = looping("a", "b", Each={"Catch": catches})
    end(end(tape, 0, BUG), 1, REFUSED)
    assert (tape.run.cause, tape.run.compensation) == (REFUSED, "RU")


def test_an_iteration_without_an_input_is_lost_and_the_others_still_end() -> None:
    tape = looping({"k": 1}, "text", {"k": 3}, Each={"Input": ["$.[one].k"], "Catch": []})
    assert (open_of(tape), tape.events[0].body["lost"]) == ([0], [1])
    end(tape, 0)
    assert (tape.ended, tape.run.fault and tape.run.fault.code) == (
        ("UN", None),
        "VariablesAssignError",
    )


def test_forward_repeats_what_failed_and_then_begins_what_never_ran() -> None:
    tape = looping(*"abcd", Each={"Catch": []})
    end(end(tape, 0, REFUSED), 1)
    assert tape.ended == ("UN", None)
    tape.add(forward(tape.reload(), {}, now_ms=NOW))
    assert [(tape.run.steps[n].name, tape.run.steps[n].token) for n in tape.run.open] == [
        ("Each-loop-0", "i-1.Each-loop-0.2"),
        ("Each-loop-2", "i-1.Each-loop-2.1"),
    ]
    end(end(end(tape, 0), 2), 3)
    assert tape.answer(OK).ended == ("SU", None)
    assert plain(tape.replayed()) == plain(tape.run)


def test_an_unknown_iteration_is_repeated_with_its_token() -> None:
    tape = looping("a", Each={"Catch": []})
    end(tape, 0, UNKNOWN)
    tape.add(redrive(tape.reload(), now_ms=NOW))
    assert tape.run.steps[2].token == tape.run.steps[1].token
    assert end(tape, 0).answer(OK).ended == ("SU", None)


def test_a_new_owner_goes_on_with_what_was_open_in_the_loop() -> None:
    tape = end(looping(*"abcd"), 1)
    tape.run = tape.replayed()
    tape.add(recover(tape.run, now_ms=NOW))
    assert open_of(tape) == [0, 2]
    for at in (2, 3, 0):
        end(tape, at)
    assert tape.answer(OK).ended == ("SU", None)


def test_a_loop_whose_iterations_leave_no_row_runs_whole_again_in_a_new_owner() -> None:
    tape = end(looping(*"abc", Each={"IsPersist": False}), 0)
    assert len(tape.events) == 1
    tape.run = tape.replayed()
    tape.add(recover(tape.run, now_ms=NOW))
    assert tape.run.open == []
    tape.add(tape.advance())
    assert open_of(tape) == [0, 1]
    for at in (0, 1, 2):
        end(tape, at)
    assert tape.answer(OK).ended == ("SU", None)


def test_a_loop_of_sub_machines_forwards_each_of_those_that_failed() -> None:
    sub = {
        "Type": "SubStateMachine",
        "StateMachineName": "child",
        "Input": [{"of": "$.[one]"}],
        "Loop": LOOP,
    }
    tape = Tape(a_machine({"Each": sub}), {"all": ["a", "b"]})
    end(tape, 0, SubEnded("c-1", 1, "UN", None, {}))
    end(tape, 1, SubEnded("c-2", 2, "SU", None, {}))
    # A sub machine that failed throws nothing, so its loop only counts (seata.md 1.4).
    assert tape.ended == ("UN", None)
    tape.add(forward(tape.reload(), {}, now_ms=NOW))
    assert [(tape.run.steps[n].name, tape.run.steps[n].forwards) for n in tape.run.open] == [
        ("Each-loop-0", 1)
    ]
    assert end(tape, 0, SubEnded("c-1", 1, "SU", None, {})).ended == ("SU", None)


def test_scripts_of_a_loop_need_no_step_at_all() -> None:
    script = {
        "Type": "ScriptTask",
        "ScriptType": "groovy",
        "ScriptContent": "one * 2",
        "Input": [{"one": "$.[one]"}],
        "Output": {"twice": "$.#root"},
        "Loop": LOOP,
        "Next": "Then",
    }
    tape = Tape(
        a_machine({"Each": script, "Then": a_task("ship", Input=["$.[loopResult]"])}),
        {"all": [1, 2, 3]},
    )
    assert [step.input for step in tape.run.steps.values()] == [
        [[{"twice": 2}, {"twice": 4}, {"twice": 6}]]
    ]
