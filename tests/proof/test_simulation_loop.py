"""The loop of the simulation: virtual time, a seeded choice, and what a death leaves undone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from kessai.proof.simulation.dice import Dice
from kessai.proof.simulation.loop import Life, SimLoop, Stuck, bury

Tale = Callable[[SimLoop], Coroutine[Any, Any, Any]]


def tell(tale: Tale, *, seed: int = 1, shuffle: float = 0.0) -> Any:
    loop = SimLoop(Dice(seed), shuffle)
    try:
        return loop.run_until_complete(tale(loop))
    finally:
        loop.close()


def test_an_hour_passes_at_once_and_timers_ring_in_their_order() -> None:
    async def tale(loop: SimLoop) -> list[str]:
        rang: list[str] = []
        loop.call_later(3600, rang.append, "late")
        loop.call_later(1, rang.append, "first")
        loop.call_later(1, rang.append, "second")
        await asyncio.sleep(3600)
        await asyncio.sleep(0)
        assert loop.time() == 3600
        return rang

    assert tell(tale) == ["first", "second", "late"]


async def _order_of_ten(_: SimLoop) -> list[int]:
    seen: list[int] = []

    async def step(number: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        seen.append(number)

    await asyncio.gather(*(step(number) for number in range(10)))
    return seen


def test_the_seed_chooses_who_is_next() -> None:
    assert tell(_order_of_ten) == list(range(10))
    shuffled = [tell(_order_of_ten, seed=seed, shuffle=0.3) for seed in (1, 2, 1)]
    assert sorted(shuffled[0]) == list(range(10))
    assert shuffled[0] == shuffled[2]
    assert shuffled[0] != shuffled[1]


def test_what_is_dead_is_never_stepped_again() -> None:
    ran: list[str] = []

    async def work() -> None:
        try:
            ran.append("began")
            await asyncio.sleep(1)
            ran.append("went on")
        except asyncio.CancelledError:
            ran.append("was cancelled")
            raise
        finally:
            ran.append("cleaned up")

    async def tale(loop: SimLoop) -> None:
        life = Life("service", 1, 1)
        task = loop.create_task(work(), context=life.context())
        await asyncio.sleep(0.5)
        life.alive = False
        await asyncio.sleep(5)
        assert ran == ["began"]
        assert not task.done()
        bury(life.tasks)

    tell(tale)


@pytest.mark.parametrize("steps", range(6))
def test_a_stop_at_any_step_loses_nothing(steps: int) -> None:
    async def tale(loop: SimLoop) -> None:
        life = Life("service", 1, 1)
        got: list[int] = []
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def work() -> None:
            while True:
                got.append(await queue.get())

        def stop() -> None:
            life.paused = True

        task = loop.create_task(work(), context=life.context())
        life.fuse, life.on_fuse = steps, stop
        for number in range(6):
            queue.put_nowait(number)
            await asyncio.sleep(0.1)
        assert life.paused
        assert len(got) < 6
        loop.resume(life)
        await asyncio.sleep(1)
        assert got == list(range(6))
        task.cancel()

    tell(tale)


def test_a_thread_and_a_story_that_cannot_go_on_are_told() -> None:
    async def thread(_: SimLoop) -> None:
        await asyncio.to_thread(print)

    with pytest.raises(RuntimeError, match="a thread reached the simulation"):
        tell(thread)

    async def never(loop: SimLoop) -> None:
        await loop.create_future()

    with pytest.raises(Stuck):
        tell(never)
