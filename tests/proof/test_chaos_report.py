"""The report as JSON and as a page: whole, without anything foreign, and right."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from kessai.proof.chaos.charts import Span, bars, histogram, time_line
from kessai.proof.chaos.faults import PROVIDER, Fault, Kind
from kessai.proof.chaos.injector import Happened
from kessai.proof.chaos.page import html_page
from kessai.proof.chaos.plan import SETTINGS, Profile, draw_plan
from kessai.proof.chaos.report import Report
from kessai.proof.chaos.watch import Watch
from kessai.proof.shopper.mix import Kind as Customer
from kessai.proof.shopper.notes import Notes
from kessai.proof.verify import Finding, Settling, Violation
from kessai.proof.verify import Report as Verified

VOID = {"meta", "link", "br", "input", "circle", "rect", "line", "path"}


def verified(*, violations: int = 0) -> Verified:
    first = Violation("order <b>x</b>", "money & stock differ", {}) if violations else None
    return Verified(
        at_ms=0,
        orders=3,
        took_s=0.1,
        findings=(
            Finding("I2", "No order is PAID without a success.", 3, Settling(), violations, first),
            Finding("I34", "", 0, Settling(), 0, None, "nobody can ask"),
        ),
    )


def a_report(
    *, violations: int = 0, final_after_s: float | None = 21.25, customers: bool = True
) -> Report:
    watch, notes = Watch(), Notes()
    for _ in range(4):
        watch.take(verified(), "after 6 s")
    last = verified(violations=violations)
    watch.take(last, "in the end")
    if customers:
        for number in range(3):
            note = notes.order(f"o{number}", Customer.PAYS_AT_ONCE)
            note.status, note.paid_at_s, note.shown_paid_at_s = "PAID", 110.0, 111.5 + number
        notes.purchases.append((109.0, 0.25))
        notes.came["pays_at_once"] = 3
        notes.indeterminate["purchase"] = 2
        notes.unanswered = 1
    happened = (
        Happened(Fault(4, 6, Kind.WEATHER, PROVIDER, {"webhooks": {"drop": 50}}), 4.0, 10.0),
        Happened(Fault(8, 2, Kind.KILL, "order-service"), 8.0, 10.5),
        Happened(Fault(9, 2, Kind.LOCKED, "bus"), 9.0, 11.0),
    )
    return Report(
        plan=draw_plan(7, 1, Profile.ALL),
        began_ms=1_768_446_000_000,
        began_loop_s=100.0,
        happened=happened,
        fired=Counter({"kill -9 order-service": 1, "webhooks.drop": 12, "database locked bus": 1}),
        died=Counter(),
        notes=notes,
        ends={"PAID": 3, "FAILED: PAYMENT_EXPIRED": 1} if customers else {},
        final_after_s=final_after_s,
        left_open={} if final_after_s is not None else {"orders open": 2},
        watch=watch,
        last=last,
    )


class Page(HTMLParser):
    """Tags in balance, and everything that would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: Counter[str] = Counter()
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name in ("src", "href", "data", "action", "poster") and value != "data:,":
                self.fetched.append(f"{tag} {name}={value}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data + " "


REPORTS = {
    "good": a_report(),
    "wrong": a_report(violations=2),
    "late": a_report(final_after_s=None),
    "empty": a_report(customers=False),
}


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_is_whole_and_fetches_nothing(name: str) -> None:
    text = html_page(REPORTS[name])
    page = Page(text)
    assert page.open == []
    assert page.fetched == []
    assert page.tags["script"] == 0
    assert not re.search(r"@import|url\(|https?://", text)
    assert 'name="viewport"' in text
    assert "prefers-color-scheme:dark" in text
    assert page.tags["svg"] >= 4


def test_the_page_says_what_the_run_was() -> None:
    words = " ".join(Page(html_page(a_report())).words.split())
    assert "kessai chaos: all, 1 min, seed 7" in words
    assert "Everything agrees" in words
    assert "5 times an invariant was asked, of 15 things: 0 violations" in words
    assert "Final 21.2 s after healing" in words
    assert "I2 No order is PAID without a success. 5 15 0" in words
    assert "2 calls and 1 purchases without an answer" in words
    for name in SETTINGS:
        assert name in words


def test_what_is_wrong_stands_first_and_cannot_break_the_page() -> None:
    report = a_report(violations=2)
    text = html_page(report)
    assert not report.ok
    assert "Everything agrees" not in text
    assert "<b>x</b>" not in text
    assert "I2 in the end: order &lt;b&gt;x&lt;/b&gt;: money &amp; stock differ" in text


def test_what_was_not_final_in_time_is_a_violation() -> None:
    report = a_report(final_after_s=None)
    assert report.violations == ["I38: not final within a minute after healing: 2 orders open"]
    assert report.row()["ok"] is False


def test_what_a_customer_saw_is_a_violation() -> None:
    report = a_report()
    report.notes.say_wrong("one key made two orders")
    assert report.violations == ["seen by a customer: one key made two orders"]


def test_the_json_holds_what_the_page_shows() -> None:
    row = json.loads(json.dumps(a_report().row()))
    assert (row["ok"], row["seed"], row["profile"], row["finalAfterS"]) == (True, 7, "all", 21.2)
    assert row["faults"]["fired"]["webhooks.drop"] == 12
    assert [one["kind"] for one in row["faults"]["happened"]] == [
        "weather",
        "kill -9",
        "database locked",
    ]
    assert row["orders"] == {"total": 4, "ends": {"PAID": 3, "FAILED: PAYMENT_EXPIRED": 1}}
    assert row["customers"]["payToPaidShown"]["s"] == {
        "p50": 2.5,
        "p95": 3.5,
        "p99": 3.5,
        "max": 3.5,
    }
    assert row["customers"]["indeterminate"]["purchasesNeverAnswered"] == 1
    # What nobody can ask is not counted as asked.
    assert row["invariants"] == [
        {
            "id": "I2",
            "sentence": "No order is PAID without a success.",
            "times": 5,
            "checked": 15,
            "settling": 0,
            "violations": 0,
        }
    ]


def test_bars_are_in_proportion() -> None:
    drawn = bars({"a": 100, "b": 50, "c": 0}, {}, "x")
    widths = [float(width) for width in re.findall(r'width="([\d.]+)" height="16"', drawn)]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)
    assert widths[2] == 2.0
    assert bars({}, {}, "x").count("<rect") == 0


def test_a_time_line_stays_in_its_frame() -> None:
    spans = [Span("bff", -5, 500, "enji", "kill"), Span("PayPay", 1, 1, "kikyo", "<")]
    drawn = time_line(spans, [(0.0, 0.0), (400.0, 90.0)], 60)
    for x, width in re.findall(
        r'<rect class="bar \w+" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn
    ):
        assert float(x) >= 0
        assert float(x) + float(width) <= 720
    for place in re.findall(r'c[xy]="(-?[\d.]+)"', drawn):
        assert 0 <= float(place) <= 720
    assert "<title>&lt;</title>" in drawn


def test_a_histogram_counts_everything_once() -> None:
    drawn = histogram([0.1, 0.125, 0.2, 63, 64, 65, 1000], "x")
    counts = [int(n) for n in re.findall(r'text-anchor="middle">(\d+)</text>', drawn)]
    assert sum(counts) == 7
    assert counts == [2, 1, 2, 2]
