"""Sagas in processes that are killed with SIGKILL, whichever engine drives them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from kessai.kernel.errors import DatabaseUnavailable, JsonValue
from kessai.saga.port import Params

_ROOT = Path(__file__).resolve().parents[2]


class Begins(Protocol):
    """What both engines have."""

    async def begin(
        self, machine_name: str, params: Params | None, *, business_key: str | None = None
    ) -> str: ...

    async def wait(self, instance_id: str, timeout_s: float | None) -> object: ...


class Acknowledges(Protocol):
    def acknowledge(self, instance_id: str) -> None: ...


async def customers(engine: Begins, ledger: Acknowledges, folder: Path, at_once: int) -> None:
    """Sagas one after another, many at once, until a file says to begin no more."""

    async def one(number: int) -> None:
        orders = 0
        while not (folder / "stop").exists():
            order_id = f"{os.getpid()}-{number}-{orders}"
            params: dict[str, JsonValue] = {"orderId": order_id, "all": [1, 2, 3]}
            name = "bulk" if number % 4 == 0 else "order"
            orders += 1
            try:
                instance_id = await engine.begin(name, params, business_key=order_id)
                ledger.acknowledge(instance_id)
                await engine.wait(instance_id, 5)
            except DatabaseUnavailable:
                await asyncio.sleep(0.1)

    await asyncio.gather(*(one(number) for number in range(at_once)))


@dataclass
class Engines:
    """Processes of one module, each for an owner; they end with the block, by their own pids."""

    command: Sequence[str]
    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, owner: str) -> None:
        path = f"{_ROOT / 'src'}{os.pathsep}{_ROOT}"
        with (self.folder / f"{owner}.log").open("ab") as log:
            self.running[owner] = subprocess.Popen(
                [sys.executable, "-m", *self.command, str(self.folder), owner],
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": path},
                stdout=log,
                stderr=log,
            )

    def kill(self, owner: str) -> None:
        process = self.running.pop(owner)
        assert process.poll() is None, (self.folder / f"{owner}.log").read_text()[-3000:]
        process.send_signal(signal.SIGKILL)
        process.wait(10)


@contextmanager
def engines(module: str, *words: str, folder: Path) -> Iterator[Engines]:
    made = Engines((module, *words), folder)
    try:
        yield made
    finally:
        for owner in list(made.running):
            made.kill(owner)
