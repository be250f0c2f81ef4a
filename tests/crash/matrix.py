"""Every crash point x kill, stop, full: `make crash-points` runs all cells and writes their page.

`python -m tests.crash.matrix --sample` runs a fixed few, `--only TEXT` those whose name has TEXT.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.crash.cells import Chain, Outcome, Place, make_template, memory, run_chain, traced
from tests.crash.points import INSTANCE, all_points
from tests.crash.world import CHAPTERS

from kessai.contracts.alert import AlertService
from kessai.contracts.search import SearchService
from kessai.kernel.calls import operations
from kessai.kernel.crash_points import MODES, Mode

PAGE = Path(__file__).parents[2] / "docs" / "proof" / "crash-points.md"
# No use case of the running shop comes there yet, so nothing can break on the way.
_PICTURES = "no customer needs a picture to buy; one that was not made is made when next asked for"
_SEARCH = "looking for goods changes nothing; an index is a copy that is made anew at any time"
_ARCHIVE = "these shops keep the audit trail with their orders"
_ALERTS = "orders that go well raise no alert"
_OPERATORS = "customers have no alerts; operators' calls are each safe to repeat"
UNCALLED = {
    f"{operation}:{side}": why
    for operation, why in {
        "provider:capture": "nothing authorises first and takes the money later",
        "provider:revert": "nothing authorises first",
        "provider:get_direct": "nothing is paid without a code",
        **{f"call:es-service.{one.name}": _SEARCH for one in operations(SearchService)},
        "call:es-service.import_image": _PICTURES,
        "call:es-service.make_thumbnail": _PICTURES,
        "call:storage-service.list_snapshots": _SEARCH,
        "call:storage-service.list_pictureless": _PICTURES,
        "call:storage-service.set_pictures": _PICTURES,
        "ack:order-service.audit": _ARCHIVE,
        "commit:system": _ALERTS,
        "ack:alert-service.table": _ALERTS,
        "ack:bff.alerts.local": _ALERTS,
        "publish:alert-service": _ALERTS,
        "call:order-service.remedy_order": _OPERATORS,
        "call:storage-service.list_reservations": _OPERATORS,
        **{f"call:alert-service.{one.name}": _OPERATORS for one in operations(AlertService)},
    }.items()
    for side in ("before", "after")
}
SAMPLE: tuple[tuple[str, Mode], ...] = (
    ("commit:order:before", "full"),
    ("commit:payment:after", "kill"),
    ("commit:storage:before", "stop"),
    ("commit:bus:before", "full"),
    ("call:account-service.capture_hold:after", "kill"),
    ("call:payment-service.create_payment:before", "stop"),
    ("provider:create:after", "kill"),
    ("provider:create:after", "stop"),
    ("provider:refund:after", "stop"),
    ("publish:order-service:after", "full"),
    ("ack:order-service.payments:before", "kill"),
)
Cell = tuple[Place, Mode]
LINKS = 8

_HEAD = """# Crash points

Every place where the shop can break is named in the seams that all services go through: before and
after each commit, each call of a service, each request to the provider, each publish and each
acknowledgement. The list is made from the code (`tests/crash/points.py`), and a traced run has to
reach every one of them.

At each point each of three things happens, to a real process with real files:

- **kill**: the process ends as by `kill -9`; another one starts on the same files.
- **stop**: it stands still (SIGSTOP) for {stopped} s while another process takes over; then it goes
  on with what it still believes (SIGCONT).
- **full**: from there on no database takes a commit for {full} s.

The customers and the provider live on meanwhile, on one clock with the shop: they repeat what was
not answered. *Agrees* means that afterwards every order is final and the provider's book, orders,
payments, stock, wallets, ledgers, events and audit say the same (`tests/support/agreement.py`).

`make crash-points` runs all cells and writes this page; the default tests run a sample of them.
`KESSAI_CRASH_AT=<point>#<n>[=kill|stop|full]` breaks a real process of yours at a point,
`KESSAI_CRASH_POINTS_FILE` tells which ones it reaches.

{cells} cells of {points} points, in chapters of a customer's life: {chapters}.

