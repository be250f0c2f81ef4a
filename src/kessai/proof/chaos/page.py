"""The report as one HTML file that can be sent around: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Final

from kessai.kernel.clock import wire
from kessai.proof.chaos.charts import Span, bars, histogram, time_line
from kessai.proof.chaos.faults import Group
from kessai.proof.chaos.injector import Happened
from kessai.proof.chaos.plan import SETTINGS
from kessai.proof.chaos.report import MAX_SHOWN, Report
from kessai.proof.shopper.notes import spread

_TONES: Final[Mapping[Group, str]] = {
    Group.PROVIDER: "kikyo",
    Group.PROCESS: "enji",
    Group.STORES: "yama",
    Group.CLOCK: "tetsu",
    Group.LOAD: "shu",
    Group.USER: "nezu",
}
_END_TONES: Final = {"PAID": "matsu", "REFUNDED": "kikyo", "FAILED": "nezu"}
_FAULT_TONES: Final = {
    "webhooks": "kikyo",
    "api": "kikyo",
    "blackout": "kikyo",
    "flapping": "kikyo",
    "unreachable": "kikyo",
    "kill": "enji",
    "SIGSTOP": "enji",
    "SIGTERM": "enji",
    "database": "yama",
    "disk": "yama",
    "read-only": "yama",
    "clock": "tetsu",
    "rush": "shu",
}

# Tokens of the product's look; a second palette for the dark, not an inversion.
_CSS: Final = resources.files("kessai.proof.chaos").joinpath("page.css").read_text("utf-8")
# The tally: two halves that agree, or do not.
_AGREE: Final = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path fill="currentColor" '
    'd="M11 3a9 9 0 000 18zM13 3a9 9 0 010 18z"/></svg>'
)
_DIFFER: Final = (
    '<svg viewBox="0 0 24 24" aria-hidden="true">'
    '<path fill="currentColor" d="M11 .5a9 9 0 000 18z"/>'
    '<path fill="none" stroke="currentColor" stroke-width="1.5" d="M13 5.5a9 9 0 010 18z"/></svg>'
)


def html_page(report: Report) -> str:
    plan = report.plan
    title = f"kessai chaos: {plan.profile}, {plan.minutes:g} min, seed {plan.seed}"
    body = "".join(
        (
            f"<h1>{escape(title)}</h1>",
            f'<p class="quiet">{wire(report.began_ms)} · plan <code>{plan.fingerprint}</code> · '
            f"<code>kessai chaos --seed {plan.seed} --minutes {plan.minutes:g} "
            f"--profile {plan.profile}</code> injects the same faults</p>",
            _verdict(report),
            _strip(report),
            _timeline(report),
            _section("Orders by their end", bars(report.ends, _END_TONES, "Orders by their end")),
            _convergence(report),
            _section("Faults that fired", bars(report.fired, _FAULT_TONES, "Faults that fired")),
            _invariants(report),
            _customers(report),
            _settings(report),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{_CSS}</style>'
        f"</head><body><main>{body}</main></body></html>\n"
    )


def _verdict(report: Report) -> str:
    wrong = report.violations
    if not wrong:
        return (
            f'<div class="verdict good">{_AGREE}<div><b>Everything agrees</b>'
            f"<p>{report.looks} times an invariant was asked, of {report.things:,} things: "
            f"0 violations. Final {report.final_after_s:.1f} s after healing.</p></div></div>"
        )
    listed = "".join(f"<p>{escape(sentence)}</p>" for sentence in wrong[:MAX_SHOWN])
    return (
        f'<div class="verdict bad">{_DIFFER}<div><b>{len(wrong)} things are wrong</b>'
        f"{listed}</div></div>"
    )


def _strip(report: Report) -> str:
    converged = spread(report.notes.converged_s, 1)
    final = report.final_after_s
    figures = {
        "orders": f"{sum(report.ends.values()):,}",
        "faults fired": f"{sum(report.fired.values()):,}",
        "payment to PAID, p50": _seconds(converged["p50"]),
        "p99": _seconds(converged["p99"]),
        "longest": _seconds(converged["max"]),
        "final after healing": _seconds(final),
        "violations": str(len(report.violations)),
    }
    cells = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures.items()
    )
    return f'<dl class="strip">{cells}</dl>'


def _timeline(report: Report) -> str:
    spans = [_span(one) for one in sorted(report.happened, key=lambda one: one.began_s)]
    spans.sort(key=lambda span: (span.lane != "PayPay", span.lane))
    dots = [
        (note.shown_paid_at_s - report.began_loop_s, note.converged_s)
        for note in report.notes.orders.values()
        if note.shown_paid_at_s is not None and note.converged_s is not None
    ]
    length_s = max([report.plan.length_s, *(at_s for at_s, _ in dots)])
    shown = dict.fromkeys(one.fault.group for one in report.happened)
    key = "".join(
        f'<li><i style="background:var(--{_TONES[group]})"></i>{group}</li>' for group in shown
    )
    more = '<li><i style="background:var(--matsu)"></i>a payment shown as PAID</li>'
    chart = time_line(spans, dots, length_s)
    return _section("What happened when", f'{chart}<ul class="key">{more}{key}</ul>')


def _span(one: Happened) -> Span:
    fault = one.fault
    lane = "PayPay" if fault.group is Group.PROVIDER else fault.target
    lane = f"{lane}.db" if fault.group is Group.STORES else lane
    what = ", ".join(_knobs(fault.knobs)) or fault.kind
    title = f"{fault.kind}, {one.began_s:.1f} s to {one.ended_s:.1f} s: {what}"
    return Span(lane, one.began_s, one.ended_s, _TONES[fault.group], title)


def _knobs(knobs: Mapping[str, object], before: str = "") -> Iterable[str]:
    for name, value in knobs.items():
        if isinstance(value, Mapping):
            yield from _knobs(value, f"{before}{name}.")
        elif value is not None and name != "seed":
            yield f"{before}{name} {value}"


def _convergence(report: Report) -> str:
    found = spread(report.notes.converged_s, 1)
    purchase = spread(report.notes.purchase_s, 1)
    rows = [
        [
            "payment to PAID shown",
            str(len(report.notes.converged_s)),
            *map(_seconds, found.values()),
        ],
        ["purchase call", str(len(report.notes.purchases)), *map(_seconds, purchase.values())],
    ]
    table = _table(("", "n", "p50", "p95", "p99", "max"), rows)
    chart = histogram(report.notes.converged_s, "From the payment to PAID shown")
    return _section("From the payment to PAID on the customer's page", chart + table)


def _invariants(report: Report) -> str:
    rows = [
        [str(row[name]) for name in ("id", "sentence", "times", "checked", "violations")]
        for row in report.invariants()
    ]
    names = ("", "what must be true", "asked", "of things", "violations")
    return _section("Invariants", _table(names, rows, text_columns=2))


def _customers(report: Report) -> str:
    notes = report.notes
    missed = sum(note.push_missed for note in notes.orders.values())
    calls = sum(notes.indeterminate.values())
    facts = (
        f"<p>{sum(notes.came.values())} customers; {notes.frames} pushes, {missed} missed; "
        f"{calls} calls and {notes.unanswered} purchases without an answer, which are neither "
        "failed nor done: the books say what they were.</p>"
    )
    rows = [[name, str(count)] for name, count in sorted(notes.came.items())]
    return _section("Customers", facts + _table(("kind", "came"), rows))


def _settings(report: Report) -> str:
    rows = [[f"<code>{name}</code>", value] for name, value in SETTINGS.items()]
    died = ", ".join(f"{name} ({count})" for name, count in report.died.items()) or "none"
    more = f'<p class="quiet">Ended by itself, and was started again: {escape(died)}.</p>'
    return _section("Settings of this shop", _table(("", ""), rows, raw=True) + more)


def _section(title: str, content: str) -> str:
    return f'<h2>{escape(title)}</h2><div class="panel">{content}</div>'


def _table(
    names: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: int = 1, raw: bool = False
) -> str:
    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if place >= text_columns else ''}>"
            f"{value if raw else escape(value)}</{tag}>"
            for place, value in enumerate(values)
        )

    head = f"<tr>{cells('th', names)}</tr>"
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table>{head}{body}</table>"


def _seconds(value: object) -> str:
    return f"{value:.1f} s" if isinstance(value, int | float) else "–"
