"""Each invariant is broken by hand in the files of a healthy shop, and verify names the row."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.support import (
    breaks_alerts,
    breaks_events,
    breaks_money,
    breaks_names,
    breaks_orders,
    breaks_stock,
)
from tests.support.breaking import Break
from tests.support.verified import Kept, keep_a_shop, look_at

from kessai.proof.invariants.table import TABLE

BREAKS = (
    *breaks_money.BREAKS,
    *breaks_orders.BREAKS,
    *breaks_stock.BREAKS,
    *breaks_events.BREAKS,
    *breaks_alerts.BREAKS,
    *breaks_names.BREAKS,
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep_a_shop(tmp_path_factory.mktemp("shop"))


@pytest.mark.story
def test_the_healthy_shop_has_nothing_wrong(kept: Kept) -> None:
    report = look_at(kept, kept.folder)
    assert report.ok, str(report)
    assert report.orders == len(kept.orders)
    idle = [one.id for one in report.findings if not one.checked and one.not_asked is None]
    # No file of a day was compared there, and nothing waits.
    assert idle == ["I8", "I38"]


@pytest.mark.story
def test_every_invariant_that_is_asked_is_broken_here() -> None:
    asked = {one.id for one in TABLE if one.why_not is None}
    assert asked == {one.id for one in BREAKS}


@pytest.mark.story
@pytest.mark.parametrize("broken", BREAKS, ids=lambda one: f"{one.id}: {one.why}")
def test_what_is_broken_is_named(broken: Break, kept: Kept, tmp_path: Path) -> None:
    def filled(text: str) -> str:
        for name, order_id in kept.orders.items():
            text = text.replace(f"{{{name}}}", order_id)
        return text

    folder = tmp_path / "shop"
    shutil.copytree(kept.folder, folder)
    with closing(sqlite3.connect(folder / f"{broken.db}.db")) as db:
        for statement in broken.sql:
            db.execute(filled(statement))
        assert broken.sql == () or statement.startswith("PRAGMA") or db.total_changes
        db.commit()
    provider = list(kept.provider)
    if broken.provider is not None:
        order, change = filled(broken.provider.order), broken.provider.change
        changed = [
            change(row) if row.merchant_payment_id.startswith(order) else row for row in provider
        ]
        provider = [row for row in changed if row is not None]
    if broken.added is not None:
        name = filled(broken.added.merchant_payment_id)
        provider.append(broken.added._replace(merchant_payment_id=name))
        provider.sort(key=lambda row: row.merchant_payment_id)

    report = look_at(
        kept, folder, [broken.id, *broken.also], later_s=broken.later_s, provider=provider
    )

    assert {one.id for one in report.wrong} == {broken.id, *broken.also}, str(report)
    for finding in report.wrong:
        assert finding.first is not None
        shown = f"{finding.first.subject} {finding.first.why} {dict(finding.first.row)}"
        assert filled(broken.named) in shown
