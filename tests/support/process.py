"""The system as real processes on ports of its own: started, killed, started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from kessai.kernel.settings import Settings
from kessai.proof.customer import ShopUrls
from kessai.topology import SERVICES, SIMULATORS, service

READY_S = 90.0
_STARTS, _GUARDS = 16, 31_800
# The map has ports that lie a thousand apart: neighbours at that distance would share one.
_APART = 1300
_held: list[socket.socket] = []


def free_offset() -> int:
    """An offset under which every port of the map is free."""
    cards = (*SERVICES, *SIMULATORS)
    ports = [p for card in cards for p in (card.port, card.management_port) if p is not None]
    start = _own_start()
    for offset in (start + step * 137 for step in range(100)):
        # Above 32768 the kernel lends ports to clients, which may then connect to themselves.
        usable = offset + max(ports) < 32768 and not Settings(port_offset=offset).closed_to_browsers
        if usable and all(is_free(port + offset) for port in ports):
            return offset
    raise RuntimeError("no free range of ports")


@cache
def _own_start() -> int:
    """Of this process for as long as it lives: another test process would find its ports free while
    a shop of it is started anew."""
    for step in range(_STARTS):
        slot = (os.getpid() + step) % _STARTS
        guard = socket.socket()
        try:
            guard.bind(("127.0.0.1", _GUARDS + slot))
        except OSError:
            guard.close()
        else:
            _held.append(guard)
            return 2000 + slot * _APART
    raise RuntimeError("too many test processes at once")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _answers(port: int) -> bool:
    """A port that listens may still belong to a process that is only starting."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/actuator/health", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@dataclass
class Processes:
    """Each command is a process; all of them end with the block, by their own pids."""

    folder: Path
    offset: int
    env: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def urls(self) -> ShopUrls:
        return ShopUrls(*(f"http://127.0.0.1:{port + self.offset}" for port in (8080, 8090, 8091)))

    def start(self, *command: str, **env: str) -> None:
        """`start("up", "--no-simulators")`; returns when its port answers.

        Whoever signs in goes to the simulators, which may listen a moment after the bff.
        """
        name = " ".join(command)
        log = (self.folder / f"{command[0]}-{command[-1].strip('-')}.log").open("ab")
        self.running[name] = subprocess.Popen(
            [sys.executable, "-m", "kessai", *command],
            env=self.environment(env),
            stdout=log,
            stderr=log,
        )
        log.close()
        simulators = (8090, 8091) if command == ("up",) else ()
        for port in (self._port_of(command), *(port + self.offset for port in simulators)):
            self._wait_ready(name, port)

    def run(self, *command: str, **env: str) -> str:
        """A command to its end; its output. Raises `CalledProcessError`."""
        done = subprocess.run(
            [sys.executable, "-m", "kessai", *command],
            env=self.environment(env),
            capture_output=True,
            check=True,
            timeout=120,
        )
        return done.stdout.decode()

    def environment(self, more: dict[str, str]) -> dict[str, str]:
        return {
            **os.environ,
            "KESSAI_DATA_DIR": str(self.folder / "data"),
            "KESSAI_PORT_OFFSET": str(self.offset),
            "KESSAI_PURCHASES_PER_MINUTE": "1000000",
            **self.env,
            **more,
        }

    def _port_of(self, command: tuple[str, ...]) -> int:
        if command[0] == "serve":
            return service(command[1]).port + self.offset
        ports = {"paypay": 8090, "firebase": 8091}
        return ports.get(command[-1], 8080) + self.offset

    def _wait_ready(self, name: str, port: int) -> None:
        end = time.monotonic() + READY_S
        while not _answers(port):
            if self.running[name].poll() is not None:
                raise RuntimeError(f"kessai {name} ended: {self.log_tail()}")
            if time.monotonic() > end:
                raise TimeoutError(f"kessai {name} is not ready: {self.log_tail()}")
            time.sleep(0.02)

    def kill(self, name: str) -> None:
        """kill -9: nothing is finished, nothing is cleaned up."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def wait_death(self, name: str, timeout_s: float) -> bool:
        """Whether it died by itself in time (an armed crash point was reached)."""
        try:
            self.running[name].wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        del self.running[name]
        return True

    def stop(self, name: str, timeout_s: float = 12.0) -> int:
        """SIGTERM; the exit code."""
        process = self.running.pop(name)
        process.terminate()
        return process.wait(timeout_s)

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(
            line
            for log in sorted(self.folder.glob("*.log"))
            for line in log.read_text("utf-8", "replace").splitlines()[-lines:]
        )


# Of those that sell and never search: an index of files is synced, and they are many.
NO_INDEX = {"KESSAI_SEARCH_URL": "memory:"}


@contextmanager
def processes(folder: Path, **env: str) -> Iterator[Processes]:
    made = Processes(folder, free_offset(), env)
    try:
        yield made
    finally:
        for name in list(made.running):
            made.kill(name)
