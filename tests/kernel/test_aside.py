"""Work beside the loop: the loop goes on meanwhile, and one piece follows the other."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from kessai.kernel.aside import InThread, at_once


async def test_in_the_loop_it_is_done_at_once() -> None:
    assert await at_once(threading.get_ident) == threading.get_ident()


async def test_in_a_thread_the_loop_goes_on() -> None:
    aside = InThread()
    may_end = threading.Event()
    working = asyncio.ensure_future(aside(lambda: (may_end.wait(10), threading.get_ident())))
    await asyncio.sleep(0)
    assert not working.done()
    may_end.set()
    was_let_go, thread = await working
    assert was_let_go
    assert thread != threading.get_ident()


async def test_one_piece_of_work_follows_the_other() -> None:
    aside = InThread()
    at_work: list[int] = []
    most: list[int] = []

    def work(number: int) -> int:
        at_work.append(number)
        most.append(len(at_work))
        at_work.remove(number)
        return number

    found = await asyncio.gather(*(aside(partial(work, number)) for number in range(20)))
    assert found == list(range(20))
    assert max(most) == 1


@pytest.mark.parametrize("aside", [at_once, InThread()], ids=["at once", "in a thread"])
async def test_an_error_reaches_whoever_asked(aside: InThread) -> None:
    def work() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await aside(work)
