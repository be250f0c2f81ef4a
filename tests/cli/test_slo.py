"""`kessai slo`: what it prints and returns, over a running service and over its tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI
from tests.cli.test_catalog import a_free_port, invoke, served

from kessai.cli import app as kessai
from kessai.cli.slo import read
from kessai.contracts.order import OrderService, PromiseFigures, PromiseReport, PromiseWindow
from kessai.contracts.wire import Nothing
from kessai.kernel.calls import mount
from kessai.kernel.errors import Unknown
from kessai.kernel.server import Binding
from kessai.kernel.settings import Settings
from kessai.topology import ORDER

pytestmark = pytest.mark.network


def a_window(name: str, within: int = 0, late: int = 0, **more: object) -> PromiseWindow:
    judged = within + late
    share = within / judged if judged else None
    figures = PromiseFigures(
        channel="poll", within=within, late=late, open=0, open_late=0, share=share
    ).model_copy(update=more)
    return PromiseWindow(
        window=name,
        met=None if share is None else share >= 0.99,
        burn_rate=None if share is None else (1 - share) * 100,
        total=figures.model_copy(update={"channel": "all"}),
        channels=(figures,) if judged else (),
    )


class Orders:
    """An order-service that knows the promise alone."""

    def __init__(self, windows: Sequence[PromiseWindow]) -> None:
        self.windows = windows

    def __getattr__(self, name: str) -> object:
        return None

    async def report_promise(self, command: Nothing) -> PromiseReport:
        assert command == Nothing()
        return PromiseReport(
            at="2026-01-15T03:00:00.000Z", limit_s=60, target=0.99, windows=tuple(self.windows)
        )


async def slo(orders: Orders, *options: str) -> tuple[int, str, str]:
    app = FastAPI()
    service = cast(OrderService, orders)
    app.include_router(mount(OrderService, service, token="kessai-local-service-token"))
    async with served(Binding("order-service", app, 0)) as ports:
        urls = f"order-service=http://127.0.0.1:{ports['order-service']}"
        return await invoke(kessai, "slo", *options, urls=urls)


async def test_a_promise_that_is_kept() -> None:
    day = a_window("24h", 9_999, 1, p50_ms=1_234, max_ms=61_000, otherwise={"LATE_SUCCESS": 2})
    code, out, _ = await slo(Orders([a_window("1h", 5), day]))
    assert code == 0
    assert "1h: met, 100 % of 5, burn rate 0.00" in out
    assert "24h: met, 99.99 % of 10000, burn rate 0.01" in out
    assert "1.2 s" in out
    assert "61.0 s" in out
    assert "2 did not make an order PAID: LATE_SUCCESS" in out


@pytest.mark.parametrize(
    ("options", "code"), [((), 1), (("--window", "1h"), 1), (("--window", "24h"), 0)]
)
async def test_a_promise_that_is_missed_in_a_window_shown(
    options: tuple[str, ...], code: int
) -> None:
    orders = Orders([a_window("1h", 9, 1), a_window("24h", 999, 1)])
    found, out, _ = await slo(orders, *options)
    assert found == code
    assert ("1h: MISSED, 90 % of 10, burn rate 10.00" in out) == (code == 1)


async def test_no_payments_are_not_a_hundred_percent() -> None:
    code, out, _ = await slo(Orders([a_window("1h"), a_window("24h", open=3)]))
    assert code == 0
    assert "1h: no payments to judge by\n" in out
    assert "24h: no payments to judge by, 3 on the way" in out
    assert "100" not in out


async def test_json_is_the_report_and_only_the_window_that_was_asked_for() -> None:
    code, out, _ = await slo(Orders([a_window("1h", 9, 1), a_window("24h", 5)]), "--json")
    assert code == 1
    assert [one["window"] for one in json.loads(out)["windows"]] == ["1h", "24h"]
    code, out, _ = await slo(
        Orders([a_window("1h", 9, 1), a_window("24h", 5)]), "--json", "--window", "24h"
    )
    assert (code, len(json.loads(out)["windows"])) == (0, 1)
    assert json.loads(out)["windows"][0]["total"]["openLate"] == 0


async def test_bad_usage_and_a_service_that_is_away() -> None:
    assert (await slo(Orders([]), "--window", "2h"))[0] == 2
    away = f"order-service=http://127.0.0.1:{a_free_port()}"
    code, out, error = await invoke(kessai, "slo", urls=away)
    assert (code, out, "Traceback" in error) == (3, "", False)
    code, _, error = await invoke(kessai, "slo", urls="nonsense")
    assert (code, "Traceback" in error) == (2, False)


async def test_without_a_service_the_tables_tell_and_none_are_made(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=str(tmp_path / "shop"))
    card = replace(ORDER, port=a_free_port())
    with pytest.raises(Unknown):
        await read(settings, card)
    assert not (tmp_path / "shop" / "order.db").exists()
    (tmp_path / "shop" / "order.db").touch()
    report, where = await read(settings, card)
    assert "does not run" in where
    assert [one.total.share for one in report.windows] == [None, None]
