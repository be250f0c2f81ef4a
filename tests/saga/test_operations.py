"""What takes an instance up again, as pure decisions: recover, redrive, forward, undo, skip."""

from __future__ import annotations

from typing import Any

import pytest
from tests.saga.tape import BUG, NOW, OK, REFUSED, UNKNOWN, Tape, plain
from tests.saga.world import a_machine, a_task, order_saga

from kessai.kernel.errors import Refused
from kessai.saga.interpreter import (
    SubEnded,
    Value,
    commands,
    compensate,
    forward,
    recover,
    redrive,
    skip,
)
from kessai.saga.interpreter.operations import Unchanged


def states_of(tape: Tape) -> list[tuple[str, str]]:
    return [(step.name, str(step.status)) for step in tape.run.steps.values()]


def test_a_new_owner_asks_the_same_step_with_the_same_token() -> None:
    tape = Tape(order_saga()).answer(OK)
    before = commands(tape.run, NOW)
    tape.add(recover(tape.run, now_ms=NOW))
    assert commands(tape.run, NOW) == before


def test_forward_repeats_an_unknown_step_with_its_token_and_a_refused_one_with_a_new_one() -> None:
    unknown = Tape(order_saga(Pay={"Retry": []})).answer(OK, UNKNOWN)
    unknown.add(forward(unknown.reload(), {}, now_ms=NOW))
    assert unknown.run.steps[3].token == unknown.run.steps[2].token == "i-1.Pay.1"

    refused = Tape(order_saga(Pay={"Catch": []})).answer(OK, REFUSED)
    refused.add(forward(refused.reload(), {"orderId": "o-2"}, now_ms=NOW))
    assert (refused.run.steps[3].token, refused.run.steps[3].input) == ("i-1.Pay.2", ["o-2"])
    assert refused.answer(OK, OK).ended == ("SU", None)


def test_an_unknown_effect_that_was_undone_is_not_asked_for_by_its_old_token() -> None:
    """The service knows that token as done and undone, or refuses it as late."""
    tape = Tape(order_saga(Pay={"Retry": []}, Release={"Retry": []})).answer(OK, UNKNOWN)
    tape.add(compensate(tape.reload(), {}, now_ms=NOW))
    tape.answer(OK, REFUSED)
    tape.add(forward(tape.reload(), {}, now_ms=NOW))
    assert [(step.name, step.token) for step in tape.run.steps.values() if step.name == "Pay"] == [
        ("Pay", "i-1.Pay.1"),
        ("Pay", "i-1.Pay.2"),
    ]


def test_a_state_that_comes_again_after_its_effect_is_known_has_a_new_token() -> None:
    again = {"Type": "Choice", "Default": "Done"}
    states = {
        "A": a_task("reserve", Next="More", Output={"more": "$.#root"}, Retry=[]),
        "More": {**again, "Choices": [{"Expression": "[more] == 1", "Next": "A"}]},
        "Done": {"Type": "Succeed"},
    }
    tape = Tape(a_machine(states)).answer(UNKNOWN)
    tape.add(forward(tape.reload(), {}, now_ms=NOW))
    tape.answer(Value(1), Value(2))
    assert [step.token for step in tape.run.steps.values()] == ["i-1.A.1", "i-1.A.1", "i-1.A.2"]


def test_forward_without_a_state_is_denied() -> None:
    tape = Tape(a_machine({"A": {"Type": "Fail"}}))
    for operation in (forward, skip):
        with pytest.raises(Refused, match="no state") as refusal:
            operation(tape.reload(), {}, now_ms=NOW)
        assert refusal.value.code == "OPERATION_DENIED"


def test_what_succeeded_is_not_moved_any_further() -> None:
    tape = Tape(order_saga()).answer(OK, OK, OK)
    for operation in (forward, skip):
        with pytest.raises(Unchanged):
            operation(tape.reload(), {}, now_ms=NOW)
    tape.add(compensate(tape.reload(), {}, now_ms=NOW))
    tape.answer(OK, OK)
    with pytest.raises(Unchanged):
        compensate(tape.reload(), {}, now_ms=NOW)
    with pytest.raises(Refused, match="compensated"):
        forward(tape.reload(), {}, now_ms=NOW)


def test_parameters_of_an_operation_replace_entries_and_null_takes_one_away() -> None:
    tape = Tape(order_saga(Pay={"Catch": []}), {"orderId": "o-1", "gone": 1}).answer(OK, REFUSED)
    tape.add(forward(tape.reload(), {"orderId": "o-2", "gone": None}, now_ms=NOW))
    assert (tape.run.context["orderId"], "gone" in tape.run.context) == ("o-2", False)
    assert tape.replayed().context == tape.run.context


