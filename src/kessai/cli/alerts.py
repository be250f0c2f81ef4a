"""`kessai alerts`: what disagrees, its evidence, and what is done about it."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)

AlertId = Annotated[str, typer.Argument(metavar="ID", help="an alert, as `list` shows it")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Reason = Annotated[str, typer.Option(help="why; it is kept with the alert, at most 500 characters")]
Version = Annotated[int | None, typer.Option(help="the version that you saw")]
Latest = Annotated[bool, typer.Option("--latest", help="show it first, and take that version")]
Actor = Annotated[str | None, typer.Option(help="who asks; your login without it")]


@app.callback()
def alerts() -> None:
    """Alerts of the running alert-service (KESSAI_SERVICE_URLS), as the console has them.

    Exit codes: 0 done, 2 refused, 3 not reachable.
    """


@app.command("list")
def list_alerts(
    status: Annotated[str | None, typer.Option(help="NEW, ACKNOWLEDGED or RESOLVED")] = None,
    rule: Annotated[str | None, typer.Option(help="A to K")] = None,
    severity: Annotated[str | None, typer.Option(help="P1 or P2")] = None,
    order: Annotated[str | None, typer.Option(help="an order id")] = None,
    assignee: Annotated[str | None, typer.Option(help="who has them")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: Annotated[str | None, typer.Option(help="go on after this alert")] = None,
    as_json: AsJson = False,
) -> None:
    """Alerts, newest first."""
    from kessai.cli.alerts_desk import print_list

    wanted: dict[str, object] = {
        "status": status,
        "rule": rule,
        "severity": severity,
        "order": order,
        "assignee": assignee,
        "limit": limit,
        "cursor": cursor,
    }
    print_list(wanted, as_json=as_json)


@app.command()
def show(alert: AlertId, as_json: AsJson = False) -> None:
    """One alert with its facts, its history, and what order, payment and stock say now."""
    from kessai.cli.alerts_desk import print_one

    print_one(alert, as_json=as_json)


@app.command()
def ack(
    alert: AlertId,
    reason: Reason,
    version: Version = None,
    latest: Latest = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Take an alert: it is yours unless somebody has it."""
    _act("acknowledge", alert, reason, version, latest, actor, as_json, {})


@app.command()
def assign(
    alert: AlertId,
    reason: Reason,
    to: Annotated[str | None, typer.Option(help="who has it now; nobody without it")] = None,
    version: Version = None,
    latest: Latest = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Give an alert to somebody."""
    _act("assign", alert, reason, version, latest, actor, as_json, {"assignee": to})


@app.command()
def note(
    alert: AlertId,
    text: Annotated[str, typer.Argument(help="replaces the note that is there")],
    reason: Reason,
    version: Version = None,
    latest: Latest = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Write something down with an alert."""
    _act("note", alert, reason, version, latest, actor, as_json, {"note": text})


@app.command()
def resolve(
    alert: AlertId,
    reason: Reason,
    version: Version = None,
    latest: Latest = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Close an alert by hand; it closes by itself when the missing fact comes."""
    _act("resolve", alert, reason, version, latest, actor, as_json, {})


@app.command()
def remedy(
    alert: AlertId,
    name: Annotated[str, typer.Argument(help="one of those that `show` lists for the alert")],
    reason: Reason,
    version: Version = None,
    latest: Latest = False,
    actor: Actor = None,
    as_json: AsJson = False,
) -> None:
    """Have something done about the order. Safe to repeat: what is done is not done again."""
    _act("remedy", alert, reason, version, latest, actor, as_json, {"remedy": name})


def _act(
    operation: str,
    alert: str,
    reason: str,
    version: int | None,
    latest: bool,
    actor: str | None,
    as_json: bool,
    more: dict[str, object],
) -> None:
    from kessai.cli.alerts_desk import act

    given = {"reason": reason, "actor": actor, **more}
    act(operation, alert, given, version=version, latest=latest, as_json=as_json)


@app.command()
def replay(
    show: Annotated[int, typer.Option(min=0, help="how many differences are listed")] = 20,
    as_json: AsJson = False,
) -> None:
    """Read all events again into fresh state, and prove that the same alerts come of them.

    Joins no group and publishes nothing; the shop may run. Windows must be those of the live rules.

    Exit codes: 0 the same alerts, 1 a difference, 2 bad settings, 3 the bus is not reachable.
    """
    from kessai.cli.alerts_replay import print_replay

    raise typer.Exit(print_replay(show=show, as_json=as_json))
