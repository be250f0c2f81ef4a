"""The shop with each service in a process of its own; all of them end with the block, by pid."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kessai.kernel.errors import KessaiError, Unknown
from kessai.kernel.http import AiohttpHttp
from kessai.proof.customer import ShopUrls
from kessai.topology import (
    BFF,
    FIREBASE_SIMULATOR,
    PAYPAY_SIMULATOR,
    SERVICES,
    SIMULATORS,
    ServiceCard,
    service,
)

READY_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.05
_STOP_S: Final = 12.0
# Below 32768, above which the system lends ports to clients, who may then connect to themselves.
_FIRST_OFFSET: Final = 4000
_OFFSET_STEP: Final = 131
_OFFSETS: Final = 150
# What `kessai sim` calls them.
_SIM_NAMES: Final = {PAYPAY_SIMULATOR.name: "paypay", FIREBASE_SIMULATOR.name: "firebase"}


class CannotStart(KessaiError):
    """The shop does not come up here; the message says why, in one line."""


class PortInUse(CannotStart):
    """Nothing was started: another process has a port that the shop needs."""


def ports_of(offset: int) -> dict[int, str]:
    return {
        port + offset: card.name
        for card in (*SERVICES, *SIMULATORS)
        for port in (card.port, card.management_port)
        if port is not None
    }


def free_offset(first: int) -> int:
    """An offset under which every port of the map is free; the search begins at any number."""
    for step in range(_OFFSETS):
        offset = _FIRST_OFFSET + (first + step) % _OFFSETS * _OFFSET_STEP
        if all(map(is_free, ports_of(offset))):
            return offset
    raise PortInUse("no free range of ports on this machine")


def check_free(offset: int) -> None:
    """Raises `PortInUse`."""
    for port, name in ports_of(offset).items():
        if port > 65535:
            raise PortInUse(f"port {port} of {name} does not exist: the offset is too large")
        if not is_free(port):
            raise PortInUse(f"port {port} is taken by another process, but {name} needs it")


def is_free(port: int) -> bool:
    """Whether a service could listen there; what somebody connects from is no use either."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(slots=True)
class _Process:
    card: ServiceCard
    popen: subprocess.Popen[bytes]
    frozen: bool = False


