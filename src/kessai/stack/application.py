"""Bring servers up, look at them, take them down: each of ours, and only those."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from kessai.kernel.clock import Clock
from kessai.stack.domain.env import env_lines, settings
from kessai.stack.domain.place import Launch, Place, Plan
from kessai.stack.domain.plans import plan
from kessai.stack.domain.ports import choose_ports
from kessai.stack.domain.reports import Report, State
from kessai.stack.domain.server import (
    BASE_PORT,
    KAFKA,
    MAX_BROKERS,
    SERVERS,
    ServerCard,
    listens_on,
    port_keys,
    process_names,
)

_LOOK_S = 0.1
_KILL_LIMIT_S = 10.0
_LOG_LINES = 3


class StackError(Exception):
    """One line for the person who called: what is wrong and what would help."""


class CannotHave(StackError):
    """The server is not to be had on this machine."""


class DidNotStart(StackError):
    """It is here, but it does not run."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process of ours that is alive."""

    process: str
    pid: int
    rss_bytes: int


class Machine(Protocol):
    def user(self) -> str: ...

    def is_free(self, port: int) -> bool: ...

    def start(self, server: str, launch: Launch) -> None: ...

    def running(self, server: str, process: str) -> tuple[Running, ...]:
        """By its note, or by its mark when whoever started it was killed before writing one."""
        ...

    def was_started(self, server: str, process: str) -> bool:
        """Whether a note says so that nobody took back."""
        ...

    def end(self, server: str, process: str, *, at_once: bool) -> None: ...

    def forget(self, server: str, process: str) -> None: ...


class Folder(Protocol):
    path: Path

    def locked(self) -> AbstractAsyncContextManager[None]:
        """Nobody else brings up or takes down meanwhile."""
        ...

    def load(self) -> Remembered: ...

    def save(self, remembered: Remembered) -> None: ...

    def secrets(self, names: Iterable[str]) -> Mapping[str, str]: ...

    def write(self, plan: Plan) -> None: ...

    async def prepare(self, server: str, plan: Plan) -> None: ...

    def is_prepared(self, server: str) -> bool: ...

    def write_env(self, lines: Sequence[str]) -> None: ...

    def log_tail(self, server: str, process: str, lines: int) -> list[str]: ...

    def wipe(self, server: str) -> None: ...

    def wipe_rest(self) -> None:
        """Ports, secrets and settings too."""
        ...


class Programs(Protocol):
    async def fetch(self, card: ServerCard) -> Mapping[str, Path]:
        """Raises `CannotHave`."""
        ...


