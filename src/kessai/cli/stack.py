"""`kessai stack`: the real servers on this machine, as private instances on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from kessai.stack.application import Stack
    from kessai.stack.domain.reports import Report
    from kessai.stack.domain.server import ServerCard
    from kessai.stack.gateway.folder import StackFolder

FAILED, INTERRUPTED = 1, 130
_MB = 1_000_000
T = TypeVar("T")

app = typer.Typer(no_args_is_help=True)
Names = Annotated[list[str] | None, typer.Argument(help="servers; none: all of them")]


@app.command()
def up(
    names: Names = None,
    brokers: Annotated[
        int | None, typer.Option(min=1, max=3, help="kafka: 1 or 3, kept until it is wiped")
    ] = None,
    proxied: Annotated[
        bool | None,
        typer.Option("--proxied/--direct", help="whether the settings lead through toxiproxy"),
    ] = None,
    port: Annotated[
        int, typer.Option(min=1024, max=31000, help="first port; those taken are passed over")
    ] = 21000,
) -> None:
    """Install what is missing, start what does not run, wait until it is ready.

    Exit codes: 0 all are ready, 1 something did not come up, 2 bad usage.
    """
    from kessai.cli.errors import fail
    from kessai.stack.domain.reports import State

    if brokers == 2:
        fail("--brokers is 1 or 3: with two, none may fail")
    cards, folder, stack = _open(names, port)
    reports = _run(stack.up(cards, _tell, brokers=brokers, proxied=proxied))
    if any(report.state is State.READY for report in reports):
        _show_env(folder, stack)
    raise typer.Exit(0 if all(report.state is State.READY for report in reports) else FAILED)


@app.command()
def fetch(names: Names = None) -> None:
    """Fetch and build what is missing, start nothing: `up` then needs no network.

    Exit codes: 0 all are here, 1 one cannot be had, 2 bad usage.
    """
    from kessai.stack.domain.reports import State

    cards, _, stack = _open(names)
    reports = _run(stack.fetch(cards, _tell))
    raise typer.Exit(0 if all(report.state is State.FETCHED for report in reports) else FAILED)


@app.command()
def status(
    names: Names = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """What runs, where, and whether it is ready.

    Exit codes: 0 all that were started (or named) are ready, 1 one is not, 2 bad usage.
    """
    from kessai.stack.domain.reports import State

    cards, folder, stack = _open(names)
    reports = _run(stack.status(cards))
    if as_json:
        shown = {
            "folder": str(folder.path),
            "env": str(folder.env_file),
            "servers": [report.row() for report in reports],
        }
        typer.echo(json.dumps(shown, indent=2))
    else:
        for report in reports:
            _tell(report)
    good = {State.READY} if names else {State.READY, State.STOPPED}
    raise typer.Exit(0 if all(report.state in good for report in reports) else FAILED)


@app.command()
def logs(
    names: Names = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, max=10_000)] = 30,
) -> None:
    """The end of each server's log."""
    cards, _, stack = _open(names)
    for process, tail in stack.logs(cards, lines).items():
        for line in tail:
            typer.echo(f"{process:<10} {line}")


@app.command()
def down(names: Names = None) -> None:
    """Stop what was started here, and nothing else; data stays."""
    from kessai.stack.domain.reports import State

    cards, _, stack = _open(names)
    reports = _run(stack.down(cards))
    for report in reports:
        _tell(report)
    if not reports:
        typer.echo("nothing ran")
    raise typer.Exit(FAILED if any(r.state is State.FAILED for r in reports) else 0)


@app.command()
def wipe(names: Names = None) -> None:
    """Stop them and remove their data, logs and secrets; the programs stay in the cache."""
    from kessai.stack.domain.reports import State

    cards, folder, stack = _open(names)
    reports = _run(stack.wipe(cards))
    failed = [report for report in reports if report.state is State.FAILED]
    for report in failed:
        _tell(report)
    wiped = [card.name for card in cards if card.name not in {r.server for r in failed}]
    typer.echo(f"wiped below {folder.path}: {', '.join(wiped) or 'nothing'}")
    raise typer.Exit(FAILED if failed else 0)


def _open(
    names: list[str] | None, port: int | None = None
) -> tuple[tuple[ServerCard, ...], StackFolder, Stack]:
    from kessai.cli.errors import fail, load_settings
    from kessai.stack.application import StackError
    from kessai.stack.domain.server import BASE_PORT, UnknownServer, chosen
    from kessai.stack.main import build_stack, stack_folder

    try:
        cards = chosen(names or [])
        folder = stack_folder(load_settings().data_dir)
        return cards, folder, build_stack(folder, port or BASE_PORT)
    except (UnknownServer, StackError) as error:
        fail(str(error))


def _run(work: Coroutine[Any, Any, T]) -> T:
    from kessai.cli.errors import USAGE, fail
    from kessai.stack.application import StackError

    try:
        return asyncio.run(work)
    except StackError as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", FAILED)
    except KeyboardInterrupt:
        fail("interrupted; `kessai stack status` tells what runs", INTERRUPTED)


def _tell(report: Report) -> None:
    from kessai.stack.domain.reports import State

    first = next(iter(report.ports.values()), 0)
    line = f"{report.server:<14}{report.version:<12}{report.state.value:<10}"
    if report.state in (State.READY, State.NOT_READY):
        line += f" 127.0.0.1:{first}  {report.rss_bytes / _MB:.0f} MB"
    if report.start_s:
        line += f"  {report.start_s:.1f} s" + (
            f" after {report.fetch_s:.1f} s of fetching" if report.fetch_s >= 1 else ""
        )
    elif report.fetch_s >= 1:
        line += f" in {report.fetch_s:.1f} s"
    typer.echo(line.rstrip() + (f"  {report.why}" if report.why else ""))


def _show_env(folder: StackFolder, stack: Stack) -> None:
    from kessai.stack.domain.server import SERVERS

    shown = stack.shown_settings(_run(stack.status(SERVERS)))
    typer.echo(f"\nsettings, without their secrets; whole in {_short(folder.env_file)}")
    for line in shown:
        typer.echo(f"  {line}")


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
