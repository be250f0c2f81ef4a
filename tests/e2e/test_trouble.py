"""What goes wrong around a purchase: each has its designed answer, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.conftest import PROFILES
from tests.e2e.shopper import Shopper
from tests.support.process import Processes

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.e2e, pytest.mark.network, pytest.mark.timeout(400)]

Window = Callable[[str], "Page"]


@pytest.fixture(params=sorted(PROFILES))
def shopper(request: pytest.FixtureRequest, window: Window, system: Processes) -> Shopper:
    made = Shopper(window(request.param), system)
    made.sign_in()
    return made


def _changed(**facts: Any) -> Callable[[Route], None]:
    """The server's own answer, with other facts in it."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), **facts})

    return answer


def _cut(route: Route) -> None:
    route.abort()


def test_what_is_sold_out_meanwhile_is_told_before_paying_and_the_cart_is_kept(
    shopper: Shopper, window: Window, system: Processes
) -> None:
    few = shopper.page.request.get(f"{shopper.shop}/api/products/search?inStock=true&size=100")
    product = min(few.json()["items"], key=lambda item: item["stock"])
    path = f"/products/{product['productId']}"
    shopper.open(path)
    for _ in range(product["stock"] - 1):
        shopper.press("増やす")
    shopper.press("カートに入れる")
    shopper.open("/checkout")
    shopper.fill_address()
    shopper.page.wait_for_selector("button[type=submit]:not([aria-disabled]) >> visible=true")
    # Somebody else is faster, and takes all but none.
    other = Shopper(window("pc"), system)
    other.sign_in()
    other.open(path)
    for _ in range(product["stock"] - 1):
        other.press("増やす")
    other.press("カートに入れる")
    other.open("/checkout")
    other.fill_address()
    taken = other.pay_button()
    other.phase("waiting")
    shopper.click("button[type=submit]")
    shopper.page.wait_for_selector("text=在庫が足りなくなりました >> visible=true")
    shopper.page.wait_for_selector("text=カートに入れたあとで、内容が変わりました")
    assert shopper.page.url.endswith("/checkout")
    assert [line["productId"] for line in shopper.cart()] == [product["productId"]]
    # What is not bought goes back, and the same cart can be ordered.
    other.press("注文をキャンセル")
    other.press("キャンセルする", exact=True)
    other.phase("ended")
    assert taken in other.page.url
    shopper.page.reload()
    shopper.pay_button()
    shopper.phase("waiting")
    shopper.press("注文をキャンセル")
    shopper.press("キャンセルする", exact=True)
    shopper.phase("ended")


def test_a_price_that_changed_after_the_check_is_told_by_the_door(shopper: Shopper) -> None:
    shopper.to_checkout()
    line = shopper.cart()[0]
    # The page saw yesterday's price; the door knows today's.
    line["price"] -= 100
    shopper.page.evaluate("cart => localStorage.setItem('kessai.cart', cart)", json.dumps([line]))
    shopper.page.route("**/api/products/*", _changed(price=line["price"]))
    shopper.open("/checkout")
    shopper.page.wait_for_selector("button[type=submit]:not([aria-disabled]) >> visible=true")
    shopper.page.unroute("**/api/products/*")
    shopper.click("button[type=submit]")
    shopper.page.wait_for_selector("text=カートに入れたあとで、内容が変わりました")
    assert shopper.page.url.endswith("/checkout")
    assert shopper.cart() == [line]
    shopper.press("新しい内容で続ける")
    shopper.pay_button()
    shopper.phase("waiting")


def test_an_ended_session_leads_through_sign_in_back_to_what_was_typed(shopper: Shopper) -> None:
    shopper.to_checkout()
    # A new page has asked nobody yet who is signed in at Firebase; then that ends, too.
    shopper.page.reload()
    shopper.page.wait_for_selector("button[type=submit]:not([aria-disabled]) >> visible=true")
    shopper.page.evaluate(
        "() => new Promise(done => { const gone = "
        "indexedDB.deleteDatabase('firebaseLocalStorageDb');"
        " gone.onsuccess = gone.onblocked = gone.onerror = done })"
    )
    shopper.page.context.clear_cookies()
    shopper.click("button[type=submit]")
    shopper.page.wait_for_url("**/login?next=/checkout")
    shopper.sign_in_here()
    shopper.page.wait_for_url("**/checkout")
    assert shopper.page.input_value("input[autocomplete=name]") == "山田 花子"
    assert len(shopper.cart()) == 1
    shopper.pay_button()
    shopper.phase("waiting")