| point | broken while a customer | kill | stop | full |
|---|---|---|---|---|
"""


def places(template: Path) -> dict[str, dict[Mode, Place]]:
    """Where to break what: in the first chapter that comes there, early, midway and late."""
    found: dict[str, dict[Mode, Place]] = {}
    for chapter in CHAPTERS:
        outcome, counts = traced(chapter, template)
        if outcome.wrong:
            raise SystemExit(f"{chapter}: wrong although nothing broke: {outcome.wrong}")
        for point, count in counts.items():
            at: dict[Mode, int] = {
                "stop": max(1, count // 3),
                "kill": max(1, count // 2),
                "full": max(1, count * 2 // 3),
            }
            found.setdefault(point, {m: Place(point, chapter, n) for m, n in at.items()})
    unlike = sorted(set(found) ^ (set(all_points()) - set(UNCALLED)))
    if unlike:
        raise SystemExit(f"listed but not reached, or reached but not listed: {', '.join(unlike)}")
    return found


def run_all(cells: Sequence[Cell], template: Path, workers: int) -> Iterator[Outcome]:
    """A few chains at a time; the rest of one that ended early is a chain again."""
    gc.freeze()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        todo = chains(cells)
        while todo:
            rest = []
            for chain, outcomes in pool.imap_unordered(partial(_run, template=template), todo):
                yield from outcomes
                if left := chain.places[len(outcomes) :]:
                    rest.append(replace(chain, places=left))
            todo = rest


def chains(cells: Sequence[Cell]) -> list[Chain]:
    """Cells of one mode and chapter, a few each: starting a shop costs more than breaking it."""
    found: dict[tuple[Mode, str], list[Place]] = {}
    alone = []
    for place, mode in cells:
        if mode == "stop" and INSTANCE in place.point:
            # Whoever takes over has another name, and so has its point.
            alone.append(Chain(mode, place.chapter, (place,)))
        else:
            found.setdefault((mode, place.chapter), []).append(place)
    return alone + [
        Chain(mode, chapter, tuple(places[at : at + LINKS]))
        for (mode, chapter), places in found.items()
        for at in range(0, len(places), LINKS)
    ]


def _run(chain: Chain, template: Path) -> tuple[Chain, list[Outcome]]:
    return chain, run_chain(chain, template)


def page(found: dict[str, dict[Mode, Place]], outcomes: Iterable[Outcome]) -> str:
    told = {(one.point, one.mode): _told(one) for one in outcomes}
    lines = [
        f"| `{point}` | {found[point]['kill'].chapter} | "
        f"{' | '.join(told[point, mode] for mode in MODES)} |\n"
        for point in all_points()
        if point in found
    ]
    lines += [
        f"| `{point}` | never reached: {why} | - | - | - |\n" for point, why in UNCALLED.items()
    ]
    head = _HEAD.format(
        stopped=8, full=5, cells=len(told), points=len(found), chapters=", ".join(CHAPTERS)
    )
    return head + "".join(lines)


def _told(outcome: Outcome) -> str:
    if not outcome.was_reached:
        return "**not reached**"
    return f"**{outcome.wrong[0]}**" if outcome.wrong else "agrees"


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sample", action="store_true")
    options.add_argument("--only", default="")
    options.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    chosen = options.parse_args(arguments)
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kessai-crash-", dir=memory()) as place:
        template = Path(place) / "template"
        make_template(template)
        found = places(template)
        cells = [(found[point][mode], mode) for point in found for mode in MODES]
        if chosen.sample:
            cells = [(found[point][mode], mode) for point, mode in SAMPLE]
        cells = [cell for cell in cells if chosen.only in f"{cell[0].point}={cell[1]}"]
        outcomes = []
        for outcome in run_all(cells, template, chosen.workers):
            outcomes.append(outcome)
            if len(outcomes) % 30 == 0:
                _say(f"{len(outcomes)} of {len(cells)}")
            if outcome.wrong or not outcome.was_reached:
                _say(f"{outcome.point}={outcome.mode}: {_told(outcome)}")
    bad = [one for one in outcomes if one.wrong or not one.was_reached]
    took_s = time.monotonic() - started_s
    _say(f"{len(outcomes)} cells, {len(outcomes) - len(bad)} agree, in {took_s:.0f} s")
    if not chosen.sample and not chosen.only:
        PAGE.write_text(page(found, outcomes), "utf-8")
    return 1 if bad or not outcomes else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