def test_compensate_after_success_undoes_everything_in_reverse() -> None:
    tape = Tape(order_saga()).answer(OK, OK, OK)
    tape.add(compensate(tape.reload(), {}, now_ms=NOW))
    tape.answer(OK, OK)
    assert (tape.calls[3:], tape.ended) == (["Refund", "Release"], ("SU", "SU"))


def test_redrive_resumes_a_compensation_where_it_stopped_and_follows_the_trigger() -> None:
    tape = Tape(order_saga(Release={"Retry": []})).answer(OK, OK, REFUSED, OK, UNKNOWN)
    assert tape.ended == ("UN", "UN")
    tape.add(redrive(tape.reload(), now_ms=NOW))
    tape.answer(OK, OK)
    assert tape.calls[3:] == ["Refund", "Release", "Release", "Tell"]
    assert tape.ended == ("UN", "SU")
    tokens = [step.token for step in tape.run.steps.values() if step.state == "Release"]
    assert tokens == ["i-1.Release.1"] * 2


def test_redrive_repeats_what_failed_behind_the_trigger() -> None:
    tape = Tape(order_saga()).answer(OK, REFUSED, OK, BUG)
    assert (tape.calls[-1], tape.ended) == ("Tell", ("UN", "UN"))
    tape.add(redrive(tape.reload(), now_ms=NOW))
    assert tape.answer(OK).ended == ("UN", "SU")
    assert tape.calls == ["Reserve", "Pay", "Release", "Tell", "Tell"]


@pytest.mark.parametrize(
    ("strategy", "calls", "ended"),
    [
        ("Compensate", ["Reserve", "Pay", "Refund", "Release"], ("UN", "SU")),
        ("Forward", ["Reserve", "Pay", "Ship"], ("SU", None)),
    ],
)
def test_out_of_time_a_machine_follows_its_recover_strategy(
    strategy: str, calls: list[str], ended: tuple[str, str | None]
) -> None:
    tape = Tape(order_saga(machine={"RecoverStrategy": strategy}), timeout_s=60)
    tape.answer(OK)
    tape.now_ms += 61_000
    tape.answer(OK)
    assert tape.ended == ("UN", None)
    tape.add(redrive(tape.reload(), now_ms=tape.now_ms, timeout_s=60))
    tape.answer(*[OK] * (len(calls) - 2))
    assert (tape.calls, tape.ended) == (calls, ended)


def test_skip_goes_on_behind_the_state_that_failed_and_counts_it_as_skipped() -> None:
    tape = Tape(order_saga(Pay={"Catch": []})).answer(OK, REFUSED)
    tape.add(skip(tape.reload(), {"by": "hand"}, now_ms=NOW))
    assert states_of(tape) == [("Reserve", "SU"), ("Pay", "SK"), ("Ship", "RU")]
    assert tape.run.context["by"] == "hand"
    assert tape.answer(OK).ended == ("SU", None)
    assert plain(tape.replayed()) == plain(tape.run)


def test_a_skipped_state_is_undone_like_any_other() -> None:
    tape = Tape(order_saga(Pay={"Catch": []}, Ship={"Catch": []})).answer(OK, REFUSED)
    tape.add(skip(tape.reload(), {}, now_ms=NOW))
    tape.answer(OK)
    tape.add(compensate(tape.reload(), {}, now_ms=NOW))
    tape.answer(OK, OK)
    assert (tape.calls[3:], tape.ended) == (["Refund", "Release"], ("SU", "SU"))


def test_skip_of_the_last_state_ends_the_machine_in_one_row() -> None:
    tape = Tape(order_saga(Ship={"Catch": [], "Next": "Done"})).answer(OK, OK, REFUSED)
    tape.add(skip(tape.reload(), {}, now_ms=NOW))
    assert (tape.ended, tape.events[-1].body["end"]) == (
        ("SU", None),
        {"status": "SU", "compensation": None},
    )


UPDATING = {"IsRetryPersistModeUpdate": True, "IsCompensatePersistModeUpdate": True}


