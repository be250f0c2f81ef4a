"""The loop on which stories run: it jumps, and it refuses what no seed could replay."""

from __future__ import annotations

import asyncio
import concurrent.futures

import pytest

from kessai.proof.virtual_time import Stuck, VirtualClock, VirtualLoop


def test_an_hour_takes_no_time() -> None:
    async def sleep() -> float:
        await asyncio.sleep(3600)
        return VirtualClock().monotonic()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(sleep()) == 3600


def test_who_waits_for_nothing_is_told() -> None:
    with (
        pytest.raises(Stuck),
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        runner.run(asyncio.Event().wait())


def test_a_thread_that_reports_to_the_loop_ends_the_story() -> None:
    """Starlette's thread pool does not go through `run_in_executor`, it only reports back."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            pool.submit(loop.call_soon_threadsafe, done.set)
        await done.wait()
        await asyncio.sleep(1)

    with (
        pytest.raises(RuntimeError, match="a thread reached"),
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        runner.run(work())
