"""Where an instance ended, and whether anything is left to do for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.saga.history import Body, Event, Run, Thrown
from kessai.saga.language import Status
from kessai.saga.limits import EngineLimits
from kessai.saga.log import NO_REST, Instance, Rest


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` and `compensation` are Seata's; `cause` is the caught exception, `error` the last.

    `fault`: the machine itself could not go on, which Seata's caller gets as an exception. With
    `needs_operator` the instance stopped where only a person can say how it goes on.
    """

    instance_id: str
    machine: str
    business_key: str | None
    status: str
    compensation: str | None
    needs_operator: bool = False
    context: Mapping[str, JsonValue] = field(default_factory=dict)
    cause: Thrown | None = None
    error: Thrown | None = None
    fault: Thrown | None = None

    @property
    def succeeded(self) -> bool:
        return self.status == Status.SUCCEEDED and self.compensation is None


def outcome_of(run: Run, *, needs_operator: bool) -> Outcome:
    return Outcome(
        instance_id=run.instance_id,
        machine=run.machine.name,
        business_key=run.business_key,
        status=run.status,
        compensation=run.compensation,
        needs_operator=needs_operator,
        context=dict(run.context),
        cause=run.cause,
        error=run.exception,
        fault=run.fault,
    )


def is_settled(status: str, compensation: str | None) -> bool:
    """Nothing is unknown: finished, failed without effect, or undone (seata.md 1.9)."""
    if compensation is None:
        return status in (Status.SUCCEEDED, Status.FAILED)
    return compensation == Status.SUCCEEDED


def rest_of(
    instance: Instance,
    event: Event,
    *,
    limits: EngineLimits,
    now_ms: int,
    chance: Callable[[], float],
) -> Rest:
    """What the machine row says after this event; a sub machine's end is its parent's."""
    end = cast("Body | None", event.body.get("end"))
    if end is None or instance.run.parent_id is not None or not instance.run.machine.persist:
        return NO_REST
    if "denied" in event.body:
        return Rest(needs_operator=True)
    return rest_after(
        cast("str", end["status"]),
        cast("str | None", end["compensation"]),
        redrives=instance.redrives,
        limits=limits,
        now_ms=now_ms,
        chance=chance(),
    )


def rest_after(
    status: str,
    compensation: str | None,
    *,
    redrives: int,
    limits: EngineLimits,
    now_ms: int,
    chance: float,
) -> Rest:
    """What follows an end: nothing, another try after a growing pause, or an operator."""
    if is_settled(status, compensation):
        return Rest()
    # A success after a compensation contradicts itself: no automatic step can be right.
    if redrives >= limits.redrives or status == Status.SUCCEEDED:
        return Rest(needs_operator=True)
    pause_s = min(limits.redrive_first_s * 2**redrives, limits.redrive_max_s)
    return Rest(due_ms=now_ms + round(pause_s * (0.5 + 0.5 * chance) * 1000))