def test_in_update_mode_a_repeated_attempt_takes_over_the_row_of_the_first() -> None:
    tape = Tape(order_saga(Pay={"Catch": []}, machine=UPDATING)).answer(OK, REFUSED)
    tape.add(forward(tape.reload(), {}, now_ms=NOW))
    tape.answer(OK, OK)
    assert [(step.name, step.row) for step in tape.reload().steps.values()] == [
        ("Reserve", 1),
        ("Pay", 2),
        ("Ship", 4),
    ]
    tape.add(compensate(tape.reload(), {}, now_ms=NOW))
    tape.answer(OK, OK)
    assert (tape.ended, tape.calls[3:]) == (("SU", "SU"), ["Refund", "Release"])


def test_in_update_mode_a_repeated_undo_counts_alone() -> None:
    tape = Tape(order_saga(Release={"Retry": []}, machine=UPDATING)).answer(OK, REFUSED, BUG)
    assert tape.ended == ("UN", "UN")
    for answers in ([BUG], [OK]):
        tape.add(compensate(tape.reload(), {}, now_ms=NOW))
        tape.answer(*answers)
    assert tape.ended == ("UN", "SU")
    assert [(step.name, step.row) for step in tape.reload().steps.values()] == [
        ("Reserve", 1),
        ("Pay", 2),
        ("Release", 3),
    ]


def parent(**changes: Any) -> Tape:
    states = {
        "A": a_task("reserve", Next="Sub", CompensateState="UndoA"),
        "UndoA": a_task("release"),
        "Sub": {"Type": "SubStateMachine", "StateMachineName": "child", "Next": "B"},
        "B": a_task("ship"),
    }
    for name, change in changes.items():
        states[name] = {**states.get(name, {}), **change}
    return Tape(a_machine(states))


def ended(status: str, compensation: str | None = None, *, row: int = 2) -> SubEnded:
    return SubEnded("c-1", row, status, compensation, {"from": "child"})


def test_a_sub_machine_tells_its_status_and_its_context_to_the_output() -> None:
    output = {"status": "$.[_sub_statemachine_execution_status_]", "got": "$.[from]"}
    tape = parent(Sub={"Output": output}).answer(OK, ended("FA"))
    assert (tape.run.context["status"], tape.run.context["got"]) == ("FA", "child")
    assert states_of(tape)[1:] == [("Sub", "FA"), ("B", "RU")]


@pytest.mark.parametrize(
    ("sub", "status"),
    [
        (("SU", None), "SU"),
        (("FA", None), "FA"),
        (("UN", "SU"), "FA"),
        (("UN", "UN"), "UN"),
        (("UN", "FA"), "UN"),
    ],
)
def test_what_the_end_of_a_sub_machine_means_for_its_state(
    sub: tuple[str, str | None], status: str
) -> None:
    assert states_of(parent().answer(OK, ended(*sub)))[1] == ("Sub", status)


def test_forward_goes_on_with_the_sub_machine_that_did_not_succeed() -> None:
    tape = parent(Sub={"Next": None}).answer(OK, ended("UN"))
    assert tape.ended == ("UN", None)
    tape.add(forward(tape.reload(), {}, now_ms=NOW))
    assert (tape.run.steps[3].name, tape.run.steps[3].forwards) == ("Sub", 2)
    assert tape.answer(ended("SU")).ended == ("SU", None)


def test_forward_starts_a_sub_machine_anew_once_it_was_undone() -> None:
    tape = parent(Sub={"Next": None}, UndoA={"Retry": []}).answer(OK, ended("UN"))
    tape.add(compensate(tape.reload(), {}, now_ms=NOW))
    tape.answer(ended("UN", "SU"), REFUSED)
    assert tape.ended == ("UN", "UN")
    tape.add(forward(tape.reload(), {}, now_ms=NOW))
    assert (tape.run.steps[5].name, tape.run.steps[5].forwards) == ("Sub", None)


def test_forward_from_a_state_whose_undoing_is_unknown_is_denied() -> None:
    tape = parent(Sub={"Next": None}, UndoA={"Retry": []}).answer(OK, ended("UN"))
    tape.add(compensate(tape.reload(), {}, now_ms=NOW))
    tape.answer(ended("UN", "SU"), UNKNOWN)
    with pytest.raises(Refused, match="compensation is unknown"):
        forward(tape.reload(), {}, now_ms=NOW)


def test_a_sub_machine_whose_undoing_is_unknown_can_neither_go_on_nor_be_redriven() -> None:
    tape = parent(Sub={"Next": None}).answer(OK, ended("UN", "UN"))
    with pytest.raises(Refused, match="unknown"):
        forward(tape.reload(), {}, now_ms=NOW)
    event = redrive(tape.reload(), now_ms=NOW)
    assert event.body["end"] == {"status": "UN", "compensation": None}
    assert event.body["denied"] == "the last state's compensation is unknown"
