"""Where our engine deliberately does otherwise than Seata's, and what it then has to do.

Each is a predicate over what was recorded and a check of what we did, computed from the recording;
none knows a case by its name. docs/architecture/saga-deviations.md gives the reasons under the
same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.saga.conformance.differ import text
from kessai.saga.conformance.seen import Json, Seen
from kessai.saga.expression import Expression
from kessai.saga.language import Machine
from kessai.saga.language.model import Choice, SubStateMachine, Task, Template
from kessai.saga.status import TIMEOUT

_ROW = re.compile(r"(?P<state>.*?)(-loop-\d+)?(#\d+)?")
_SUB_ROW = re.compile(r"db (?P<what>insert|finish|restart) machine (?P<sub>SUB\S*)")
_DUPLICATE = ("Unique index", "primary key violation", "Duplicate")


@dataclass(frozen=True, slots=True)
class Facts:
    """One step of one case: what was recorded, what was seen there and here, and on what."""

    step: Json
    theirs: Seen
    ours: Seen
    machine: Machine
    in_memory: bool

    @property
    def observed(self) -> Json:
        return cast("Json", self.step["observed"])

    @property
    def message(self) -> str:
        thrown = cast("Json", self.observed.get("thrown") or {})
        cause = cast("Json", thrown.get("cause") or {})
        return f"{thrown.get('message') or ''} {cause.get('message') or ''}"


@dataclass(frozen=True, slots=True)
class Deviation:
    """`applies` looks at the recording alone; `wrong` says what our outcome should have been."""

    number: int
    title: str
    applies: Callable[[Facts], bool]
    wrong: Callable[[Facts], Iterator[str]]


def deviation_of(facts: Facts) -> tuple[Deviation, list[str]] | None:
    """The deviation that explains a difference, and what is wrong with our outcome even so."""
    for deviation in DEVIATIONS:
        if deviation.applies(facts):
            return deviation, list(deviation.wrong(facts))
    return None


# --- 1: an instance that Seata leaves running for ever ends ------------------------------------


def _hangs(facts: Facts) -> bool:
    """Its start never returned, or threw and left a row running, its own or a sub machine's."""
    theirs = facts.theirs
    sub_runs = any(cast("list[str]", one)[0] == "RU" for one in theirs.subs or ())
    stuck = theirs.running and theirs.thrown is not None
    thrown = theirs.thrown or ""
    broke = thrown.endswith(("StepTimeout", ".FrameworkException")) or _throws_error(facts)
    broke = broke or _sub_never_ended(facts)
    return (stuck or sub_runs or broke) and not _is_plain(facts)


def _sub_never_ended(facts: Facts) -> bool:
    """Begun, and then neither finished nor finished before it was taken up again."""
    begun: dict[str, None] = {}
    for entry in cast("Sequence[JsonValue]", facts.observed.get("trace") or ()):
        matched = _SUB_ROW.match(entry) if isinstance(entry, str) else None
        if matched is None:
            continue
        if matched["what"] == "insert":
            begun[matched["sub"]] = None
        elif matched["what"] == "restart" and matched["sub"] in begun:
            return True
        else:
            begun.pop(matched["sub"], None)
    return bool(begun)


def _throws_error(facts: Facts) -> bool:
    """An Error is no Exception in Java, and the engine breaks where it casts it to one."""
    trace = cast("Sequence[JsonValue]", facts.observed.get("trace") or ())
    throws = [one for one in trace if isinstance(one, list) and one[0] == "throw"]
    return any(one[2] == "java.lang.Error" for one in throws)


def _is_plain(facts: Facts) -> bool:
    return facts.step["op"] == "reload" or facts.theirs.thrown == TIMEOUT


def _ended(facts: Facts) -> Iterator[str]:
    """As far as Seata came, we did the same; where that was our end too, the rules decide it."""
    ours, theirs = facts.ours, facts.theirs
    if ours.running:
        yield "still runs"
    if any(isinstance(one, SubStateMachine) for one in facts.machine.states.values()):
        # What hung below, its caller takes for an exception there and for a status here.
        return
    yield from _not_within("calls", theirs.calls or [], ours.calls or [])
    more = len(ours.calls or []) > len(theirs.calls or [])
    if ours.thrown is None or more or not theirs.running:
        return
    status, compensation = _status_after_hanging(facts)
    if (ours.status, ours.compensation) != (status, compensation):
        yield f"ended {ours.status}/{ours.compensation} instead of {status}/{compensation}"


