"""The shop's stories in real time with its sagas on Temporal; then every book must agree."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import pytest
from tests.support.process import Processes, processes
from tests.temporal.server import Server

from kessai.kernel.http import AiohttpHttp
from kessai.kernel.settings import LOCAL_SECRETS
from kessai.proof.customer import Answered, Customer, SeenOrder
from kessai.saga.web import ACTOR_HEADER, PREFIX, ROLE_HEADER
from kessai.topology import ORDER

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(240)]

# Short, so that what expires does so while one waits; a code lives as long as its order may wait.
WINDOWS = {
    "KESSAI_ORDER_DEADLINE_S": "15",
    "KESSAI_PURCHASE_ANSWER_S": "2",
    "KESSAI_PAYPAY_GRACE_S": "0.5",
    "KESSAI_POLL_FIRST_S": "0.5",
    "KESSAI_POLL_MAX_S": "1",
    "KESSAI_FALLBACK_AFTER_S": "3",
    "KESSAI_FALLBACK_EVERY_S": "1",
    "KESSAI_SIGN_INS_PER_MINUTE": "100000",
}
SOON_S = 45.0


@pytest.fixture(scope="module")
def system(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    env = {**WINDOWS, "KESSAI_SAGA_ENGINE": "temporal", "KESSAI_TEMPORAL_URL": server.url}
    with processes(tmp_path_factory.mktemp("shop"), **env) as made:
        made.start("up")
        yield made
        require_agreement(made)


def require_agreement(system: Processes) -> None:
    try:
        report = json.loads(system.run("verify", "--json"))
    except subprocess.CalledProcessError as error:
        raise AssertionError(f"verify: {error.stdout.decode()} {system.log_tail()}") from error
    assert report["ok"], report
    sagas = json.loads(system.run("saga", "list", "--json"))["items"]
    assert sagas
    assert {one["owner"] for one in sagas} == {"temporal:default"}
    assert [one for one in sagas if one["needsOperator"]] == []


@asynccontextmanager
async def customer(system: Processes) -> AsyncIterator[Customer]:
    async with Customer(system.urls) as one:
        await one.sign_up(f"{uuid4().hex}@example.com", "kessai-demo")
        yield one


async def bought(one: Customer, *, position: int = 0, count: int = 1) -> SeenOrder:
    product = (await one.products())[position]
    order = await one.purchase([(int(str(product["id"])), count)])
    assert order.status == "WAITING_PAYMENT"
    return order


async def test_paid(system: Processes) -> None:
    async with customer(system) as one:
        order = await bought(one)
        await one.pay(f"{order.order_id}-1")
        await one.until(order.order_id, "PAID", timeout_s=SOON_S)


async def test_a_declined_attempt_fails_at_the_deadline(system: Processes) -> None:
    async with customer(system) as one:
        order = await bought(one)
        await one.pay(f"{order.order_id}-1", "decline")
        failed = await one.until(order.order_id, "FAILED", timeout_s=SOON_S)
        assert failed.reason in ("PAYMENT_DECLINED", "PAYMENT_EXPIRED")


async def test_what_nobody_pays_expires(system: Processes) -> None:
    async with customer(system) as one:
        order = await bought(one)
        failed = await one.until(order.order_id, "FAILED", timeout_s=SOON_S)
        assert failed.reason == "PAYMENT_EXPIRED"


async def test_cancelled_by_the_customer(system: Processes) -> None:
    async with customer(system) as one:
        order = await bought(one)
        await one.act(order.order_id, "cancel")
        failed = await one.until(order.order_id, "FAILED", timeout_s=SOON_S)
        assert failed.reason == "CANCELLED"


async def test_out_of_stock(system: Processes) -> None:
    async with customer(system) as one:
        product = (await one.products())[1]
        with pytest.raises(Answered) as refused:
            await one.purchase([(int(str(product["id"])), 99)])
        assert refused.value.code == "OUT_OF_STOCK"


async def test_paid_while_it_is_cancelled_ends_in_one_place(system: Processes) -> None:
    """Either the cancel was faster, and the money goes back, or the payment was."""
    async with customer(system) as one:
        order = await bought(one, position=2)
        cancelling = asyncio.create_task(one.act(order.order_id, "cancel"))
        with suppress(Answered):  # the code was closed
            await one.pay(f"{order.order_id}-1")
        await cancelling
        ended = await one.until(order.order_id, "FAILED", "PAID", timeout_s=SOON_S)
        assert ended.status in ("FAILED", "PAID")


async def test_refunded(system: Processes) -> None:
    async with customer(system) as one:
        order = await bought(one, position=3)
        await one.pay(f"{order.order_id}-1")
        await one.until(order.order_id, "PAID", timeout_s=SOON_S)
        await one.act(order.order_id, "refund", reason="CHANGED_MIND")
        await one.until(order.order_id, "REFUNDED", timeout_s=SOON_S)


async def test_the_webhook_is_lost(system: Processes) -> None:
    async with customer(system) as one:
        await one.set_faults({"webhooks": {"drop": 100}})
        try:
            order = await bought(one, position=4)
            await one.pay(f"{order.order_id}-1")
            await one.until(order.order_id, "PAID", timeout_s=SOON_S)
        finally:
            await one.set_faults({})


async def test_paid_from_the_wallet_and_refunded(system: Processes) -> None:
    async with customer(system) as one:
        product = (await one.products())[5]
        order = await one.purchase([(int(str(product["id"])), 1)], method="BALANCE")
        await one.until(order.order_id, "PAID", timeout_s=SOON_S)
        await one.act(order.order_id, "refund", reason="CHANGED_MIND")
        await one.until(order.order_id, "REFUNDED", timeout_s=SOON_S)


async def test_an_operator_sees_and_steers_through_the_service(system: Processes) -> None:
    """The provider takes its time, so the saga runs meanwhile, and an order to it is refused."""
    async with customer(system) as one:
        await one.set_faults({"api": {"createCode": {"delayMs": [25_000, 25_000]}}})
        try:
            product = (await one.products())[6]
            order = await one.purchase([(int(str(product["id"])), 1)])
            assert order.status == "PENDING"
            listed = (await desk(system, f"?businessKey={order.order_id}"))["items"]
            (saga,) = [one for one in listed if one["machine"] == "order_create_saga"]
            assert (saga["running"], saga["stale"]) == (True, False)
            shown = await desk(system, f"/{saga['id']}")
            assert [one["state"] for one in shown["states"]] == ["ReserveStock", "CreatePayment"]
            wish = {"reason": "to see", "version": shown["version"], "params": {}}
            refused = await desk(system, f"/{saga['id']}/forward", wish)
            assert (refused["status"], refused["code"]) == (409, "SAGA_RUNNING")
        finally:
            await one.set_faults({})
        ended = await one.until(order.order_id, "WAITING_PAYMENT", "FAILED", timeout_s=SOON_S)
        if ended.status == "WAITING_PAYMENT":
            await one.act(order.order_id, "cancel")
        await one.until(order.order_id, "FAILED", timeout_s=SOON_S)


async def desk(system: Processes, path: str, body: object = None) -> dict[str, Any]:
    """The operators' door of order-service."""
    http = AiohttpHttp()
    headers = {
        "Authorization": f"Bearer {LOCAL_SECRETS['service_token']}",
        "Content-Type": "application/json",
        ROLE_HEADER: "operator",
        ACTOR_HEADER: "op",
    }
    url = f"http://127.0.0.1:{ORDER.port + system.offset}{PREFIX}{path}"
    data = None if body is None else json.dumps(body).encode()
    try:
        answer = await http.send(
            "GET" if body is None else "POST", url, headers=headers, body=data, timeout_s=20
        )
    finally:
        await http.close()
    found: dict[str, Any] = json.loads(answer.body)
    return found
