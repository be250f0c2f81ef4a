"""`make mutants`: every known-bad version has to be found; exit 1 when one is not."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kessai.proof.mutants import MUTANTS
from kessai.proof.mutants.campaign import Kill, kills

SEEDS = 300


async def run(options: argparse.Namespace, console: Console) -> list[Kill]:
    chosen = [one for one in MUTANTS if options.only in one.name]
    found = []
    async for kill in kills(chosen, first=1, last=options.seeds, workers=options.workers):
        seeds = "-" if kill.seeds is None else f"{kill.seeds} seeds"
        console.print(f"{kill.mutant.name}: {seeds} {', '.join(kill.by)} {kill.what[:120]}")
        found.append(kill)
    order = [one.name for one in MUTANTS]
    return sorted(found, key=lambda kill: order.index(kill.mutant.name))


def table(found: list[Kill]) -> Table:
    shown = Table("mutant", "seeds", "found by", box=None, pad_edge=False)
    for kill in found:
        seeds = "SURVIVED" if kill.seeds is None else str(kill.seeds)
        shown.add_row(kill.mutant.name, seeds, ", ".join(kill.by) or kill.what[:80])
    return shown


_HEAD = """# Mutants

A proof that cannot fail proves nothing. Each line is a known-bad version of this product: one
mistake that real shops make, put into a copy of the source (`src/kessai/proof/mutants/`). The
simulation runs seed after seed on it and has to find something wrong within {seeds} seeds, with the
same invariants that `kessai verify` asks of a live system. One that survives is a hole in the
oracle or in the faults.

`make mutants` hunts all of them and fails when one survives; `python -m kessai.proof.mutants --only
TEXT` hunts those whose name has TEXT. This page is what `--page` wrote.

| mutant | somebody thought | seeds | found by |
|---|---|---|---|
"""


def page(found: list[Kill], seeds: int) -> str:
    lines = [
        f"| `{kill.mutant.name}` | {kill.mutant.why} | {kill.seeds} | {_by(kill)} |\n"
        for kill in found
    ]
    return _HEAD.format(seeds=seeds) + "".join(lines)


def _by(kill: Kill) -> str:
    """Invariants by their number; what never comes to rest has none that could be named."""
    if kill.by:
        return ", ".join(kill.by)
    told = re.sub(r"\b0[0-9a-z]{25}-\d+\b", "a code", kill.what)
    told = re.sub(r"\b0[0-9a-z]{25}\b", "an order", told)
    what = re.split(r"\(|: \d", told)[0][:60].strip()
    return f"never at rest: {what}" if what[:1].isdigit() else what


def main() -> int:
    options = argparse.ArgumentParser(prog="mutants", description=__doc__)
    options.add_argument("--seeds", type=int, default=SEEDS, help="a mutant is hunted so long")
    options.add_argument("--only", default="", help="those whose name has this text")
    options.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    options.add_argument("--page", type=Path, help="write what was found as a page")
    chosen = options.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    found = asyncio.run(run(chosen, console))
    console.print(table(found))
    alive = [kill for kill in found if kill.seeds is None]
    console.print(f"{len(found)} mutants, {len(found) - len(alive)} found")
    if chosen.page and not alive:
        chosen.page.write_text(page(found, chosen.seeds), "utf-8")
    return 1 if alive or not found else 0


if __name__ == "__main__":
    sys.exit(main())
