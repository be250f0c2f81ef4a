"""`kessai up` with each service in processes of its own, on the real servers or without them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from pydantic import ValidationError

from kessai.cli.errors import complaint, fail, load_settings, note
from kessai.cli.merged import MergedLog
from kessai.cli.starting import starting
from kessai.cli.up import LAST_PORT, print_welcome
from kessai.kernel import telemetry
from kessai.kernel.errors import Unknown
from kessai.kernel.folder_lock import folder_held
from kessai.kernel.http import AiohttpHttp
from kessai.kernel.processes import Ended, ProcessGroup, ProcessLimits, Program
from kessai.kernel.server import Binding, check_ports, run, url_on_this_machine
from kessai.kernel.settings import Settings
from kessai.stack.domain.env import read_lines
from kessai.stack.main import stack_folder
from kessai.topology import (
    BFF,
    FIREBASE_SIMULATOR,
    ORDER,
    PAYPAY_SIMULATOR,
    SERVICES,
    ServiceCard,
    service,
)

FAILED = 1
# Instances of one service lie so far apart; nine of them reach no other port of the map.
PORT_STEP = 100
MOST = 9
_URLS = ("sql_url", "bus_url", "redis_url", "audit_url", "objects_url", "search_url")
_NEEDED = ("sql_url", "bus_url", "redis_url")
# Who calls comes down before who is called.
_STAGES = {BFF.name: 3, ORDER.name: 2}
_SIM_NAMES = {PAYPAY_SIMULATOR.name: "paypay", FIREBASE_SIMULATOR.name: "firebase"}


@dataclass(frozen=True, slots=True)
class Instance:
    """One process: the `number`th of its service, or a simulator (0)."""

    card: ServiceCard
    number: int
    port: int
    host: str

    @property
    def name(self) -> str:
        return f"{self.card.name} {self.number}" if self.number else self.card.name

    @property
    def url(self) -> str:
        return url_on_this_machine(self.host, self.port)

    @property
    def management_port(self) -> int | None:
        beside = self.card.management_port
        return None if beside is None else self.port + beside - self.card.port

    @property
    def command(self) -> tuple[str, ...]:
        if sim := _SIM_NAMES.get(self.card.name):
            return ("sim", sim)
        return ("serve", self.card.name, "--port", str(self.port))


def run_apart(*, stack: bool, instances: str | None, simulators: bool) -> None:
    settings = load_settings()
    counts = parse_instances(instances)
    given = stack_urls(settings) if stack else {}
    settings = load_settings(**{field: given[name] for field, name in _names(given)})
    processes = plan(settings, counts, simulators=simulators)
    if len({i.number for i in processes if i.card is BFF}) > 1 and settings.redis_url == "memory:":
        note("sessions are kept by each bff alone (KESSAI_REDIS_URL is memory:): stay with one")
    _check_ports(settings, processes)
    log = MergedLog((process.name for process in processes), sys.stderr)
    telemetry.configure(settings.log_level, stream=cast(TextIO, log))
    with ExitStack() as held:
        with starting():
            Path(settings.data_dir).mkdir(parents=True, exist_ok=True)
            held.enter_context(folder_held(Path(settings.data_dir), settings.instance))
        raise SystemExit(run(_run(settings, processes, given, log)))


def parse_instances(text: str | None) -> dict[str, int]:
    """`2`, or `order-service=2,bff=3`: how many of each service. Ends the command if it is wrong"""
    counts = {card.name: 1 for card in SERVICES}
    for entry in filter(None, (part.strip() for part in (text or "").split(","))):
        name, separator, number = entry.partition("=")
        if not separator:
            number = entry
        if not number.strip().isdecimal() or not 1 <= int(number) <= MOST:
            fail(f"--instances {entry}: a number from 1 to {MOST}, or service=number")
        if not separator:
            counts = dict.fromkeys(counts, int(number))
            continue
        try:
            card = service(name.strip())
        except LookupError as error:
            fail(f"--instances: {error}")
        if card.name not in counts:
            fail(f"--instances: there is one {card.name}")
        counts[card.name] = int(number)
    return counts


def stack_urls(settings: Settings) -> dict[str, str]:
    """The URLs of `kessai stack up` for what is not set, by their settings' names."""
    path = stack_folder(settings.data_dir).env_file
    try:
        found = read_lines(path.read_text("utf-8"))
    except OSError:
        found = {}
    missing = [field for field in _URLS if field not in settings.model_fields_set]
    if not found and not {*missing}.isdisjoint(_NEEDED):
        fail(f"--profile stack: {path} names no servers; start them first: kessai stack up")
    given = {}
    for field in missing:
        name = f"KESSAI_{field.upper()}"
        if name in found:
            try:
                Settings(**{field: found[name]})  # type: ignore[arg-type]
            except ValidationError as error:
                note(f"{name} of the stack is not used: {complaint(error.errors()[0])}")
            else:
                given[name] = found[name]
    for field in _NEEDED:
        if field in missing and f"KESSAI_{field.upper()}" not in given:
            note(f"KESSAI_{field.upper()}: no such server in the stack; {getattr(settings, field)}")
    return given


