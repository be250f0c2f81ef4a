"""Seata's demo services and exceptions in Python, and a runner for its recorded cases."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kessai.kernel.chance import SeededChance
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import Refused
from kessai.kernel.ids import RandomIds
from kessai.saga import METADATA, Engine, EngineLimits, Machine, StepContext, Thrown, Verdict
from kessai.saga.language import ServiceTask

SEATA = Path(__file__).resolve().parents[3] / "shared" / "seata"
DEMO = "org.apache.seata.saga.engine.mock.DemoException"
_ALL = ("java.lang.Exception", "java.lang.Throwable")
_KINDS = {
    "demo": ((DEMO, *_ALL), Verdict.PLAIN),
    "runtime": (("java.lang.RuntimeException", *_ALL), Verdict.PLAIN),
    "connect": (("java.lang.RuntimeException", *_ALL), Verdict.NOT_SENT),
    "connecttimeout": (("java.lang.RuntimeException", *_ALL), Verdict.PLAIN),
    "invalid": (("EngineExecutionException",), Verdict.PLAIN),
    "readtimeout": (("java.lang.RuntimeException", *_ALL), Verdict.NO_ANSWER),
}


class JavaError(Exception):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def classify_java(error: Exception) -> Thrown:
    if not isinstance(error, JavaError):
        raise error
    names, verdict = _KINDS[error.kind]
    return Thrown(names, str(error), verdict)


class DemoService:
    """`script` gives the outcome of the next calls of a method; then it behaves as in Java."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.script: dict[str, list[str]] = {}

    async def foo(self, step: StepContext, *input: Any) -> Any:
        return self._answer("foo", *input)

    async def bar(self, step: StepContext, *input: Any) -> Any:
        return self._answer("bar", *input)

    async def compensateFoo(self, step: StepContext, *input: Any) -> Any:
        return self._answer("compensateFoo", *input)

    async def compensateBar(self, step: StepContext, *input: Any) -> Any:
        return self._answer("compensateBar", *input)

    async def randomExceptionMethod(self, step: StepContext, *input: Any) -> Any:
        return self._answer("randomExceptionMethod", *input)

    async def complexParameterMethod(self, step: StepContext, *args: Any) -> Any:
        return args[2]

    async def interfaceParameterMethod(self, step: StepContext, career: Any) -> Any:
        return career

    async def reduce(self, step: StepContext, *args: Any) -> Any:
        return True

    def _answer(self, method: str, *input: Any) -> Any:
        value = input[0] if input else None
        if value is not None and not isinstance(value, dict):
            raise JavaError("invalid", f"{method} takes a map")
        self.calls.append(["call", method, value])
        planned = self.script.get(method) or ["ok"]
        action = planned.pop(0)
        if action in _KINDS:
            raise JavaError(action, f"{method} failed")
        if action in ("null", "empty"):
            return None if action == "null" else {}
        if isinstance(value, dict) and value.get("throwException") == "true":
            raise JavaError("demo", f"{method} execute failed")
        return value


def unmarked(value: Any) -> Any:
    """Cases mark Java objects as {"$people": {...}} or by a class name; here they are maps."""
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in ("$people", "$engineer"):
            return next(iter(value.values()))
        return {key: unmarked(one) for key, one in value.items()}
    return [unmarked(one) for one in value] if isinstance(value, list) else value


def comparable(value: Any) -> Any:
    """Without Java's class names and empty fields; generated keys look alike."""
    if isinstance(value, dict):
        return {
            key: comparable(one)
            for key, one in unmarked(value).items()
            if key not in ("@class", "@type") and one is not None
        }
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and value[0].startswith(_WRAPPERS):
            return comparable(value[1])
        return [comparable(one) for one in value]
    return "KEY" if isinstance(value, str) and _GENERATED.fullmatch(value) else value


