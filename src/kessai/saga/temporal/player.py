"""One saga with its sub machines, driven inside a workflow: Temporal is its log, not the database.

Knows nothing of Temporal: what it may ask for is `World`. Everything that it decides follows from
the rows that it was given and from the answers of that world, so a replay decides the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from kessai.kernel.errors import Fenced, JsonValue, Kind, Refused
from kessai.kernel.telemetry import get_log
from kessai.saga import interpreter
from kessai.saga.folding import apply, loggable
from kessai.saga.history import Event, NotStorable, Operation, Run, Step, Thrown, Verdict
from kessai.saga.interpreter import Advance, Call, Result, Value, Wait
from kessai.saga.language import Machine
from kessai.saga.language.model import ServiceTask
from kessai.saga.limits import EngineLimits
from kessai.saga.log import (
    NO_REST,
    EventRow,
    Instance,
    MachineRow,
    MemoryLog,
    Rest,
    Session,
    encode,
)
from kessai.saga.log.rows import event_row, new_row
from kessai.saga.outcome import Outcome, outcome_of, rest_of
from kessai.saga.services import classify, plain
from kessai.saga.steering import NO_ORDER, Desk, Order, Steering
from kessai.saga.subs import Child, Steer, SubMachines
from kessai.saga.temporal.asking import Question, question
from kessai.saga.temporal.trees import Tree

Params: TypeAlias = Mapping[str, JsonValue]
_OPERATIONS = {
    Operation.FORWARD: interpreter.forward,
    Operation.COMPENSATE: interpreter.compensate,
    Operation.SKIP: interpreter.skip,
}
_log = get_log("kessai.saga")


class World(Protocol):
    """Each of these leaves its trace in the workflow's history."""

    def now_ms(self) -> int: ...

    def random(self) -> float: ...

    async def ask(self, question: Question) -> Value | Thrown: ...

    async def save(self, tree: Tree) -> None:
        """Into the service's own database. Raises `Fenced`, `Refused` SAGA_DUPLICATE."""
        ...

    async def until(self, holds: Callable[[], bool], due_ms: int | None) -> None:
        """Waits until it holds or the time has come."""
        ...

    def is_long(self) -> bool:
        """The history has grown so far that a new one should take over."""
        ...


class Renewed(Exception):
    """Goes on in a new history, with `Player.tree` and `Player.saved`."""


