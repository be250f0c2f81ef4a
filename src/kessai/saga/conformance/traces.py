"""Runs recorded cases on our engine, step by step, and tells every difference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from kessai.kernel.chance import SeededChance
from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import JsonValue, NotFound, Refused
from kessai.kernel.ids import RandomIds
from kessai.saga.conformance.demo import MAP_METHODS, Demo, DemoService, classify_java, from_markers
from kessai.saga.conformance.deviations import COMPILED_AT_LOAD, Facts, deviation_of
from kessai.saga.conformance.differ import Measure, differences
from kessai.saga.conformance.files import Library, is_uncompilable
from kessai.saga.conformance.report import Entry, Report, Result
from kessai.saga.conformance.seen import (
    Json,
    Seen,
    comparable,
    seen_in_seata,
    states_of,
)
from kessai.saga.conformance.stages import Ends, Played, Stage, StillClock
from kessai.saga.engine import Engine
from kessai.saga.folding import reload
from kessai.saga.language import DefinitionError, Machine
from kessai.saga.language.model import ServiceTask, Task
from kessai.saga.limits import EngineLimits
from kessai.saga.log import METADATA, Filter, MemoryLog

_OPERATIONS = ("start", "forward", "compensate", "skipAndForward", "reload", "sleep")
_CODES = {
    "OPERATION_DENIED": "OperationDenied",
    "SAGA_RUNNING": "OperationDenied",
    "SAGA_DUPLICATE": "org.apache.seata.common.exception.StoreException",
    "SAGA_UNKNOWN": "ObjectNotExists",
    "NOT_FOUND": "StateMachineInstanceNotExists",
}


@dataclass(slots=True)
class StepResult:
    """What Seata did and what we did in one step, and the differences in words."""

    step: Json
    theirs: Seen
    ours: Seen
    differences: list[str] = field(default_factory=list)


class OwnStage(Ends):
    """Our engine on SQLite or in memory, and a clock that stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = StillClock()

    def advance(self, by_ms: int) -> None:
        self.clock.advance(by_ms)

    @asynccontextmanager
    async def open(
        self, case: Json, machines: Mapping[str, Machine], demo: Demo
    ) -> AsyncIterator[Played]:
        async with _engine(case, machines, demo, self.clock, self) as engine:
            yield engine


def check_traces(cases: Sequence[Json], library: Library) -> Report:
    report = Report("traces")
    with asyncio.Runner() as runner:
        for case in cases:
            report.entries.append(runner.run(_check(case, library)))
    return report


async def _check(case: Json, library: Library) -> Entry:
    case_id = str(case.get("id"))
    file = Path(str(case.get("json_file") or "")).name
    refused = library.refused.get(file)
    if refused is not None:
        return _refused(case_id, refused)
    machine = library.by_file.get(file) or library.by_name.get(str(case["machine_name"]))
    if machine is None and file:
        return Entry(case_id, Result.SKIPPED, f"there is no machine {file}")
    machines = library.needed(machine) if machine is not None else {}
    results = await play(case, machines)
    if not results:
        return Entry(case_id, Result.SKIPPED, "its first step can not be done here")
    last = results[-1]
    if not last.differences:
        return Entry(case_id, Result.PASSED)
    return _judged(case, last, machine)


def _judged(case: Json, last: StepResult, machine: Machine | None) -> Entry:
    case_id = str(case.get("id"))
    reason = "; ".join(last.differences)
    if machine is not None:
        facts = Facts(last.step, last.theirs, last.ours, machine, _in_memory(case))
        explained = deviation_of(facts)
        if explained is not None:
            deviation, wrong = explained
            if not wrong:
                return Entry(case_id, Result.DEVIATING, deviation.title, deviation.number)
            reason = f"deviation {deviation.number}, but {'; '.join(wrong)}; {reason}"
    return Entry(case_id, Result.FAILED, f"step {last.step['op']}: {reason}")


