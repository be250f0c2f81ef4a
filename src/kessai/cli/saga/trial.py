"""`run`: one instance of a definition in this process, with services from a module or a demo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from kessai.cli.saga import look
from kessai.cli.saga.given import json_or_text, machine_of, machines_in, params_of, services_of
from kessai.cli.saga.paper import listed, paper, print_json, say, stop
from kessai.cli.saga.source import attempt
from kessai.kernel import telemetry
from kessai.kernel.chance import SystemChance
from kessai.kernel.clock import SystemClock
from kessai.kernel.errors import JsonValue
from kessai.kernel.ids import RandomIds
from kessai.saga.engine import Engine
from kessai.saga.history import NotStorable
from kessai.saga.language import DefinitionError, Machine, ServiceTask, check_machines
from kessai.saga.library import living, open_store
from kessai.saga.limits import EngineLimits
from kessai.saga.log import MemoryLog, SqlLog
from kessai.saga.outcome import Outcome
from kessai.saga.records import Records
from kessai.saga.services import StepContext
from kessai.saga.web import present
from kessai.saga.web.models import SagaView

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Whoever tries a definition out wants to see its first end, not its eighth.
ONCE = EngineLimits(redrives=0)


@dataclass(frozen=True, slots=True)
class Trial:
    file: Path
    folders: Sequence[Path]
    params: tuple[Sequence[str], str | None]
    services: str | None
    demo: bool
    answers: Sequence[str]
    store: str
    business_key: str | None
    timeout_s: float
    log_level: str


@dataclass(frozen=True, slots=True)
class Echo:
    """Answers its input: one value as it is, several as a list, none with null."""

    name: str
    answers: Mapping[str, JsonValue]

    def method_named(self, method: str) -> Callable[..., Awaitable[JsonValue]]:
        async def answer(step: StepContext, *input: JsonValue) -> JsonValue:
            del step
            if f"{self.name}.{method}" in self.answers:
                return self.answers[f"{self.name}.{method}"]
            return input[0] if len(input) == 1 else list(input) or None

        return answer


def try_out(trial: Trial, *, as_json: bool) -> int:
    """The exit code."""
    machine = machine_of(trial.file)
    # The file comes last, so that it is the one that starts.
    machines = (*(one for one in machines_in(trial.folders) if one.name != machine.name), machine)
    try:
        check_machines(machines)
    except DefinitionError as error:
        stop(f"{trial.file}: {error}")
    services = _services(trial, machines)
    params = params_of(trial.params)
    if trial.log_level not in LEVELS:
        stop(f"--log-level {trial.log_level!r} is none of {listed(LEVELS)}")
    telemetry.configure(trial.log_level)
    outcome, saga = attempt(_run(trial, machines, services, params))
    succeeded = outcome is not None and outcome.succeeded
    if as_json:
        print_json({"outcome": _as_json(outcome), "saga": _dumped(saga)})
        return 0 if succeeded else 1
    if saga is not None:
        paper().print(look.saga(saga, SystemClock().now()))
    if outcome is None:
        say(f"not at its end after {trial.timeout_s:g} s")
    elif saga is None:
        pair = outcome.status + (f"/{outcome.compensation}" if outcome.compensation else "")
        say(f"{machine.name}: {pair}; it is not persisted, so no states are kept")
    return 0 if succeeded else 1


def _services(trial: Trial, machines: Iterable[Machine]) -> Mapping[str, object]:
    if (trial.services is None) is not trial.demo:
        stop("give either --services MODULE:OBJECT or --demo")
    if trial.services is not None:
        if trial.answers:
            stop("--answer is for --demo")
        return services_of(trial.services)
    answers: dict[str, JsonValue] = {}
    for given in trial.answers:
        name, equals, text = given.partition("=")
        if not equals:
            stop(f"--answer {given!r} is not SERVICE.METHOD=JSON")
        answers[name] = json_or_text(text)
    asked = {
        f"{state.service}.{state.method}": state.service
        for machine in machines
        for state in machine.states.values()
        if isinstance(state, ServiceTask)
    }
    if unknown := [name for name in answers if name not in asked]:
        stop(f"--answer {unknown[0]}: no state calls it")
    return {service: Echo(service, answers) for service in asked.values()}


async def _run(
    trial: Trial,
    machines: Sequence[Machine],
    services: Mapping[str, object],
    params: Mapping[str, JsonValue],
) -> tuple[Outcome | None, SagaView | None]:
    machine = machines[-1]
    clock, chance = SystemClock(), SystemChance()
    ids = RandomIds(clock, chance)
    try:
        async with open_store(trial.store) as store:
            engine = Engine(store, services, machines, clock, ids, chance, f"cli-{ids.new()}", ONCE)
            async with living(engine):
                key = trial.business_key
                outcome, instance_id = await _execute(engine, machine, params, key, trial.timeout_s)
                if not machine.persist:
                    return outcome, None
                log = store if isinstance(store, MemoryLog) else SqlLog(store)
                records = Records(log, machines, clock)
                return outcome, present.saga(await records.find(instance_id), records)
    except (NotStorable, DefinitionError) as error:
        stop(f"{trial.file}: {error}")
    except (OSError, ValueError) as error:
        stop(f"--store {trial.store}: {error}")
    except SQLAlchemyError as error:
        stop(f"--store {trial.store}: {type(error).__name__}")


async def _execute(
    engine: Engine,
    machine: Machine,
    params: Mapping[str, JsonValue],
    business_key: str | None,
    timeout_s: float,
) -> tuple[Outcome | None, str]:
    if not machine.persist:
        outcome = await engine.execute(machine.name, params, timeout_s=timeout_s)
        return outcome, outcome.instance_id if outcome else ""
    instance_id = await engine.begin(machine.name, params, business_key=business_key)
    return await engine.wait(instance_id, timeout_s), instance_id


def _as_json(outcome: Outcome | None) -> dict[str, object] | None:
    if outcome is None:
        return None
    return {
        "instanceId": outcome.instance_id,
        "machine": outcome.machine,
        "status": outcome.status,
        "compensation": outcome.compensation,
        "needsOperator": outcome.needs_operator,
        "succeeded": outcome.succeeded,
        "context": dict(outcome.context),
        "error": outcome.error.to_json() if outcome.error else None,
        "fault": outcome.fault.to_json() if outcome.fault else None,
    }


def _dumped(saga: SagaView | None) -> object:
    return saga.model_dump(mode="json", by_alias=True) if saga else None
