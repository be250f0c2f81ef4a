"""Drives one instance: asks the interpreter, calls the service, writes the row, and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol, cast

from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.errors import DatabaseUnavailable, Fenced, JsonValue, Refused, Unknown
from kessai.kernel.telemetry import get_log
from kessai.saga.deadlines import Deadlines
from kessai.saga.folding import apply, loggable
from kessai.saga.history import Body, Event, NotStorable, Run, Step, Thrown, Verdict
from kessai.saga.interpreter import (
    Advance,
    Call,
    Ended,
    Result,
    Value,
    Wait,
    advance,
    broken,
    commands,
    conclude,
)
from kessai.saga.language.model import ServiceTask
from kessai.saga.limits import EngineLimits
from kessai.saga.log import NO_REST, Instance, Rest, SagaLog
from kessai.saga.outcome import rest_of
from kessai.saga.services import Bound, Services, StepContext, classify, plain
from kessai.saga.tasks import end_all
from kessai.saga.writer import Writer

Classify = Callable[[BaseException], Thrown]

_log = get_log("kessai.saga")


class Subs(Protocol):
    """Runs what a SubStateMachine or CompensateSubMachine step asks for."""

    async def run(self, parent: Instance, step: Step) -> Result: ...


class Driver:
    """Needs nothing but one row at a time: every wait leaves no transaction open."""

    def __init__(
        self,
        log: SagaLog,
        writer: Writer,
        services: Services,
        subs: Subs,
        clock: Clock,
        chance: Chance,
        limits: EngineLimits,
        classify: Classify,
    ) -> None:
        self._log = log
        self._writer = writer
        self._services = services
        self._subs = subs
        self._clock = clock
        self._chance = chance
        self._limits = limits
        self._classify = classify
        self._slots = asyncio.Semaphore(limits.calls)
        self._deadlines = Deadlines()
        self._behind: dict[asyncio.Task[None], None] = {}

    async def drive(self, instance: Instance) -> Rest:
        """Until the instance ends. Raises `Fenced` when another engine took it over.

        A mistake of our own ends it, too: driven again a few times, then left to a person.
        """
        try:
            return await self._drive(instance)
        except (Fenced, DatabaseUnavailable):
            raise
        except Exception as error:
            _log.exception("saga.task_failed", instance_id=instance.run.instance_id)
            return await self._record(instance, broken(instance.run, classify(error)))

    async def _drive(self, instance: Instance) -> Rest:
        run = instance.run
        rest = NO_REST
        while True:
            if len(run.open) == 1 and run.steps[run.open[0]].due_ms is None:
                # One step and nothing to wait for: what `commands` says of it is known.
                rest = await self._step(instance, run.steps[run.open[0]])
                continue
            if len(run.open) > 1:
                rest = await self._drive_loop(instance)
                continue
            (command,) = commands(run, self._clock.now_ms())
            match command:
                case Call(step):
                    rest = await self._step(instance, step)
                case Wait(_, due_ms):
                    await self._pause_until(due_ms)
                case Advance():
                    rest = await self._record(instance, self._advance(run))
                case Ended():
                    return rest

    def rest(self, instance: Instance, event: Event) -> Rest:
        """What the machine row says after this event; a sub machine's end is its parent's."""
        if "end" not in event.body:
            return NO_REST
        return rest_of(
            instance,
            event,
            limits=self._limits,
            now_ms=self._clock.now_ms(),
            chance=self._chance.random,
        )

    async def close(self) -> None:
        """Ends the calls of asynchronous states, which nobody waits for."""
        await end_all(list(self._behind))

    async def _drive_loop(self, instance: Instance) -> Rest:
        """Open iterations are asked side by side; their results are written one after another."""
        run = instance.run
        asked: dict[int, asyncio.Task[Result | None]] = {}
        rest = NO_REST
        try:
            while run.running and (asked or len(run.open) > 1):
                local = self._ask_open(instance, asked)
                if local is not None:
                    rest = await self._step(instance, local)
                    continue
                await asyncio.wait(asked.values(), return_when=asyncio.FIRST_COMPLETED)
                for n in [n for n, task in asked.items() if task.done()]:
                    result = asked.pop(n).result()
                    if run.running and result is not None:
                        rest = await self._conclude(instance, run.steps[n], result)
        finally:
            await end_all(list(asked.values()))
        return rest

    def _ask_open(
        self, instance: Instance, asked: dict[int, asyncio.Task[Result | None]]
    ) -> Step | None:
        """Begins what is not asked yet; a local step writes its row itself, so it goes alone."""
        for command in commands(instance.run, self._clock.now_ms()):
            if not isinstance(command, Call | Wait) or command.step.n in asked:
                continue
            step = command.step
            if isinstance(command, Call) and self._is_local(step):
                return step
            due_ms = command.due_ms if isinstance(command, Wait) else None
            answer = self._answer_at(instance, step, due_ms)
            asked[step.n] = asyncio.get_running_loop().create_task(answer)
        return None

    async def _answer_at(self, instance: Instance, step: Step, due_ms: int | None) -> Result | None:
        """None for a local step, whose time has only come."""
        if due_ms is not None:
            await self._pause_until(due_ms)
        return None if self._is_local(step) else await self._answer(instance, step)

    async def _pause_until(self, due_ms: int) -> None:
        await asyncio.sleep((due_ms - self._clock.now_ms()) / 1000)

    def _is_local(self, step: Step) -> bool:
        return isinstance(step.task, ServiceTask) and self._services.of(step.task).local

    async def _step(self, instance: Instance, step: Step) -> Rest:
        task = step.task
        if isinstance(task, ServiceTask):
            bound = self._services.of(task)
            if bound.local:
                return await self._local_step(instance, step, bound)
        result = await self._answer(instance, step)
        return await self._conclude(instance, step, result)

    async def _answer(self, instance: Instance, step: Step) -> Result:
        if not isinstance(step.task, ServiceTask):
            return await self._subs.run(instance, step)
        context = _context(instance.run, step)
        if step.task.is_async:
            self._ask_behind(step, context)
            return Value(None)
        return await self._ask(step, step.task, context)

    def _ask_behind(self, step: Step, context: StepContext) -> None:
        """An asynchronous state succeeds at once; its answer changes nothing (seata.md 1.8)."""
        task = cast("ServiceTask", step.task)
        work: Coroutine[None, None, None] = self._ask_until_answered(step, task, context)
        behind = asyncio.get_running_loop().create_task(work, name=f"saga-async:{step.token}")
        self._behind[behind] = None
        behind.add_done_callback(lambda ended: self._behind.pop(ended, None))

    async def _ask_until_answered(
        self, step: Step, task: ServiceTask, context: StepContext
    ) -> None:
        attempts = 1 + sum(entry.max_attempts for entry in task.retry)
        for _ in range(attempts):
            result = await self._ask(step, task, context)
            if not isinstance(result, Thrown):
                return
            _log.warning("saga.async_step_failed", state=step.name, error=result.code)
            await asyncio.sleep(min([entry.interval_s for entry in task.retry] or [0.0]))

    async def _ask(self, step: Step, task: ServiceTask, context: StepContext) -> Result:
        """A remote call, outside of any transaction. Silence counts as Unknown."""
        timeout_s = task.timeout_s or self._limits.step_timeout_s
        call = self._services.of(task).call
        asking = cast("asyncio.Task[object]", asyncio.current_task())
        try:
            async with self._slots:
                self._deadlines.begin(asking, timeout_s)
                try:
                    return Value(plain(await call(context, None, _arguments(step))))
                finally:
                    expired = self._deadlines.end(asking)
        except asyncio.CancelledError:
            if asking.cancelling():
                raise
            if expired:
                return self._classify(Unknown("TIMEOUT", f"no answer within {timeout_s} s"))
            # The service gave up by itself, which says nothing about its effect.
            return self._classify(Unknown("CANCELLED", "the call was cancelled"))
        except (Refused, Unknown) as error:
            return self._classify(error)
        except NotStorable as error:
            return _not_storable(error)
        except BaseException as error:
            # SystemExit, too: what a service does may not end everybody's sagas.
            if isinstance(error, KeyboardInterrupt | GeneratorExit):
                raise
            _log.exception("saga.step_failed", instance_id=context.instance_id, state=step.state)
            return self._classify(error)

    async def _local_step(self, instance: Instance, step: Step, bound: Bound) -> Rest:
        """The service's changes and the row that says so, in one transaction."""
        run = instance.run
        context = _context(run, step)
        failure: Thrown
        try:
            async with self._log.transaction() as tx:
                value = plain(await bound.call(context, tx, _arguments(step)))
                event = self._decide(run, step, Value(value))
                rest = self.rest(instance, event)
                row, carried = loggable(run, event)
                if row is not None:
                    session = self._log.within(tx)
                    await session.append(instance, row, rest, at=self._clock.now_ms())
        except Fenced:
            raise
        except DatabaseUnavailable as error:
            return await self._conclude(instance, step, self._classify(error), in_doubt=True)
        except asyncio.CancelledError:
            if cast("asyncio.Task[object]", asyncio.current_task()).cancelling():
                raise
            failure = self._classify(Unknown("CANCELLED", "the call was cancelled"))
        except (Refused, Unknown) as error:
            # The body was undone; its answer is recorded in a transaction of its own.
            failure = self._classify(error)
        except NotStorable as error:
            failure = _not_storable(error)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | GeneratorExit):
                raise
            _log.exception("saga.step_failed", instance_id=context.instance_id, state=step.state)
            failure = self._classify(error)
        else:
            _apply(instance, event, carried, written=row is not None)
            return rest
        return await self._conclude(instance, step, failure)

    async def _conclude(
        self, instance: Instance, step: Step, result: Result, *, in_doubt: bool = False
    ) -> Rest:
        event = self._decide(instance.run, step, result)
        try:
            return await self._record(instance, event, in_doubt=in_doubt)
        except NotStorable as error:
            event = self._decide(instance.run, step, _not_storable(error))
            return await self._record(instance, event, in_doubt=in_doubt)

    def _decide(self, run: Run, step: Step, result: Result) -> Event:
        return conclude(
            run,
            step.n,
            result,
            now_ms=self._clock.now_ms(),
            jitter=self._chance.random() if isinstance(result, Thrown) else 0.0,
            cap_s=self._limits.retry_max_s,
            timeout_s=self._limits.machine_timeout_s,
        )

    def _advance(self, run: Run) -> Event:
        now_ms = self._clock.now_ms()
        return advance(run, now_ms=now_ms, timeout_s=self._limits.machine_timeout_s)

    async def _record(self, instance: Instance, event: Event, *, in_doubt: bool = False) -> Rest:
        """The row first, then the run: nothing follows an event that is not durable."""
        rest = self.rest(instance, event)
        row, carried = loggable(instance.run, event)
        if row is not None:
            await self._writer.append(instance, row, rest, in_doubt=in_doubt)
        _apply(instance, event, carried, written=row is not None)
        return rest


def _apply(instance: Instance, event: Event, carried: Body, *, written: bool) -> None:
    apply(instance.run, event)
    instance.run.carried = carried
    instance.run.seq += written


def _not_storable(error: NotStorable) -> Thrown:
    """The effect may well have happened; only its answer cannot be kept."""
    return Thrown(("NotStorable",), str(error), Verdict.UNKNOWN, code="NOT_STORABLE")


def _arguments(step: Step) -> Sequence[JsonValue]:
    """Copies: a service that changes its input must not change the history."""
    return [plain(value) for value in step.input]


def _context(run: Run, step: Step) -> StepContext:
    return StepContext(
        token=step.token,
        instance_id=run.instance_id,
        business_key=run.business_key,
        machine=run.machine.name,
        state=step.name,
        attempt=step.attempt,
        cause=run.cause,
    )