_WRAPPERS = ("java.util.", "[L")
_GENERATED = re.compile(r"Q_BUSINESS_KEY_SIMPLE_\d+|[0-9a-z]{26}")


def calls_of(observed: Mapping[str, Any]) -> list[list[Any]]:
    return [
        entry
        for entry in observed.get("trace", ())
        if isinstance(entry, list) and entry[0] == "call"
    ]


class NotSupported(Exception):
    """The case needs a part of the language that the engine does not run yet."""


@asynccontextmanager
async def seata_engine(machine: Machine, service: object) -> AsyncIterator[tuple[Engine, Db]]:
    db = await open_database("sqlite:")
    db.migrate(METADATA.create_all)
    clock, chance = SystemClock(), SeededChance(7)
    services = {state.service: service for state in tasks_of(machine)}
    engine = Engine(
        db,
        services,
        [machine],
        clock,
        RandomIds(clock, chance),
        chance,
        owner="seata",
        limits=EngineLimits(redrives=0, retry_max_s=0.001),
        classify=classify_java,
    )
    yield engine, db
    await engine.close()
    await db.close()


def tasks_of(machine: Machine) -> list[ServiceTask]:
    return [state for state in machine.states.values() if isinstance(state, ServiceTask)]


async def run_case(case: Mapping[str, Any], machine: Machine) -> list[str]:
    """The differences between our engine and what the Java engine was seen to do."""
    service = DemoService()
    problems: list[str] = []
    async with seata_engine(machine, service) as (engine, db):
        instance_id = ""
        for position, step in enumerate(case["steps"]):
            service.calls.clear()
            service.script = {name: list(plan) for name, plan in (step.get("script") or {}).items()}
            thrown = ""
            try:
                instance_id = await _operate(engine, db, machine, step, instance_id)
            except Refused as error:
                thrown = error.code
            problems += [
                f"step {position}: {problem}"
                for problem in await _differences(engine, instance_id, step, service, thrown)
            ]
    return problems


async def _operate(
    engine: Engine, db: Db, machine: Machine, step: Mapping[str, Any], instance_id: str
) -> str:
    params = unmarked(step.get("params") or {})
    match step["op"]:
        case "start":
            async with db.transaction() as tx:
                return await engine.start(tx, machine.name, step.get("business_key"), params)
        case "forward":
            await engine.forward(instance_id, params)
        case "compensate":
            await engine.compensate(instance_id, params)
        case "reload":
            pass
        case other:
            raise NotSupported(other)
    return instance_id


async def _differences(
    engine: Engine,
    instance_id: str,
    step: Mapping[str, Any],
    service: DemoService,
    thrown: str,
) -> list[str]:
    observed = step["observed"]
    wanted_error = (observed.get("thrown") or {}).get("errcode", "StoreException")
    if thrown:
        same = {"OPERATION_DENIED": "OperationDenied", "SAGA_DUPLICATE": "StoreException"}
        return (
            [] if observed.get("thrown") and same[thrown] == wanted_error else [f"threw {thrown}"]
        )
    outcome = await engine.wait(instance_id, 20)
    if outcome is None:
        return ["did not end"]
    found = (outcome.status, outcome.compensation)
    row = observed.get("db") or {}
    wanted = (observed["status"], observed["compensation_status"])
    if observed.get("thrown"):
        wanted = (row["status"], row["compensation_status"])
        code = outcome.error.code if outcome.error else None
        if code != wanted_error:
            return [f"error {code}, Seata {wanted_error}"]
    problems = [] if found == wanted else [f"status {found}, Seata {wanted}"]
    calls, seen = comparable(service.calls), comparable(calls_of(observed))
    if calls != seen and calls:
        problems.append(f"calls {calls}, Seata {seen}")
    if "end_params" in observed and not observed.get("thrown"):
        context, theirs = comparable(dict(outcome.context)), comparable(observed["end_params"])
        if context != theirs:
            problems.append(f"context {context}, Seata {theirs}")
    return problems
