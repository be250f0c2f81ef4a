"""How instances look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from rich.console import Group
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from kessai.cli.saga.paper import cell, listed, short
from kessai.kernel.clock import parse_wire
from kessai.saga.web.models import (
    ErrorView,
    SagaPage,
    SagaRow,
    SagaView,
    StateView,
    Timeline,
    TimelineEntry,
)

_STYLES = {"SU": "green", "FA": "red", "UN": "magenta", "RU": "cyan", "SK": "dim"}
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def page(found: SagaPage, now: datetime) -> Table:
    table = Table(
        "instance", "machine", "business key", "status", "started", "took", "", expand=False
    )
    for row in found.items:
        table.add_row(
            cell(row.id),
            cell(row.machine),
            cell(row.business_key),
            statuses(row),
            cell(_ago(row.started_at, now)),
            cell(_took(row.started_at, row.ended_at)),
            cell(_remark(row, now), "yellow"),
        )
    return table


def saga(one: SagaView, now: datetime) -> Group:
    return Group(_facts(one, now), _tree(one))


def timeline(found: Timeline) -> Table:
    table = Table("#", "after", "what", "state", "status", "then", "because", expand=False)
    start = parse_wire(found.entries[0].at) if found.entries else None
    for entry in found.entries:
        after = parse_wire(entry.at) - start if start else timedelta()
        table.add_row(
            cell(entry.seq),
            cell(f"{after.total_seconds():.3f} s"),
            cell(_what(entry)),
            cell(entry.state),
            Text(entry.status, _STYLES.get(entry.status, "")),
            cell(_then(entry)),
            cell(_because(entry)),
        )
    return table


def statuses(row: SagaRow) -> Text:
    """As Seata has them: status/compensation."""
    text = Text(row.status, _STYLES.get(row.status, ""))
    if row.compensation is not None:
        text.append("/")
        text.append(row.compensation, _STYLES.get(row.compensation, ""))
    return text


def _remark(row: SagaRow, now: datetime) -> str:
    if row.needs_operator:
        return "needs an operator"
    if row.stale:
        return "nobody drives it"
    if row.running:
        return "running"
    if row.due_at is not None:
        left = (parse_wire(row.due_at) - now).total_seconds()
        return f"again in {_span(left)}" if left > 0 else "again at once"
    return ""


def _facts(one: SagaView, now: datetime) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    version = f" (version {one.machine_version})" if one.machine_version else ""
    table.add_row("instance", cell(one.id))
    table.add_row("machine", cell(f"{one.machine}{version}"))
    if one.business_key is not None:
        table.add_row("business key", cell(one.business_key))
    if one.parent_id is not None:
        table.add_row("part of", cell(one.parent_id))
    status = statuses(one)
    if remark := _remark(one, now):
        status.append(f"  {remark}", "yellow")
    table.add_row("status", status)
    table.add_row("version", cell(one.version))
    took = _took(one.started_at, one.ended_at)
    table.add_row("started", cell(f"{one.started_at} ({_ago(one.started_at, now)})"))
    if took:
        table.add_row("took", cell(took))
    for name, error in (("fault", one.fault), ("error", one.error), ("caught", one.cause)):
        if error is not None:
            table.add_row(name, cell(_error(error), "red"))
    if one.redrives:
        table.add_row("automatic restarts", cell(one.redrives))
    if one.actions:
        table.add_row("possible orders", cell(listed(one.actions)))
    if not one.defined:
        table.add_row("states", cell("no definition that fits is loaded; see --machines", "yellow"))
    return table


def _tree(one: SagaView) -> Tree:
    head = Text(one.machine, "bold")
    head.append("  ")
    head.append(statuses(one))
    tree = Tree(head)
    _grow(tree, one.states)
    return tree


def _grow(tree: Tree, states: Iterable[StateView]) -> None:
    for state in states:
        branch = tree.add(_line(state))
        if state.input:
            branch.add(cell(f"in   {short(list(state.input))}", "dim"))
        if state.output is not None:
            branch.add(cell(f"out  {short(state.output)}", "dim"))
        if state.error is not None:
            branch.add(cell(f"threw {_error(state.error)}", "red"))
        if state.saga is not None:
            branch.add(_tree(state.saga))


def _line(state: StateView) -> Text:
    line = Text(f"#{state.n} ", "dim")
    line.append(cell(state.name, "bold"))
    line.append(f"  {state.status}", _STYLES.get(state.status, ""))
    notes = []
    if state.calls:
        notes.append(state.calls)
    if state.attempt > 1:
        notes.append(f"attempt {state.attempt}")
    if state.undoes is not None:
        notes.append(f"undoes #{state.undoes}")
    if state.undone_by is not None:
        notes.append(f"undone by #{state.undone_by}: {state.undo_status}")
    if state.again_for is not None:
        notes.append(f"again for #{state.again_for}")
    if state.superseded:
        notes.append("superseded")
    if state.started_at is not None and state.ended_at is not None:
        notes.append(_took(state.started_at, state.ended_at))
    if state.due_at is not None:
        notes.append(f"next try {state.due_at}")
    line.append(cell(f"  {listed(notes)}", "dim"))
    return line


def _what(entry: TimelineEntry) -> str:
    if entry.operation is not None:
        return entry.operation
    if entry.kind in ("step", "end") and (entry.attempt or 1) > 1:
        return f"{entry.kind} (attempt {entry.attempt})"
    return entry.kind


def _then(entry: TimelineEntry) -> str:
    parts = []
    if entry.compensates:
        parts.append("compensation begins")
    parts += entry.enters
    if entry.due_at is not None:
        parts.append(f"again at {entry.due_at}")
    if entry.ended is not None:
        status, compensation = entry.ended
        parts.append(f"ends {status}/{compensation}" if compensation else f"ends {status}")
    if not entry.changed:
        parts.append("nothing to do")
    return listed(parts)


def _because(entry: TimelineEntry) -> str:
    if entry.actor is not None or entry.reason is not None:
        return f"{entry.actor or 'somebody'}: {entry.reason or ''}"
    return _error(entry.error) if entry.error else ""


def _error(error: ErrorView) -> str:
    name = error.type if error.code in ("", "UNEXPECTED") else error.code
    facts = f" {short(error.facts)}" if error.facts else ""
    text = error.message if error.message != name else ""
    return f"{name}{': ' if text else ''}{text}{facts}"


def _ago(at: str, now: datetime) -> str:
    return f"{_span(max(0.0, (now - parse_wire(at)).total_seconds()))} ago"


def _took(start: str, end: str | None) -> str:
    if end is None:
        return ""
    return _span((parse_wire(end) - parse_wire(start)).total_seconds())


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    for size, unit in _UNITS:
        if seconds >= size:
            return (
                f"{seconds / size:.1f} {unit}"
                if seconds < 10 * size
                else f"{seconds // size:.0f} {unit}"
            )
    return ""
