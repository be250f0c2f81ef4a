"""Both shops through the same checks. `python -m tests.naive.sides` writes the page of them."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import Literal

from tests.naive.checks import CHECKS
from tests.naive.kessai_peer import kessai_peer
from tests.naive.naive_peer import NaivePeer
from tests.naive.peer import Verdict

from kessai.proof.virtual_time import VirtualLoop

Side = Literal["naive", "kessai"]
PAGE = Path(__file__).parents[2] / "docs" / "proof" / "naive.md"
SEED = 1

_HEAD = """# The other algorithm, side by side

A payment can be integrated in a plausible way that loses money, stock or events. `tests/naive/`
holds such a shop: **a labelled re-implementation, written by us, of the naive algorithm** (believe
the webhook, poll the first ten, cancel at the deadline, publish and hope), with its sixteen known
mistakes X1-X16. It is a test peer; nothing here measures anybody's product.

The same checks (`tests/naive/checks.py`, one function each) are asked of both: of that shop, where
each must find its violation, and of the whole real Kessai on virtual time, where none may. A check
that cannot bring a shop to its question fails instead of passing.

This page is written by `python -m tests.naive.sides`, out of what the checks found when it ran;
`tests/naive/test_sides.py` runs them again and compares.

| | must hold | naive re-implementation | Kessai |
|---|---|---|---|
"""
_FOOT = """
X13 asks Kessai's own alert rules of the events of both shops. X16 asks what can be seen from
outside: origins, sockets, the services' own ports, a production start with default secrets, and the
log of a purchase.
"""


@functools.cache
def verdict_of(name: str, side: Side) -> Verdict:
    async def ask() -> Verdict:
        verdict = Verdict()
        if side == "naive":
            await CHECKS[name](NaivePeer(), verdict)
        else:
            async with kessai_peer(SEED) as peer:
                await CHECKS[name](peer, verdict)
        return verdict

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(ask())


def page() -> str:
    return _HEAD + "".join(_row(name) for name in CHECKS) + _FOOT


def _row(name: str) -> str:
    check = CHECKS[name].__name__
    must = (CHECKS[name].__doc__ or "").splitlines()[0]
    naive, kessai = verdict_of(name, "naive"), verdict_of(name, "kessai")
    return f"| {name} | `{check}`<br>{must} | {_told(naive)} | {_told(kessai)} |\n"


def _told(verdict: Verdict) -> str:
    facts = f"{verdict.facts} fact{'s' if verdict.facts > 1 else ''}"
    if not verdict.wrong:
        return f"holds, {facts}"
    return f"**{len(verdict.wrong)} of {facts} wrong**: {verdict.wrong[0]}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
