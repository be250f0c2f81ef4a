"""`kessai saga`: definitions are checked, drawn and tried out; instances are seen and steered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="a definition, JSON or YAML")]
InstanceId = Annotated[str, typer.Argument(metavar="ID", help="an instance, as `list` shows it")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Store = Annotated[
    str | None,
    typer.Option(help="look into a database instead: sqlite:///FILE or mysql+asyncmy://..."),
]
Machines = Annotated[
    list[Path] | None, typer.Option("--machines", help="folder of definitions; may be repeated")
]
Reason = Annotated[str, typer.Option(help="why; it is kept with the order, at most 500 characters")]
Version = Annotated[int | None, typer.Option(help="the version that you saw")]
Latest = Annotated[bool, typer.Option("--latest", help="show it first, and take that version")]
Param = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="JSON, or else text; may be repeated"),
]
Params = Annotated[str | None, typer.Option(metavar="JSON", help="an object of parameters")]
Wait = Annotated[float, typer.Option(help="seconds to wait for the end of what was ordered")]


@app.callback()
def saga() -> None:
    """Sagas in Seata's language: check, draw and try definitions; see and steer instances.

    Instances are those of the running order-service (KESSAI_SERVICE_URLS), or of a database that
    --store names. Exit codes: 0 done, 1 it ended badly, 2 refused, 3 not reachable.
    """


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSON or YAML")],
    strict: Annotated[bool, typer.Option("--strict", help="doubts count as errors")] = False,
    as_json: AsJson = False,
) -> None:
    """Say of each definition what is wrong or doubtful, and where.

    Several files are also checked for machines that call one another. Exit codes: 0 good, 1 errors,
    2 a file cannot be read.
    """
    from kessai.cli.saga.validate import validate_files

    raise typer.Exit(validate_files(files, strict=strict, as_json=as_json))


@app.command()
def graph(
    file: File,
    instance: Annotated[str | None, typer.Option(help="colour the states by this instance")] = None,
    format: Annotated[str | None, typer.Option(help="mermaid (default) or svg")] = None,
    output: Annotated[Path | None, typer.Option(help="a file instead of the terminal")] = None,
    store: Store = None,
) -> None:
    """Draw a definition as Mermaid or SVG."""
    from kessai.cli.saga.draw import draw

    draw(file, instance, format, output, store)


@app.command()
def run(
    file: File,
    param: Param = None,
    params: Params = None,
    services: Annotated[
        str | None,
        typer.Option(metavar="MODULE:OBJECT", help="services by name, or a function that makes it"),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="services that answer their input")] = False,
    answer: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVICE.METHOD=JSON", help="what a demo service answers instead"),
    ] = None,
    machines: Machines = None,
    store: Annotated[str, typer.Option(help="memory: or sqlite:///FILE")] = "memory:",
    business_key: Annotated[str | None, typer.Option(help="may have one instance only")] = None,
    timeout: Annotated[float, typer.Option(help="seconds to wait for the end")] = 60.0,
    log_level: Annotated[
        str, typer.Option(help="of the engine's own log: DEBUG, INFO, WARNING, ERROR")
    ] = "CRITICAL",
    as_json: AsJson = False,
) -> None:
    """Run a definition in this process and print its states. Exit code 1 where it did not succeed.

    Sub machines are found in the folders that --machines names. An instance whose outcome is
    unknown is not restarted by itself, as it would be in a service.
    """
    from kessai.cli.saga.trial import Trial, try_out

    trial = Trial(
        file=file,
        folders=machines or (),
        params=(param or (), params),
        services=services,
        demo=demo,
        answers=answer or (),
        store=store,
        business_key=business_key,
        timeout_s=timeout,
        log_level=log_level.upper(),
    )
    raise typer.Exit(try_out(trial, as_json=as_json))


@app.command("list")
def list_sagas(
    status: Annotated[str | None, typer.Option(help="RU, SU, FA or UN")] = None,
    compensation: Annotated[str | None, typer.Option(help="RU, SU, FA or UN")] = None,
    machine: Annotated[str | None, typer.Option(help="name of the definition")] = None,
    business_key: Annotated[str | None, typer.Option(help="as an order id")] = None,
    running: Annotated[bool | None, typer.Option("--running/--at-rest")] = None,
    needs_operator: Annotated[bool, typer.Option("--needs-operator", help="stuck ones")] = False,
    stale: Annotated[bool, typer.Option("--stale", help="running, but nobody drives it")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="go on after this instance")] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Instances, newest first."""
    from kessai.cli.saga.looking import list_instances

    wanted: dict[str, object] = {
        "status": status,
        "compensation": compensation,
        "machine": machine,
        "business_key": business_key,
        "running": running,
        "needs_operator": needs_operator or None,
        "stale": stale or None,
        "cursor": cursor,
        "limit": limit,
    }
    list_instances(wanted, store, as_json=as_json)


@app.command()
def show(
    instance: InstanceId,
    store: Store = None,
    machines: Machines = None,
    as_json: AsJson = False,
) -> None:
    """One instance with its states, their inputs and outputs, and its sub machines."""
    from kessai.cli.saga.looking import show_instance

    show_instance(instance, store, machines or (), as_json=as_json)


@app.command()
def timeline(
    instance: InstanceId,
    store: Store = None,
    machines: Machines = None,
    as_json: AsJson = False,
) -> None:
    """Every row of an instance's log, with operators' orders and their reasons."""
    from kessai.cli.saga.looking import show_timeline

    show_timeline(instance, store, machines or (), as_json=as_json)


@app.command()
def forward(
    instance: InstanceId,
    reason: Reason,
    version: Version = None,
    latest: Latest = False,
    param: Param = None,
    params: Params = None,
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Go on after the last state that succeeded; parameters replace parts of the context."""
    from kessai.cli.saga.ordering import order

    order("forward", instance, reason, version, latest, (param or (), params), wait, as_json)


@app.command()
def compensate(
    instance: InstanceId,
    reason: Reason,
    version: Version = None,
    latest: Latest = False,
    param: Param = None,
    params: Params = None,
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Undo what is not undone yet, last state first."""
    from kessai.cli.saga.ordering import order

    order("compensate", instance, reason, version, latest, (param or (), params), wait, as_json)


@app.command()
def skip(
    instance: InstanceId,
    reason: Reason,
    version: Version = None,
    latest: Latest = False,
    param: Param = None,
    params: Params = None,
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Go on behind the state that failed, as if it had done its work."""
    from kessai.cli.saga.ordering import order

    order("skip", instance, reason, version, latest, (param or (), params), wait, as_json)


@app.command()
def conformance(
    cases: Annotated[Path, typer.Option(help="cases recorded from Seata's own engine")],
    machines: Machines = None,
    kind: Annotated[str | None, typer.Option(help="traces, expressions or parsing")] = None,
    as_json: AsJson = False,
) -> None:
    """Run recorded cases through this engine and compare. Exit code 1 where one fails."""
    from kessai.cli.saga.comparing import compare

    raise typer.Exit(compare(cases, machines or (), kind, as_json=as_json))