def test_while_the_shop_does_not_answer_the_pages_say_so_and_the_cart_is_kept(
    shopper: Shopper,
) -> None:
    shopper.open("/")
    shopper.click(".product .btn:not([aria-disabled='true'])")
    shopper.page.route("**/api/products/**", _cut)
    shopper.page.goto(shopper.shop + "/products/1001")
    shopper.page.wait_for_selector("text=商品を読み込めませんでした。")
    shopper.page.goto(shopper.shop + "/")
    shopper.page.wait_for_selector("text=サーバーの返事がありません。")
    assert len(shopper.cart()) == 1
    shopper.page.unroute("**/api/products/**")
    shopper.press("もう一度試す")
    shopper.page.wait_for_selector(".product")


def test_a_lost_answer_to_the_order_is_asked_again_and_stays_one_order(shopper: Shopper) -> None:
    shopper.to_checkout()
    made: list[str] = []

    def lose(route: Route) -> None:
        # The order is made; what was made is never told.
        made.append(route.fetch().json()["orderId"])
        route.abort()

    shopper.page.route("**/api/orders/purchase", lose)
    shopper.page.wait_for_selector("button[type=submit]:not([aria-disabled]) >> visible=true")
    shopper.click("button[type=submit]")
    shopper.page.wait_for_selector("text=もう一度押しても、ご注文は一つだけです >> visible=true")
    assert len(shopper.cart()) == 1
    shopper.page.unroute("**/api/orders/purchase")
    assert shopper.pay_button() == made[0]


def test_a_shop_that_takes_no_payments_says_that_no_money_moved(shopper: Shopper) -> None:
    shopper.to_checkout()
    refusal = {"status": 503, "code": "PAYMENT_UNAVAILABLE", "correlationId": "c1"}
    shopper.page.route(
        "**/api/orders/purchase",
        lambda route: route.fulfill(
            status=503, json=refusal, content_type="application/problem+json"
        ),
    )
    shopper.page.wait_for_selector("button[type=submit]:not([aria-disabled]) >> visible=true")
    shopper.click("button[type=submit]")
    shopper.page.wait_for_selector("text=いまは決済を受け付けられません >> visible=true")
    assert "お金は動いていません" in shopper.text
    assert len(shopper.cart()) == 1


def test_the_back_button_leads_to_the_payment_and_never_to_a_second_order(
    shopper: Shopper,
) -> None:
    order_id = shopper.order()
    shopper.phase("waiting")
    shopper.page.go_back()
    shopper.page.wait_for_selector("h1:visible")
    assert "/checkout" not in shopper.page.url
    assert shopper.cart() == []
    shopper.page.go_forward()
    shopper.phase("waiting")
    # The address of the checkout, typed or kept: the open order, not an empty form.
    shopper.open("/checkout")
    shopper.page.get_by_role("link", name="お支払いを続ける").click()
    shopper.page.wait_for_url(f"**/checkout/{order_id}/pay")
    shopper.phase("waiting")


def test_a_stale_tab_that_makes_a_code_gets_the_one_that_there_is(
    shopper: Shopper, system: Processes
) -> None:
    order_id = shopper.order()
    shopper.phase("waiting")
    stale = Shopper(shopper.page.context.new_page(), system)
    stale.page.route_web_socket("**/ws/orders", lambda socket: socket.close())
    stale.open(f"/checkout/{order_id}/pay")
    shopper.wallet.press("decline", order_id)
    shopper.phase("failed")
    stale.phase("failed")
    stale.page.route(f"**/api/orders/{order_id}", _cut)
    shopper.press("もう一度支払う")
    shopper.phase("waiting")
    assert stale.page.locator("[data-phase=failed]").count() == 1
    stale.page.unroute(f"**/api/orders/{order_id}")
    stale.page.evaluate(
        "[...document.querySelectorAll('button')]"
        ".find(button => button.innerText.includes('もう一度支払う'))?.click()"
    )
    stale.phase("waiting")
    codes = {
        seen.page.evaluate(
            f"fetch('/api/orders/{order_id}').then(a => a.json()).then(a => a.paymentUrl)"
        )
        for seen in (shopper, stale)
    }
    assert len(codes) == 1