class Player:
    def __init__(
        self,
        machines: Iterable[Machine],
        owner: str,
        root_id: str,
        world: World,
        limits: EngineLimits,
    ) -> None:
        self._root_id = root_id
        self._owner = owner
        self._world = world
        self._limits = limits
        self._log = MemoryLog()
        self._machines = {one.name: one for one in machines}
        versions = {(one.name, one.version): one for one in self._machines.values()}
        desk = Desk(owner, world.now_ms, self._rest, self._launch)
        self._steering = Steering(self._log, versions, desk)
        steer = Steer(self._start_child, self._forward, self._compensate, self._end_of)
        self._subs = SubMachines(self._log, steer)
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}
        self._behind: dict[asyncio.Task[None], None] = {}
        self._saving = asyncio.Lock()
        self._orders = 0
        self.saved: dict[str, int] = {}

    async def take_up(self, tree: Tree, saved: Mapping[str, int], *, recover: bool) -> None:
        """`recover`: the rows come from the database, and what ran after them is lost."""
        for row in tree.machines:
            self._log.put_back(row, tree.events[row.id])
        self.saved = dict(saved)
        root = tree.machines[0]
        if not root.running:
            return
        if recover:
            await self._recover(root.id, root.owner)
            return
        self._launch(self._log, await self._steering.load(self._log, root))

    async def play(self, *, ordered: bool = False) -> Outcome:
        """Until nothing moves and nobody is needed. `ordered`: an order is on its way.

        Raises `Renewed`, and `Fenced` when another engine has the instance.
        """
        while True:
            task = self._tasks.get(self._root_id)
            if task is not None:
                await task
            row = await self._log.machine(self._root_id)
            if self._tasks.get(self._root_id) is not task:
                continue
            if row is None:
                raise Fenced(f"instance {self._root_id} leaves no trace")
            due_ms = row.due_at
            if due_ms is None and not row.needs_operator and (self._orders or not ordered):
                if not self._behind:
                    run = (await self._steering.load(self._log, row)).run
                    return task.result() if task else outcome_of(run, needs_operator=False)
                await self._world.until(lambda: not self._behind, None)
                continue
            orders = self._orders
            await self._world.until(partial(self._moved, task, orders, ordered), due_ms)
            if due_ms is not None and self._tasks.get(self._root_id) is task:
                await self._redrive()

    async def steer(self, operation: Operation, params: Params, order: Order) -> bool:
        """Raises `Refused` as the engine's own operations do; durable once it returns."""
        try:
            decide = partial(
                _OPERATIONS[operation],
                params=params,
                now_ms=self._world.now_ms(),
                timeout_s=self._limits.machine_timeout_s,
            )
            changed = await self._steering.operate(self._root_id, decide, order)
            await self._save()
        finally:
            self._orders += 1
        return changed

    def tree(self, *, unsaved: bool = False) -> Tree:
        """Every row; or those that the database lacks, with the machines that have some."""
        machines: list[MachineRow] = []
        events: dict[str, Sequence[EventRow]] = {}
        for row, rows in self._log.kept():
            shown = rows[self.saved.get(row.id, 0) :] if unsaved else rows
            if shown:
                machines.append(row)
                events[row.id] = shown
        return Tree(machines, events)

    # --- driving ----------------------------------------------------------------------------

    def _launch(self, session: Session, instance: Instance) -> None:
        del session
        name = f"saga:{instance.run.machine.name}:{instance.run.instance_id}"
        loop = asyncio.get_running_loop()
        self._tasks[instance.run.instance_id] = loop.create_task(self._drive(instance), name=name)

    async def _drive(self, instance: Instance) -> Outcome:
        """A mistake of our own ends it, too: driven again a few times, then left to a person."""
        run = instance.run
        # A claim is durable before anything follows from it.
        await self._save()
        try:
            rest = await self._turns(instance)
        except (Fenced, Renewed):
            raise
        except Exception as error:
            _log.exception("saga.task_failed", instance_id=run.instance_id)
            rest = await self._record(instance, interpreter.broken(run, classify(error)))
        return outcome_of(run, needs_operator=rest.needs_operator)

    async def _turns(self, instance: Instance) -> Rest:
        run = instance.run
        rest = NO_REST
        while run.running:
            if len(run.open) > 1:
                rest = await self._side_by_side(instance)
                continue
            (command,) = interpreter.commands(run, self._world.now_ms())
            match command:
                case Wait(_, due_ms):
                    await self._world.until(_never, due_ms)
                case Call(step):
                    self._renew(run)
                    rest = await self._conclude(instance, step, await self._answer(instance, step))
                case Advance():
                    limit_s = self._limits.machine_timeout_s
                    event = interpreter.advance(run, now_ms=self._world.now_ms(), timeout_s=limit_s)
                    rest = await self._record(instance, event)
        return rest

    def _renew(self, run: Run) -> None:
        """Between two steps, while nothing else of this saga is under way."""
        alone = all(task.done() for one, task in self._tasks.items() if one != self._root_id)
        root = run.instance_id == self._root_id
        if root and alone and not self._behind and self._world.is_long():
            raise Renewed

    async def _side_by_side(self, instance: Instance) -> Rest:
        """Open iterations of a Loop; their results are taken one after another."""
        run = instance.run
        rest = NO_REST
        answers: asyncio.Queue[tuple[int, Result | Exception]] = asyncio.Queue()
        asked: dict[int, asyncio.Task[None]] = {}
        loop = asyncio.get_running_loop()
        try:
            while run.running and (asked or len(run.open) > 1):
                for n in [one for one in run.open if one not in asked]:
                    work = self._answer_to(answers, instance, run.steps[n])
                    asked[n] = loop.create_task(work)
                n, result = await answers.get()
                del asked[n]
                if isinstance(result, Exception):
                    raise result
                if run.running:
                    rest = await self._conclude(instance, run.steps[n], result)
        finally:
            for task in asked.values():
                task.cancel()
        return rest

    async def _answer_to(
        self, answers: asyncio.Queue[tuple[int, Result | Exception]], instance: Instance, step: Step
    ) -> None:
        if step.due_ms is not None:
            await self._world.until(_never, step.due_ms)
        try:
            result: Result | Exception = await self._answer(instance, step)
        except Exception as error:
            answers.put_nowait((step.n, error))
            return
        answers.put_nowait((step.n, result))

    async def _answer(self, instance: Instance, step: Step) -> Result:
        task = step.task
        if not isinstance(task, ServiceTask):
            return await self._subs.run(instance, step)
        asked = question(instance.run, step, task, self._limits.step_timeout_s)
        if not task.is_async:
            return await self._world.ask(asked)
        # An asynchronous state succeeds at once; its answer changes nothing (seata.md 1.8).
        loop = asyncio.get_running_loop()
        behind = loop.create_task(self._ask_behind(task, asked), name=f"saga-async:{step.token}")
        self._behind[behind] = None
        behind.add_done_callback(lambda ended: self._behind.pop(ended, None))
        return Value(None)

    async def _ask_behind(self, task: ServiceTask, asked: Question) -> None:
        for _ in range(1 + sum(entry.max_attempts for entry in task.retry)):
            if not isinstance(await self._world.ask(asked), Thrown):
                return
            pause_s = min([entry.interval_s for entry in task.retry] or [0.0])
            await self._world.until(_never, self._world.now_ms() + round(pause_s * 1000))

    async def _conclude(self, instance: Instance, step: Step, result: Result) -> Rest:
        try:
            return await self._record(instance, self._decide(instance.run, step, result))
        except NotStorable as error:
            # The effect may well have happened; only its answer cannot be kept.
            thrown = Thrown(("NotStorable",), str(error), Verdict.UNKNOWN, code="NOT_STORABLE")
            return await self._record(instance, self._decide(instance.run, step, thrown))

    def _decide(self, run: Run, step: Step, result: Result) -> Event:
        return interpreter.conclude(
            run,
            step.n,
            result,
            now_ms=self._world.now_ms(),
            jitter=self._world.random() if isinstance(result, Thrown) else 0.0,
            cap_s=self._limits.retry_max_s,
            timeout_s=self._limits.machine_timeout_s,
        )

    async def _record(self, instance: Instance, event: Event) -> Rest:
        rest = self._rest(instance, event)
        row, carried = loggable(instance.run, event)
        if row is not None:
            encode(row.body)  # raises `NotStorable`
            await self._log.append(instance, row, rest, at=self._world.now_ms())
        apply(instance.run, event)
        instance.run.carried = carried
        instance.run.seq += row is not None
        if instance.run.parent_id is None and _is_news(event, rest):
            await self._save()
        return rest

    def _rest(self, instance: Instance, event: Event) -> Rest:
        return rest_of(
            instance,
            event,
            limits=self._limits,
            now_ms=self._world.now_ms(),
            chance=self._world.random,
        )

    async def _save(self) -> None:
        """What the database does not have yet; it is written where lists and proofs read it."""
        async with self._saving:
            tree = self.tree(unsaved=True)
            if not tree.machines:
                return
            counts = {one: rows[-1].seq for one, rows in tree.events.items()}
            await self._world.save(tree)
            self.saved.update(counts)

    # --- taking up again --------------------------------------------------------------------

    def _moved(self, task: asyncio.Task[Outcome] | None, orders: int, ordered: bool) -> bool:
        return self._tasks.get(self._root_id) is not task or (ordered and self._orders > orders)

    async def _redrive(self) -> None:
        now_ms, limit_s = self._world.now_ms(), self._limits.machine_timeout_s
        redrive = partial(interpreter.redrive, now_ms=now_ms, timeout_s=limit_s)
        if not await self._steering.take_over(self._root_id, redrive, None):
            raise Fenced(f"the history of {self._root_id} is not understood")

    async def _recover(self, instance_id: str, owner: str) -> None:
        recover = partial(interpreter.recover, now_ms=self._world.now_ms())
        if not await self._steering.take_over(instance_id, recover, owner):
            raise Fenced(f"the history of {instance_id} is not understood")

    # --- sub machines -----------------------------------------------------------------------

    async def _start_child(self, child: Child) -> None:
        """In the database first, which knows whether its business key is taken."""
        definition = self._machines.get(child.machine)
        if definition is None:
            raise Refused("SAGA_UNKNOWN", f"no machine {child.machine!r}", kind=Kind.NOT_FOUND)
        run = Run(definition, child.instance_id, child.business_key, child.parent_id)
        now_ms, limit_s = self._world.now_ms(), self._limits.machine_timeout_s
        params = plain(dict(child.params))
        assert isinstance(params, dict)
        event = interpreter.begin(run, params, now_ms=now_ms, timeout_s=limit_s)
        instance = Instance(run, epoch=1, started_at=now_ms)
        row, carried = loggable(run, event)
        if row is not None:
            known = await self._log.machine(child.instance_id)
            if known is None:
                machine = new_row(instance, row, owner=self._owner, at=now_ms)
                first = event_row(instance, row, now_ms)
                await self._world.save(Tree([machine], {machine.id: [first]}))
                self.saved[child.instance_id] = 1
            await self._log.create(instance, row, owner=self._owner, at=now_ms)
        apply(run, event)
        run.carried = carried if row is None else {}
        run.seq += 1
        self._launch(self._log, instance)

    async def _forward(self, instance_id: str, params: Params) -> None:
        await self._steer_child(instance_id, interpreter.forward, params)

    async def _compensate(self, instance_id: str, params: Params) -> None:
        await self._steer_child(instance_id, interpreter.compensate, params)

    async def _steer_child(
        self, instance_id: str, operation: Callable[..., Event], params: Params
    ) -> None:
        now_ms, limit_s = self._world.now_ms(), self._limits.machine_timeout_s
        decide = partial(operation, params=params, now_ms=now_ms, timeout_s=limit_s)
        await self._steering.operate(instance_id, decide, NO_ORDER)

    async def _end_of(self, instance_id: str) -> Outcome:
        row = await self._log.machine(instance_id)
        if instance_id not in self._tasks and row is not None:
            if not row.running:
                run = (await self._steering.load(self._log, row)).run
                return outcome_of(run, needs_operator=False)
            await self._recover(instance_id, row.owner)
        return await self._tasks[instance_id]


def _never() -> bool:
    return False


def _is_news(event: Event, rest: Rest) -> bool:
    """What lists show: compensation begins, or nothing moves any more without a person."""
    return "undo" in event.body or ("end" in event.body and rest.due_ms is None)
