"""The actuator speaks Spring Boot's shapes, and a hanging check is DOWN, not a hang."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from structlog.testing import capture_logs
from tests.support.web import a_client, a_runtime, run_virtual

from kessai.kernel.actuator import Degraded, HealthCheck
from kessai.kernel.app import condition_of, create_app, management_app
from kessai.kernel.errors import DatabaseUnavailable, JsonValue
from kessai.kernel.metrics import Metrics
from kessai.kernel.supervisor import Supervisor


async def well() -> Mapping[str, JsonValue]:
    return {"database": "SQLite"}


async def silent() -> None:
    return None


async def locked() -> None:
    raise DatabaseUnavailable("/var/kessai/order.db is locked")


async def broken() -> None:
    raise ConnectionError("redis://:secret@10.0.0.1")


async def warned() -> None:
    raise Degraded({"skewSeconds": 45})


async def hangs() -> None:
    await asyncio.Event().wait()


def an_app(checks: Mapping[str, HealthCheck] | None = None, **options: Any) -> FastAPI:
    router = APIRouter()

    @router.get("/orders/{orderId}")
    async def order(orderId: str) -> str:
        return orderId

    checks = {"db": well, "bus": silent} if checks is None else checks
    return create_app(
        title="order-service", runtime=a_runtime(), routers=[router], health=checks, **options
    )


async def ask(
    path: str, app: FastAPI | None = None, method: str = "GET", **request: Any
) -> httpx2.Response:
    async with a_client(app or an_app()) as client:
        return await client.request(method, f"/actuator{path}", **request)


# --- health ---------------------------------------------------------------------------------


async def test_links() -> None:
    answer = await ask("")
    links = answer.json()["_links"]
    assert answer.headers["content-type"] == "application/json"
    assert links["self"] == {"href": "http://shop.test/actuator", "templated": False}
    assert links["health-path"] == {
        "href": "http://shop.test/actuator/health/{*path}",
        "templated": True,
    }
    assert sorted(links) == [
        "health",
        "health-path",
        "info",
        "loggers",
        "loggers-name",
        "metrics",
        "metrics-requiredMetricName",
        "prometheus",
        "self",
    ]
    for name in ("health", "info", "loggers", "metrics", "prometheus"):
        assert (await ask(f"/{name}")).status_code == 200


async def test_up_with_details() -> None:
    answer = await ask("/health")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "status": "UP",
        "components": {
            "db": {"status": "UP", "details": {"database": "SQLite"}},
            "bus": {"status": "UP"},
        },
        "groups": ["liveness", "readiness"],
    }


@pytest.mark.parametrize(
    ("check", "error"),
    [
        (locked, "DatabaseUnavailable DATABASE_UNAVAILABLE"),
        (broken, "ConnectionError"),
        (hangs, "no answer within 1.0 s"),
    ],
)
def test_one_component_down_is_down(check: HealthCheck, error: str) -> None:
    async def story() -> None:
        app = an_app({"db": well, "bus": check})
        for path in ("/health", "/health/readiness"):
            answer = await ask(path, app)
            assert (answer.status_code, answer.json()["status"]) == (503, "DOWN")
            assert answer.json()["components"] == {
                "db": {"status": "UP", "details": {"database": "SQLite"}},
                "bus": {"status": "DOWN", "details": {"error": error}},
            }
        one = await ask("/health/bus", app)
        assert (one.status_code, one.json()["status"]) == (503, "DOWN")
        assert (await ask("/health/db", app)).json()["details"] == {"database": "SQLite"}

    run_virtual(story())


async def test_a_warning_is_shown_and_sends_nobody_elsewhere() -> None:
    app = an_app({"db": well, "clock": warned})
    for path in ("/health", "/health/readiness", "/health/clock"):
        answer = await ask(path, app)
        assert (answer.status_code, answer.json()["status"]) == (200, "DEGRADED")
    assert (await ask("/health/clock", app)).json()["details"] == {"skewSeconds": 45}
    assert (await ask("/health/liveness", app)).json() == {"status": "UP"}
    worse = await ask("/health", an_app({"db": locked, "clock": warned}))
    assert (worse.status_code, worse.json()["status"]) == (503, "DOWN")


def test_hanging_checks_hang_side_by_side() -> None:
    async def story() -> None:
        app = an_app({f"check-{n}": hangs for n in range(10)})
        await ask("/health", app)
        assert asyncio.get_running_loop().time() == pytest.approx(1.0)

    run_virtual(story())


async def test_liveness_asks_no_dependency() -> None:
    answer = await ask("/health/liveness", an_app({"db": locked, "bus": hangs}))
    assert (answer.status_code, answer.json()) == (200, {"status": "UP"})


async def test_an_unknown_component_is_not_found() -> None:
    answer = await ask("/health/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_a_fall_and_a_recovery_are_told_once() -> None:
    is_well = False

    async def flapping() -> None:
        if not is_well:
            raise ConnectionError

    app = an_app({"bus": flapping})
    with capture_logs() as lines:
        await ask("/health", app)
        await ask("/health", app)
        is_well = True
        assert (await ask("/health", app)).status_code == 200
        await ask("/health", app)
    events = [line["event"] for line in lines if line["event"].startswith("health.")]
    assert events == ["health.down", "health.up"]


def test_a_loop_that_keeps_failing_is_seen_in_readiness_but_not_in_liveness() -> None:
    async def sick() -> None:
        raise OSError("disk")

    async def story() -> None:
        supervisor = Supervisor("order-service", failing_after=3)
        app = an_app({}, supervisor=supervisor)
        supervisor.start("relay", sick)
        await asyncio.sleep(0.2)
        details = {"relay": {"failing": False, "failures": 2, "error": "OSError"}}
        up = {"status": "UP", "details": details}
        assert (await ask("/health/loops", app)).json() == up
        await asyncio.sleep(1)
        answer = await ask("/health/readiness", app)
        assert (answer.status_code, answer.json()["components"]["loops"]["status"]) == (503, "DOWN")
        assert (await ask("/health/liveness", app)).status_code == 200
        await supervisor.stop()

    run_virtual(story())


def test_the_public_port_shows_the_word_alone_and_asks_once_a_second() -> None:
    asked = 0

    async def counts() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise ConnectionError

    async def story() -> None:
        app = an_app({"db": counts}, actuator="status")
        for _ in range(5):
            answer = await ask("/health", app)
            assert (answer.status_code, answer.json()) == (200, {"status": "UP"})
        await asyncio.sleep(1)
        down = await ask("/health", app)
        assert (down.status_code, down.json()) == (503, {"status": "DOWN"})
        assert asked == 2
        for path in ("", "/health/readiness", "/info", "/metrics", "/prometheus", "/loggers"):
            assert (await ask(path, app)).status_code == 404

    run_virtual(story())


async def test_the_management_port_shows_what_the_public_one_counted() -> None:
    public = an_app(actuator="status")
    management = management_app(public, runtime=a_runtime())
    async with a_client(public) as client:
        await client.get("/orders/o1")
    answer = await ask("/metrics/http.server.requests?tag=uri:/orders/{orderId}", management)
    assert answer.json()["measurements"][0] == {"statistic": "COUNT", "value": 1.0}
    assert (await ask("/health", management)).json()["components"]["bus"] == {"status": "UP"}
    async with a_client(management) as client:
        assert (await client.get("/orders/o1")).status_code == 404


@pytest.mark.parametrize(
    ("address", "token", "status"),
    [
        ("127.0.0.1", None, 200),
        ("::1", None, 200),
        ("10.0.0.7", None, 403),
        ("testclient", None, 403),
        ("10.0.0.7", "wrong", 403),
        ("10.0.0.7", "kessai-local-service-token", 200),
    ],
)
async def test_from_outside_only_with_the_service_token(
    address: str, token: str | None, status: int
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with a_client(an_app(), address=address) as client:
        for path in ("/actuator", "/actuator/health", "/actuator/loggers"):
            assert (await client.get(path, headers=headers)).status_code == status


# --- info and metrics -----------------------------------------------------------------------


async def test_info() -> None:
    info = (await ask("/info")).json()
    assert info["app"]["name"] == "order-service"
    assert info["app"]["instance"] == "local"
    assert sorted(info["app"]) == ["instance", "name", "version"]


def an_app_with_counts() -> FastAPI:
    metrics = Metrics("order-service")
    orders = metrics.counter("orders_total", "Orders by outcome", labels=["outcome", "method"])
    orders.labels("PAID", "PAYPAY").inc(3)
    orders.labels("PAID", "BALANCE").inc(2)
    orders.labels("FAILED", "PAYPAY").inc()
    metrics.gauge("outbox_lag_seconds", "Age of the oldest row").set(1.5)
    metrics.observe_call("payment-service", "create_payment", "value", 0.25)
    metrics.observe_call("payment-service", "create_payment", "value", 0.5)
    return an_app(metrics=metrics)


async def test_the_names_of_metrics() -> None:
    names = (await ask("/metrics", an_app_with_counts())).json()["names"]
    assert names == sorted(names)
    assert {"orders", "outbox.lag", "http.server.requests", "service.calls"} <= {*names}
    assert {"process.open.fds", "process.resident.memory", "process.cpu"} <= {*names}
    assert "python.gc.collections" in names


async def test_a_counter() -> None:
    assert (await ask("/metrics/orders", an_app_with_counts())).json() == {
        "name": "orders",
        "description": "Orders by outcome",
        "baseUnit": None,
        "measurements": [{"statistic": "COUNT", "value": 6.0}],
        "availableTags": [
            {"tag": "outcome", "values": ["FAILED", "PAID"]},
            {"tag": "method", "values": ["BALANCE", "PAYPAY"]},
        ],
    }


async def test_tags_narrow_down() -> None:
    app = an_app_with_counts()
    paid = (await ask("/metrics/orders?tag=outcome:PAID", app)).json()
    assert paid["measurements"] == [{"statistic": "COUNT", "value": 5.0}]
    assert paid["availableTags"] == [{"tag": "method", "values": ["BALANCE", "PAYPAY"]}]
    both = (await ask("/metrics/orders?tag=outcome:PAID&tag=method:PAYPAY", app)).json()
    assert both["measurements"] == [{"statistic": "COUNT", "value": 3.0}]
    assert (await ask("/metrics/orders?tag=outcome:LOST", app)).status_code == 404


async def test_a_timer() -> None:
    timer = (await ask("/metrics/service.calls", an_app_with_counts())).json()
    assert timer["baseUnit"] == "seconds"
    assert timer["measurements"] == [
        {"statistic": "COUNT", "value": 2.0},
        {"statistic": "TOTAL_TIME", "value": 0.75},
    ]
    assert {"tag": "callee", "values": ["payment-service"]} in timer["availableTags"]


@pytest.mark.parametrize("name", ["outbox.lag", "outbox_lag_seconds"])
async def test_a_gauge_by_either_name(name: str) -> None:
    gauge = (await ask(f"/metrics/{name}", an_app_with_counts())).json()
    assert (gauge["name"], gauge["baseUnit"]) == ("outbox.lag", "seconds")
    assert gauge["measurements"] == [{"statistic": "VALUE", "value": 1.5}]


async def test_an_unknown_metric_is_not_found() -> None:
    answer = await ask("/metrics/no.such.metric")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_prometheus_text() -> None:
    answer = await ask("/prometheus", an_app_with_counts())
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE orders_total counter\n" in answer.text
    assert 'orders_total{method="PAYPAY",outcome="PAID"} 3.0\n' in answer.text
    assert "process_resident_memory_bytes " in answer.text
    assert "_created" not in answer.text


async def test_services_of_one_process_count_apart() -> None:
    one, other = an_app(), an_app()
    async with a_client(one) as client:
        await client.get("/orders/o1")
    name = "http_server_requests_seconds_count"
    assert name in condition_of(one).metrics.prometheus().decode()
    assert name not in condition_of(other).metrics.prometheus().decode()


# --- log levels -----------------------------------------------------------------------------


@pytest.fixture
def a_logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("kessai.actuator-test")
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(logging.NOTSET)


async def test_levels_are_shown(a_logger: logging.Logger) -> None:
    answer = (await ask("/loggers")).json()
    assert answer["levels"] == ["OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"]
    assert answer["groups"] == {}
    assert (
        answer["loggers"]["ROOT"]["configuredLevel"] == answer["loggers"]["ROOT"]["effectiveLevel"]
    )
    assert "configuredLevel" not in answer["loggers"][a_logger.name]


@pytest.mark.parametrize(
    ("level", "number"),
    [("DEBUG", 10), ("INFO", 20), ("WARN", 30), ("ERROR", 40), ("OFF", 60), ("TRACE", 5)],
)
async def test_a_level_is_changed_and_taken_back(
    a_logger: logging.Logger, level: str, number: int
) -> None:
    path, app = f"/loggers/{a_logger.name}", an_app()
    changed = await ask(path, app, "POST", json={"configuredLevel": level})
    assert (changed.status_code, changed.content) == (204, b"")
    assert a_logger.level == number
    shown = {"configuredLevel": level, "effectiveLevel": level}
    assert (await ask(path, app)).json() == shown
    await ask(path, app, "POST", json={"configuredLevel": None})
    assert a_logger.level == logging.NOTSET


async def test_what_is_no_level_or_no_logger_changes_nothing(a_logger: logging.Logger) -> None:
    loud = {"configuredLevel": "LOUD"}
    wrong = await ask(f"/loggers/{a_logger.name}", method="POST", json=loud)
    assert wrong.status_code == 422
    assert wrong.json()["errors"] == [{"field": "configuredLevel", "code": "LITERAL_ERROR"}]
    assert a_logger.level == logging.NOTSET
    debug = {"configuredLevel": "DEBUG"}
    assert (await ask("/loggers/made.up", method="POST", json=debug)).status_code == 404
    assert (await ask("/loggers/made.up")).status_code == 404
    assert "made.up" not in logging.root.manager.loggerDict
