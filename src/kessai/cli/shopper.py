"""`kessai shopper`: customers of all kinds at the running shop, and what they saw."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from kessai.proof.shopper.notes import Notes
    from kessai.proof.shopper.plan import Planned

WRONG, UNAVAILABLE, INTERRUPTED = 1, 3, 130
MAX_ORDERS, MAX_AT_ONCE = 1_000_000, 1_000


def shopper(
    orders: Annotated[int, typer.Option(min=1, max=MAX_ORDERS, help="orders to make")] = 100,
    concurrency: Annotated[
        int, typer.Option(min=1, max=MAX_AT_ONCE, help="customers who shop at once")
    ] = 10,
    mix: Annotated[
        Path | None, typer.Option(help="kinds and weights, TOML or JSON; else all kinds")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="the same seed plans the same customers")
    ] = None,
    over: Annotated[
        float, typer.Option(min=0, max=86_400, help="seconds over which they come")
    ] = 0.0,
    patience: Annotated[
        float, typer.Option(min=1, max=86_400, help="seconds that a customer waits for anything")
    ] = 60.0,
    wait: Annotated[
        float, typer.Option(min=0, max=86_400, help="seconds to look on at orders left open")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="only print who would come")] = False,
) -> None:
    """Customers of all kinds, over the public HTTP and WebSocket only.

    Exit codes: 0 nothing wrong was seen, 1 something was, 2 bad usage, 3 no shop, 130 Ctrl-C.
    """
    from kessai.kernel.chance import SystemChance

    chosen = seed if seed is not None else int(SystemChance().uniform(0, 2**31))
    planned = _plan(mix, orders, chosen, over)
    if plan:
        _print_plan(planned, chosen, as_json=as_json)
        return
    run = _Run(planned, concurrency, patience, wait, quiet=as_json)
    notes, elapsed_s = run.to_its_end()
    _print_result(notes, chosen, elapsed_s, as_json=as_json)
    raise typer.Exit(WRONG if notes.wrong else 0)


def _plan(mix: Path | None, orders: int, seed: int, over_s: float) -> Sequence[Planned]:
    from kessai.cli.errors import fail
    from kessai.proof.shopper.mix import DEFAULT_MIX, ImpossibleMix, read_mix
    from kessai.proof.shopper.plan import plan_customers

    try:
        chosen = read_mix(mix) if mix else DEFAULT_MIX
    except ImpossibleMix as error:
        fail(str(error))
    return plan_customers(chosen, orders, seed, over_s=over_s)


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


class _Run:
    """One run against the shop that answers, or one of its own."""

    def __init__(
        self,
        plan: Sequence[Planned],
        concurrency: int,
        patience_s: float,
        wait_s: float,
        *,
        quiet: bool,
    ) -> None:
        from kessai.cli.errors import load_settings

        self._settings = load_settings()
        self._plan = plan
        self._concurrency = concurrency
        self._patience_s = patience_s
        self._wait_s = wait_s
        self._quiet = quiet

    def to_its_end(self) -> tuple[Notes, float]:
        """What was seen, and the seconds that it took; or a line and an exit code."""
        from kessai.cli.errors import fail
        from kessai.proof.line import LOST
        from kessai.proof.shopper.mix import ImpossibleMix

        try:
            return asyncio.run(self.live())
        except ImpossibleMix as error:
            fail(str(error))
        except LOST as lost:
            where = self._settings.public_url
            fail(f"no shop answers at {where}: {type(lost).__name__}", UNAVAILABLE)
        except (KeyboardInterrupt, Interrupted):
            fail("interrupted", INTERRUPTED)

    async def live(self) -> tuple[Notes, float]:
        from rich.console import Console

        from kessai.cli.starting import a_shop

        console = Console(stderr=True, highlight=False, soft_wrap=True)
        logging.getLogger().setLevel(logging.ERROR)
        async with a_shop(self._settings) as started:
            if not self._quiet:
                where = self._settings.public_url
                console.print(
                    "Started a shop of its own." if started else f"Using the shop at {where}."
                )
            return await self._until_interrupted(console)

    async def _until_interrupted(self, console: Console) -> tuple[Notes, float]:
        """Ctrl-C ends the customers first; the shop's own handler would only stop the shop."""
        loop = asyncio.get_running_loop()
        living = asyncio.ensure_future(self._crowd(console))
        loop.add_signal_handler(signal.SIGINT, living.cancel)
        try:
            return await living
        except asyncio.CancelledError as cancelled:
            raise Interrupted from cancelled
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _crowd(self, console: Console) -> tuple[Notes, float]:
        from kessai.kernel.chance import SystemChance
        from kessai.kernel.clock import SystemClock
        from kessai.kernel.ids import RandomIds
        from kessai.proof.customer import Customer, ShopUrls
        from kessai.proof.shopper.crowd import Crowd, Crowding
        from kessai.proof.shopper.person import Manners

        settings, clock = self._settings, SystemClock()
        urls = ShopUrls(settings.public_url, settings.sim_public_url, settings.firebase_api_url)
        # Accounts and keys are new in every run, or the shop would answer with the old orders.
        manners = Manners(RandomIds(clock, SystemChance()).new(), self._patience_s)
        crowd = Crowd(lambda: Customer(urls), clock, Crowding(self._concurrency, manners))
        try:
            shelf = await crowd.shelf(self._plan)
            started_s = clock.monotonic()
            with _progress(console, len(self._plan), quiet=self._quiet) as advance:
                await crowd.live(self._plan, shelf, lambda _: advance())
            elapsed_s = clock.monotonic() - started_s
            await crowd.look_again(within_s=self._wait_s)
            return crowd.notes, elapsed_s
        finally:
            await crowd.close()


