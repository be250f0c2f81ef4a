"""Each mutant in a copy of the source, hunted by seeds in a process of its own, a few at a time."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import kessai
from kessai.proof.mutants.hunt import LIMIT_S
from kessai.proof.mutants.patch import Mutant, mutated

SOURCE = Path(kessai.__file__).parent
_INVARIANT = re.compile(r"\bI\d{1,2}\b")


@dataclass(frozen=True, slots=True)
class Kill:
    """`seeds` until the first violation; None: it survived. `by` names invariants, or says what."""

    mutant: Mutant
    seeds: int | None
    by: tuple[str, ...]
    what: str


async def kills(
    mutants: Sequence[Mutant], *, first: int, last: int, workers: int
) -> AsyncIterator[Kill]:
    """In the order in which they end."""
    places = asyncio.Semaphore(workers)

    async def one(mutant: Mutant) -> Kill:
        async with places:
            return await _kill(mutant, first, last)

    hunts = [asyncio.ensure_future(one(mutant)) for mutant in mutants]
    for done in asyncio.as_completed(hunts):
        yield await done


async def _kill(mutant: Mutant, first: int, last: int) -> Kill:
    with tempfile.TemporaryDirectory(prefix="kessai-mutant-") as place:
        copy = Path(place) / "kessai"
        # With the compiled files: they belong to the times of the sources, which are kept.
        shutil.copytree(SOURCE, copy)
        for path, text in mutated(mutant, SOURCE).items():
            (copy / path.relative_to(SOURCE)).write_text(text, "utf-8")
        return _read(mutant, *await _hunt(Path(place), first, last))


async def _hunt(tree: Path, first: int, last: int) -> tuple[str, str, bool]:
    """What the hunt said and complained of, and whether it ran out of processor time."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "kessai.proof.mutants.hunt",
        str(first),
        str(last),
        env={**os.environ, "PYTHONPATH": str(tree)},
        cwd=tree,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    return said.decode(), complained.decode(), process.returncode == -signal.SIGXCPU


def _read(mutant: Mutant, said: str, complained: str, is_endless: bool) -> Kill:
    ready, _, line = said.partition("\n")
    if ready == "ready" and is_endless:
        return Kill(mutant, None, (), f"no end within {LIMIT_S} s of processor time")
    if ready != "ready" or not line:
        # It breaks the program, so it proves nothing about the oracle.
        last = complained.strip().splitlines()[-1:] or ["nothing was said"]
        return Kill(mutant, None, (), f"does not run: {last[0]}")
    found = json.loads(line)
    if not found["violations"]:
        return Kill(mutant, None, (), "survived")
    named = dict.fromkeys(
        name for text in found["violations"] for name in _INVARIANT.findall(text.split(":")[0])
    )
    return Kill(mutant, found["seeds"], tuple(named), str(found["violations"][0]))
