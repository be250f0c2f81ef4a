"""Every error is a problem document with a stable code, and tells nothing of the inside."""

from __future__ import annotations

import json

import pytest
from structlog.testing import capture_logs
from tests.support.shell import ERRORS, ask

from kessai.kernel.errors import Kind
from kessai.kernel.problem import HTTP_STATUS, problem


async def test_a_refusal_with_its_facts() -> None:
    answer = await ask("/api/errors/sold-out", headers={"X-Correlation-ID": "c-1234567"})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "urn:kessai:problem:out-of-stock",
        "title": "Out of stock",
        "status": 409,
        "detail": "two are left",
        "instance": "/api/errors/sold-out",
        "code": "OUT_OF_STOCK",
        "correlationId": "c-1234567",
        "orderId": "o1",
        "items": [{"productId": 7, "wanted": 3, "available": 2}],
    }


@pytest.mark.parametrize(
    ("name", "status", "code", "retry_after"),
    [
        ("busy", 429, "TOO_MANY_REQUESTS", "7"),
        ("no-session", 401, "SESSION_MISSING", None),
        ("foreign", 404, "NOT_FOUND", None),
        ("moved", 409, "ILLEGAL_STATE", None),
        ("unknown", 503, "PAYMENT_UNAVAILABLE", "1"),
        ("locked", 503, "DATABASE_UNAVAILABLE", "1"),
        ("bug", 500, "INTERNAL", None),
    ],
)
async def test_each_error_has_its_status(
    name: str, status: int, code: str, retry_after: str | None
) -> None:
    answer = await ask(f"/api/errors/{name}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["status"] == status
    assert answer.headers.get("retry-after") == retry_after
    assert ("www-authenticate" in answer.headers) is (status == 401)


def test_every_kind_has_a_status() -> None:
    assert sorted(HTTP_STATUS) == sorted(Kind)


async def test_facts_do_not_replace_the_fixed_members() -> None:
    answer = (await ask("/api/errors/greedy")).json()
    assert (answer["code"], answer["status"]) == ("X", 409)
    assert answer["correlationId"] != "z"


@pytest.mark.parametrize("name", ["unknown", "locked", "bug"])
async def test_nothing_of_the_inside_is_told(name: str) -> None:
    with capture_logs() as lines:
        answer = await ask(f"/api/errors/{name}")
    for inside in ("canary", "KeyError", "10.0.0.1", "timeout", "/var", "locked", "Traceback"):
        assert inside not in answer.text.removeprefix(f'"/api/errors/{name}"').replace(
            f"/api/errors/{name}", ""
        )
    event = "http.failed" if name == "bug" else "http.unknown"
    (line,) = [line for line in lines if line["event"] == event]
    assert line["path"] == f"/api/errors/{name}"
    if name == "bug":
        assert line["exc_info"] is ERRORS["bug"]


async def test_a_field_that_the_domain_refuses_looks_like_one_that_the_border_refuses() -> None:
    answer = await ask("/api/errors/wrong-field")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "items[0].quantity", "code": "TOO_LARGE"}]


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (
            {"customerName": "a", "items": [{"productId": 1, "quantity": 0}]},
            [("items[0].quantity", "GREATER_THAN_EQUAL")],
        ),
        (
            {"items": [{"productId": 1, "quantity": 1}, {"quantity": 1.5}], "amount": 1},
            [
                ("customerName", "MISSING"),
                ("items[1].productId", "MISSING"),
                ("items[1].quantity", "INT_FROM_FLOAT"),
                ("amount", "EXTRA_FORBIDDEN"),
            ],
        ),
        ([], [("body", "MODEL_ATTRIBUTES_TYPE")]),
    ],
)
async def test_wrong_fields_are_named_as_on_the_wire(
    body: object, errors: list[tuple[str, str]]
) -> None:
    answer = await ask("/api/orders/purchase", "POST", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION")
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == errors
    assert all(sorted(error) == ["code", "field"] for error in answer.json()["errors"])


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 30_000, b"\x00", b'{"a":1}}'])
async def test_what_is_no_json_is_invalid(body: bytes) -> None:
    json_type = {"Content-Type": "application/json"}
    answer = await ask("/api/orders/purchase", "POST", content=body, headers=json_type)
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION")
    assert answer.json()["errors"] == [{"field": "body", "code": "JSON_INVALID"}]


async def test_no_body_at_all() -> None:
    answer = await ask("/api/orders/purchase", "POST")
    assert answer.json()["errors"] == [{"field": "body", "code": "MISSING"}]


async def test_query_parameters_are_fields_too() -> None:
    answer = await ask("/api/orders/o1?limit=many")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "limit", "code": "INT_PARSING"}]


@pytest.mark.parametrize("name", [b"\\ud800", b"k" * 5000, b'\\r\\n\\"', b"\\u0000"])
async def test_hostile_field_names_cannot_break_the_answer(name: bytes) -> None:
    json_type = {"Content-Type": "application/json"}
    body = b'{"' + name + b'": 1}'
    answer = await ask("/api/orders/purchase", "POST", content=body, headers=json_type)
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION")
    assert all(0 < len(error["field"]) <= 200 for error in answer.json()["errors"])


async def test_the_number_of_errors_is_bounded() -> None:
    items = [{"quantity": 0}] * 500
    answer = await ask("/api/orders/purchase", "POST", json={"items": items})
    assert len(answer.json()["errors"]) == 50


async def test_unknown_paths_and_methods() -> None:
    missing = await ask("/api/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")
    wrong = await ask("/api/orders/o1", "DELETE")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["allow"] == "GET"
    assert (await ask("/api/orders/o1/")).status_code == 404


def test_half_a_surrogate_does_not_fail_the_answer_that_has_it() -> None:
    answer = problem(409, "X", facts={"note": "\ud800 決済"})
    assert json.loads(bytes(answer.body))["note"] == "? 決済"
