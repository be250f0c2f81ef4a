"""What is armed happens once, at its point, the n-th time; other points are left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kessai.kernel.crash_points import arm

ARMED = """
import asyncio
from kessai.kernel import crash_points
from kessai.kernel.db import open_database
from kessai.kernel.errors import DatabaseUnavailable
from kessai.proof.virtual_time import VirtualLoop

async def main():
    db = await open_database("sqlite:")
    crash_points.arm("commit:memory:before#2=full")
    for pause_s in (0, 0, crash_points.FULL_S):
        await asyncio.sleep(pause_s)
        try:
            async with db.transaction():
                pass
        except DatabaseUnavailable as error:
            print(error)
        else:
            print("written")
    await db.close()

with asyncio.Runner(loop_factory=VirtualLoop) as runner:
    runner.run(main())
"""
KILLED = """
from kessai.kernel import crash_points
crash_points.arm("here:before#2")
for _ in range(2):
    crash_points.reached("there:before")
    crash_points.reached("here:before")
    print("alive", flush=True)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Armed in a process of its own: a point is armed for good."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("wish", ["", "here", "here#", "here#0", "here#x", "here#1=melt", "#"])
def test_a_wish_of_another_form_is_refused(wish: str) -> None:
    with pytest.raises(ValueError, match="KESSAI_CRASH_AT"):
        arm(wish)


def test_a_full_disk_refuses_commits_for_a_while_and_then_takes_them() -> None:
    done = run(ARMED)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["written", "database or disk is full", "written"]


def test_the_process_dies_the_nth_time_and_not_before() -> None:
    done = run(KILLED)
    assert (done.returncode, done.stdout) == (-9, "alive\n")


def test_what_was_reached_is_written_down_once(tmp_path: Path) -> None:
    done = run(
        f"""
from pathlib import Path
from kessai.kernel import crash_points
crash_points.record_to(Path({str(tmp_path / "points")!r}))
for point in ("a:before", "b:before", "a:before"):
    crash_points.reached(point)
"""
    )
    assert done.stderr == ""
    assert (tmp_path / "points").read_text("utf-8") == "a:before\nb:before\n"
