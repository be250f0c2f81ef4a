"""What can be compared: of Seata's recorded observations and of our runs, in one form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.saga.history import Run, Step
from kessai.saga.language.model import (
    IMPLICIT_COMPENSATION,
    CompensateSubMachine,
    SubStateMachine,
)

Json = dict[str, JsonValue]

_GENERATED = re.compile(r"\w+_\w+_\d+|[0-9a-z]{26}|[0-9a-f]{32}|X\d{5}(:\S+)?|[0-9a-z]{26}:\d+")
_WRAPPERS = ("java.util.", "[L")
# Java's class names, and an id of the caller that leaks into a sub machine's parameters.
_LEFT_OUT = ("@class", "@type", "_parent_id_")
# Seata counts these while iterations begin and end, so with more than one at once chance decides.
_COUNTERS = ("nrOfActiveInstances", "nrOfCompletedInstances")


@dataclass(frozen=True, slots=True)
class Seen:
    """One step of a case as far as it can be compared; None where a file does not say."""

    status: str | None
    compensation: str | None
    running: bool
    thrown: str | None
    calls: list[JsonValue] | None
    states: list[JsonValue] | None
    context: JsonValue
    subs: list[JsonValue] | None


def comparable(value: object) -> JsonValue:
    """Without Java's class names, empty fields and the difference of 1 and 1.0."""
    if isinstance(value, Mapping):
        return {
            key: comparable(one)
            for key, one in value.items()
            if key not in _LEFT_OUT and one is not None
        }
    if isinstance(value, list | tuple):
        wrapped = len(value) == 2 and isinstance(value[0], str) and value[0].startswith(_WRAPPERS)
        return comparable(value[1]) if wrapped else [comparable(one) for one in value]
    if isinstance(value, str):
        return "(generated)" if _GENERATED.fullmatch(value) else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return cast("JsonValue", value)


def sorted_json(values: Sequence[JsonValue]) -> list[JsonValue]:
    return sorted(values, key=lambda one: json.dumps(one, sort_keys=True))


def without_counters(context: JsonValue) -> JsonValue:
    if not isinstance(context, Mapping):
        return context
    return {key: value for key, value in context.items() if key not in _COUNTERS}


def seen_in_seata(observed: Mapping[str, JsonValue]) -> Seen:
    db = cast("Json", observed.get("db") or {})
    thrown = cast("Json | None", observed.get("thrown"))
    states = cast("list[Json] | None", observed.get("states"))
    running = db["is_running"] if "is_running" in db else observed.get("running", False)
    has_end = "end_params" in observed and thrown is None
    return Seen(
        status=cast("str | None", observed.get("status") or db.get("status")),
        compensation=cast(
            "str | None", observed.get("compensation_status") or db.get("compensation_status")
        ),
        running=bool(running),
        thrown=cast("str", thrown.get("errcode") or thrown["class"]) if thrown else None,
        calls=[comparable(one) for one in _calls(observed)] if "trace" in observed else None,
        states=None if states is None else [_java_state(one) for one in states],
        context=comparable(observed["end_params"]) if has_end else None,
        subs=_java_subs(observed),
    )


def _calls(observed: Mapping[str, JsonValue]) -> Iterator[JsonValue]:
    for entry in cast("list[JsonValue]", observed.get("trace") or []):
        if isinstance(entry, list) and entry[0] == "call":
            yield entry[1:]


def _java_state(state: Json) -> JsonValue:
    return {
        "name": state["name"],
        "type": state["type"],
        "status": state["status"],
        "compensation": state.get("compensation_status"),
        "for_update": bool(state.get("for_update")),
        "ignored": bool(state.get("ignore_status")),
        "compensates": state.get("compensates"),
        "retries": state.get("retries"),
        "input": _input(cast("str", state["type"]), state.get("input") or []),
        "output": comparable(state.get("output")),
    }


def _input(kind: str, values: object) -> JsonValue:
    """Starting a sub machine puts its key into the input that is in memory, not into the row."""
    found = comparable(values)
    if kind != "SubStateMachine" or not isinstance(found, list):
        return found
    return [
        {name: value for name, value in one.items() if name != "_business_key_"}
        if isinstance(one, Mapping)
        else one
        for one in found
    ]


def _java_subs(observed: Mapping[str, JsonValue]) -> list[JsonValue] | None:
    if "db" not in observed:
        return None
    subs = cast("list[Json]", observed.get("db_sub_machines") or [])
    return [[one["status"], one["compensation_status"]] for one in subs]


def states_of(run: Run) -> list[JsonValue]:
    labels = _labels(run)
    return [_state(step, labels) for step in run.steps.values()]


def _labels(run: Run) -> dict[int, str]:
    """Rows by name, `#2` for the second row of a name, as the recordings call them."""
    labels: dict[int, str] = {}
    rows: dict[str, list[int]] = {}
    for step in sorted(run.steps.values(), key=lambda one: one.row):
        same = rows.setdefault(_name(step), [])
        if step.row not in same:
            same.append(step.row)
        number = same.index(step.row) + 1
        labels[step.n] = _name(step) if number == 1 else f"{_name(step)}#{number}"
    return labels


def _state(step: Step, labels: Mapping[int, str]) -> JsonValue:
    return {
        "name": _name(step),
        "type": _type(step),
        "status": str(step.status),
        "compensation": None if step.undo_status is None else str(step.undo_status),
        "for_update": step.task.for_update,
        "ignored": step.superseded,
        "compensates": _undone(step, labels),
        "retries": None if step.again_for is None else labels.get(step.again_for),
        "input": _input(_type(step), step.input),
        "output": comparable(step.value),
    }


def _undone(step: Step, labels: Mapping[int, str]) -> str | None:
    if step.undoes is None:
        return None
    return labels.get(step.undoes, step.undone_name)


def _name(step: Step) -> str:
    implicit = step.name.startswith(IMPLICIT_COMPENSATION)
    return f"{IMPLICIT_COMPENSATION}*" if implicit else step.name


def _type(step: Step) -> str:
    if isinstance(step.task, SubStateMachine):
        return "SubStateMachine"
    return "CompensateSubMachine" if isinstance(step.task, CompensateSubMachine) else "ServiceTask"
