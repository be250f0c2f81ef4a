"""The pure interpreter: statuses, routes, tokens, and a log that reproduces every decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.saga.world import order_saga

from kessai.kernel.errors import JsonValue, Refused
from kessai.saga import Machine, Thrown, Verdict, load
from kessai.saga.history import Event, EventKind, Run, apply, fold
from kessai.saga.machine import (
    Call,
    Result,
    Value,
    Wait,
    begin,
    commands,
    compensate,
    conclude,
    forward,
    recover,
    redrive,
)

NOW = 1_000_000
REFUSED = Thrown(("Refused", "NO", "java.lang.Throwable"), "no", Verdict.REFUSED, "NO")
UNKNOWN = Thrown(("Unknown",), "silence", Verdict.UNKNOWN, "SILENCE")
BUG = Thrown(("ValueError", "Exception", "java.lang.Throwable"), "bug", Verdict.PLAIN)
OK = Value({"ok": True})


class Tape:
    """A run together with its events, as the log would keep them."""

    def __init__(self, machine: Machine, params: Mapping[str, JsonValue] | None = None) -> None:
        self.machine = machine
        self.run = Run(machine, "i-1", "key")
        self.events: list[Event] = []
        self.add(begin(self.run, params or {"orderId": "o-1"}))

    def add(self, event: Event) -> Event:
        stored = json.loads(json.dumps(event.body))
        self.events.append(Event(event.kind, event.name, event.status, stored))
        apply(self.run, event)
        self.run.seq += 1
        return event

    def answer(self, *results: Result) -> Tape:
        for result in results:
            (command,) = commands(self.run, NOW * 2)
            assert isinstance(command, Call)
            self.add(conclude(self.run, command.step.n, result, now_ms=NOW, jitter=0.5, cap_s=5))
        return self

    @property
    def calls(self) -> list[str]:
        return [step.state for step in self.run.steps.values()]

    @property
    def ended(self) -> tuple[str, str | None] | None:
        return None if self.run.running else (self.run.status, self.run.compensation)


def test_a_step_ends_and_the_next_begins_in_one_event() -> None:
    tape = Tape(order_saga()).answer(OK)
    assert tape.events[-1].body == {
        "n": 1,
        "value": {"ok": True},
        "gives": ["reserve"],
        "enter": {"n": 2, "state": "Pay", "token": "i-1.Pay.1", "input": ["o-1"]},
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


def test_forward_repeats_an_unknown_step_with_its_token_and_a_refused_one_with_a_new_one() -> None:
    unknown = Tape(order_saga(Pay={"Retry": []})).answer(OK, UNKNOWN)
    unknown.add(forward(unknown.run, {}))
    assert unknown.run.steps[3].token == unknown.run.steps[2].token == "i-1.Pay.1"

    refused = Tape(order_saga(Pay={"Catch": []})).answer(OK, REFUSED)
    refused.add(forward(refused.run, {"orderId": "o-2"}))
    assert (refused.run.steps[3].token, refused.run.steps[3].input) == ("i-1.Pay.2", ["o-2"])
    assert refused.answer(OK, OK).ended == ("SU", None)


def test_forward_without_a_state_is_denied() -> None:
    tape = Tape(load({"Name": "m", "StartState": "A", "States": {"A": {"Type": "Fail"}}}))
    with pytest.raises(Refused, match="no state"):
        forward(tape.run, {})


def test_compensate_after_success_undoes_everything_in_reverse() -> None:
    tape = Tape(order_saga()).answer(OK, OK, OK)
    tape.add(compensate(tape.run, {}))
    tape.answer(OK, OK)
    assert (tape.calls[3:], tape.ended) == (["Refund", "Release"], ("SU", "SU"))


def test_redrive_resumes_a_compensation_where_it_stopped_and_follows_the_trigger() -> None:
    tape = Tape(order_saga(Release={"Retry": []})).answer(OK, OK, REFUSED, OK, UNKNOWN)
    assert tape.ended == ("UN", "UN")
    tape.add(redrive(tape.run))
    tape.answer(OK, OK)
    assert tape.calls[3:] == ["Refund", "Release", "Release", "Tell"]
    assert tape.ended == ("UN", "SU")
    tokens = [step.token for step in tape.run.steps.values() if step.state == "Release"]
    assert tokens == ["i-1.Release.1"] * 2


answers = st.lists(st.sampled_from([OK, Value(None), REFUSED, UNKNOWN, BUG]), max_size=25)
operations = st.sampled_from([redrive, partial(forward, params={}), partial(compensate, params={})])


@given(answers=answers, between=st.lists(operations, max_size=8))
def test_replaying_the_log_reproduces_every_decision(
    answers: list[Result], between: list[Any]
) -> None:
    tape = Tape(order_saga())
    decisions: list[tuple[int, Result]] = []
    for answer in answers:
        if not tape.run.running:
            if not between:
                break
            try:
                event = between.pop()(tape.run)
            except Refused:
                continue
            tape.add(event)
            continue
        step = tape.run.current
        assert step is not None
        decisions.append((len(tape.events), answer))
        tape.add(conclude(tape.run, step, answer, now_ms=NOW, jitter=0.5, cap_s=5))

    for length, answer in decisions:
        again = replay(tape, length)
        assert again.current is not None
        event = conclude(again, again.current, answer, now_ms=NOW, jitter=0.5, cap_s=5)
        assert event == tape.events[length]
    assert replay(tape, len(tape.events)) == tape.run


def replay(tape: Tape, length: int) -> Run:
    """What a new engine rebuilds from the first events of the log."""
    return fold(Run(tape.machine, "i-1", "key"), deepcopy(tape.events[:length]))


def test_a_new_owner_asks_the_same_step_with_the_same_token() -> None:
    tape = Tape(order_saga()).answer(OK)
    before = commands(tape.run, NOW)
    tape.add(recover(tape.run))
    assert commands(tape.run, NOW) == before


def test_deciding_does_not_change_the_run() -> None:
    tape = Tape(order_saga()).answer(OK, OK)
    before = deepcopy(tape.run)
    conclude(tape.run, 3, REFUSED, now_ms=NOW, jitter=0.5, cap_s=5)
    compensate(tape.run, {"x": 1})
    assert tape.run == before
