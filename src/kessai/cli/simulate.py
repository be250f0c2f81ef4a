"""`kessai simulate`: the whole shop on a virtual clock, seed by seed, with every fault there is."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kessai.proof.simulation.campaign import Sums
    from kessai.proof.simulation.run import Limit, SeedResult

CLEAN, VIOLATED = 0, 1
MAX_SEEDS = 10_000_000
MAX_JOBS = 64
_SHARE = 20
# Each failing seed is made short and drawn, which takes as long as some twenty seeds.
_TOLD = 3


def simulate(
    seeds: Annotated[str, typer.Option(help="a range, as 1..100")] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="one seed, with its story")] = None,
    customers: Annotated[
        int | None, typer.Option(min=1, help="with --seed: only the first customers")
    ] = None,
    faults_until: Annotated[
        float | None, typer.Option(min=0, help="with --seed: faults end at this virtual second")
    ] = None,
    order: Annotated[
        str, typer.Option(help="with --seed: an order's id, or its number from 1 on")
    ] = "",
    trace: Annotated[bool, typer.Option("--trace", help="print all that happened")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=MAX_JOBS, help="processes")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Run the whole shop in one process on a virtual clock, broken by seeds, and check it.

    The same seed does the same everywhere. Exit codes: 0 nothing is wrong, 1 an invariant was
    violated, 2 bad usage.
    """
    from kessai.cli.errors import fail
    from kessai.proof.simulation.run import Limit

    if (seed is None) == (not seeds):
        fail("say either --seeds A..B or --seed S")
    if seed is None:
        if order or trace or customers is not None or faults_until is not None:
            fail("--order, --trace, --customers and --faults-until are for one --seed")
        raise typer.Exit(_run_range(_range(seeds), jobs, as_json=as_json))
    limit = Limit(customers, faults_until)
    raise typer.Exit(_run_one(seed, limit, order=order, trace=trace, as_json=as_json))


def _range(text: str) -> range:
    from kessai.cli.errors import fail

    low, separator, high = text.partition("..")
    if not separator or not (low.isdecimal() and high.isdecimal()) or int(low) > int(high):
        fail(f"--seeds {text!r} is not a range: write it as 1..100")
    found = range(int(low), int(high) + 1)
    if len(found) > MAX_SEEDS:
        fail(f"--seeds {text}: more than {MAX_SEEDS:,} seeds at once")
    return found


# --- many -----------------------------------------------------------------------------------


def _run_range(seeds: range, jobs: int, *, as_json: bool) -> int:
    from kessai.proof.simulation.campaign import Sums

    began_s, sums = time.perf_counter(), Sums()
    tell = _progress(len(seeds)) if sys.stderr.isatty() else None
    try:
        for part in _parts(seeds, jobs):
            sums.merge(part)
            if tell:
                tell(sums)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; what follows is of the seeds that were run\n")
    took_s = time.perf_counter() - began_s
    if as_json:
        sys.stdout.write(json.dumps(sums.as_json(took_s), ensure_ascii=False, indent=2) + "\n")
    else:
        _show(sums, took_s)
        for failure in sorted(sums.failures, key=lambda one: one.seed)[:_TOLD]:
            _tell_failure(failure.seed)
    return VIOLATED if sums.failures else CLEAN


def _parts(seeds: range, jobs: int) -> Iterator[Sums]:
    from kessai.proof.simulation.campaign import run_seeds

    share = max(1, min(_SHARE, len(seeds) // jobs))
    shares = [seeds[at : at + share] for at in range(0, len(seeds), share)]
    if jobs == 1:
        yield from map(run_seeds, shares)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(shares)), mp_context=context) as pool:
        for done in as_completed([pool.submit(run_seeds, share) for share in shares]):
            yield done.result()


def _progress(count: int) -> Callable[[Sums], None]:
    def tell(sums: Sums) -> None:
        wrong = f", {len(sums.failures)} failed" if sums.failures else ""
        sys.stderr.write(f"\r{sums.seeds} of {count} seeds, {sums.orders} orders{wrong} ")
        sys.stderr.flush()

    return tell