def _status_after_hanging(facts: Facts) -> tuple[str, str | None]:
    """By the rows that Seata left: what hung counts as unknown where it changes something."""
    statuses: list[str] = []
    changed = undoing = False
    for name, recorded in _rows(facts):
        task = facts.machine.states.get(name)
        if not isinstance(task, Task):
            undoing = True
            continue
        if task.for_compensation:
            undoing = True
            continue
        status = recorded
        if recorded == "RU":
            status = "UN" if task.for_update else "FA"
        statuses.append(status)
        changed = changed or (status == "SU" and task.for_update)
    forward = facts.step["op"] in ("forward", "skipAndForward")
    if undoing and not forward:
        return "UN", "UN"
    failed = any(status in ("FA", "UN") for status in statuses)
    unknown = "UN" in statuses or changed
    # Without a failed row it was the machine itself that could not go on.
    compensation = facts.theirs.compensation if forward else None
    return ("UN" if unknown and (failed or changed) else "FA"), compensation


def _rows(facts: Facts) -> Iterator[tuple[str, str]]:
    for row in cast("Sequence[Sequence[str]]", facts.observed.get("db_states") or ()):
        matched = _ROW.fullmatch(row[0])
        yield (matched["state"] if matched else row[0]), row[1]


def _not_within(what: str, part: Sequence[JsonValue], whole: Sequence[JsonValue]) -> Iterator[str]:
    left = [text(one) for one in whole]
    for one in map(text, part):
        if one in left:
            left.remove(one)
        else:
            yield f"{what} lack {one}"


# --- 2: skipAndForward skips ---------------------------------------------------------------------


def _repeats_instead_of_skipping(facts: Facts) -> bool:
    return facts.step["op"] == "skipAndForward" and facts.theirs.thrown is None


def _skipped(facts: Facts) -> Iterator[str]:
    """The row that Seata repeated counts as skipped here, and its service was not called."""
    ours, theirs = facts.ours, facts.theirs
    if ours.running:
        yield "still runs"
    repeated = _repeated(theirs)
    if repeated is None:
        yield "nothing was to be skipped"
        return
    place, calls = repeated
    states = cast("Sequence[Json]", ours.states or ())
    if place >= len(states) or states[place]["status"] != "SK":
        yield "the state that failed is not skipped"
    if calls and (ours.calls or [])[: len(calls)] == calls:
        yield "the service of the skipped state was called"


def _repeated(theirs: Seen) -> tuple[int, list[JsonValue]] | None:
    """Where the row stands that Seata's forward repeated, and the call that it began with."""
    states = cast("Sequence[Json]", theirs.states or ())
    retried = [one["retries"] for one in states if one["retries"]]
    counts: dict[str, int] = {}
    found: int | None = None
    for place, state in enumerate(states):
        name = cast("str", state["name"])
        counts[name] = counts.get(name, 0) + 1
        label = name if counts[name] == 1 else f"{name}#{counts[name]}"
        if label in retried and state["ignored"]:
            found = place
    return None if found is None else (found, (theirs.calls or [])[:1])


# --- 3: a repeated state gets an id of its own ---------------------------------------------------


def _id_is_taken(facts: Facts) -> bool:
    taken = any(word in facts.message for word in _DUPLICATE)
    return facts.theirs.thrown == "ExceptionCaught" and taken and "started failed" in facts.message


def _went_on(facts: Facts) -> Iterator[str]:
    if facts.ours.running:
        yield "still runs"
    yield from _not_within("calls", facts.theirs.calls or [], facts.ours.calls or [])
    if not facts.ours.calls:
        yield "nothing was called"


# --- 4: the context holds what the machine put there ---------------------------------------------


def _takes_whole_context(facts: Facts) -> bool:
    """Seata's own transaction object lies in it, which cannot be written as JSON."""
    return not facts.in_memory and any(
        "#root" in expression.text or "#this" in expression.text
        for expression in _over_context(facts.machine)
    )


def _over_context(machine: Machine) -> Iterator[Expression]:
    for state in machine.states.values():
        if isinstance(state, Choice):
            yield from (branch.expression for branch in state.branches)
        if isinstance(state, Task):
            for template in state.input:
                yield from _expressions(template)


def _expressions(template: Template) -> Iterator[Expression]:
    if template.expression is not None:
        yield template.expression
    for _, entry in template.entries or ():
        yield from _expressions(entry)
    for item in template.items or ():
        yield from _expressions(item)


def _without_transaction(facts: Facts) -> Iterator[str]:
    if facts.ours.running or facts.ours.thrown is not None:
        yield f"did not go on: {facts.ours.thrown}"
    if "_global_transaction_" in text(facts.ours.calls):
        yield "a transaction object was handed to a service"


