"""Whatever a machine is asked, its log reproduces it: same run, same decisions, nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.saga.drawn_machines import machines
from tests.saga.tape import BUG, OK, REFUSED, UNKNOWN, Tape, plain, stored

from kessai.kernel.errors import JsonValue, Refused
from kessai.saga import Machine
from kessai.saga.folding import loggable, reload
from kessai.saga.history import Event, Run, Step
from kessai.saga.interpreter import (
    Result,
    SubEnded,
    Value,
    advance,
    compensate,
    conclude,
    forward,
    recover,
    redrive,
    skip,
)
from kessai.saga.interpreter.operations import Unchanged
from kessai.saga.language import Status
from kessai.saga.language.model import ServiceTask
from kessai.saga.outcome import is_settled

MAX_EVENTS = 60
# A chain of four states, each looped over at most three elements, undone and repeated.
MAX_STEPS_PER_RUN = 4 * 3 * 2 + 2
PARAMETERS: dict[str, JsonValue] = {"all": ["a", "b", "c"], "y": 1}

# Without `explain`, which takes minutes for what the drawn machine says by itself.
CHANCES = settings(
    max_examples=100, deadline=None, phases=[Phase.reuse, Phase.generate, Phase.shrink]
)

crashes = st.sampled_from([*[False] * 19, True])
results: st.SearchStrategy[Result] = st.sampled_from(
    [OK, OK, OK, Value(None), Value([1]), REFUSED, UNKNOWN, BUG]
)
endings = st.sampled_from([("SU", None), ("FA", None), ("UN", None), ("UN", "SU"), ("UN", "UN")])
undone = st.sampled_from([("UN", "SU"), ("UN", "SU"), ("SU", "SU"), ("UN", "UN")])
operations = st.sampled_from(
    [redrive, redrive, forward, compensate, skip, partial(forward, params={"x": 5}), None]
)
Decide = Callable[[Run], Event]


class Story:
    """A tape that is recorded twice: what was decided, and from which rows it can be again."""

    def __init__(self, machine: Machine, data: st.DataObject) -> None:
        self.tape = Tape(machine, PARAMETERS)
        self.data = data
        self.decided: list[tuple[int, Decide, Event | None]] = []
        self.handed: list[tuple[object, str]] = []
        self.restarts = 0

    def step(self) -> bool:
        """One decision by chance; False when nothing moves any more."""
        tape = self.tape
        tape.now_ms += 1000
        run = tape.run
        if not run.running:
            return self._operate()
        if self.data.draw(crashes, "crash"):
            self._crash()
        elif not run.open:
            self._decide(partial(advance, now_ms=tape.now_ms))
        else:
            n = self.data.draw(st.sampled_from(run.open), "open")
            self._see(run.steps[n])
            result = self._result(run.steps[n])
            self._remember(result)
            times: dict[str, Any] = {"now_ms": tape.now_ms, "jitter": 0.5, "cap_s": 5}
            self._decide(partial(conclude, n=n, result=result, **times))
        return True

    def _operate(self) -> bool:
        operation = self.data.draw(operations, "operation")
        if operation is None or self.restarts > 5:
            return False
        self.restarts += 1
        self.tape.run = reloaded(self.tape.replayed())
        if operation in (forward, compensate, skip):
            operation = partial(operation, params={})
        try:
            self._decide(partial(operation, now_ms=self.tape.now_ms), reloaded=True)
        except (Refused, Unchanged):
            self.tape.run = self.tape.replayed()
        return True

    def _crash(self) -> None:
        self.tape.run = self.tape.replayed()
        self._decide(partial(recover, now_ms=self.tape.now_ms))

    def _decide(self, decide: Any, *, reloaded: bool = False) -> None:
        tape = self.tape
        before = plain(tape.run)
        event: Event = decide(tape.run)
        assert plain(tape.run) == before, "a decision changed the run"
        row, _ = loggable(tape.run, event)
        if row is not None:
            self.decided.append((len(tape.events), partial(_again, decide, reloaded), stored(row)))
        self._remember(event.body)
        tape.add(event)

    def _remember(self, value: object) -> None:
        self.handed.append((value, repr(plain(value))))

    def _result(self, step: Step) -> Result:
        if isinstance(step.task, ServiceTask):
            return self.data.draw(results, "result")
        status, compensation = self.data.draw(endings if step.undoes is None else undone, "ended")
        return SubEnded(f"sub-{step.row}", step.row, status, compensation, {"ok": 1, "x": None})

    def _see(self, step: Step) -> None:
        """A token stands for one effect: only an attempt that left it open is asked again by it.

        Of a state that leaves no row nobody knows later how it ended, so its token stays.
        """
        if not step.task.persist:
            return
        others = [one for one in self.tape.run.steps.values() if one.n != step.n]
        for earlier in others:
            if earlier.token == step.token:
                assert earlier.name == step.name
                assert is_unknown(earlier)
        before = self.tape.run.steps.get(step.again_for or 0)
        if before is not None:
            attempts = [one for one in others if one.token == before.token]
            assert is_unknown(attempts[-1]) == (step.token == before.token)


def is_unknown(step: Step) -> bool:
    undone = step.undo_status == Status.SUCCEEDED
    return step.status in (Status.RUNNING, Status.UNKNOWN) and not undone


def _again(decide: Any, reloaded: bool, run: Run) -> Event:
    if reloaded:
        reload(run)
    event: Event = decide(run)
    return event


@CHANCES
@given(machine=machines(persisted=True), data=st.data())
def test_the_log_reproduces_every_run_and_every_decision(
    machine: Machine, data: st.DataObject
) -> None:
    story = Story(machine, data)
    for _ in range(MAX_EVENTS):
        moved = story.step()
        assert plain(story.tape.replayed()) == plain(story.tape.run)
        if not moved:
            break

    for length, decide, row in story.decided:
        again = decide(story.tape.replayed(length))
        assert stored(again) == row
    assert [repr(plain(value)) for value, _ in story.handed] == [was for _, was in story.handed]


@CHANCES
@given(machine=machines(), data=st.data())
def test_of_states_without_a_row_the_log_still_keeps_what_they_changed(
    machine: Machine, data: st.DataObject
) -> None:
    story = Story(machine, data)
    for _ in range(MAX_EVENTS):
        moved = story.step()
        run = story.tape.run
        if not run.carried:
            assert kept(story.tape.replayed()) == kept(run)
        if not moved:
            break
    seen = reloaded(story.tape.run)
    assert plain(reloaded(seen)) == plain(seen)


def kept(run: Run) -> dict[str, Any]:
    """What both a run and its replay know: everything but steps that have no row."""
    lost = {n: None for n, step in run.steps.items() if not step.task.persist}
    steps = [plain(step) for n, step in run.steps.items() if n not in lost]
    for step in steps:
        if step["undone_by"] in lost or not run.steps:
            step["undone_by"] = step["undo_status"] = None
    whole = plain(run)
    names = ("context", "status", "compensation", "running", "exception", "cause", "thrown")
    return {"steps": steps, **{name: whole[name] for name in (*names, "choice", "fault")}}


def reloaded(run: Run) -> Run:
    again = copy(run)
    again.steps = {n: replace(step) for n, step in run.steps.items()}
    reload(again)
    return again


@CHANCES
@given(machine=machines(conditions=False), data=st.data())
def test_every_run_ends_and_undoes_in_reverse_what_it_says_is_undone(
    machine: Machine, data: st.DataObject
) -> None:
    world = World(machine, data)
    for _ in range(4):
        world.run_to_the_end()
        if world.tape.run.compensation == Status.SUCCEEDED or not world.drive_on():
            break
    if world.tape.run.compensation == Status.SUCCEEDED:
        assert world.wanted == {}


class World:
    """What services did, by token: they keep it through every crash of the engine."""

    def __init__(self, machine: Machine, data: st.DataObject) -> None:
        self.tape = Tape(machine, PARAMETERS)
        self.data = data
        self.answers: dict[str, Result] = {}
        # Effects that nobody undid yet, of states that the log knows and that name an undo.
        self.wanted: dict[str, str] = {}

    def run_to_the_end(self) -> None:
        tape = self.tape
        order = len(tape.run.steps)
        for _ in range(MAX_STEPS_PER_RUN * 4):
            if not tape.run.running:
                break
            if self.data.draw(crashes, "crash"):
                tape.run = tape.replayed()
                tape.add(recover(tape.run, now_ms=tape.now_ms))
            elif not tape.run.open:
                tape.add(tape.advance())
            else:
                self._ask(self.data.draw(st.sampled_from(tape.run.open), "open"))
        assert not tape.run.running, "the run found no end"
        undone = [
            step.undoes for step in list(tape.run.steps.values())[order:] if step.undoes is not None
        ]
        assert undone == sorted(undone, reverse=True)

    def _ask(self, n: int) -> None:
        step = self.tape.run.steps[n]
        result = self.answers.pop(step.token, None) or self._result(step)
        event = self.tape.conclude(n, result)
        if self.data.draw(crashes, "crash between the effect and its row"):
            # An idempotent service answers a token as it did before.
            self.answers[step.token] = result
            self.tape.run = self.tape.replayed()
            self.tape.add(recover(self.tape.run, now_ms=self.tape.now_ms))
            return
        if step.undoes is not None:
            # Of a state that left no row a crash has forgotten which effect it was.
            undone = self.tape.run.steps.get(step.undoes)
            if undone and (isinstance(result, Value) or event.status == Status.SUCCEEDED):
                self.wanted.pop(undone.token, None)
        # What the definition counts as failed had no effect, whoever says otherwise.
        elif event.status == Status.FAILED:
            self.wanted.pop(step.token, None)
        elif step.task.compensate_state and step.task.persist and event.status != Status.SKIPPED:
            self.wanted[step.token] = step.name
        self.tape.add(event)

    def _result(self, step: Step) -> Result:
        if isinstance(step.task, ServiceTask):
            return self.data.draw(results, "result")
        pair = self.data.draw(endings if step.undoes is None else undone, "ended")
        return SubEnded(f"sub-{step.row}", step.row, *pair, {"ok": 1})

    def drive_on(self) -> bool:
        self.tape.run = self.tape.replayed()
        run = self.tape.reload()
        if is_settled(run.status, run.compensation):
            operation: Any = partial(compensate, params={})
        else:
            operation = self.data.draw(st.sampled_from([redrive, partial(compensate, params={})]))
        try:
            self.tape.add(operation(run, now_ms=self.tape.now_ms))
        except (Refused, Unchanged):
            return False
        return True