def _names(given: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.removeprefix("KESSAI_").lower(), name) for name in given]


def plan(settings: Settings, counts: Mapping[str, int], *, simulators: bool) -> list[Instance]:
    """The simulators that the settings' addresses mean, and every service."""
    offset = settings.port_offset
    stand_ins = {
        PAYPAY_SIMULATOR: settings.paypay_url,
        FIREBASE_SIMULATOR: settings.firebase_keys_url,
    }
    made = [
        Instance(card, 0, card.port + offset, settings.host)
        for card, url in stand_ins.items()
        if simulators and f"{url}/".startswith(f"http://127.0.0.1:{card.port + offset}/")
    ]
    for card in reversed(SERVICES):
        host = settings.host if card.public else settings.bind_host
        made += [
            Instance(card, number, card.port + offset + (number - 1) * PORT_STEP, host)
            for number in range(1, counts[card.name] + 1)
        ]
    return made


def _check_ports(settings: Settings, processes: list[Instance]) -> None:
    bindings = []
    for instance in processes:
        doors = [(instance.port, instance.host)]
        if instance.management_port is not None:
            doors.append((instance.management_port, settings.bind_host))
        for port, host in doors:
            if port > LAST_PORT:
                fail(f"port {port} of {instance.name} does not exist: KESSAI_PORT_OFFSET")
            bindings.append(Binding(instance.name, _nothing, port, host))
    with starting():
        check_ports(bindings)


async def _nothing(*_: object) -> None:
    """The app of a port that is only tried."""


def _programs(
    settings: Settings, processes: list[Instance], given: Mapping[str, str]
) -> list[Program]:
    urls: dict[str, list[str]] = {}
    for instance in processes:
        urls.setdefault(instance.card.name, []).append(instance.url)
    known = ";".join(f"{name}={'|'.join(at)}" for name, at in urls.items() if name != BFF.name)
    env = {**given, "KESSAI_SERVICE_URLS": settings.service_urls or known}
    parent = ("--parent", str(os.getpid()))
    return [
        Program(
            instance.name,
            (sys.executable, "-m", "kessai", *instance.command, *parent),
            stage=_STAGES.get(instance.card.name, 1 if instance.number else 0),
            env=env,
        )
        for instance in processes
    ]


async def _run(
    settings: Settings, processes: list[Instance], given: Mapping[str, str], log: MergedLog
) -> int:
    stop, hurry = asyncio.Event(), asyncio.Event()
    _listen_to_signals(stop, hurry)
    http = AiohttpHttp()
    at = {instance.name: instance.url for instance in processes}

    async def is_ready(name: str) -> bool:
        try:
            await http.send("GET", f"{at[name]}/actuator/health", timeout_s=2)
        except Unknown:
            return False
        return True

    group = ProcessGroup(
        _programs(settings, processes, given),
        tell=log,
        is_ready=is_ready,
        limits=ProcessLimits(stop_s=settings.stop_timeout_s + 3.0),
    )
    starting = asyncio.create_task(group.start())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    ended = starting.result() if starting.done() else None
    if ended is None and not stop.is_set():
        _welcome(settings, processes)
        await stop.wait()
    for task in (starting, stopped):
        task.cancel()
    killed = await group.stop(hurry)
    await http.close()
    return _exit_code(ended, killed)


def _exit_code(ended: Ended | None, killed: list[str]) -> int:
    if ended is not None:
        line = ended.last_line.removeprefix("kessai: ")
        how = "is not ready" if ended.code is None else f"ended with {ended.code}"
        refused = ended.code == 2
        note(f"{ended.program}: {line}" if refused else f"{ended.program} {how}: {line}")
        return 2 if refused else FAILED
    if killed:
        note(f"did not stop in time and were killed: {', '.join(killed)}")
    return FAILED if killed else 0


def _listen_to_signals(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    """The first one asks, the second one insists."""

    def on_signal() -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)


def _welcome(settings: Settings, processes: list[Instance]) -> None:
    rows = []
    for instance in processes:
        rows.append((instance.name, instance.url))
        if instance.management_port is not None:
            beside = url_on_this_machine(settings.bind_host, instance.management_port)
            rows.append((f"{instance.name} (management)", beside))
    print_welcome(settings, rows, accounts=any(i.card is FIREBASE_SIMULATOR for i in processes))
