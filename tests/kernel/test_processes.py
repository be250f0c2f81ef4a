"""Programs beside each other: real ones, as small as they can be."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kessai.kernel.processes import Ended, ProcessGroup, ProcessLimits, Program

_QUICK = ProcessLimits(
    ready_s=20, look_every_s=0.01, stop_s=5, first_pause_s=0.01, max_pause_s=0.02, first_tries=3
)
_SERVE = """
import pathlib, signal, sys
def end(*_):
    with open({folder!r} + "/ended", "a") as log: log.write({name!r} + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("hello from", {name!r}, flush=True)
pathlib.Path({folder!r}, {name!r}).touch()
while True: signal.pause()
"""
_STUBBORN = _SERVE.replace("signal.SIGTERM, end", "signal.SIGTERM, signal.SIG_IGN")


class World:
    """Programs that are ready when their file is there."""

    def __init__(self, folder: Path, limits: ProcessLimits = _QUICK) -> None:
        self.folder = folder
        self.limits = limits
        self.lines: list[tuple[str, str]] = []

    def program(self, name: str, code: str = _SERVE, stage: int = 0) -> Program:
        text = code.format(folder=str(self.folder), name=name)
        return Program(name, (sys.executable, "-c", text), stage)

    def group(self, *programs: Program) -> ProcessGroup:
        async def is_ready(name: str) -> bool:
            return (self.folder / name).exists()

        return ProcessGroup(
            programs,
            tell=lambda name, line: self.lines.append((name, line)),
            is_ready=is_ready,
            limits=self.limits,
        )

    @property
    def ended(self) -> list[str]:
        path = self.folder / "ended"
        return path.read_text().split() if path.exists() else []


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.01)


async def test_all_are_ready_and_stop_the_highest_stage_first(tmp_path: Path) -> None:
    world = World(tmp_path)
    names = {"below": 0, "middle": 1, "above": 2}
    group = world.group(*(world.program(name, stage=stage) for name, stage in names.items()))
    assert await group.start() is None
    pids = group.pids
    assert sorted(pids) == sorted(names)
    assert await group.stop() == []
    assert world.ended == ["above", "middle", "below"]
    assert sorted(world.lines) == sorted((name, f"hello from {name}") for name in names)
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_what_died_comes_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    group = world.group(world.program("a"))
    assert await group.start() is None
    killed = group.pids["a"]
    (tmp_path / "a").unlink()
    os.kill(killed, signal.SIGKILL)
    await until((tmp_path / "a").exists)
    assert group.pids["a"] != killed
    assert await group.stop() == []


@pytest.mark.parametrize(("code", "lives"), [(2, 1), (1, 3)])
async def test_what_never_came_up_ends_the_group(tmp_path: Path, code: int, lives: int) -> None:
    """Refused settings at once, all else after a few tries."""
    world = World(tmp_path)
    bad = Program("bad", (sys.executable, "-c", f"print('no such host'); exit({code})"))
    group = world.group(world.program("good"), bad)
    assert await group.start() == Ended("bad", code, "no such host")
    assert world.lines.count(("bad", "no such host")) == lives
    assert await group.stop() == []
    assert world.ended in (["good"], [])


async def test_a_refusal_after_it_was_ready_is_tried_again(tmp_path: Path) -> None:
    """By then it is a server that is away, not a wrong setting."""
    world = World(tmp_path)
    touched = f"import pathlib; p = pathlib.Path({str(tmp_path)!r}, 'a'); "
    dies = touched + "n = int(p.read_text() or 0) if p.exists() else 0; p.write_text(str(n + 1)); "
    program = Program("a", (sys.executable, "-c", dies + "import time; time.sleep(0.2); exit(2)"))
    group = world.group(program)
    assert await group.start() is None
    await until(lambda: int((tmp_path / "a").read_text() or 0) >= 4)
    await group.stop()


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    group = World(tmp_path).group(Program("a", ("/no/such/program",)))
    assert await group.start() == Ended("a", 127, "cannot be started: No such file or directory")
    assert await group.stop() == []


async def test_late_ones_are_named(tmp_path: Path) -> None:
    world = World(tmp_path, ProcessLimits(ready_s=0.3, look_every_s=0.01, stop_s=5))
    code = "import time; time.sleep(60)"
    group = world.group(Program("a", (sys.executable, "-c", code)))
    assert await group.start() == Ended("a", None, "")
    await group.stop()


async def test_who_does_not_stop_is_killed_and_named(tmp_path: Path) -> None:
    world = World(tmp_path, ProcessLimits(ready_s=20, look_every_s=0.01, stop_s=0.2))
    group = world.group(world.program("stubborn", _STUBBORN), world.program("good"))
    assert await group.start() is None
    assert await group.stop() == ["stubborn"]


async def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    world = World(tmp_path, ProcessLimits(ready_s=20, look_every_s=0.01, stop_s=60))
    group = world.group(world.program("stubborn", _STUBBORN))
    assert await group.start() is None
    hurry = asyncio.Event()
    stopping = asyncio.create_task(group.stop(hurry))
    hurry.set()
    assert await stopping == ["stubborn"]


async def test_lines_of_any_length_and_any_bytes(tmp_path: Path) -> None:
    world = World(tmp_path)
    code = _SERVE.replace(
        "print(", "sys.stdout.buffer.write(b'\\xff' + b'x' * 70000 + b'\\r\\n'); print("
    )
    group = world.group(world.program("a", code))
    assert await group.start() is None
    await group.stop()
    text = "".join(line for _, line in world.lines)
    assert text == "\ufffd" + "x" * 70000 + "hello from a"


@pytest.mark.skipif(sys.platform != "linux", reason="a promise of Linux only")
async def test_programs_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    child = (
        "import os, signal, sys, time; from kessai.kernel.processes import end_with_parent; "
        "end_with_parent(int(sys.argv[1])); print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = (
        "import os, subprocess, sys, time; "
        f"subprocess.Popen([sys.executable, '-c', {child!r}, str(os.getpid())]); time.sleep(60)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        parent,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert int(await process.stdout.readline())
    process.kill()
    await process.wait()
    # The pipe ends when the last one who holds it is gone.
    async with asyncio.timeout(20):
        assert await process.stdout.read() == b""
