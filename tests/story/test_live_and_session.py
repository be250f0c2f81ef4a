"""Stories of the live channel and of who may see what."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

from tests.support.shop import SHOP, Shop, story

from kessai.bff.main import build
from kessai.contracts.order import Order, OrderById, OrderService
from kessai.kernel.errors import Unknown


@story(1)
async def test_the_browser_is_told_at_once_and_in_order(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    async with customer.watching(order_id) as socket:
        first = await socket.receive(within_s=1)
        assert (first["event"], first["orderStatus"]) == ("SNAPSHOT", "WAITING_PAYMENT")
        assert first["result"] == "PENDING"
        await shop.wallet(order_id)
        rest = await socket.until("SUCCESS", within_s=2)
    sequences = [first["sequence"], *(frame["sequence"] for frame in rest)]
    assert sequences == sorted(set(sequences))
    assert rest[-1]["orderStatus"] == "PAID"
    assert rest[-1]["event"] == "UPDATE"
    assert rest[-1]["sequence"] == max(sequences)


@story(1)
async def test_a_reconnect_misses_nothing_and_repeats_nothing(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    async with customer.watching(order_id) as socket:
        first = await socket.receive()
    await shop.wallet(order_id)
    await customer.until(order_id, "PAID")
    async with customer.watching(order_id, last_sequence=first["sequence"]) as socket:
        missed = await socket.receive(within_s=1)
        assert missed["result"] == "SUCCESS"
    async with customer.watching(order_id, last_sequence=missed["sequence"]) as socket:
        heartbeat = await socket.receive(within_s=11, kind="HEARTBEAT")
        assert heartbeat == {"type": "HEARTBEAT"}
        assert socket.frames.empty()


class FarOrders:
    """order-service as another process: it may be out of reach for a while."""

    def __init__(self, orders: OrderService) -> None:
        self._orders = orders
        self.out_of_reach = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._orders, name)

    async def view_order(self, command: OrderById) -> Order:
        if self.out_of_reach:
            raise Unknown("ORDER_SERVICE_UNAVAILABLE")
        return await self._orders.view_order(command)


@story(1)
async def test_what_could_not_be_read_when_it_changed_is_pushed_as_soon_as_it_can(
    shop: Shop,
) -> None:
    orders = FarOrders(shop.ports.order)
    settings = shop.runtime.settings.model_copy(update={"instance": "second"})
    door = await build(
        replace(shop.runtime, settings=settings),
        order=cast(OrderService, orders),
        account=shop.ports.account,
        storage=shop.ports.storage,
        payment=shop.ports.payment,
        search=shop.ports.search,
        alert=shop.ports.alert,
    )
    *others, first_door = shop.system.units
    shop.system = replace(shop.system, units=[*others, first_door, door])
    await door.start()
    shop.http.route(SHOP, door.app)
    customer = await shop.customer()
    order_id = await customer.buy()
    async with customer.watching(order_id, door=door.app) as socket:
        assert (await socket.receive(within_s=1))["result"] == "PENDING"
        orders.out_of_reach = True
        await shop.wallet(order_id)
        await asyncio.sleep(3)
        assert socket.frames.empty()
        orders.out_of_reach = False
        assert (await socket.receive(within_s=1))["result"] == "SUCCESS"


@story(1)
async def test_a_channel_token_works_once_for_its_order_and_session(shop: Shop) -> None:
    customer, other = await shop.new_customer(), await shop.new_customer()
    order_id, elsewhere = await customer.buy(), await other.buy()
    token = (await customer.order(order_id))["channelToken"]
    async with customer.watching(order_id, token=token) as socket:
        await socket.receive()
    async with customer.watching(order_id, token=token) as socket:
        assert await socket.wait_closed() == 4401
    stolen = (await customer.order(order_id))["channelToken"]
    async with other.watching(order_id, token=stolen) as socket:
        assert await socket.wait_closed() == 4401
    foreign = (await other.order(elsewhere))["channelToken"]
    async with other.watching(order_id, token=foreign) as socket:
        assert await socket.wait_closed() == 4401


@story(1)
async def test_a_channel_token_ends_after_a_minute(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    token = (await customer.order(order_id))["channelToken"]
    await asyncio.sleep(61)
    async with customer.watching(order_id, token=token) as socket:
        assert await socket.wait_closed() == 4401


@story(1)
async def test_a_socket_without_a_first_frame_session_or_home_is_closed(shop: Shop) -> None:
    customer = await shop.customer()
    async with customer.socket() as socket:
        assert await socket.wait_closed(within_s=6) == 4408
    async with customer.socket(cookie="sid=nobody") as socket:
        assert await socket.wait_closed() == 4401
    async with customer.socket(query="token=abc") as socket:
        assert await socket.wait_closed() == 4401
    async with customer.socket(origin="https://evil.example") as socket:
        assert await socket.wait_closed() is not None
        assert not socket.accepted.is_set()
    async with customer.socket() as socket:
        await socket.send_text("{")
        assert await socket.wait_closed() == 4400


@story(1)
async def test_signing_out_ends_the_live_channel(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    async with customer.watching(order_id) as socket:
        await socket.receive()
        assert (await customer.send("POST", "/api/auth/logout")).status == 200
        assert await socket.wait_closed(within_s=11) == 4401
    assert (await customer.send("GET", f"/api/orders/{order_id}")).code == "SESSION_NOT_FOUND"


@story(1)
async def test_nobody_sees_another_customers_order(shop: Shop) -> None:
    owner, stranger = await shop.new_customer(), await shop.new_customer()
    order_id = await owner.buy()
    for method, path in (
        ("GET", f"/api/orders/{order_id}"),
        ("GET", f"/api/payments/{order_id}/details"),
        ("GET", f"/api/payments/{order_id}/qrcode"),
        ("POST", f"/api/orders/{order_id}/cancel"),
        ("POST", f"/api/orders/{order_id}/check"),
        ("POST", f"/api/orders/{order_id}/payment"),
    ):
        answer = await stranger.send(method, path)
        assert (answer.status, answer.code) == (404, "NOT_FOUND"), path
    refund = await stranger.act(order_id, "refund", {"reason": "MINE"})
    assert (refund.status, refund.code) == (404, "NOT_FOUND")
    assert (await stranger.send("GET", "/api/orders")).ok()["items"] == []
    assert (await owner.order(order_id))["status"] == "WAITING_PAYMENT"


@story(1)
async def test_without_a_session_nothing_of_a_customer_is_shown(shop: Shop) -> None:
    for method, path in (
        ("GET", "/api/orders"),
        ("GET", f"/api/orders/{'0' * 26}"),
        ("GET", "/api/account"),
        ("POST", "/api/orders/purchase"),
    ):
        answer = await shop.send(
            method, f"http://127.0.0.1:8080{path}", {} if "P" in path else None
        )
        assert answer.status in (401, 422), path
    assert (await shop.send("GET", f"{SHOP}/api/auth/status")).ok()["success"] is False
    assert (await shop.send("GET", f"{SHOP}/api/products")).status == 200


@story(1)
async def test_a_change_from_another_page_is_refused(shop: Shop) -> None:
    customer = await shop.customer()
    order_id = await customer.buy()
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        refused = await customer.send("POST", f"/api/orders/{order_id}/cancel", None, headers)
        assert (refused.status, refused.code) == (403, "FORBIDDEN_ORIGIN")
    assert (await customer.order(order_id))["status"] == "WAITING_PAYMENT"


@story(1, session_idle_s=100, session_absolute_s=300)
async def test_sessions_end_by_idleness_and_absolutely(shop: Shop) -> None:
    customer = await shop.customer()
    for _ in range(3):
        await asyncio.sleep(90)
        assert (await customer.send("GET", "/api/account")).status == 200
    await asyncio.sleep(31)
    assert (await customer.send("GET", "/api/account")).code == "SESSION_NOT_FOUND"
    idle = await shop.customer()
    await asyncio.sleep(101)
    assert (await idle.send("GET", "/api/account")).code == "SESSION_NOT_FOUND"


@story(1)
async def test_signing_in_again_makes_a_new_session_and_ends_the_old(shop: Shop) -> None:
    first = await shop.customer()
    second = await shop.customer()
    assert first.cookie != second.cookie
    assert (await first.send("GET", "/api/account")).status == 200
    preset = await shop.send(
        "GET", f"{SHOP}/api/account", None, {"Cookie": "sid=chosen-by-attacker"}
    )
    assert preset.code == "SESSION_NOT_FOUND"


@story(1)
async def test_check_now_asks_the_provider(shop: Shop) -> None:
    await shop.faults(webhooks={"drop": 100})
    customer = await shop.customer()
    order_id = await customer.buy()
    await asyncio.sleep(100)
    await shop.wallet(order_id)
    checked = (await customer.act(order_id, "check")).ok()
    assert checked["paymentStatus"] in ("SUCCEEDED", "AWAITING")
    await customer.until(order_id, "PAID", within_s=2)
    answers = [await customer.act(order_id, "check") for _ in range(25)]
    assert {answer.status for answer in answers} <= {200, 409, 429}
    assert 429 in {answer.status for answer in answers}
