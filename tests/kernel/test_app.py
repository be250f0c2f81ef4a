"""Every request has a trail, one line and one measurement, and stays within its bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from structlog.testing import capture_logs
from tests.support.shell import ERRORS, an_app, ask
from tests.support.web import StillClock, a_client

from kessai.kernel.app import condition_of
from kessai.kernel.telemetry import correlation_id, service_name

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"X-Correlation-ID": "shop-7.4:a_b"}, "shop-7.4:a_b"),
        ({"traceparent": PARENT}, "0af7651916cd43dd8448eb211c80319c"),
        ({"X-Correlation-ID": "shop-7.4:a_b", "traceparent": PARENT}, "shop-7.4:a_b"),
        ({"X-Correlation-ID": "short"}, None),
        ({"X-Correlation-ID": "x" * 65}, None),
        ({"X-Correlation-ID": "<script>alert(1)"}, None),
        ({"traceparent": PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32)}, None),
        ({}, None),
    ],
)
async def test_the_correlation_id_is_kept_or_made(sent: dict[str, str], kept: str | None) -> None:
    answer = await ask("/api/orders/o1", headers=sent)
    trail = answer.json()["trail"]
    assert answer.headers["x-correlation-id"] == trail
    if kept:
        assert trail == kept
    else:
        assert len(trail) == 26
        assert trail.isalnum()
    assert answer.json()["service"] == "order-service"
    assert (correlation_id(), service_name()) == ("", "")


async def test_one_line_for_each_request_with_the_template_and_without_the_query() -> None:
    clock = StillClock()
    app = an_app(clock=clock)

    @app.get("/slow/{name}")
    async def slow(name: str) -> str:
        clock.pass_s(0.25)
        return name

    with capture_logs() as lines:
        await ask("/slow/a?token=canary", app=app)
        await ask("/nested/deeper/canary", app=app)
        await ask("/canary/%0acanary", app=app)
        await ask("/api/errors/sold-out", app=app)
    assert lines == [
        {
            "event": "http.request",
            "method": "GET",
            "route": route,
            "status": status,
            "duration_ms": duration_ms,
            "log_level": "info",
        }
        for route, status, duration_ms in [
            ("/slow/{name}", 200, 250.0),
            ("/nested/deeper/{item}", 200, 0.0),
            ("UNMATCHED", 404, 0.0),
            ("/api/errors/{name}", 409, 0.0),
        ]
    ]


async def test_each_request_is_measured_under_its_template() -> None:
    app = an_app()
    async with a_client(app) as client:
        for n in range(3):
            await client.get(f"/api/orders/{n}")
        await client.request("BREW", "/api/pot")
    text = condition_of(app).metrics.prometheus().decode()
    labels = 'method="GET",outcome="SUCCESS",status="200",uri="/api/orders/{orderId}"'
    assert f"http_server_requests_seconds_count{{{labels}}} 3.0" in text
    assert 'method="OTHER",outcome="CLIENT_ERROR",status="404",uri="UNMATCHED"' in text
    assert "http_server_requests_active 0.0" in text


# --- bounds ---------------------------------------------------------------------------------


async def chunks(*lengths: int) -> AsyncIterator[bytes]:
    for length in lengths:
        yield b"x" * length


async def test_bodies_up_to_the_limit_pass() -> None:
    app = an_app(body_limit_bytes=1000)
    assert (await ask("/api/raw", "POST", app, content=b"x" * 1000)).json() == {"length": 1000}
    assert (await ask("/api/raw", "POST", app, content=chunks(500, 500))).json() == {"length": 1000}


@pytest.mark.parametrize("path", ["/api/raw", "/api/orders/purchase"])
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_longer_bodies_are_refused_at_once(path: str, is_chunked: bool) -> None:
    content = chunks(600, 401, 10**6) if is_chunked else b"x" * 1001
    app = an_app(body_limit_bytes=1000)
    with capture_logs() as lines:
        answer = await ask(path, "POST", app, content=content)
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert [(line["event"], line["status"]) for line in lines if "status" in line] == [
        ("http.request", 413)
    ]


async def test_a_length_that_is_no_number_is_refused() -> None:
    answer = await ask("/api/raw", "POST", content=b"x", headers={"Content-Length": "-1"})
    assert answer.status_code == 413


async def test_some_paths_take_more() -> None:
    app = an_app(body_limit_bytes=1000, body_limits={"/api/import/": 5000})
    assert (await ask("/api/import/raw", "POST", app, content=b"x" * 5000)).status_code == 200
    assert (await ask("/api/import/raw", "POST", app, content=b"x" * 5001)).status_code == 413
    assert (await ask("/api/raw", "POST", app, content=b"x" * 1001)).status_code == 413


async def test_too_many_at_once_are_turned_away_but_probes_are_answered() -> None:
    app, gate, both_are_in = an_app(max_in_flight=2), asyncio.Event(), asyncio.Event()
    entered = 0

    @app.get("/waits")
    async def waits() -> str:
        nonlocal entered
        entered += 1
        if entered == 2:
            both_are_in.set()
        await gate.wait()
        return "done"

    async with a_client(app) as client:
        waiting = [asyncio.create_task(client.get("/waits")) for _ in range(2)]
        await asyncio.wait_for(both_are_in.wait(), 1)
        third = await client.get("/api/orders/o1")
        probe = await client.get("/actuator/health/liveness")
        gate.set()
        answers = await asyncio.gather(*waiting)
        after = await client.get("/api/orders/o1")
    assert (third.status_code, third.json()["code"]) == (503, "OVERLOADED")
    assert third.headers["retry-after"] == "1"
    assert probe.status_code == 200
    assert [answer.status_code for answer in answers] == [200, 200]
    assert after.status_code == 200


async def test_a_failure_after_the_start_of_an_answer_breaks_the_connection() -> None:
    with capture_logs() as lines, pytest.raises(KeyError):
        await ask("/api/half")
    assert [line["event"] for line in lines] == ["http.failed", "http.request"]


# --- headers --------------------------------------------------------------------------------


async def test_headers_of_every_answer() -> None:
    for path in ("/api/orders/o1", "/api/page", "/api/nothing", "/api/errors/bug"):
        headers = (await ask(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "strict-transport-security" not in headers


async def test_pages_have_their_policy_and_data_none() -> None:
    page = (await ask("/api/page", app=an_app(page_csp="default-src 'self'"))).headers
    assert page["content-security-policy"] == "default-src 'self'"
    assert "cache-control" not in page
    order = (await ask("/api/orders/o1")).headers
    assert order["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert order["cache-control"] == "no-store"


async def test_headers_of_the_route_win() -> None:
    headers = (await ask("/api/own-headers")).headers
    assert headers.get_list("content-security-policy") == ["default-src 'none'"]
    assert headers.get_list("cache-control") == ["max-age=60"]


async def test_https_is_kept() -> None:
    secure = an_app(settings={"public_url": "https://shop.example"})
    headers = (await ask("/api/orders/o1", app=secure)).headers
    assert headers["strict-transport-security"] == "max-age=31536000"


async def test_docs_only_when_asked() -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert (await ask(path)).status_code == 404
    with_docs = an_app(docs=True)
    docs = await ask("/docs", app=with_docs)
    assert docs.status_code == 200
    assert b"openapi.json" in docs.content
    assert b"<script" not in docs.content
    assert "default-src 'self'" in docs.headers["content-security-policy"]
    paths = (await ask("/openapi.json", app=with_docs)).json()["paths"]
    assert "/api/orders/purchase" in paths
    assert not [path for path in paths if "actuator" in path]


# --- life and WebSockets --------------------------------------------------------------------


async def test_hooks_run_in_order_around_the_life_of_the_app() -> None:
    seen: list[str] = []

    def hook(name: str) -> Any:
        async def note() -> None:
            seen.append(name)

        return note

    app = an_app(on_start=[hook("a"), hook("b")], on_stop=[hook("c"), hook("d")])
    async with app.router.lifespan_context(app):
        assert seen == ["a", "b"]
    assert seen == ["a", "b", "c", "d"]


def a_socket_app() -> FastAPI:
    app = an_app()

    @app.websocket("/ws/{name}")
    async def ws(websocket: WebSocket, name: str) -> None:
        await websocket.accept()
        if name in ERRORS:
            raise ERRORS[name]
        await websocket.send_text(f"{service_name()} {correlation_id()}")
        await websocket.close(4401)

    return app


def test_a_websocket_has_the_trail_and_one_line() -> None:
    with capture_logs() as lines, TestClient(a_socket_app()) as client:
        trail = {"X-Correlation-ID": "c-1234567"}
        with client.websocket_connect("/ws/a", headers=trail) as socket:
            assert socket.receive_text() == "order-service c-1234567"
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_text()
    assert closed.value.code == 4401
    (line,) = lines
    assert (line["event"], line["route"], line["code"]) == ("ws.closed", "/ws/{name}", 4401)


@pytest.mark.parametrize(("name", "code"), [("foreign", 1008), ("unknown", 1013), ("bug", 1011)])
def test_an_error_closes_the_websocket(name: str, code: int) -> None:
    with (
        TestClient(a_socket_app()) as client,
        client.websocket_connect(f"/ws/{name}") as socket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        socket.receive_text()
    assert closed.value.code == code
