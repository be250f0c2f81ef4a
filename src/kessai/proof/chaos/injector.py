"""Does what the plan says, when it says so, and counts what really happened."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from pydantic import JsonValue

from kessai.kernel.telemetry import get_log
from kessai.proof.chaos.faults import OF_STORE, PROVIDER, Fault, Kind
from kessai.proof.chaos.fleet import CannotStart
from kessai.proof.chaos.servers import Servers
from kessai.proof.chaos.stores import hold_lock

# Less than any of the databases, more than an empty journal: writes fail in the middle.
FULL_DISK_BYTES: Final = 96 * 1024
_log: Final = get_log("kessai.chaos")


class Hosts(Protocol):
    """The machines that the services run on. A False: there was nothing to do it to."""

    @property
    def data(self) -> Path: ...

    def start(self, name: str, **extra: str) -> None: ...

    def kill(self, name: str) -> bool: ...

    async def terminate(self, name: str) -> bool: ...

    def freeze(self, name: str) -> bool: ...

    def thaw(self, name: str) -> bool: ...

    def limit_files(self, name: str, limit_bytes: int | None) -> bool: ...

    def heal(self) -> None: ...

    async def ready(self, name: str) -> None: ...


class Weather(Protocol):
    """The provider's knobs, and how often each fault fired."""

    async def replace(self, knobs: Mapping[str, JsonValue]) -> bool: ...

    async def look(self) -> None: ...

    async def will_end(self) -> None: ...

    @property
    def fired(self) -> Counter[str]: ...


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault that really fired, with the moments at which it did and was taken back."""

    fault: Fault
    began_s: float
    ended_s: float


class Injector:
    def __init__(self, hosts: Hosts, provider: Weather, servers: Servers | None = None) -> None:
        self._hosts = hosts
        self._servers = servers
        self.provider = provider
        self._began_s = 0.0
        self._coming_up: set[str] = set()
        self.happened: list[Happened] = []
        self.fired: Counter[str] = Counter()
        self._acts: Mapping[Kind, Callable[[Fault], Awaitable[bool]]] = {
            Kind.WEATHER: self._weather,
            Kind.UNREACHABLE: self._unreachable,
            Kind.KILL: self._kill,
            Kind.FREEZE: self._freeze,
            Kind.RESTART: self._restart,
            Kind.LOCKED: self._locked,
            Kind.DISK_FULL: self._full,
            Kind.READ_ONLY: self._full,
            Kind.CLOCK_STEP: self._step,
            Kind.RUSH: self._rush,
            Kind.KILL_SERVER: self._kill_server,
        }

    async def run(self, faults: Sequence[Fault]) -> None:
        """Every fault at its time, and back again; returns when the last was taken back."""
        self._began_s = _loop_s()
        try:
            async with asyncio.TaskGroup() as group:
                for fault in faults:
                    group.create_task(self._one(fault))
        except ExceptionGroup as failed:
            if found := failed.subgroup(CannotStart):
                # One line for people, as when it does not come up at the beginning.
                raise found.exceptions[0] from None
            raise

    async def _one(self, fault: Fault) -> None:
        await asyncio.sleep(self._began_s + fault.at_s - _loop_s())
        began_s = _loop_s() - self._began_s
        if await self._acts[fault.kind](fault):
            if fault.kind is not Kind.WEATHER:
                # What a weather did is counted by the simulator, knob by knob.
                self.fired[f"{fault.kind} {fault.target}"] += 1
            self.happened.append(Happened(fault, began_s, _loop_s() - self._began_s))
        else:
            _log.warning("chaos.did_not_fire", kind=fault.kind, target=fault.target)

    async def heal(self) -> None:
        """Whatever is still broken is mended, whoever broke it."""
        if self._servers is not None:
            await self._servers.up()
        self._hosts.heal()
        await self._hosts.ready(PROVIDER)
        await self.provider.replace({})
        await self.provider.look()

    async def _weather(self, fault: Fault) -> bool:
        if not await self.provider.replace(fault.knobs):
            return False
        await asyncio.sleep(fault.for_s)
        await self.provider.look()
        return True

    async def _unreachable(self, fault: Fault) -> bool:
        await self.provider.will_end()
        if not await self._hosts.terminate(PROVIDER):
            return False
        await asyncio.sleep(fault.for_s)
        self._hosts.start(PROVIDER)
        return True

    async def _kill(self, fault: Fault) -> bool:
        if not self._hosts.kill(fault.target):
            return False
        await asyncio.sleep(fault.for_s)
        self._hosts.start(fault.target)
        return True

    async def _restart(self, fault: Fault) -> bool:
        if not await self._hosts.terminate(fault.target):
            return False
        await asyncio.sleep(fault.for_s)
        self._hosts.start(fault.target)
        return True

    async def _freeze(self, fault: Fault) -> bool:
        if not self._hosts.freeze(fault.target):
            return False
        await asyncio.sleep(fault.for_s)
        return self._hosts.thaw(fault.target)

    async def _locked(self, fault: Fault) -> bool:
        return await hold_lock(self._hosts.data / f"{fault.target}.db", fault.for_s)

    async def _full(self, fault: Fault) -> bool:
        name = OF_STORE[fault.target]
        limit = 0 if fault.kind is Kind.READ_ONLY else FULL_DISK_BYTES
        if not self._hosts.limit_files(name, limit):
            return False
        await asyncio.sleep(fault.for_s)
        self._hosts.limit_files(name, None)
        return True

    async def _step(self, fault: Fault) -> bool:
        """Its host's clock is off from this start on, and right again from the next."""
        if not self._hosts.kill(fault.target):
            return False
        self._hosts.start(fault.target, KESSAI_CLOCK_SKEW_S=str(fault.knobs["skewS"]))
        await asyncio.sleep(fault.for_s)
        if self._hosts.kill(fault.target):
            self._hosts.start(fault.target)
        return True

    async def _kill_server(self, fault: Fault) -> bool:
        """Not one that is on its way up: whoever starts it would hear that it failed."""
        if self._servers is None or fault.target in self._coming_up:
            return False
        self._coming_up.add(fault.target)
        try:
            if not await self._servers.kill(fault.target):
                return False
            await asyncio.sleep(fault.for_s)
            await self._servers.up(fault.target)
        finally:
            self._coming_up.discard(fault.target)
        return True

    async def _rush(self, fault: Fault) -> bool:
        """The customers themselves come by their plan."""
        await asyncio.sleep(fault.for_s)
        return True


def _loop_s() -> float:
    return asyncio.get_running_loop().time()
