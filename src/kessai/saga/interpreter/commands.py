"""What the interpreter asks for, and the results that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from kessai.kernel.errors import JsonValue
from kessai.saga.history import Run, Step, Thrown


@dataclass(slots=True)
class Value:
    """A service answered."""

    value: JsonValue


@dataclass(frozen=True, slots=True)
class SubEnded:
    """A sub machine ended, or its compensation did; `started_by` is the step that began it.

    `thrown`: the sub machine could not go on, which its caller sees as an exception.
    """

    instance_id: str
    started_by: int
    status: str
    compensation: str | None
    context: Mapping[str, JsonValue]
    thrown: Thrown | None = None


Result: TypeAlias = Value | SubEnded | Thrown


@dataclass(frozen=True, slots=True)
class Call:
    """Ask the service or run the sub machine, with the step's token, the same at every try."""

    step: Step


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again at `due_ms`."""

    step: Step
    due_ms: int


@dataclass(frozen=True, slots=True)
class Advance:
    """No step is open, because the last ones left no row: decide again with `advance`."""


@dataclass(frozen=True, slots=True)
class Ended:
    status: str
    compensation: str | None


Command: TypeAlias = Call | Wait | Advance | Ended


def commands(run: Run, now_ms: int) -> tuple[Command, ...]:
    """What has to happen next: one command, or in a Loop one for each open iteration."""
    if not run.running:
        return (Ended(run.status, run.compensation),)
    if not run.open:
        return (Advance(),)
    return tuple(_of(run.steps[n], now_ms) for n in run.open)


def _of(step: Step, now_ms: int) -> Call | Wait:
    if step.due_ms is not None and step.due_ms > now_ms:
        return Wait(step, step.due_ms)
    return Call(step)
