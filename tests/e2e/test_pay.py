"""The pay page in a real browser: what it says while a payment is uncertain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.e2e.conftest import PHONE, PROFILES
from tests.e2e.shopper import Shopper
from tests.support.process import Processes

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocketRoute

pytestmark = [pytest.mark.e2e, pytest.mark.network, pytest.mark.timeout(400)]

Window = Callable[[str], "Page"]


@pytest.fixture(params=sorted(PROFILES))
def shopper(request: pytest.FixtureRequest, window: Window, system: Processes) -> Shopper:
    made = Shopper(window(request.param), system)
    made.sign_in()
    return made


def test_a_purchase_takes_at_most_six_clicks_and_ends_with_the_seal(shopper: Shopper) -> None:
    shopper.open("/")
    shopper.clicks = 0
    shopper.click(".product .btn:not([aria-disabled='true'])")
    shopper.click(".toast button")
    shopper.click(".drawer a[href='/checkout']")
    shopper.fill_address()
    order_id = shopper.pay_button()
    assert shopper.clicks <= 6
    shopper.phase("waiting")
    assert "ありがとうございました" not in shopper.text
    shopper.wallet.press("pay", order_id)
    shopper.phase("paid")
    seal = shopper.page.locator("svg.seal[role=img] >> visible=true")
    assert "お支払いを確認しました" in (seal.get_attribute("aria-label") or "")
    # Left alone, the page goes on to the order by itself.
    shopper.page.wait_for_url(f"**/orders/{order_id}")
    assert shopper.broken == []


@pytest.mark.parametrize("shopper", ["phone"], indirect=True)
def test_on_a_phone_the_app_comes_first_and_the_code_is_folded(shopper: Shopper) -> None:
    order_id = shopper.order()
    shopper.phase("waiting")
    app = shopper.page.get_by_role("link", name="PayPayアプリで支払う")
    assert f"/{order_id}" not in (app.get_attribute("href") or "")
    assert shopper.page.locator(".qr >> visible=true").count() == 0
    shopper.press("別の端末で読み取る")
    shopper.page.wait_for_selector(".qr svg[role=img]")
    width = shopper.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["viewport"]["width"]


def test_an_expired_code_gives_way_to_a_new_one_of_the_same_order(shopper: Shopper) -> None:
    shopper.wallet.faults(codeLifetimeS=8)
    try:
        order_id = shopper.order()
        shopper.phase("waiting")
        # Past its end it is not expired before the server says so.
        shopper.phase("confirming")
        assert shopper.page.locator(".qr >> visible=true").count() == 0
        shopper.phase("expired")
    finally:
        shopper.wallet.faults(codeLifetimeS=300)
    shopper.press("新しいコードを作る")
    shopper.phase("waiting")
    assert shopper.page.url.split("/")[-2] == order_id
    shopper.wallet.press("pay", order_id, attempt=2)
    shopper.phase("paid")


def test_a_declined_payment_can_be_tried_again(shopper: Shopper) -> None:
    order_id = shopper.order()
    shopper.phase("waiting")
    shopper.wallet.press("decline", order_id)
    shopper.phase("failed")
    assert "お金は動いていません" in shopper.text
    shopper.press("もう一度支払う")
    shopper.phase("waiting")
    shopper.wallet.press("pay", order_id, attempt=2)
    shopper.phase("paid")


def test_without_a_socket_and_webhooks_the_page_still_learns_it(shopper: Shopper) -> None:
    shopper.page.route_web_socket("**/ws/orders", lambda socket: socket.close())
    shopper.wallet.faults(webhooks={"drop": 100})
    try:
        order_id = shopper.order()
        shopper.phase("waiting")
        shopper.link("polling")
        shopper.wallet.press("pay", order_id)
        shopper.page.wait_for_selector("[data-phase=paid]", timeout=60_000)
    finally:
        shopper.wallet.faults(webhooks={"drop": 0})


def test_offline_is_told_and_the_result_appears_once_back(shopper: Shopper) -> None:
    order_id = shopper.order()
    shopper.link("live")
    shopper.page.context.set_offline(True)
    shopper.link("offline")
    assert "通信が切れています" in shopper.text
    shopper.wallet.press("pay", order_id)
    shopper.page.context.set_offline(False)
    shopper.phase("paid")


def test_late_and_doubled_pushes_do_not_move_the_page_back(shopper: Shopper) -> None:
    pages: list[WebSocketRoute] = []
    frames: list[str | bytes] = []

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        pages.append(socket)

        def forward(frame: str | bytes) -> None:
            frames.append(frame)
            socket.send(frame)
            socket.send(frame)

        server.on_message(forward)

    shopper.page.route_web_socket("**/ws/orders", between)
    order_id = shopper.order()
    shopper.link("live")
    shopper.wallet.press("pay", order_id)
    shopper.phase("paid")
    shopper.stay()
    for frame in reversed(frames):
        pages[-1].send(frame)
    shopper.page.wait_for_timeout(500)
    shopper.phase("paid")


def test_a_reload_another_tab_and_another_device_say_the_same(
    shopper: Shopper, window: Window, system: Processes
) -> None:
    order_id = shopper.order()
    shopper.phase("waiting")
    shopper.page.reload()
    shopper.phase("waiting")
    tab = Shopper(shopper.page.context.new_page(), system)
    tab.open(f"/checkout/{order_id}/pay")
    tab.phase("waiting")
    device = Shopper(window("phone"), system)
    device.sign_in(f"/checkout/{order_id}/pay")
    device.phase("waiting")
    shopper.wallet.press("pay", order_id)
    for seen in (shopper, tab, device):
        seen.phase("paid")


def test_who_comes_back_from_the_app_unpaid_is_confirmed_first_and_may_pay_then(
    shopper: Shopper,
) -> None:
    order_id = shopper.order()
    shopper.open(f"/checkout/{order_id}/result")
    shopper.phase("confirming")
    assert "二重に支払わないでください" in shopper.text
    assert shopper.page.get_by_role("button", name="注文をキャンセル").count() == 0
    shopper.phase("waiting")


def test_a_cancel_says_what_becomes_of_the_money_and_the_goods(shopper: Shopper) -> None:
    shopper.order()
    shopper.phase("waiting")
    shopper.press("注文をキャンセル")
    shopper.press("キャンセルする", exact=True)
    shopper.phase("ended")
    assert "ご注文を取り消しました" in shopper.text
    assert "お金は動いていません" in shopper.text
    shopper.press("商品をカートに戻す")
    shopper.page.wait_for_selector(".line")


def test_a_paid_order_is_refunded_and_the_page_follows(shopper: Shopper) -> None:
    order_id = shopper.order()
    shopper.phase("waiting")
    shopper.wallet.press("pay", order_id)
    shopper.page.wait_for_url(f"**/orders/{order_id}")
    shopper.press("キャンセルして返金を受ける")
    shopper.press("返金を受ける", exact=True)
    shopper.page.wait_for_selector("h1:has-text('返金しました')")
    amount = shopper.page.locator(".total .money").inner_text()
    assert f"{amount} を" in shopper.text


def test_the_shops_own_balance_pays_at_once_and_is_less_by_the_price(shopper: Shopper) -> None:
    shopper.open("/account")
    before = _balance(shopper)
    shopper.to_checkout()
    shopper.page.get_by_label("残高で支払う").check()
    shopper.pay_button()
    shopper.phase("paid")
    shopper.stay()
    price = _yen(shopper.page.locator(".slip-amount").inner_text())
    assert shopper.page.locator(".qr >> visible=true").count() == 0
    shopper.open("/account")
    assert _balance(shopper) == before - price


def _balance(shopper: Shopper) -> int:
    """What the page shows once it has been told: until then the line is there and empty."""
    return _yen(shopper.page.locator("[data-balance] .money").inner_text())


def _yen(text: str) -> int:
    return int(text.replace("¥", "").replace(",", ""))


def test_while_nobody_knows_the_page_says_so_and_asks_not_to_pay_twice(shopper: Shopper) -> None:
    order_id = shopper.order()
    shopper.phase("waiting")
    shopper.wallet.press("decline", order_id)
    shopper.phase("failed")
    # The provider makes the next code, but its answer is lost and it cannot be asked.
    lost = {"createCode": {"lostAnswer": 100}, "getCodePayment": {"error": 100}}
    shopper.wallet.faults(api=lost)
    try:
        shopper.press("もう一度支払う")
        shopper.phase("confirming")
        assert "二重に支払わないでください" in shopper.text
        assert shopper.page.locator(".qr >> visible=true").count() == 0
        assert shopper.page.get_by_role("link", name="PayPayアプリで支払う").count() == 0
        assert shopper.page.get_by_role("button", name="注文をキャンセル").count() == 0
        shopper.page.reload()
        shopper.phase("confirming")
    finally:
        healed = {"createCode": {"lostAnswer": 0}, "getCodePayment": {"error": 0}}
        shopper.wallet.faults(api=healed)
    # The code was there all the time, and somebody has paid it.
    shopper.wallet.press("pay", order_id, attempt=2)
    shopper.phase("paid")


def test_a_page_that_was_closed_is_opened_again_where_the_payment_is(
    shopper: Shopper, system: Processes
) -> None:
    order_id = shopper.order()
    shopper.phase("waiting")
    context = shopper.page.context
    shopper.page.close()
    shopper.wallet.press("pay", order_id)
    again = Shopper(context.new_page(), system)
    again.open("/orders")
    again.page.locator(f"a[href='/orders/{order_id}']").first.click()
    again.page.wait_for_selector("h1:has-text('お支払いを確認しました')")
    again.open(f"/checkout/{order_id}/pay")
    again.phase("paid")
