"""`kessai slo`: is the promise kept, and by which channel the payments were found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from kessai.contracts.order import OrderService, PromiseFigures, PromiseReport, PromiseWindow
    from kessai.kernel.runtime import Runtime
    from kessai.kernel.service import Unit
    from kessai.kernel.settings import Settings
    from kessai.topology import ServiceCard

MET, MISSED = 0, 1
WATCH_EVERY_S = 2.0


class Window(StrEnum):
    HOUR = "1h"
    DAY = "24h"


def slo(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    window: Annotated[Window | None, typer.Option(help="only this one; both without it")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="again and again, until Ctrl-C")] = False,
) -> None:
    """The promise: 99 % of payments show as PAID within 60 s. By channel, over 1 h and 24 h.

    Exit codes: 0 met (or no payments to judge by), 1 missed in a window shown, 2 bad usage,
    3 order-service is not reachable.
    """
    from kessai.cli.errors import fail, load_settings
    from kessai.cli.reach import UNAVAILABLE
    from kessai.kernel.errors import Refused, Unknown
    from kessai.kernel.migrations import SchemaTooNew
    from kessai.topology import ORDER

    settings = load_settings()
    try:
        while True:
            report, where = asyncio.run(read(settings, ORDER))
            windows = [one for one in report.windows if window in (None, one.window)]
            _show(report.model_copy(update={"windows": tuple(windows)}), where, as_json=as_json)
            if not watch:
                break
            time.sleep(WATCH_EVERY_S)
    except KeyboardInterrupt:
        windows = []
    except ValueError as error:
        fail(str(error))
    except (Refused, Unknown, SchemaTooNew) as error:
        fail(str(error), UNAVAILABLE)
    raise typer.Exit(MISSED if any(one.met is False for one in windows) else MET)


async def read(settings: Settings, card: ServiceCard) -> tuple[PromiseReport, str]:
    """The report and, in words, where it is from. Raises `Unknown` where there is no shop."""
    from kessai.cli.reach import reach
    from kessai.contracts.order import OrderService
    from kessai.contracts.wire import Nothing

    async with reach(settings, card, OrderService, _build) as (orders, where):
        return await orders.report_promise(Nothing()), where


async def _build(runtime: Runtime) -> Unit[OrderService]:
    """Without the service the tables tell the same; but a look makes no new database."""
    from kessai.embedded import remote_ports
    from kessai.kernel.errors import Unknown
    from kessai.order.main import build

    if not (Path(runtime.settings.data_dir) / "order.db").exists():
        raise Unknown(
            "ORDER_SERVICE_UNAVAILABLE",
            f"order-service does not run here, and {runtime.settings.data_dir} has no orders",
        )
    ports = remote_ports(runtime)
    return await build(runtime, ports.storage, ports.payment, ports.account)


def _show(report: PromiseReport, where: str, *, as_json: bool) -> None:
    from rich.console import Console

    if as_json:
        typer.echo(report.model_dump_json(by_alias=True))
        return
    out = Console(highlight=False, markup=False, soft_wrap=True)
    out.print(f"PAID within {report.limit_s} s, promised for {_percent(report.target)}, by {where}")
    for window in report.windows:
        out.print(_verdict(window))
        if window.channels:
            out.print(_table(window))
        for reason, count in window.total.otherwise.items():
            out.print(f"  {count} did not make an order PAID: {reason}")


def _verdict(window: PromiseWindow) -> str:
    total = window.total
    if total.share is None or window.burn_rate is None:
        waiting = f", {total.open} on the way" if total.open else ""
        return f"{window.window}: no payments to judge by{waiting}"
    word = "met" if window.met else "MISSED"
    judged = total.within + total.late + total.open_late
    return (
        f"{window.window}: {word}, {_percent(total.share)} of {judged}, "
        f"burn rate {window.burn_rate:.2f}"
    )


def _table(window: PromiseWindow) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    table.add_column("channel")
    names = "paid", "within", "share", "p50", "p95", "p99", "max", "open", "open late", "oldest"
    for name in names:
        table.add_column(name, justify="right")
    rows: Sequence[PromiseFigures] = (*window.channels, window.total)
    for row in rows if len(window.channels) > 1 else window.channels:
        table.add_row(*_cells(row))
    return table


def _cells(row: PromiseFigures) -> tuple[str, ...]:
    return (
        row.channel,
        str(row.within + row.late),
        str(row.within),
        "-" if row.share is None else _percent(row.share),
        _seconds(row.p50_ms),
        _seconds(row.p95_ms),
        _seconds(row.p99_ms),
        _seconds(row.max_ms),
        str(row.open),
        str(row.open_late),
        _seconds(row.oldest_open_ms),
    )


def _percent(share: float) -> str:
    """Cut, not rounded: 99.996 % must not read as all of them."""
    return f"{int(share * 10_000 + 1e-6) / 100:g} %"


def _seconds(ms: int | None) -> str:
    return "-" if ms is None else f"{ms / 1000:.1f} s"
