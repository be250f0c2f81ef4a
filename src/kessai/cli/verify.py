"""`kessai verify`: asks the live system every invariant; the answer is a table, or JSON."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from kessai.kernel.settings import Settings
    from kessai.proof.verify import Finding, Report

AGREES, VIOLATED = 0, 1
WATCH_EVERY_S = 2.0
_LONGEST_VALUE = 80


def verify(
    only: Annotated[
        str | None, typer.Option(help="these alone, as I3,I20; without it all of them")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="again and again, until Ctrl-C")] = False,
) -> None:
    """Do the books agree: orders, money, stock, events and audit, and the provider's own book.

    Reads only, also while traffic runs: what still settles is counted with its age and is wrong
    when it is too old.

    Exit codes: 0 nothing is wrong, 1 an invariant is violated, 2 bad usage, unreadable books, or
    nothing that could be asked.
    """
    from kessai.cli.errors import fail, load_settings
    from kessai.proof.verify import BooksUnreadable, UnknownInvariant

    settings = load_settings()
    # What is loaded stays, and rows come and go by the million without a cycle among them: the
    # garbage search would take a third of the time. It is done between two looks.
    gc.freeze()
    gc.disable()
    wanted = None if only is None else [part for part in only.split(",") if part.strip()]
    code = AGREES
    try:
        while True:
            report = asyncio.run(look(settings, wanted))
            _show(report, as_json=as_json)
            _require_asked(report)
            code = AGREES if report.ok else VIOLATED
            if not watch:
                break
            gc.collect()
            time.sleep(WATCH_EVERY_S)
    except KeyboardInterrupt:
        pass
    except (UnknownInvariant, BooksUnreadable) as error:
        fail(str(error))
    raise typer.Exit(code)


async def look(settings: Settings, only: list[str] | None) -> Report:
    """Raises `UnknownInvariant` and `BooksUnreadable`."""
    from kessai.kernel.clock import SystemClock
    from kessai.kernel.http import AiohttpHttp
    from kessai.proof.halves import check_live

    http = AiohttpHttp()
    try:
        return await check_live(settings, SystemClock(), http, only)
    finally:
        await http.close()


def _require_asked(report: Report) -> None:
    """Where nothing could be asked nothing is known to agree: exit code 2, and the reason."""
    from kessai.cli.errors import fail

    why_not = [finding.not_asked for finding in report.findings]
    if all(why_not):
        fail(f"nothing was asked: {why_not[0]}")


def _show(report: Report, *, as_json: bool) -> None:
    from rich.console import Console

    if as_json:
        import json

        typer.echo(json.dumps(_plain(report), ensure_ascii=False, default=str))
        return
    out = Console(highlight=False, markup=False, soft_wrap=False)
    out.print(_table(report))
    for finding in report.wrong:
        _explain(out, finding)
    wrong = sum(finding.violations for finding in report.wrong)
    asked = [finding for finding in report.findings if finding.not_asked is None]
    verdict = "all agree" if asked else "nothing is known"
    if wrong:
        verdict = f"{wrong} violations of {len(report.wrong)} invariants"
    out.print(
        f"{report.orders} orders, {len(asked)} of {len(report.findings)} invariants asked "
        f"in {report.took_s:.1f} s: {verdict}"
    )


def _table(report: Report) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    table.add_column("id", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("checked", justify="right", no_wrap=True)
    table.add_column("settling", justify="right", no_wrap=True)
    table.add_column("what must be true")
    for one in report.findings:
        settling = one.settling
        table.add_row(
            one.id,
            _result(one),
            "-" if one.not_asked else str(one.checked),
            f"{settling.count} ({settling.oldest_age_s:.0f} s)" if settling.count else "-",
            one.sentence if one.not_asked is None else f"{one.sentence} [{one.not_asked}]",
        )
    return table


def _result(one: Finding) -> str:
    if one.not_asked is not None:
        return "not asked"
    if not one.ok:
        return f"WRONG {one.violations}"
    return "ok" if one.partly is None else "ok, partly"


def _explain(out: Console, finding: Finding) -> None:
    first = finding.first
    if first is None:
        return
    out.print(f"{finding.id} is violated {finding.violations} times, first by {first.subject}:")
    out.print(f"  {first.why}")
    out.print(f"  {_row_text(first.row)}")


def _row_text(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in row.items())


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _plain(report: Report) -> dict[str, Any]:
    return {
        "ok": report.ok and any(one.not_asked is None for one in report.findings),
        "atMs": report.at_ms,
        "orders": report.orders,
        "tookS": round(report.took_s, 3),
        "findings": [
            {
                "id": one.id,
                "result": "NOT_ASKED" if one.not_asked else "OK" if one.ok else "VIOLATED",
                "sentence": one.sentence,
                "checked": one.checked,
                "settling": {
                    "count": one.settling.count,
                    "oldestAgeS": round(one.settling.oldest_age_s, 3),
                },
                "violations": one.violations,
                "first": dataclasses.asdict(one.first) if one.first else None,
                "notAsked": one.not_asked,
                "partly": one.partly,
            }
            for one in report.findings
        ],
    }
