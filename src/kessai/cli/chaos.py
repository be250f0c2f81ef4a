"""`kessai chaos`: a shop of its own, broken on purpose by a seed's plan, healed, and judged."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from kessai.proof.chaos.plan import Plan
    from kessai.proof.chaos.report import Report
    from kessai.proof.chaos.servers import Servers

VIOLATED, CANNOT, INTERRUPTED = 1, 2, 130
MAX_MINUTES, MAX_PER_S = 24 * 60, 200
SHOWN = 20


def chaos(
    seed: Annotated[
        int | None, typer.Option(min=0, help="the same seed injects the same faults")
    ] = None,
    minutes: Annotated[float, typer.Option(help="how long it is broken")] = 3.0,
    profile: Annotated[
        str, typer.Option(help="lossy, storm, reorder, blackout, slow, restarts or all")
    ] = "all",
    rate: Annotated[float, typer.Option(help="customers who come in a second")] = 2.0,
    json_file: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="write the report as JSON")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", dir_okay=False, help="write it as a page")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="only print what would happen")] = False,
    port_offset: Annotated[
        int | None, typer.Option(min=0, max=50_000, help="added to every port; else a free one")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(file_okay=False, help="keep databases and logs in this folder")
    ] = None,
    stack: Annotated[
        bool, typer.Option("--stack", help="on MariaDB, Kafka and Redis of its own, killed too")
    ] = False,
) -> None:
    """Customers shop while webhooks, provider, processes, stores and clocks fail; then all agrees.

    Exit codes: 0 everything agrees, 1 a violation, 2 bad usage or it cannot start, 130 Ctrl-C.
    """
    from kessai.kernel.chance import SystemChance

    chosen = seed if seed is not None else int(SystemChance().uniform(0, 2**31))
    drawn = _draw(chosen, minutes, profile, rate, on_servers=stack)
    if plan:
        typer.echo(json.dumps(drawn.row(), ensure_ascii=False, indent=2))
        return
    _check_files(json_file, html_file)
    report = _run(drawn, port_offset, keep)
    _write(report, json_file, html_file)
    _print(report)
    raise typer.Exit(0 if report.ok else VIOLATED)


def _draw(seed: int, minutes: float, profile: str, rate: float, *, on_servers: bool) -> Plan:
    from kessai.cli.errors import fail
    from kessai.proof.chaos.plan import Profile, draw_plan

    if profile not in set(Profile):
        fail(f"no profile {profile!r}; known: {', '.join(Profile)}")
    if not 0 < minutes <= MAX_MINUTES:
        fail(f"--minutes is more than 0 and at most {MAX_MINUTES}, not {minutes:g}")
    if not 0 < rate <= MAX_PER_S:
        fail(f"--rate is more than 0 and at most {MAX_PER_S}, not {rate:g}")
    return draw_plan(seed, minutes, Profile(profile), per_s=rate, on_servers=on_servers)


def _check_files(*files: Path | None) -> None:
    """Before three minutes are spent on a report that cannot be written."""
    from kessai.cli.errors import fail

    for file in files:
        if file is not None and not os.access(file.parent, os.W_OK | os.X_OK):
            fail(f"{file}: the folder is not there or not writable")


def _run(plan: Plan, port_offset: int | None, keep: Path | None) -> Report:
    from kessai.cli.errors import fail
    from kessai.proof.chaos.fleet import CannotStart

    folder = _folder(keep)
    try:
        report = asyncio.run(_campaign(plan, folder, port_offset))
    except CannotStart as error:
        fail(str(error), CANNOT)
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail("interrupted; everything that was started is ended", INTERRUPTED)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return report


def _folder(keep: Path | None) -> Path:
    from kessai.cli.errors import fail

    if keep is None:
        return Path(tempfile.mkdtemp(prefix="kessai-chaos-"))
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            fail(f"{keep}: not empty, and this shop begins with nothing")
    except OSError as error:
        fail(f"{keep}: {error.strerror}")
    return keep.absolute()


async def _campaign(plan: Plan, folder: Path, port_offset: int | None) -> Report:
    """Raises `CancelledError` at Ctrl-C, when every process has been ended."""
    from rich.console import Console

    from kessai.proof.chaos.campaign import Campaign
    from kessai.proof.chaos.fleet import check_free, free_offset

    if port_offset is None:
        port_offset = free_offset(os.getpid())
    else:
        check_free(port_offset)
    logging.getLogger().setLevel(logging.ERROR)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(
        f"seed {plan.seed}, profile {plan.profile}, {plan.minutes:g} min, "
        f"{len(plan.faults)} faults, {len(plan.customers)} customers, plan {plan.fingerprint}"
    )
    with _Progress(console) as tell:
        servers = _servers(folder) if plan.on_servers else None
        campaign = Campaign(plan, folder, port_offset, tell, servers=servers)
        running = asyncio.ensure_future(campaign.run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.cancel)
        return await running


def _servers(folder: Path) -> Servers:
    from kessai.cli.chaos_servers import StackServers
    from kessai.cli.errors import fail
    from kessai.stack.application import StackError
    from kessai.stack.main import build_stack, stack_folder

    # Servers run as users of their own, who must pass.
    folder.chmod(0o755)
    try:
        return StackServers(build_stack(stack_folder(str(folder / "data"))))
    except StackError as error:
        fail(str(error))


class _Progress:
    """A bar for people; in a pipe each phase is a line."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = console
        self._bar = Progress(
            TextColumn("{task.description:15}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=1.0)
        self._phase = ""

    def __enter__(self) -> Any:
        self._bar.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _tell(self, phase: str, share: float) -> None:
        if phase != self._phase and not self._console.is_terminal:
            self._console.print(phase)
        self._phase = phase
        self._bar.update(self._task, description=phase, completed=share)


def _write(report: Report, json_file: Path | None, html_file: Path | None) -> None:
    from kessai.cli.errors import fail
    from kessai.proof.chaos.page import html_page

    try:
        if json_file is not None:
            text = json.dumps(report.row(), ensure_ascii=False, indent=2)
            json_file.write_text(text + "\n", "utf-8")
        if html_file is not None:
            html_file.write_text(html_page(report), "utf-8")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")


def _print(report: Report) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    out = Console(highlight=False, markup=False, soft_wrap=True)
    row: Mapping[str, Any] = report.row()
    fired = Table("faults that fired", "", box=box.SIMPLE)
    for name, count in row["faults"]["fired"].items():
        fired.add_row(name, str(count))
    out.print(fired)
    ends = Table("orders ended as", "", box=box.SIMPLE)
    for end, count in row["orders"]["ends"].items():
        ends.add_row(end, str(count))
    out.print(ends)
    invariants = Table("", "what must be true", "asked", "of", "violations", box=box.SIMPLE)
    for one in row["invariants"]:
        cells = (one["id"], one["sentence"], one["times"], one["checked"], one["violations"])
        invariants.add_row(*map(str, cells))
    out.print(invariants)
    _print_figures(out, report, row)


def _print_figures(out: Console, report: Report, row: Mapping[str, Any]) -> None:
    shown, purchase = row["customers"]["payToPaidShown"], row["customers"]["purchase"]
    out.print(
        f"payment to PAID shown: {shown['payments']} payments, p50 {_seconds(shown['s']['p50'])}, "
        f"p99 {_seconds(shown['s']['p99'])}, max {_seconds(shown['s']['max'])}"
    )
    out.print(
        f"purchase call: {purchase['answers']} answers, p50 {_ms(purchase['ms']['p50'])}, "
        f"p99 {_ms(purchase['ms']['p99'])}"
    )
    unknown = row["customers"]["indeterminate"]
    out.print(
        f"indeterminate: {sum(unknown['calls'].values())} calls, "
        f"{unknown['purchasesNeverAnswered']} purchases never answered"
    )
    if report.final_after_s is not None:
        out.print(f"everything final {report.final_after_s:.1f} s after healing")
    out.print(f"invariants: {report.looks} times asked, of {report.things:,} things")
    for sentence in report.violations[:SHOWN]:
        out.print(f"VIOLATION {sentence}", style="red")
    count = len(report.violations)
    plan = report.plan
    again = f"kessai chaos --seed {plan.seed} --minutes {plan.minutes:g} --profile {plan.profile}"
    if plan.on_servers:
        again += " --stack"
    out.print(f"{count} violations; {again} injects the same faults")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"