@dataclass
class Fleet:
    """`died` counts what ended without being asked to; it is started again, as a host would."""

    folder: Path
    offset: int
    settings: Mapping[str, str] = field(default_factory=dict)
    died: Counter[str] = field(default_factory=Counter)
    _running: dict[str, _Process] = field(default_factory=dict)
    _down: set[str] = field(default_factory=set)
    _extra: dict[str, dict[str, str]] = field(default_factory=dict)
    _http: AiohttpHttp = field(default_factory=AiohttpHttp)
    _watching: asyncio.Task[None] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def urls(self) -> ShopUrls:
        cards = (BFF, PAYPAY_SIMULATOR, FIREBASE_SIMULATOR)
        return ShopUrls(*(self.url(card) for card in cards))

    def url(self, card: ServiceCard) -> str:
        return f"http://127.0.0.1:{card.port + self.offset}"

    @property
    def pids(self) -> list[int]:
        return [process.popen.pid for process in self._running.values()]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        await self._http.close()

    def end(self) -> None:
        """kill -9 of everything that was started; also of what is stopped."""
        if self._watching is not None:
            self._watching.cancel()
        for process in self._running.values():
            process.popen.kill()
        for process in self._running.values():
            process.popen.wait(_STOP_S)
        self._running.clear()

    async def start_all(self) -> None:
        """The simulators first, the door last. Raises `CannotStart`."""
        for card in (*SIMULATORS, *reversed(SERVICES)):
            self.start(card.name)
        for card in (*SIMULATORS, *SERVICES):
            await self.ready(card.name)
        for name, process in self._running.items():
            # Then it was somebody else who answered.
            if process.popen.poll() is not None:
                raise CannotStart(f"{name} ended at once: {self.last_line(name)}")
        self._watching = asyncio.ensure_future(self._keep_running())

    def run(self, *command: str) -> None:
        """A command to its end. Raises `CannotStart`."""
        done = subprocess.run(  # noqa: S603 - our own command line
            [sys.executable, "-m", "kessai", *command],
            cwd=self.folder,
            env=self._environment({}),
            capture_output=True,
            check=False,
            timeout=READY_S,
        )
        if done.returncode:
            raise CannotStart(f"kessai {' '.join(command)}: {done.stderr.decode()[-500:]}")

    def start(self, name: str, **extra: str) -> None:
        """`extra` are settings for this start only."""
        card = service(name)
        command = ("sim", _SIM_NAMES[name]) if card in SIMULATORS else ("serve", name)
        with (self.folder / f"{name}.log").open("ab") as log:
            popen = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-m", "kessai", *command],
                cwd=self.folder,
                env=self._environment(extra),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal is for us: we end them.
                start_new_session=True,
            )
        self._running[name] = _Process(card, popen)
        self._down.discard(name)

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Nothing of the user's own settings: this shop must not touch theirs."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("KESSAI_")}
        # Started elsewhere, so that no `.env` is read; then a relative path would not be found.
        paths = (os.path.abspath(path) for path in sys.path if path)
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join(paths),
            "KESSAI_DATA_DIR": str(self.data),
            "KESSAI_PORT_OFFSET": str(self.offset),
            "KESSAI_LOG_LEVEL": "WARNING",
            **self.settings,
            **extra,
        }

    async def ready(self, name: str) -> None:
        """Until it answers. Raises `CannotStart`."""
        url = f"{self.url(service(name))}/actuator/health/liveness"
        try:
            async with asyncio.timeout(READY_S):
                while not await self._answers(url):
                    process = self._running.get(name)
                    if process is not None and process.popen.poll() not in (None, 0):
                        raise CannotStart(f"{name} ended at once: {self.last_line(name)}")
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError as error:
            raise CannotStart(f"{name} does not answer: {self.last_line(name)}") from error

    async def _answers(self, url: str) -> bool:
        try:
            await self._http.send("GET", url, timeout_s=2)
        except Unknown:
            return False
        return True

    def last_line(self, name: str) -> str:
        log = self.folder / f"{name}.log"
        lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        return lines[-1][:500] if lines else "its log is empty"

    # What may be done to a running process. False where there is none.

    def kill(self, name: str) -> bool:
        """kill -9: nothing is finished, nothing is cleaned up. It stays down until `start`."""
        process = self._running.pop(name, None)
        if process is None:
            return False
        self._down.add(name)
        process.popen.kill()
        process.popen.wait(_STOP_S)
        return True

    async def terminate(self, name: str) -> bool:
        """SIGTERM, and the time to finish what it is doing. It stays down until `start`."""
        process = self._running.get(name)
        if process is None or process.popen.poll() is not None:
            return False
        self._down.add(name)
        process.popen.terminate()
        loop = asyncio.get_running_loop()
        end_s = loop.time() + _STOP_S
        while True:
            if process.popen.poll() is not None or loop.time() > end_s:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        process.popen.kill()
        process.popen.wait(_STOP_S)
        self._running.pop(name, None)
        return True

    def freeze(self, name: str) -> bool:
        return self._signal(name, signal.SIGSTOP, frozen=True)

    def thaw(self, name: str) -> bool:
        return self._signal(name, signal.SIGCONT, frozen=False)

    def _signal(self, name: str, number: signal.Signals, *, frozen: bool) -> bool:
        process = self._running.get(name)
        if process is None or process.popen.poll() is not None:
            return False
        process.popen.send_signal(number)
        process.frozen = frozen
        return True

    def limit_files(self, name: str, limit_bytes: int | None) -> bool:
        """No file grows beyond the limit any more (None: as far as it likes), as on a full disk."""
        process = self._running.get(name)
        if sys.platform != "linux" or process is None or process.popen.poll() is not None:
            return False
        pid, files = process.popen.pid, resource.RLIMIT_FSIZE
        try:
            _, hard = resource.prlimit(pid, files)
            resource.prlimit(pid, files, (hard if limit_bytes is None else limit_bytes, hard))
        except (OSError, ValueError):
            # Gone in this very moment, or not allowed here: then nothing was done.
            return False
        return True

    def heal(self) -> None:
        """Everything goes on: what is stopped continues, limits are lifted, what is down starts."""
        for card in (*SIMULATORS, *SERVICES):
            if card.name in self._running:
                self.thaw(card.name)
                self.limit_files(card.name, None)
            else:
                self.start(card.name)

    async def _keep_running(self) -> None:
        while True:
            for name, process in list(self._running.items()):
                if process.popen.poll() is not None and name not in self._down:
                    self.died[name] += 1
                    self.start(name)
            await asyncio.sleep(1.0)