def test_a_stale_tab_that_cancels_what_was_paid_shows_the_paid_order(
    shopper: Shopper, system: Processes
) -> None:
    order_id = shopper.order()
    shopper.phase("waiting")
    stale = Shopper(shopper.page.context.new_page(), system)
    stale.page.route_web_socket("**/ws/orders", lambda socket: socket.close())
    stale.open(f"/checkout/{order_id}/pay")
    stale.phase("waiting")
    stale.page.route(f"**/api/orders/{order_id}", _cut)
    stale.press("注文をキャンセル")
    shopper.wallet.press("pay", order_id)
    shopper.phase("paid")
    stale.press("キャンセルする", exact=True)
    stale.page.unroute(f"**/api/orders/{order_id}")
    stale.phase("paid")
    assert "取り消しました" not in stale.text


def test_a_code_that_cannot_be_drawn_gives_way_to_its_link(shopper: Shopper) -> None:
    order_id = shopper.order()
    shopper.phase("waiting")
    # More than any QR code holds.
    url = f"{shopper.wallet.url}/pay?pad={'x' * 5000}"
    shopper.page.route(f"**/api/orders/{order_id}", _changed(paymentUrl=url))
    shopper.page.reload()
    shopper.phase("waiting")
    if shopper.page.get_by_role("button", name="別の端末で読み取る").count():
        shopper.press("別の端末で読み取る")
    link = shopper.page.locator(".qr a >> visible=true")
    assert link.get_attribute("href") == url
    assert "QRコードを表示できません" in shopper.text


def test_a_cut_socket_is_made_up_for_by_asking_and_comes_back_live(shopper: Shopper) -> None:
    refused: list[int] = []

    def refuse_twice(socket: Any) -> None:
        if len(refused) < 2:
            refused.append(1)
            socket.close()
        else:
            socket.connect_to_server()

    shopper.page.route_web_socket("**/ws/orders", refuse_twice)
    order_id = shopper.order()
    shopper.link("polling")
    shopper.link("live")
    shopper.wallet.press("pay", order_id)
    shopper.phase("paid")


def test_an_order_of_somebody_else_is_not_there(shopper: Shopper) -> None:
    for path in ("/orders/nobodys", "/checkout/nobodys/pay"):
        shopper.page.goto(shopper.shop + path)
        shopper.page.wait_for_selector("text=この注文は見つかりません")


def test_without_the_search_the_shelves_can_be_looked_through(
    window: Window, system: Processes
) -> None:
    shopper = Shopper(window("phone"), system)
    page = shopper.page

    def is_away(route: Route) -> None:
        problem = json.dumps({"code": "SEARCH_UNAVAILABLE", "status": 503})
        route.fulfill(status=503, content_type="application/problem+json", body=problem)

    for path in ("search", "suggest"):
        page.route(f"**/api/products/{path}*", is_away)
    shopper.open("/products?q=急須")
    page.wait_for_selector("text=いま検索をお休みしています >> visible=true")
    cards = page.locator(".grid-products > *")
    # More than the eight that stand for them while they are fetched.
    cards.nth(23).wait_for()
    assert cards.count() == 24
    page.get_by_role("button", name="もっと見る").click()
    cards.nth(47).wait_for()
    assert cards.count() == 48
    category = page.request.get(f"{shopper.shop}/api/categories").json()[0]
    shopper.open(f"/products?cat={category['id']}")
    goods = page.request.get(
        f"{shopper.shop}/api/products?categoryId={category['id']}&limit=24"
    ).json()
    page.wait_for_selector(f"text={goods[0]['name']} >> visible=true")
    # Typing goes on without a word about suggestions.
    page.locator("input[role=combobox] >> visible=true").first.fill("きゅう")
    page.wait_for_timeout(500)
    assert page.get_by_role("alert").count() == 0
    page.unroute_all()
    page.get_by_role("button", name="もう一度試す").first.click()
    page.wait_for_selector("text=いま検索をお休みしています", state="detached")
