"""How alerts are looked at and worked on from a terminal, over alert-service's own calls."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from rich.table import Table
from rich.text import Text

from kessai.cli.errors import complaint, load_settings
from kessai.cli.reach import UNAVAILABLE, running
from kessai.cli.saga.paper import cell, paper, print_json, say, short, stop
from kessai.contracts.alert import (
    ActOnAlert,
    AlertById,
    AlertDetail,
    AlertPage,
    AlertRow,
    AlertService,
    AssignAlert,
    EvidenceSide,
    ListAlerts,
    NoteAlert,
    RemedyAlert,
    RemedyDone,
)
from kessai.kernel.errors import Refused, Unknown
from kessai.topology import ALERT

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
_STYLES = {"NEW": "red", "ACKNOWLEDGED": "yellow", "RESOLVED": "green"}
_COMMANDS: Mapping[str, type[ActOnAlert]] = {
    "acknowledge": ActOnAlert,
    "assign": AssignAlert,
    "note": NoteAlert,
    "resolve": ActOnAlert,
    "remedy": RemedyAlert,
}
# What a field of a command is called on the command line.
_OPTIONS = {"order_id": "--order", "assignee": "--to", "alert_id": "ID"}


def print_list(wanted: Mapping[str, object], *, as_json: bool) -> None:
    asked = {("order_id" if name == "order" else name): value for name, value in wanted.items()}
    query = _read(ListAlerts, asked, {**_OPTIONS, "assignee": "--assignee"})
    found = _run(lambda alerts: alerts.list_alerts(query))
    if as_json:
        print_json(found)
        return
    paper().print(_page(found))
    if found.cursor is not None:
        say(f"there are more: --cursor {found.cursor}")


def print_one(alert_id: str, *, as_json: bool) -> None:
    command = _read(AlertById, {"alert_id": alert_id}, _OPTIONS)
    found = _run(lambda alerts: alerts.get_alert(command))
    if as_json:
        print_json(found)
    else:
        _print_detail(found)


def act(
    operation: str,
    alert_id: str,
    given: Mapping[str, object],
    *,
    version: int | None,
    latest: bool,
    as_json: bool,
) -> None:
    if (version is None) is not latest:
        stop("give either --version N, which you saw, or --latest")
    values = {**given, "actor": given["actor"] or _login(), "alert_id": alert_id}
    model = _COMMANDS[operation]
    command = _read(model, {**values, "version": version or 0}, _OPTIONS)

    async def work(alerts: AlertService) -> BaseModel:
        asked = command
        if latest:
            before = await alerts.get_alert(AlertById(alert_id=alert_id))
            if not as_json:
                _print_detail(before)
            asked = command.model_copy(update={"version": before.alert.version})
        call: Callable[[Any], Awaitable[BaseModel]] = getattr(alerts, f"{operation}_alert")
        return await call(asked)

    done = _run(work)
    if as_json:
        print_json(done)
    elif isinstance(done, RemedyDone):
        _say_remedied(done)
    elif isinstance(done, AlertRow):
        say(f"{done.alert_id} is {done.status.value}, version {done.version}{_whose(done)}")


def _run(work: Callable[[AlertService], Coroutine[Any, Any, T]]) -> T:
    """To its end, or one line that says why it did not come there."""

    async def live() -> T:
        async with running(load_settings(), ALERT, AlertService) as (alerts, _):
            return await work(alerts)

    try:
        return asyncio.run(live())
    except Refused as refused:
        stop(f"{refused.code}: {refused.message or 'refused'}{_fitting(refused)}")
    except Unknown as error:
        stop(f"{ALERT.name}: {error}", UNAVAILABLE)
    except ValueError as error:
        stop(str(error).partition("\n")[0])


def _fitting(refused: Refused) -> str:
    remedies = refused.facts.get("remedies")
    if not isinstance(remedies, list):
        return ""
    return f" (what fits: {', '.join(map(str, remedies)) or 'none'})"


def _read(model: type[M], values: Mapping[str, object], options: Mapping[str, str]) -> M:
    try:
        return model.model_validate({k: v for k, v in values.items() if v is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        stop(f"{options.get(name, f'--{name}')}: {complaint(first)}")


def _page(found: AlertPage) -> Table:
    table = Table("alert", "rule", "", "status", "of", "since", "seen", "who", expand=False)
    for row in found.alerts:
        table.add_row(
            cell(row.alert_id),
            cell(row.rule),
            cell(row.severity, "bold red" if row.severity == "P1" else ""),
            _status(row),
            cell(row.order_id or row.source),
            cell(row.detected_at),
            cell(row.count),
            cell(row.assignee),
        )
    return table


def _status(row: AlertRow) -> Text:
    return Text(row.status.value, _STYLES.get(row.status.value, ""))


def _print_detail(found: AlertDetail) -> None:
    row, console = found.alert, paper()
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("alert", cell(row.alert_id))
    table.add_row("rule", cell(f"{row.rule} {row.severity}: {row.sentence}"))
    table.add_row("status", _status(row))
    table.add_row("version", cell(row.version))
    table.add_row("order" if row.order_id else "source", cell(row.order_id or row.source))
    table.add_row("since", cell(row.detected_at))
    if row.resolved_at is not None:
        table.add_row("resolved", cell(f"{row.resolved_at} by {row.resolved_by}"))
    if row.assignee is not None:
        table.add_row("who has it", cell(row.assignee))
    if row.note is not None:
        table.add_row("note", cell(row.note))
    table.add_row("what to do", cell(row.remedy))
    table.add_row("remedies", cell(", ".join(one.value for one in row.remedies) or "none"))
    for name, value in found.facts.items():
        table.add_row(cell(name), cell(short(value)))
    for side in (found.evidence.order, found.evidence.payment, found.evidence.stock):
        if side is not None:
            table.add_row(cell(side.source), _side(side))
    console.print(table)
    history = Table("at", "what", "who", "why", "", expand=False)
    for one in found.history:
        history.add_row(
            cell(one.at), cell(one.action), cell(one.actor), cell(one.reason), cell(one.note)
        )
    console.print(history)


def _side(side: EvidenceSide) -> Text:
    if side.content is not None:
        return cell(f"{side.asked_at} {_summary(side.content)}")
    said = "says" if side.answered else "did not answer:"
    return cell(f"{side.asked_at} {said} {side.code}", "" if side.answered else "yellow")


def _summary(content: Mapping[str, Any]) -> str:
    """The few words that disagree; `--json` shows all of them."""
    if "orderNumber" in content:
        words = [content["status"], content.get("reason"), f"¥{content['amount']:,}"]
        return " ".join(str(word) for word in words if word)
    parts = [
        f"{one['merchantPaymentId']} {kind}{one['status']} ¥{one['amount']:,}"
        for name, kind in (("attempts", ""), ("refunds", "refund "))
        for one in content.get(name, ())
    ]
    parts += [f"{one['reservationId']} {one['status']}" for one in content.get("items", ())]
    return ", ".join(parts) or "nothing"


def _say_remedied(done: RemedyDone) -> None:
    for step in done.steps:
        amount = f" ¥{step.amount:,}" if step.amount is not None else ""
        say(f"{step.code} {step.subject}{amount}")
    if not done.steps:
        say(f"{done.remedy.value}: there was nothing to do")
    order = f", the order is {done.order_status}" if done.order_status else ""
    say(f"{done.alert.alert_id} is {done.alert.status.value}{order}")


def _whose(row: AlertRow) -> str:
    return f", {row.assignee} has it" if row.assignee else ""


def _login() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        stop("say who asks with --actor")
    return f"cli:{name}".encode("ascii", "replace").decode()[:64]