def _refused(case_id: str, error: DefinitionError) -> Entry:
    """What Seata meets when a state runs, we meet when its definition is loaded."""
    number, title = COMPILED_AT_LOAD
    if is_uncompilable(error):
        return Entry(case_id, Result.DEVIATING, title, number)
    return Entry(case_id, Result.FAILED, f"its machine is refused: {error}")


async def play(
    case: Json, machines: Mapping[str, Machine], stage: Stage | None = None
) -> list[StepResult]:
    """Up to the first step of kind `sql`, or the first that differs."""
    results: list[StepResult] = []
    stage = stage or OwnStage()
    demo = Demo(stage.advance)
    async with stage.open(case, machines, demo) as engine:
        instance_id = ""
        for step in cast("list[Json]", case["steps"]):
            if step["op"] not in _OPERATIONS:
                break
            demo.calls.clear()
            demo.script = _script(step)
            stage.clear()
            thrown: str | None = None
            moved = False
            try:
                instance_id, moved = await _operate(engine, case, step, instance_id, stage)
            except Refused as error:
                thrown = _CODES.get(error.code, error.code)
            if step["op"] == "sleep":
                continue
            theirs = seen_in_seata(cast("Json", step["observed"]))
            ours = await _seen(engine, stage, instance_id, demo, thrown, moved=moved)
            ours = _as_told(step, theirs, ours, moved=moved)
            result = StepResult(step, theirs, ours)
            result.differences = differences(theirs, ours, _measure(case, step, machines))
            results.append(result)
            if result.differences:
                break
    return results


@asynccontextmanager
async def _engine(
    case: Json, machines: Mapping[str, Machine], demo: Demo, clock: StillClock, ends: Ends
) -> AsyncIterator[Engine]:
    store: MemoryLog | Db = MemoryLog() if _in_memory(case) else await open_database("sqlite:")
    if not isinstance(store, MemoryLog):
        store.migrate(METADATA.create_all)
    chance = SeededChance(7)
    limits = limits_of(case)
    services = services_of(demo, machines)
    engine = Engine(
        store,
        services,
        machines.values(),
        clock,
        RandomIds(clock, chance),
        chance,
        owner="conformance",
        limits=limits,
        classify=classify_java,
        on_end=ends,
    )
    try:
        yield engine
    finally:
        await engine.close()
        await store.close()


def limits_of(case: Json) -> EngineLimits:
    timeout_ms = cast("int | None", case.get("trans_timeout_ms"))
    return EngineLimits(
        redrives=0,
        retry_max_s=0.0,
        machine_timeout_s=None if timeout_ms is None else timeout_ms / 1000,
    )


def services_of(demo: Demo, machines: Mapping[str, Machine]) -> dict[str, DemoService]:
    demo.missing = dict.fromkeys(_of_other_types(machines))
    return {
        state.service: demo.service(state.service)
        for machine in machines.values()
        for state in machine.states.values()
        if isinstance(state, ServiceTask)
    }


def _in_memory(case: Json) -> bool:
    return "no log store" in str(case.get("engine") or "")


def _of_other_types(machines: Mapping[str, Machine]) -> Iterator[str]:
    """Seata knows beans of Spring only, unless somebody adds an invoker for another type."""
    for machine in machines.values():
        for state in machine.states.values():
            if isinstance(state, ServiceTask) and _cannot_be_found(state):
                demo = state.service == "demoService"
                yield state.method if demo else f"{state.service}.{state.method}"


def _cannot_be_found(task: ServiceTask) -> bool:
    takes_map = task.method in MAP_METHODS and task.parameter_types not in ((), ("java.util.Map",))
    return takes_map or task.service_type not in (None, "", "SpringBean")


