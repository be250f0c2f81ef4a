"""The second process of a `verify`: it looks at its share of the orders and says what it saw.

It reads an `Asked` from its input and writes its `Part`, or in words why there is none. It ends
with whoever asked.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import sys
from dataclasses import dataclass

from kessai.kernel.clock import SystemClock
from kessai.kernel.http import AiohttpHttp
from kessai.kernel.processes import end_with_parent
from kessai.kernel.settings import Settings
from kessai.proof.invariants.books import BooksUnreadable
from kessai.proof.live import live_books
from kessai.proof.looks import Part, Share, look_at
from kessai.proof.verify import choose


@dataclass(frozen=True, slots=True)
class Asked:
    parent_pid: int
    settings: Settings
    # Ids of invariants.
    only: tuple[str, ...]
    share: Share


def main() -> None:
    # What is printed by accident is no answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked: Asked = pickle.load(sys.stdin.buffer)  # noqa: S301 - whoever started us wrote it
    end_with_parent(asked.parent_pid)
    # As in `kessai verify`: rows come and go by the million without a cycle among them.
    gc.freeze()
    gc.disable()
    try:
        found: Part | str = asyncio.run(_look(asked))
    except BooksUnreadable as error:
        found = str(error)
    with answer:
        pickle.dump(found, answer, pickle.HIGHEST_PROTOCOL)


async def _look(asked: Asked) -> Part:
    http = AiohttpHttp()
    try:
        async with live_books(asked.settings, SystemClock(), http, check=None) as books:
            return await look_at(books, choose(asked.only), asked.share)
    finally:
        await http.close()


if __name__ == "__main__":
    main()
