"""Processes of the rules that are killed, wiped, added and taken away, and when that is done."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.alert_process import Job

_STOP_S = 15.0
# Longer than a session: by then a dead one's partitions are somebody else's.
_AWAY_S = 8.0


@dataclass
class Fleet:
    """Instances of the rules; `job.folder` is the parent of their folders."""

    job: Job
    logs: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)
    # Those that should run, beside what was killed and comes back later.
    wanted: set[str] = field(default_factory=set)

    def start(self, name: str) -> None:
        job = replace(self.job, instance=name)
        root = Path(__file__).parents[2]
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(job.words(), stdout=log, stderr=log, cwd=root)
        self.wanted.add(name)
        self.did.append(f"start {name}")

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(_STOP_S)
        self.did.append(f"kill {name}")

    def stop(self, name: str) -> None:
        self.wanted.discard(name)
        process = self.running.pop(name, None)
        if process is not None:
            process.terminate()
            process.wait(_STOP_S)
            self.did.append(f"stop {name}")

    def scale(self, names: str) -> None:
        """From now on these run, and no others."""
        for name in sorted(self.wanted - set(names)):
            self.stop(name)
        self.wanted = set(names)
        self.mend()

    def mend(self) -> None:
        """Whoever was killed and not started again comes back."""
        for name in sorted(self.wanted - self.running.keys()):
            self.start(name)

    def wipe(self, name: str) -> None:
        """Its state on this machine. On the local bus all processes share one."""
        folder = Path(self.job.folder) if self.is_shared else Path(self.job.folder) / name
        shutil.rmtree(folder, ignore_errors=True)
        self.did.append(f"wipe {name}")

    @property
    def is_shared(self) -> bool:
        return not self.job.bus.startswith("kafka:")

    def require_alive(self) -> None:
        for name, process in self.running.items():
            if process.poll() is not None:
                log = (self.logs / f"{name}.log").read_text("utf-8", "replace")
                raise AssertionError(f"{name} ended by itself: {log[-2000:]}")


@contextmanager
def fleet(job: Job, logs: Path) -> Iterator[Fleet]:
    logs.mkdir(parents=True, exist_ok=True)
    made = Fleet(job, logs)
    try:
        yield made
    finally:
        for process in made.running.values():
            process.kill()
            process.wait()


# What is done at a moment of the run: (seconds after its beginning, the deed).
Deed = tuple[float, Callable[[Fleet], Awaitable[None] | None]]


def random_kills(kills: int, *, wipes: int, over_s: float, seed: int) -> list[Deed]:
    """kill -9 of one that runs, at random moments; it comes back at once, or after a while."""
    chance = random.Random(seed)
    moments = sorted(over_s * (0.05 + 0.9 * chance.random()) for _ in range(kills))
    wiped = set(chance.sample(range(kills), min(wipes, kills)))
    deeds: list[Deed] = []
    for number, moment in enumerate(moments):
        deeds.append((moment, _strike(chance.random(), chance.random(), wipe=number in wiped)))
        deeds.append((moment + _AWAY_S, Fleet.mend))
    return deeds


def _strike(whom: float, stays_away: float, *, wipe: bool) -> Callable[[Fleet], None]:
    def strike(fleet: Fleet) -> None:
        fleet.mend()
        names = sorted(fleet.running)
        victim = names[int(whom * len(names))]
        for name in names if wipe and fleet.is_shared else [victim]:
            fleet.kill(name)
        if wipe:
            fleet.wipe(victim)
        # Sometimes the partitions must go to another, and come back later.
        if stays_away < 0.7:
            fleet.mend()

    return strike


def changing_numbers(over_s: float) -> list[Deed]:
    """1, 2, 1 and then 3 instances."""
    steps = ((0.25, "ab"), (0.45, "a"), (0.65, "abc"))
    return [(over_s * at, lambda fleet, names=names: fleet.scale(names)) for at, names in steps]  # type: ignore[misc]


def broker_dies(at_s: float, killed: Callable[[], None]) -> Deed:
    """`killed` returns when the broker serves again; an instance dies while it is away."""

    async def die(fleet: Fleet) -> None:
        gone = asyncio.create_task(asyncio.to_thread(killed))
        await asyncio.sleep(3)
        victim = min(fleet.running, default="a")
        if victim in fleet.running:
            fleet.kill(victim)
        fleet.mend()
        await gone
        fleet.did.append("broker killed and started")

    return at_s, die
