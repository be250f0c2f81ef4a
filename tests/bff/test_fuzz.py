"""Whatever is sent to the door by its own description, it never answers with a 5xx."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import (
    binary,
    booleans,
    dictionaries,
    floats,
    integers,
    lists,
    none,
    one_of,
    recursive,
    sampled_from,
    text,
)
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from tests.support.process import Processes, processes

from kessai.proof.customer import Customer

pytestmark = [
    pytest.mark.crash,
    pytest.mark.network,
    pytest.mark.xdist_group("fuzz"),
    pytest.mark.timeout(300),
]
EXAMPLES = 25


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with processes(tmp_path_factory.mktemp("fuzz"), KESSAI_CHECKS_PER_MINUTE="100000") as made:
        made.start("up")
        yield made


@dataclass(frozen=True, slots=True)
class Buyer:
    cookie: str
    order_id: str
    product_id: int


@pytest.fixture(scope="module")
def buyer(system: Processes) -> Buyer:
    async def buy() -> Buyer:
        async with Customer(system.urls) as customer:
            await customer.sign_in("shopper@example.com", "kessai-demo")
            product = next(row["id"] for row in await customer.products() if row["stock"])
            assert isinstance(product, int)
            order = await customer.purchase([(product, 1)])
            return Buyer(customer.cookie, order.order_id, product)

    return asyncio.run(buy())


@pytest.fixture(scope="module")
def api(system: Processes) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{system.urls.shop}/openapi.json")


def test_no_request_makes_the_door_fail(
    api: BaseSchema, buyer: Buyer, system: Processes, subtests: pytest.Subtests
) -> None:
    """One after the other: schemathesis' own parametrization knows no pytest from 9.1 on."""
    operations = [found.ok() for found in api.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) >= 20
    for operation in operations:
        with subtests.test(operation.label):
            seen = _fuzz(operation, buyer, system.urls.shop)
            # A request that nobody lets in proves nothing about the rooms behind.
            assert 401 not in seen or "/auth/" in operation.path


def _fuzz(operation: APIOperation[Any, Any, Any, Any], buyer: Buyer, origin: str) -> set[int]:
    cases = [operation.as_strategy(mode) for mode in GenerationMode]
    if "{" in operation.path:
        # What exists: any other id ends in NOT_FOUND before much is done.
        known = {"order_id": buyer.order_id, "product_id": str(buyer.product_id)}
        cases += [operation.as_strategy(mode, path_parameters=known) for mode in GenerationMode]
    seen: set[int] = set()

    @given(case=one_of(*cases))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Case[Any]) -> None:
        case.headers["Origin"] = origin
        if "logout" not in operation.path:
            case.headers["Cookie"] = buyer.cookie
        if operation.path == "/api/orders/purchase":
            _with_known_products(case.body, buyer.product_id)
        seen.add(case.call_and_validate(checks=[not_a_server_error]).status_code)

    send()
    return seen


def _with_known_products(body: Any, product_id: int) -> None:
    """Every other cart of a well-formed purchase is one that can be bought."""
    items = body.get("items") if isinstance(body, dict) else None
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("productId"), int):
            item["productId"] = product_id if item["productId"] % 2 else item["productId"]


def test_no_webhook_makes_the_door_fail(system: Processes) -> None:
    """Its description has no body, because it takes whatever comes."""
    url = f"{system.urls.shop}/paypay/callback"

    @given(body=_json_objects | binary(max_size=2000))
    @settings(max_examples=100, deadline=None, derandomize=True)
    def send(body: bytes) -> None:
        answer = httpx2.post(url, content=body, timeout=5)
        assert (answer.status_code, answer.text) == (200, "{}") or answer.status_code == 400

    send()


_json = recursive(
    none() | booleans() | integers() | floats() | text(max_size=20),
    lambda inner: lists(inner, max_size=3) | dictionaries(text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_words = sampled_from(
    ("merchant_id", "merchant_order_id", "order_id", "state", "order_amount", "notification_type")
)
_json_objects = dictionaries(_words | text(max_size=8), _json, max_size=8).map(
    lambda content: json.dumps(content).encode()
)