class Probes(Protocol):
    async def why_not_ready(self, server: str, place: Place) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the folder keeps between runs, beside secrets and data."""

    ports: Mapping[str, int]
    brokers: int | None = None
    proxied: bool = False


class Stack:
    def __init__(
        self,
        folder: Folder,
        machine: Machine,
        programs: Programs,
        probes: Probes,
        clock: Clock,
        base_port: int = BASE_PORT,
    ) -> None:
        self._folder = folder
        self._machine = machine
        self._programs = programs
        self._probes = probes
        self._clock = clock
        self._base_port = base_port

    async def up(
        self,
        cards: Sequence[ServerCard],
        tell: Callable[[Report], None],
        *,
        brokers: int | None = None,
        proxied: bool | None = None,
    ) -> list[Report]:
        """Each that can be, at the same time; one that fails keeps no other from coming up."""
        async with self._folder.locked():
            place, troubles = self._settle_place(cards, brokers, proxied)

            async def one(card: ServerCard) -> Report:
                report = await self._bring_up(card, place, troubles.get(card.name))
                tell(report)
                return report

            reports = list(await asyncio.gather(*(one(card) for card in cards)))
            # What was ready a moment ago is not asked again: on a busy machine it may be slow.
            raised = {report.server: report for report in reports}
            others = [card for card in SERVERS if card.name not in raised]
            self._write_env(place, [*reports, *await self._look(others, place)])
        return reports

    async def fetch(
        self, cards: Sequence[ServerCard], tell: Callable[[Report], None]
    ) -> list[Report]:
        """What `up` would fetch and build, and no more: nothing is started, no folder made."""

        async def one(card: ServerCard) -> Report:
            began = self._clock.monotonic()
            try:
                await self._programs.fetch(card)
            except CannotHave as error:
                report = Report(card.name, card.version, State.ABSENT, str(error))
            else:
                took_s = self._clock.monotonic() - began
                report = Report(card.name, card.version, State.FETCHED, fetch_s=took_s)
            tell(report)
            return report

        return list(await asyncio.gather(*(one(card) for card in cards)))

    def _settle_place(
        self, cards: Sequence[ServerCard], brokers: int | None, proxied: bool | None
    ) -> tuple[Place, dict[str, str]]:
        remembered = self._folder.load()
        known = remembered.brokers if self._folder.is_prepared(KAFKA.name) else None
        if brokers is not None and known is not None and brokers != known:
            raise StackError(
                f"kafka was made with {known} broker(s) here, not {brokers}: "
                "`kessai stack wipe kafka` first"
            )
        number = known or brokers or 1
        ports, troubles = dict(remembered.ports), {}
        for card in cards:
            taken = self._taken(card, ports, number)
            if taken and not card.movable and self._folder.is_prepared(card.name):
                numbers = ", ".join(str(ports[key]) for key in taken)
                troubles[card.name] = (
                    f"its port {numbers} is taken by another process; stop that, "
                    f"or begin anew: `kessai stack wipe {card.name}`"
                )
            else:
                ports = {key: port for key, port in ports.items() if key not in taken}
        ports = choose_ports(ports, self._machine.is_free, self._base_port)
        through = remembered.proxied if proxied is None else proxied
        self._folder.save(Remembered(ports, number, through))
        return self._place(ports, number), troubles

    def _taken(self, card: ServerCard, ports: Mapping[str, int], brokers: int) -> list[str]:
        """Ports that somebody else has, while nothing of ours runs there."""
        if any(self._machine.running(card.name, name) for name in process_names(card, brokers)):
            return []
        return [
            key
            for key in listens_on(card)
            if key in ports and not self._machine.is_free(ports[key])
        ]

    def _place(self, ports: Mapping[str, int], brokers: int) -> Place:
        names = [name for card in SERVERS for name in card.secrets]
        secrets = self._folder.secrets(names)
        return Place(self._folder.path, ports, secrets, brokers, self._machine.user())

    async def _bring_up(self, card: ServerCard, place: Place, trouble: str | None) -> Report:
        began = self._clock.monotonic()
        try:
            if trouble is not None:
                raise DidNotStart(trouble)
            programs = await self._programs.fetch(card)
            fetched_s = self._clock.monotonic() - began
            await self._start(card, plan(card.name, place, programs))
            await self._wait(card, place)
        except CannotHave as error:
            return self._report(card, place, State.ABSENT, str(error))
        except DidNotStart as error:
            return self._report(card, place, State.FAILED, str(error))
        took_s = self._clock.monotonic() - began
        report = self._report(card, place, State.READY)
        return replace(report, fetch_s=fetched_s, start_s=took_s - fetched_s)

    async def _start(self, card: ServerCard, planned: Plan) -> None:
        missing = [
            launch
            for launch in planned.launches
            if not self._machine.running(card.name, launch.name)
        ]
        if not missing:
            return
        self._folder.write(planned)
        if len(missing) == len(planned.launches):
            await self._folder.prepare(card.name, planned)
        for launch in missing:
            self._machine.start(card.name, launch)

    async def _wait(self, card: ServerCard, place: Place) -> None:
        end = self._clock.monotonic() + card.start_limit_s
        while True:
            why = await self._probes.why_not_ready(card.name, place)
            if why is None:
                return
            for process in process_names(card, place.brokers):
                if not self._machine.running(card.name, process):
                    raise DidNotStart(f"it ended at once: {self._last_words(card.name, process)}")
            if self._clock.monotonic() > end:
                raise DidNotStart(f"not ready after {card.start_limit_s:.0f} s: {why}")
            await asyncio.sleep(_LOOK_S)

    def _last_words(self, server: str, process: str) -> str:
        lines = self._folder.log_tail(server, process, _LOG_LINES)
        return " | ".join(line.strip() for line in lines) or "its log is empty"

    async def status(self, cards: Sequence[ServerCard]) -> list[Report]:
        return await self._look(cards, self._remembered_place())

    def _remembered_place(self) -> Place:
        remembered = self._folder.load()
        ports = choose_ports(remembered.ports, lambda _: True)
        return self._place(ports, remembered.brokers or 1)

    async def _look(self, cards: Sequence[ServerCard], place: Place) -> list[Report]:
        return list(await asyncio.gather(*(self._look_at(card, place) for card in cards)))

    async def _look_at(self, card: ServerCard, place: Place) -> Report:
        names = process_names(card, place.brokers)
        gone = [name for name in names if not self._machine.running(card.name, name)]
        ended = [name for name in gone if self._machine.was_started(card.name, name)]
        if ended:
            why = f"{', '.join(ended)} ended by itself or was killed; `kessai stack up` repairs it"
            return self._report(card, place, State.ENDED, why)
        if len(gone) == len(names):
            return self._report(card, place, State.STOPPED)
        why_not = await self._probes.why_not_ready(card.name, place)
        state = State.READY if why_not is None and not gone else State.NOT_READY
        return self._report(card, place, state, why_not or "")

    def _report(self, card: ServerCard, place: Place, state: State, why: str = "") -> Report:
        running = [
            alive
            for name in process_names(card, place.brokers)
            for alive in self._machine.running(card.name, name)
        ]
        return Report(
            server=card.name,
            version=card.version,
            state=state,
            why=why,
            pids={alive.process: alive.pid for alive in running},
            rss_bytes=sum(alive.rss_bytes for alive in running),
            ports={
                key.removeprefix(f"{card.name}."): place.ports[key]
                for key in port_keys(card, place.brokers)
            },
        )

    def _write_env(self, place: Place, reports: Iterable[Report]) -> None:
        self._folder.write_env(env_lines(self._settings(place, reports)))

    def _settings(self, place: Place, reports: Iterable[Report]) -> dict[str, str]:
        ready = [report.server for report in reports if report.state is State.READY]
        return settings(place, ready, proxied=self._folder.load().proxied)

    def settings(self, reports: Iterable[Report]) -> dict[str, str]:
        """What leads to the servers that are ready, with the secrets."""
        return self._settings(self._remembered_place(), reports)

    def shown_settings(self, reports: Iterable[Report]) -> list[str]:
        """As they were written, without the secrets."""
        return env_lines(self._settings(self._remembered_place(), reports), masked=True)

    def logs(self, cards: Sequence[ServerCard], lines: int) -> dict[str, list[str]]:
        brokers = self._folder.load().brokers or 1
        return {
            name: self._folder.log_tail(card.name, name, lines)
            for card in cards
            for name in process_names(card, brokers)
        }

    async def down(self, cards: Sequence[ServerCard]) -> list[Report]:
        """What ran and runs no more; FAILED is what even a kill did not end."""
        async with self._folder.locked():
            return await self._down(cards)

    async def _down(self, cards: Sequence[ServerCard]) -> list[Report]:
        place = self._remembered_place()
        reports = await asyncio.gather(*(self._take_down(card, place) for card in cards))
        self._write_env(place, await self._look(SERVERS, place))
        return [report for report in reports if report is not None]

    async def _take_down(self, card: ServerCard, place: Place) -> Report | None:
        """Asked first, killed when it does not listen; None when nothing ran."""
        names = process_names(card, MAX_BROKERS)
        before = [name for name in names if self._machine.running(card.name, name)]
        if not (await self._end(card, before, card.stop_limit_s, at_once=False)) and not (
            await self._end(card, before, _KILL_LIMIT_S, at_once=True)
        ):
            return self._report(card, place, State.FAILED, "it does not end, not even when killed")
        for name in names:
            self._machine.forget(card.name, name)
        return self._report(card, place, State.STOPPED) if before else None

    async def _end(
        self, card: ServerCard, names: Sequence[str], limit_s: float, *, at_once: bool
    ) -> bool:
        for name in names:
            self._machine.end(card.name, name, at_once=at_once)
        end = self._clock.monotonic() + limit_s
        while any(self._machine.running(card.name, name) for name in names):
            if self._clock.monotonic() > end:
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    async def kill(self, card: ServerCard) -> bool:
        """As a power cut would, for trials; False when nothing ran. `up` brings it back."""
        place = self._remembered_place()
        names = process_names(card, place.brokers)
        running = [name for name in names if self._machine.running(card.name, name)]
        return bool(running) and await self._end(card, running, _KILL_LIMIT_S, at_once=True)

    async def wipe(self, cards: Sequence[ServerCard]) -> list[Report]:
        """Taken down, and their data and logs removed; programs stay in the cache."""
        async with self._folder.locked():
            reports = await self._down(cards)
            kept = {report.server for report in reports if report.state is State.FAILED}
            for card in cards:
                if card.name not in kept:
                    self._folder.wipe(card.name)
            if len(cards) == len(SERVERS) and not kept:
                self._folder.wipe_rest()
            return reports