# --- 5: exceptions are kept as JSON --------------------------------------------------------------


def _exception_is_unreadable(facts: Facts) -> bool:
    """A class that Java could not deserialise: the instance cannot be loaded any more."""
    class_only = facts.theirs.thrown in ("java.lang.RuntimeException", "java.io.IOException")
    return class_only and facts.step["op"] != "start" and not facts.theirs.calls


def _is_readable(facts: Facts) -> Iterator[str]:
    if facts.ours.running:
        yield "still runs"
    if facts.ours.thrown not in (None, "OperationDenied"):
        yield f"threw {facts.ours.thrown}"


# --- 6: definitions are compiled when they are loaded: see `traces`, it needs no step ------------

# --- 7: the engine in memory has a log, too ------------------------------------------------------


def _needs_a_log(facts: Facts) -> bool:
    if not facts.in_memory:
        return False
    repeated_key = facts.ours.thrown is not None and "StoreException" in facts.ours.thrown
    undone = [one for one in facts.theirs.states or () if _undoes_sub_machine(one)]
    return bool(undone) or (repeated_key and facts.step.get("business_key") is not None)


def _undoes_sub_machine(state: JsonValue) -> bool:
    return cast("Json", state)["type"] == "CompensateSubMachine"


def _has_a_log(facts: Facts) -> Iterator[str]:
    if facts.ours.running:
        yield "still runs"
    states = cast("Sequence[Json]", facts.ours.states or ())
    undone = [one for one in states if one["type"] == "CompensateSubMachine"]
    if facts.step.get("business_key") is None and not undone:
        yield "no sub machine was undone"


# --- 8: an undo keeps its row --------------------------------------------------------------------


def _undo_loses_its_row(facts: Facts) -> bool:
    """In update mode Seata updates a row of another undo by a shared CompensateState, or none."""
    tasks = [one for one in facts.machine.states.values() if isinstance(one, Task)]
    updates = facts.machine.compensation_updates or any(one.compensation_updates for one in tasks)
    undone = [one.compensate_state for one in tasks if one.compensate_state]
    shared = len(dict.fromkeys(undone)) < len(undone)
    again = facts.step["op"] != "start" or any(one.loop is not None for one in tasks)
    return bool(updates) and (shared or again)


def _keeps_its_row(facts: Facts) -> Iterator[str]:
    """What is undone is known to be undone, so what follows is not Seata's any more."""
    ours, theirs = facts.ours, facts.theirs
    if ours.running:
        yield "still runs"
    if facts.step["op"] == "start":
        if ours.status != theirs.status:
            yield f"ended {ours.status}/{ours.compensation}"
        yield from _not_within("calls", theirs.calls or [], ours.calls or [])


# --- 21: a forward behind a sub machine starts the next one --------------------------------------


def _next_sub_cannot_start(facts: Facts) -> bool:
    """Seata takes it for the one to go on with and finds no earlier step of it."""
    if facts.step["op"] not in ("forward", "skipAndForward"):
        return False
    states = cast("Sequence[Json]", facts.theirs.states or ())
    failed = [one for one in states if one["type"] == "SubStateMachine" and one["output"] is None]
    tasks = facts.machine.states.values()
    several = [one for one in tasks if isinstance(one, SubStateMachine)]
    return len(several) > 1 and any(one["status"] == "UN" and not one["retries"] for one in failed)


def _next_sub_started(facts: Facts) -> Iterator[str]:
    if facts.ours.running:
        yield "still runs"
    if len(facts.ours.subs or []) <= len(facts.theirs.subs or []):
        yield "no sub machine was started"


DEVIATIONS: Sequence[Deviation] = (
    Deviation(1, "an instance ends instead of hanging", _hangs, _ended),
    Deviation(2, "skipAndForward skips", _repeats_instead_of_skipping, _skipped),
    Deviation(3, "a repeated state gets an id of its own", _id_is_taken, _went_on),
    Deviation(4, "the context holds no transaction", _takes_whole_context, _without_transaction),
    Deviation(5, "exceptions are kept as JSON", _exception_is_unreadable, _is_readable),
    Deviation(7, "the engine in memory has a log", _needs_a_log, _has_a_log),
    Deviation(8, "an undo keeps its row", _undo_loses_its_row, _keeps_its_row),
    Deviation(21, "a forward starts the next sub", _next_sub_cannot_start, _next_sub_started),
)
COMPILED_AT_LOAD = (6, "definitions are compiled when they are loaded")
