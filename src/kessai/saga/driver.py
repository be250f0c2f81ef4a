"""Drives one instance: asks the interpreter, calls the service, writes the row, and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db
from kessai.kernel.errors import DatabaseUnavailable, Fenced, JsonValue, Refused, Unknown
from kessai.kernel.telemetry import get_log
from kessai.saga import log
from kessai.saga.history import Event, Run, Step, Thrown, Verdict, apply, loggable
from kessai.saga.language import ServiceTask
from kessai.saga.limits import EngineLimits
from kessai.saga.log import Instance, Rest
from kessai.saga.machine import (
    Advance,
    Call,
    Ended,
    Result,
    Value,
    Wait,
    advance,
    commands,
    conclude,
)
from kessai.saga.outcome import rest_after
from kessai.saga.services import Bound, NotStorable, Services, StepContext, plain

Classify = Callable[[Exception], Thrown]

_log = get_log("kessai.saga")
_WRITE_PAUSE_MAX_S = 1.0


class Driver:
    """Needs nothing but one row at a time: every wait leaves no transaction open."""

    def __init__(
        self,
        db: Db,
        services: Services,
        clock: Clock,
        chance: Chance,
        limits: EngineLimits,
        classify: Classify,
    ) -> None:
        self._db = db
        self._services = services
        self._clock = clock
        self._chance = chance
        self._limits = limits
        self._classify = classify
        self._slots = asyncio.Semaphore(limits.calls)

    async def drive(self, instance: Instance) -> Rest:
        """Until the instance ends. Raises `Fenced` when another engine took it over."""
        rest = Rest()
        while True:
            (command,) = commands(instance.run, self._clock.now_ms())
            match command:
                case Call(step, task):
                    rest = await self._step(instance, step, task)
                case Wait(_, due_ms):
                    await asyncio.sleep((due_ms - self._clock.now_ms()) / 1000)
                case Advance():
                    rest = await self._record(instance, advance(instance.run))
                case Ended():
                    return rest

    def rest(self, instance: Instance, event: Event) -> Rest:
        """What the machine row says after this event, if the instance ends with it."""
        end = cast("Mapping[str, JsonValue] | None", event.body.get("end"))
        if end is None:
            return log.NO_REST
        return rest_after(
            cast("str", end["status"]),
            cast("str | None", end["compensation"]),
            redrives=instance.redrives,
            limits=self._limits,
            now_ms=self._clock.now_ms(),
            chance=self._chance.random(),
        )

    async def _step(self, instance: Instance, step: Step, task: ServiceTask) -> Rest:
        bound = self._services.of(task)
        context = _context(instance.run, step)
        if bound.local:
            return await self._local_step(instance, step, bound, context)
        result = await self._ask(bound, step, task, context)
        return await self._conclude(instance, step, result)

    async def _ask(
        self, bound: Bound, step: Step, task: ServiceTask, context: StepContext
    ) -> Result:
        """A remote call, outside of any transaction. Silence counts as Unknown."""
        timeout_s = task.timeout_s or self._limits.step_timeout_s
        try:
            async with self._slots, asyncio.timeout(timeout_s) as limit:
                return Value(plain(await bound.method(context, *_arguments(step))))
        except TimeoutError as error:
            if not limit.expired():
                return self._classify(error)
            return self._classify(Unknown("TIMEOUT", f"no answer within {timeout_s} s"))
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is None or current.cancelling():
                raise
            # The service gave up by itself, which says nothing about its effect.
            return self._classify(Unknown("CANCELLED", "the call was cancelled"))
        except (Refused, Unknown) as error:
            return self._classify(error)
        except Exception as error:
            _log.exception("saga.step_failed", instance_id=context.instance_id, state=step.state)
            return self._classify(error)

    async def _local_step(
        self, instance: Instance, step: Step, bound: Bound, context: StepContext
    ) -> Rest:
        """The service's changes and the row that says so, in one transaction."""
        failure: Thrown
        try:
            async with self._db.transaction() as tx:
                value = plain(await bound.method(context, tx, *_arguments(step)))
                event = self._decide(instance.run, step, Value(value))
                rest = self.rest(instance, event)
                row = loggable(instance.run, event)
                if row is not None:
                    data = self._encode(row)
                    await log.append(tx, instance, row, data, rest, at=self._clock.now_ms())
        except Fenced:
            raise
        except DatabaseUnavailable as error:
            if await self._is_mine(instance):
                # Only the answer of the commit was lost: the row is the truth.
                raise Fenced("the history is ahead of this task") from error
            failure = self._classify(error)
        except (Refused, Unknown) as error:
            # The body was undone; its answer is recorded in a transaction of its own.
            failure = self._classify(error)
        except Exception as error:
            _log.exception("saga.step_failed", instance_id=context.instance_id, state=step.state)
            failure = self._classify(error)
        else:
            self._advance(instance, event, written=row is not None)
            return rest
        return await self._conclude(instance, step, failure)

    async def _conclude(self, instance: Instance, step: Step, result: Result) -> Rest:
        event = self._decide(instance.run, step, result)
        try:
            return await self._record(instance, event)
        except NotStorable as error:
            thrown = Thrown(("NotStorable",), str(error), Verdict.UNKNOWN, code="NOT_STORABLE")
            return await self._record(instance, self._decide(instance.run, step, thrown))

    def _decide(self, run: Run, step: Step, result: Result) -> Event:
        return conclude(
            run,
            step.n,
            result,
            now_ms=self._clock.now_ms(),
            jitter=self._chance.random() if isinstance(result, Thrown) else 0.0,
            cap_s=self._limits.retry_max_s,
        )

    async def _record(self, instance: Instance, event: Event) -> Rest:
        """The row first, then the run: nothing follows an event that is not durable."""
        rest = self.rest(instance, event)
        row = loggable(instance.run, event)
        if row is not None:
            await self._write(instance, row, self._encode(row), rest)
        self._advance(instance, event, written=row is not None)
        return rest

    def _advance(self, instance: Instance, event: Event, *, written: bool) -> None:
        apply(instance.run, event)
        instance.run.seq += written

    def _encode(self, event: Event) -> str:
        encoded = log.encode(event.body)
        if len(encoded) > self._limits.event_bytes:
            raise NotStorable(f"an event has at most {self._limits.event_bytes} characters")
        return encoded

    async def _write(self, instance: Instance, row: Event, encoded: str, rest: Rest) -> None:
        """Again while the database is unavailable; a row that was written after all is enough."""
        pause_s = self._limits.write_pause_s
        for _ in range(self._limits.write_attempts):
            try:
                async with self._db.transaction() as tx:
                    await log.append(tx, instance, row, encoded, rest, at=self._clock.now_ms())
            except Fenced:
                if not await self._is_mine(instance):
                    raise
            except DatabaseUnavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _WRITE_PAUSE_MAX_S)
                continue
            return
        raise DatabaseUnavailable("the saga log cannot be written")

    async def _is_mine(self, instance: Instance) -> bool:
        """The next place in the history holds a row of this epoch: our own earlier attempt."""
        run = instance.run
        async with self._db.read() as tx:
            return await log.epoch_at(tx, run.instance_id, run.seq + 1) == instance.epoch


def _arguments(step: Step) -> list[JsonValue]:
    """Copies: a service that changes its input must not change the history."""
    return [plain(value) for value in step.input]


def _context(run: Run, step: Step) -> StepContext:
    return StepContext(
        token=step.token,
        instance_id=run.instance_id,
        business_key=run.business_key,
        machine=run.machine.name,
        state=step.state,
        attempt=step.attempt,
        cause=run.cause,
    )