class _progress:
    """A bar on stderr, where somebody looks at it; nothing else in a pipe or with --json."""

    def __init__(self, console: Console, total: int, *, quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

        self._bar = Progress(
            "customers",
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("customers", total=total)

    def __enter__(self) -> Any:
        self._bar.start()
        return lambda: self._bar.advance(self._task)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _print_plan(planned: Sequence[Planned], seed: int, *, as_json: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if as_json:
        typer.echo(json.dumps({"seed": seed, "customers": [one.row() for one in planned]}))
        return
    table = Table("id", "kind", "comes at", title=f"seed {seed}", box=box.SIMPLE)
    for one in planned:
        table.add_row(one.id, one.kind, f"{one.at_s:.3f} s")
    Console(highlight=False).print(table)


def _print_result(notes: Notes, seed: int, elapsed_s: float, *, as_json: bool) -> None:
    row = {"seed": seed, "seconds": round(elapsed_s, 1), **notes.row()}
    if as_json:
        typer.echo(json.dumps(row, ensure_ascii=False))
        return
    _print_tables(row)
    sys.stdout.flush()


def _print_tables(row: Mapping[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    out = Console(highlight=False, soft_wrap=True)
    customers = sum(row["customers"].values())
    out.print(
        f"{customers} customers, {row['orders']} orders in {row['seconds']} s, seed {row['seed']}"
    )
    ends = Table("orders ended as", "", box=box.SIMPLE)
    for end, count in row["ends"].items():
        ends.add_row(end, str(count))
    out.print(ends)
    times = Table("", "n", "p50", "p95", "p99", "max", box=box.SIMPLE)
    purchase, shown = row["purchase"], row["payToPaidShown"]
    times.add_row("purchase call, ms", str(purchase["answers"]), *_cells(purchase["ms"], ".0f"))
    times.add_row("payment to PAID shown, s", str(shown["payments"]), *_cells(shown["s"], ".3f"))
    out.print(times)
    pushes, unknown = row["pushes"], row["indeterminate"]
    out.print(
        f"pushes: {pushes['frames']} on {pushes['watched']} pages, {pushes['missed']} missed, "
        f"{pushes['reconnects']} reconnects"
    )
    calls = sum(unknown["calls"].values())
    out.print(
        f"indeterminate: {calls} calls without an answer, "
        f"{unknown['purchasesNeverAnswered']} purchases never answered"
    )
    told = ("refused", "refusals"), ("not reachable", "unreachable"), ("gave up", "gaveUp")
    for title, counts in ((title, row[name]) for title, name in told):
        if counts:
            out.print(f"{title}: " + ", ".join(f"{name} ({n})" for name, n in counts.items()))
    for sentence in row["wrong"]:
        out.print(f"[red]wrong:[/red] {sentence}")


def _cells(values: Mapping[str, float | None], form: str) -> list[str]:
    return ["-" if value is None else format(value, form) for value in values.values()]