def _script(step: Json) -> dict[str, list[str]]:
    """What a case plans, and for methods that throw by chance what they were seen to throw."""
    script = cast("dict[str, list[str]]", step.get("script") or {})
    planned = {name: list(actions) for name, actions in script.items()}
    chance: dict[str, list[str]] = {}
    last: JsonValue = None
    for entry in cast("list[JsonValue]", cast("Json", step["observed"]).get("trace") or []):
        if not isinstance(entry, list):
            continue
        kind, name, value = cast("tuple[str, str, JsonValue]", entry)
        if kind == "call":
            last = value
            continue
        by_chance = name == "randomExceptionMethod" or (
            isinstance(last, Mapping) and last.get("throwExceptionRandomly") == "true"
        )
        if by_chance and name not in planned:
            seen = "ok" if kind == "return" else "connect"
            seen = "demo" if str(value).endswith("DemoException") and kind == "throw" else seen
            chance.setdefault(name, []).append(seen)
    return {**chance, **planned}


async def _operate(
    engine: Played, case: Json, step: Json, instance_id: str, stage: Stage
) -> tuple[str, bool]:
    """The instance, and whether the operation set it in motion."""
    given = cast("Json | None", from_markers(step.get("params")))
    params = given or {}
    match step["op"]:
        case "start":
            key = cast("str | None", step.get("business_key"))
            name = cast("str", case["machine_name"])
            return await engine.begin(name, given, business_key=key), True
        case "forward":
            return instance_id, await engine.forward(instance_id, params)
        case "skipAndForward":
            return instance_id, await engine.skip(instance_id, params)
        case "compensate":
            return instance_id, await engine.compensate(instance_id, params)
        case "sleep":
            stage.advance(cast("int", step.get("ms") or 0))
    return instance_id, False


async def _seen(
    engine: Played, stage: Stage, instance_id: str, demo: Demo, thrown: str | None, *, moved: bool
) -> Seen:
    if not instance_id:
        return Seen(None, None, False, thrown, [], None, None, None)
    run = await stage.of(instance_id) if moved else None
    if moved and run is None:
        return Seen("RU", None, True, "did not end", _calls(demo), None, None, None)
    if run is None:
        try:
            _, run, _ = await engine.inspect(instance_id)
        except NotFound:
            return Seen(None, None, False, thrown, [], None, None, None)
        reload(run)
    rows = await engine.list(Filter(limit=1000))
    subs = [[row.status, row.compensation] for row in rows if row.parent_id is not None]
    fault = run.fault.code if run.fault is not None and moved else None
    return Seen(
        status=str(run.status),
        compensation=None if run.compensation is None else str(run.compensation),
        running=run.running,
        thrown=thrown or fault,
        calls=_calls(demo),
        states=states_of(run),
        context=comparable(run.context),
        subs=cast("list[JsonValue]", subs),
    )


def _as_told(step: Json, theirs: Seen, ours: Seen, *, moved: bool) -> Seen:
    """An asynchronous operation throws at nobody, and skipAndForward is one in Seata.

    One that has nothing to do answers with an instance into which its parameters are merged.
    """
    asynchronous = bool(step.get("async")) or step["op"] == "skipAndForward"
    if asynchronous and moved and theirs.thrown is None:
        ours = replace(ours, thrown=None)
    params = step.get("params")
    if not moved and isinstance(params, Mapping) and isinstance(ours.context, Mapping):
        merged = comparable({**ours.context, **cast("Json", from_markers(params))})
        if merged == theirs.context:
            ours = replace(ours, context=merged)
    return ours


def _calls(demo: Demo) -> list[JsonValue]:
    return [comparable(one[1:]) for one in demo.calls]


def _measure(case: Json, step: Json, machines: Mapping[str, Machine]) -> Measure:
    tasks = [one for machine in machines.values() for one in machine.states.values()]
    loops = [one.loop for one in tasks if isinstance(one, Task) and one.loop is not None]
    return Measure(
        stable=case.get("trace_stable") is not False,
        alone=all(loop.parallel <= 1 for loop in loops),
        reloaded=step["op"] != "start",
        several=len(machines) > 1,
    )
