"""`kessai reconcile`: the provider's file of a day against our ledger, and the kept reports."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from typer.core import TyperGroup

if TYPE_CHECKING:
    from kessai.contracts.payment import (
        PaymentService,
        Settlement,
        SettlementById,
        SettlementDifference,
        SettlementRun,
    )
    from kessai.kernel.settings import Settings
    from kessai.payment.application.reconcile import Report

T = TypeVar("T")
DIFFERENCES = 1
CHUNK_BYTES = 256 * 1024
SHOWN = 20
_out = Console(highlight=False, markup=False, soft_wrap=True)
_progress = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


class _FileOrCommand(TyperGroup):
    """`kessai reconcile FILE` is `kessai reconcile file FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["file", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_FileOrCommand, no_args_is_help=True)


@app.callback()
def reconcile() -> None:
    """The provider's file of a day against our books: `kessai reconcile FILE`."""


@app.command("file")
def reconcile_file(
    file: Annotated[Path, typer.Argument(help="PayPay's CSV file of a day's transactions")],
    day: Annotated[
        str | None, typer.Option(help="YYYY-MM-DD in Japan; else the file says it")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="tell, but store nothing")] = False,
) -> None:
    """Compare a file with the ledger; the same file again gives the same report.

    Exit codes: 0 it agrees, 1 there are differences, 2 it is no file of that day, 3 the books are
    not reachable.
    """
    from kessai.cli.errors import fail, load_settings
    from kessai.cli.reach import UNAVAILABLE
    from kessai.kernel.errors import Refused, Unknown
    from kessai.kernel.migrations import SchemaTooNew

    wanted = _day(day)
    if not file.is_file():
        fail(f"{file}: no such file")
    size = file.stat().st_size
    try:
        report = asyncio.run(_run(load_settings(), file, size, wanted, dry_run=dry_run))
    except Refused as refused:
        fail(f"{file}: {refused.message or refused.code}")
    except OSError as error:
        fail(f"{file}: {error.strerror or error}")
    except (Unknown, SchemaTooNew) as error:
        fail(str(error), UNAVAILABLE)
    if as_json:
        _print_json(report, dry_run=dry_run)
    else:
        _print_report(report, dry_run=dry_run)
    if report.run.differences:
        raise typer.Exit(DIFFERENCES)


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """The kept reports, the newest day first."""
    from kessai.contracts.payment import ListSettlements

    runs = _ask(lambda payments: payments.list_settlements(ListSettlements(limit=limit))).runs
    if as_json:
        _out.print_json(json.dumps([one.model_dump(by_alias=True) for one in runs]))
        return
    table = Table("run", "day", "file", "rows", "matched", "differences")
    for one in runs:
        cells = (one.run_id, one.day, one.file_name, one.rows, one.matched, _count(one))
        table.add_row(*map(str, cells))
    _out.print(table)


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="its id, as `list` shows it")],
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """One kept report with its differences."""
    from kessai.contracts.payment import SettlementById

    after: int | None = 0
    found: list[SettlementDifference] = []
    while after is not None:
        asked = SettlementById(run_id=run, after=after, limit=1000)
        page = _ask(_reading(asked))
        found += page.differences
        after = page.next
    if as_json:
        differences = [one.model_dump(by_alias=True) for one in found]
        content = page.run.model_dump(by_alias=True) | {"differences": differences}
        _out.print_json(json.dumps(content))
        return
    _print_run(page.run)
    for one in found:
        _out.print(line(one))


def _reading(asked: SettlementById) -> Callable[[PaymentService], Awaitable[Settlement]]:
    return lambda payments: payments.get_settlement(asked)


def _ask(call: Callable[[PaymentService], Awaitable[T]]) -> T:
    """The service, or its database when it does not run (`reach`)."""
    from kessai.cli.errors import fail, load_settings
    from kessai.cli.reach import UNAVAILABLE, reach
    from kessai.contracts.payment import PaymentService
    from kessai.kernel.errors import Refused, Unknown
    from kessai.kernel.migrations import SchemaTooNew
    from kessai.payment.main import build
    from kessai.topology import PAYMENT

    async def ask() -> T:
        async with reach(load_settings(), PAYMENT, PaymentService, build) as (payments, _):
            return await call(payments)

    try:
        return asyncio.run(ask())
    except Refused as refused:
        fail(refused.message or refused.code)
    except (Unknown, SchemaTooNew) as error:
        fail(str(error), UNAVAILABLE)


def _day(text: str | None) -> date | None:
    from kessai.cli.errors import fail

    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError:
        fail(f"--day {text}: not a day as YYYY-MM-DD")


async def _run(
    settings: Settings, file: Path, size: int, day: date | None, *, dry_run: bool
) -> Report:
    """In this process, on the database of payment-service, whether that runs or not."""
    from kessai.embedded import open_runtime, service_urls
    from kessai.kernel.errors import Refused
    from kessai.kernel.server import settle_memory
    from kessai.payment.application.reconcile import Source
    from kessai.payment.main import open_reconciliation
    from kessai.topology import PAYMENT

    if given := service_urls(settings).get(PAYMENT.name):
        raise Refused("ELSEWHERE", f"the books are at {', '.join(given)}: run this on that machine")
    runtime = await open_runtime(settings, part="cli-reconcile")
    try:
        reconciliation, db = await open_reconciliation(runtime)
        settle_memory()
        try:
            with _bar() as progress:
                task = progress.add_task(file.name, total=2 * size)
                return await reconciliation.run(
                    Source(file.name, lambda: _chunks(file, progress, task)),
                    day=day,
                    dry_run=dry_run,
                    progress=lambda part, _: progress.update(task, description=part),
                )
        finally:
            await db.close()
    finally:
        await runtime.bus.close()
        await runtime.http.close()


def _chunks(file: Path, progress: Progress, task: TaskID) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            progress.advance(task, len(chunk))
            yield chunk


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=_progress,
        transient=True,
    )


def _print_report(report: Report, *, dry_run: bool) -> None:
    from kessai.payment.application.reports import difference_view, run_view

    _print_run(run_view(report.run))
    views = [difference_view(one) for one in report.differences]
    for one in views[:SHOWN]:
        _out.print(line(one))
    if (more := report.run.differences - min(len(views), SHOWN)) > 0:
        hint = "" if dry_run else f": kessai reconcile show {report.run.id}"
        _out.print(f"and {more} more{hint}")
    if dry_run:
        _out.print("nothing was stored")
    elif not report.is_new:
        _out.print("this file was reconciled before: nothing was changed")


def _print_json(report: Report, *, dry_run: bool) -> None:
    from kessai.payment.application.reports import difference_view, run_view

    content = run_view(report.run).model_dump(by_alias=True) | {
        "isNew": report.is_new,
        "dryRun": dry_run,
        "differences": [
            difference_view(one).model_dump(by_alias=True) for one in report.differences
        ],
    }
    _out.print_json(json.dumps(content, ensure_ascii=False))


def _print_run(run: SettlementRun) -> None:
    table = Table(title=f"{run.day} (Japan), {run.file_name}", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    for name, count in _counts(run):
        table.add_row(name, f"{count:,}")
    _out.print(table)
    _out.print(f"theirs {run.theirs_yen:,} yen, ours {run.ours_yen:,} yen, run {run.run_id}")


def _counts(run: SettlementRun) -> Sequence[tuple[str, int]]:
    return (
        ("rows", run.rows),
        ("matched", run.matched),
        ("missing here", run.missing_here),
        ("missing there", run.missing_there),
        ("differing", run.differing),
        ("duplicates", run.duplicates),
        ("broken rows", run.broken),
        ("without money", run.without_money),
    )


def _count(run: SettlementRun) -> int:
    return run.missing_here + run.missing_there + run.differing + run.duplicates + run.broken


def line(one: SettlementDifference) -> str:
    """One difference in a line: where, what, theirs against ours, and what to do."""
    row = f"row {one.row}, " if one.row is not None else ""
    if one.kind == "BROKEN":
        column = f"{one.what}: " if one.what else ""
        return f"{row}{column}{one.theirs} -> {one.remedy}"
    about = one.refund_id or one.merchant_payment_id or one.payment_id or "no id"
    against = f", theirs {one.theirs}" if one.theirs else ""
    against += f", ours {one.ours}" if one.ours else ""
    yen = f", {one.amount_yen} yen" if one.amount_yen is not None else ""
    return f"{row}{one.kind} {one.what}: {about}{yen}{against} -> {one.remedy}"
