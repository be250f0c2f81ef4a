"""`kessai alerts` against an alert-service on a port, as an operator types it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.alert import ORDER, AlertRoom, a_room, raised
from tests.support.process import free_offset
from tests.support.web import a_runtime
from typer.testing import CliRunner

from kessai.alert.web.routes import routes
from kessai.cli import app
from kessai.contracts.order import RemedyApplied, RemedyStep
from kessai.kernel import telemetry
from kessai.kernel.app import create_app
from kessai.kernel.db import open_database
from kessai.kernel.errors import Unknown
from kessai.kernel.server import Binding, serve_all

pytestmark = pytest.mark.network
TOKEN = "kessai-local-service-token"


@pytest.fixture(autouse=True)
def lines_of_services() -> Iterator[io.StringIO]:
    """Services of a test share its stderr with the commands; what they log goes elsewhere."""
    lines = io.StringIO()
    telemetry.configure("INFO", stream=lines)
    yield lines
    telemetry.configure("INFO")


@dataclass
class Served:
    room: AlertRoom
    env: dict[str, str]

    async def call(self, *words: str) -> tuple[int, str, str]:
        return await asyncio.to_thread(call, *words, env=self.env)

    async def json(self, *words: str) -> Any:
        code, out, error = await self.call(*words, "--json")
        assert (code, error) == (0, "")
        return json.loads(out)


def call(*words: str, env: dict[str, str]) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["alerts", *words], env={"COLUMNS": "200", **env})
    return done.exit_code, done.stdout, done.stderr


@asynccontextmanager
async def a_service(folder: Path) -> AsyncIterator[Served]:
    db = await open_database(f"sqlite:///{folder}/alerts.db")
    room = a_room(db)
    served = create_app(
        title="alert-service", runtime=a_runtime(), routers=[routes(room.desk, token=TOKEN)]
    )
    ready: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve_all(
            [Binding("alert-service", served, 0)],
            stop,
            on_ready=lambda ports: ready.set_result(dict(ports)),
        )
    )
    port = (await ready)["alert-service"]
    env = {
        "KESSAI_DATA_DIR": str(folder / "cli"),
        "KESSAI_SERVICE_URLS": f"alert-service=http://127.0.0.1:{port}",
    }
    try:
        yield Served(room, env)
    finally:
        stop.set()
        await serving
        await db.close()


async def test_alerts_are_listed_by_what_is_asked_for(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        for n, rule in enumerate("ACA"):
            await service.room.book.record(raised(rule, episode=f"e{n}", at_ms=1000 + n))
        code, out, _ = await service.call("list")
        assert (code, out.count(ORDER)) == (0, 3)
        assert "P1" in out
        found = await service.json("list", "--rule", "C")
        assert [row["rule"] for row in found["alerts"]] == ["C"]
        code, out, _ = await service.call("list", "--limit", "2")
        cursor = out.rpartition("--cursor ")[2].strip()
        assert len((await service.json("list", "--cursor", cursor))["alerts"]) == 1


async def test_one_alert_is_shown_with_what_each_service_says(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        service.room.services.trouble = {"payment": Unknown("PAYMENT_UNAVAILABLE")}
        event = raised("A", paymentSuccessCount=1)
        await service.room.book.record(event)
        code, out, _ = await service.call("show", event.alert_id)
        assert code == 0
        assert "did not answer: PAYMENT_UNAVAILABLE" in out
        assert "2027-01-15T08:00:00.000Z PAID ¥1,200" in out
        assert f"{ORDER}-1 CONFIRMED" in out
        assert "ask_provider, redrive_saga" in out
        shown = await service.json("show", event.alert_id)
        assert shown["facts"] == {"paymentSuccessCount": 1}
        assert shown["evidence"]["payment"]["answered"] is False


async def test_an_alert_is_taken_given_noted_and_closed(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        event = raised()
        await service.room.book.record(event)
        of = (event.alert_id, "--reason", "on it", "--actor", "hanako")
        code, out, _ = await service.call("ack", *of, "--version", "1")
        assert (code, out) == (
            0,
            f"{event.alert_id} is ACKNOWLEDGED, version 2, hanako has it\n",
        )
        assert (await service.json("assign", *of, "--to", "taro", "--latest"))["assignee"] == "taro"
        noted = await service.json("note", event.alert_id, "called them", *of[1:], "--latest")
        assert noted["note"] == "called them"
        code, _, error = await service.call("resolve", *of, "--version", "1")
        assert (code, error.count("\n")) == (2, 1)
        assert "VERSION_CONFLICT" in error
        assert (await service.json("resolve", *of, "--latest"))["resolvedBy"] == "hanako"


async def test_a_remedy_says_what_it_did_and_one_that_does_not_fit_what_would(
    tmp_path: Path,
) -> None:
    async with a_service(tmp_path) as service:
        event = raised("C")
        await service.room.book.record(event)
        services = service.room.services
        step = RemedyStep(code="REFUND_STARTED", subject=f"{ORDER}-1", amount=1200)
        services.applied = RemedyApplied(order=services.applied.order, steps=(step,))
        of = ("--reason", "paid twice", "--version", "1")
        code, out, _ = await service.call("remedy", event.alert_id, "refund", *of)
        assert (code, out.splitlines()) == (
            0,
            [
                f"REFUND_STARTED {ORDER}-1 ¥1,200",
                f"{event.alert_id} is NEW, the order is PAID",
            ],
        )
        code, _, error = await service.call("remedy", event.alert_id, "release", *of)
        assert (code, error.count("\n")) == (2, 1)
        assert "REMEDY_DOES_NOT_FIT" in error
        assert "what fits: refund" in error
        services.trouble = {"remedy": Unknown("ORDER_SERVICE_UNAVAILABLE")}
        code, _, error = await service.call("remedy", event.alert_id, "refund", *of)
        assert (code, error.count("\n")) == (3, 1)


ALERT = "0" * 26
WHY = ("--reason", "because", "--version", "1")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("list", "--status", "GONE"), "--status"),
        (("list", "--severity", "P9"), "--severity"),
        (("list", "--order", "x" * 65), "--order"),
        (("list", "--assignee", "x" * 65), "--assignee"),
        (("show", "x" * 27), "ID"),
        (("ack", ALERT, "--reason", "because"), "--latest"),
        (("ack", ALERT, *WHY, "--latest"), "--latest"),
        (("ack", ALERT, "--reason", "", "--version", "1"), "--reason"),
        (("ack", ALERT, "--reason", "x" * 501, "--version", "1"), "--reason"),
        (("ack", ALERT, *WHY, "--actor", "x" * 65), "--actor"),
        (("assign", ALERT, *WHY, "--to", "x" * 65), "--to"),
        (("note", ALERT, "x" * 2001, *WHY), "--note"),
        (("remedy", ALERT, "pray", *WHY), "--remedy"),
    ],
)
def test_what_cannot_be_meant_is_one_line_before_anything_is_asked(
    words: tuple[str, ...], named: str, tmp_path: Path
) -> None:
    code, out, error = call(*words, env={"KESSAI_DATA_DIR": str(tmp_path / "none")})
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert named in error
    assert not (tmp_path / "none").exists()


def test_without_the_service_it_says_so(tmp_path: Path) -> None:
    env = {"KESSAI_DATA_DIR": str(tmp_path), "KESSAI_PORT_OFFSET": str(free_offset())}
    code, _, error = call("list", env=env)
    assert (code, error.count("\n")) == (3, 1)


async def test_an_alert_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:
        code, _, error = await service.call("show", ALERT)
        assert (code, error.count("\n")) == (2, 1)
        assert "NOT_FOUND" in error
