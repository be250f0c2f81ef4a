"""A time limit: over, in time, nested, and beside somebody else's cancellation."""

from __future__ import annotations

import asyncio

import pytest

from kessai.kernel.within import within


async def test_what_ends_in_time_is_left_alone() -> None:
    with within(5):
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert _cancellations() == 0


@pytest.mark.parametrize("limit_s", [0.01, 0, -1])
async def test_what_takes_too_long_is_ended(limit_s: float) -> None:
    with pytest.raises(TimeoutError) as ended, within(limit_s):
        await asyncio.sleep(5)
    assert isinstance(ended.value.__cause__, asyncio.CancelledError)
    assert _cancellations() == 0


async def test_the_inner_limit_ends_the_inner_block_only() -> None:
    with within(5):
        with pytest.raises(TimeoutError), within(0.01):
            await asyncio.sleep(5)
        await asyncio.sleep(0)


async def test_the_outer_limit_ends_both() -> None:
    with pytest.raises(TimeoutError), within(0.01), within(5):
        await asyncio.sleep(5)
    assert _cancellations() == 0


async def test_an_error_of_the_block_is_its_own() -> None:
    with pytest.raises(LookupError), within(5):
        raise LookupError("nothing there")


async def test_who_is_cancelled_meanwhile_stays_cancelled() -> None:
    async def block() -> None:
        try:
            with within(0.01):
                await asyncio.sleep(5)
        except TimeoutError:
            pytest.fail("the caller's cancellation was taken for the limit")

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.005, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    both = asyncio.create_task(block())
    await asyncio.sleep(0)
    # Both in one turn of the loop: two cancellations, of which only one is the limit's.
    asyncio.get_running_loop().call_later(0.0, _busy_until_over, both)
    with pytest.raises(asyncio.CancelledError):
        await both


def _busy_until_over(task: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + 0.02
    while loop.time() < end_s:
        continue
    loop.call_soon(task.cancel)


def test_there_is_no_limit_without_a_task() -> None:
    with pytest.raises(RuntimeError), within(1):
        pytest.fail("it was entered")


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else -1