def _show(sums: Sums, took_s: float) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for title, counts in (
        ("orders by their end", sums.ends),
        ("faults that fired", sums.fired),
        ("invariants: how often checked", sums.checked),
    ):
        table = Table(title=title, title_justify="left", show_header=False)
        table.add_column(overflow="fold")
        table.add_column(justify="right")
        for name, number in sorted(counts.items(), key=lambda one: (len(one[0]) > 4, one[0])):
            table.add_row(name, f"{number:,}")
        console.print(table)
    days = sums.virtual_s / 86_400
    console.print(
        f"{sums.seeds:,} seeds, {sums.orders:,} orders, {days:.2f} simulated days, "
        f"{sum(sums.fired.values()):,} faults; {took_s:.1f} s, "
        f"{sums.seeds / max(took_s, 0.001):.2f} seeds/s; "
        f"final at most {sums.longest_end_s:.0f} s after healing"
    )
    failed = len(sums.failures)
    console.print(f"{failed} seeds violate an invariant" if failed else "no violation")


def _tell_failure(seed: int) -> None:
    """The replay, the shortest failing prefix and its diagram."""
    from kessai.proof.simulation.run import run_seed
    from kessai.proof.simulation.shrink import shortest
    from kessai.proof.simulation.story import mermaid, orders_in, story_of

    limit, result = shortest(seed, run_seed(seed))
    told = run_seed(seed, limit=limit, keep=True)
    out = sys.stdout.write
    out(f"\nseed {seed}: {result.violations[0]}\n")
    out(f"  all of it:        kessai simulate --seed {seed}\n")
    named = orders_in(told, told.violations)
    more = f" --order {named[0]} --trace" if named else " --trace"
    out(f"  shortest failing: {_command(seed, limit)}{more}\n\n")
    story = story_of(told, named[0]) if named else list(told.happenings)
    out(mermaid(story) + "\n")


def _command(seed: int, limit: Limit) -> str:
    words = [f"kessai simulate --seed {seed}"]
    if limit.customers is not None:
        words.append(f"--customers {limit.customers}")
    if limit.faults_until_s is not None:
        words.append(f"--faults-until {limit.faults_until_s:g}")
    return " ".join(words)


# --- one ------------------------------------------------------------------------------------


def _run_one(seed: int, limit: Limit, *, order: str, trace: bool, as_json: bool) -> int:
    from kessai.proof.simulation.campaign import Sums
    from kessai.proof.simulation.run import run_seed

    began_s = time.perf_counter()
    result = run_seed(seed, limit=limit, keep=trace or bool(order))
    wanted = _order(result, order) if order else ""
    if as_json:
        sums = Sums()
        sums.add(result)
        content = {
            **sums.as_json(time.perf_counter() - began_s),
            "digest": result.digest,
            "orderIds": list(result.order_ids),
        }
        sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")
        return CLEAN if result.ok else VIOLATED
    _print_one(result, wanted, trace=trace)
    return CLEAN if result.ok else VIOLATED


def _print_one(result: SeedResult, wanted: str, *, trace: bool) -> None:
    from kessai.proof.simulation.story import lines, mermaid, story_of

    out = sys.stdout.write
    story = story_of(result, wanted) if wanted else list(result.happenings)
    if trace:
        out("\n".join(lines(story, width=240)) + "\n")
    elif wanted:
        out(mermaid(story) + "\n")
    if not wanted:
        for number, (order_id, end) in enumerate(result.orders_by_id, 1):
            out(f"{number:>4}  {order_id}  {end}\n")
    faults = ", ".join(f"{count} {name}" for name, count in sorted(result.fired.items()))
    out(
        f"seed {result.seed}: {result.orders} orders, {result.virtual_s:.0f} virtual s, "
        f"{result.steps} steps, trace {result.digest}\nfaults: {faults or 'none'}\n"
    )
    for problem in result.violations:
        out(f"WRONG {problem}\n")
    if result.ok:
        out("no violation\n")


def _order(result: SeedResult, wanted: str) -> str:
    from kessai.cli.errors import fail

    known = result.order_ids
    if wanted.isdecimal() and len(wanted) < 6 and 1 <= int(wanted) <= len(known):
        return known[int(wanted) - 1]
    if wanted not in known:
        fail(f"seed {result.seed} has no order {wanted!r}; it has {len(known)}, from 1 on")
    return wanted
