"""The shop around the payment: cart, checkout, sign-in, languages, keys."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from tests.e2e.conftest import ROOT
from tests.e2e.shopper import Shopper
from tests.support.process import Processes

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.e2e, pytest.mark.network, pytest.mark.timeout(600)]

PUBLIC = (
    "/",
    "/products?q=急須",
    "/products?q=zzzz",
    "/products/1001",
    "/cart",
    "/login",
    "/signup",
    "/reset",
    "/nowhere",
)
MEMBERS = ("/checkout", "/orders", "/account")


@pytest.fixture
def shopper(page: Page, system: Processes) -> Shopper:
    return Shopper(page, system)


def test_a_changed_price_is_told_before_paying(shopper: Shopper) -> None:
    shopper.sign_in()
    shopper.click(".product .btn:not([aria-disabled='true'])")
    cart = json.loads(shopper.page.evaluate("localStorage.getItem('kessai.cart')"))
    cart[0]["price"] -= 100
    shopper.page.evaluate("cart => localStorage.setItem('kessai.cart', cart)", json.dumps(cart))
    shopper.open("/checkout")
    shopper.fill_address()
    shopper.page.wait_for_selector("text=カートに入れたあとで、内容が変わりました")
    button = shopper.page.locator("button[type=submit] >> visible=true")
    assert button.get_attribute("aria-disabled") == "true"
    button.click(force=True)
    shopper.page.press("input[autocomplete=name]", "Enter")
    assert shopper.page.url.endswith("/checkout")
    shopper.page.get_by_role("button", name="新しい内容で続ける").click()
    shopper.pay_button()
    shopper.phase("waiting")


def test_pressing_twice_makes_one_order(shopper: Shopper) -> None:
    shopper.sign_in()
    shopper.click(".product .btn:not([aria-disabled='true'])")
    shopper.open("/checkout")
    shopper.fill_address()
    sent: list[str] = []
    shopper.page.on(
        "request",
        lambda request: sent.append(request.url) if request.url.endswith("purchase") else None,
    )
    shopper.page.wait_for_selector("button[type=submit]:not([aria-disabled]) >> visible=true")
    shopper.page.locator("button[type=submit] >> visible=true").dblclick()
    shopper.page.wait_for_url("**/checkout/*/pay")
    assert len(sent) == 1


def test_a_session_that_ended_in_mid_checkout_is_begun_anew_unasked(shopper: Shopper) -> None:
    shopper.sign_in()
    shopper.click(".product .btn:not([aria-disabled='true'])")
    shopper.open("/checkout")
    shopper.fill_address()
    shopper.page.context.clear_cookies()
    shopper.pay_button()
    shopper.phase("waiting")


def test_a_guest_signs_in_on_the_way_and_goes_on_where_he_was(shopper: Shopper) -> None:
    shopper.open("/")
    shopper.click(".product .btn:not([aria-disabled='true'])")
    shopper.page.goto(shopper.shop + "/checkout")
    shopper.page.wait_for_url("**/login?next=/checkout")
    shopper.page.fill("input[type=email]", "shopper@example.com")
    shopper.page.fill("input[autocomplete=current-password]", "wrong-password")
    shopper.page.press("input[autocomplete=current-password]", "Enter")
    shopper.page.wait_for_selector("text=メールアドレスかパスワードが違います。")
    shopper.page.fill("input[autocomplete=current-password]", "kessai-demo")
    shopper.page.press("input[autocomplete=current-password]", "Enter")
    shopper.page.wait_for_url("**/checkout")
    shopper.page.wait_for_selector(".items li")


def test_what_was_removed_comes_back(shopper: Shopper) -> None:
    shopper.open("/")
    shopper.click(".product .btn:not([aria-disabled='true'])")
    shopper.open("/cart")
    shopper.page.get_by_role("button", name="を外す").click()
    shopper.page.wait_for_selector("text=カートは空です")
    shopper.page.get_by_role("button", name="元に戻す").click()
    shopper.page.wait_for_selector(".line")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_page_is_wider_than_its_window(shopper: Shopper, width: int) -> None:
    shopper.page.set_viewport_size({"width": width, "height": 800})
    shopper.sign_in()
    shopper.click(".product .btn:not([aria-disabled='true'])")
    out = ROOT / "out" / "shots"
    out.mkdir(parents=True, exist_ok=True)
    for path in (*PUBLIC, *MEMBERS):
        shopper.open(path)
        shopper.page.wait_for_load_state("networkidle")
        name = path.strip("/").replace("/", "-").replace("?", "-") or "home"
        shopper.page.screenshot(path=out / f"{name}-{width}.png", full_page=True)
        assert shopper.page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert shopper.broken == []


def test_a_page_that_is_not_there_helps_and_says_404(shopper: Shopper) -> None:
    answer = shopper.page.goto(shopper.shop + "/no/such/page")
    assert answer is not None
    assert answer.status == 404
    shopper.page.wait_for_selector("text=このページはありません")


def _late(route: Route) -> None:
    time.sleep(0.3)
    route.continue_()


@pytest.mark.parametrize("window", [(1280, 800), (390, 844)], ids=["pc", "phone"])
def test_nothing_moves_while_the_first_page_loads(
    shopper: Shopper, window: tuple[int, int]
) -> None:
    shopper.page.set_viewport_size({"width": window[0], "height": window[1]})
    # Answers that come at once leave no time to see what stands in for them.
    shopper.page.route("**/api/**", _late)
    shopper.page.add_init_script(
        "window.moved = 0; new PerformanceObserver((list) => { for (const one of list.getEntries())"
        " if (!one.hadRecentInput) window.moved += one.value })"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    for path in ("/", "/products/1001", "/cart"):
        shopper.open(path)
        shopper.page.wait_for_load_state("networkidle")
        moved = shopper.page.evaluate("window.moved")
        assert moved <= 0.05, (path, moved)


def test_pictures_come_in_the_size_of_their_place(shopper: Shopper) -> None:
    for path, width in (("/", "w=480"), ("/products/1001", "w=1200")):
        shopper.open(path)
        picture = shopper.page.locator("img.picture").first
        picture.wait_for()
        picture.evaluate("one => one.decode()")
        assert picture.evaluate("one => one.currentSrc").endswith(width)


def test_a_picture_that_does_not_come_leaves_its_place_to_a_quiet_ground(shopper: Shopper) -> None:
    shopper.page.route("**/images/**", lambda route: route.abort())
    shopper.open("/")
    shopper.page.wait_for_selector(".product .picture-none")
    box = shopper.page.locator(".product .picture-none").first.bounding_box()
    assert box is not None
    assert abs(box["width"] - box["height"]) < 1


@pytest.mark.parametrize(("width", "columns"), [(360, 2), (1280, 3), (1440, 4)])
def test_the_shelf_has_as_many_columns_as_the_window_holds(
    shopper: Shopper, width: int, columns: int
) -> None:
    shopper.page.set_viewport_size({"width": width, "height": 800})
    shopper.open("/")
    shopper.page.wait_for_selector(".product .price")
    grid = shopper.page.locator(".grid-products").first
    tracks = grid.evaluate("one => getComputedStyle(one).gridTemplateColumns")
    assert len(tracks.split()) == columns


def test_conditions_are_shown_and_taken_back_one_by_one(shopper: Shopper) -> None:
    shopper.open("/products?cat=1&min=1000&stock=1")
    chips = shopper.page.get_by_role("list", name="しぼり込みの条件").get_by_role("button")
    chips.nth(2).wait_for()
    assert [text.strip() for text in chips.all_inner_texts()][1:] == ["¥1,000 –", "在庫ありのみ"]
    chips.nth(1).click()
    shopper.page.wait_for_url("**/products?cat=1&stock=1")
    shopper.page.get_by_role("link", name="しぼり込みを外す").click()
    shopper.page.wait_for_url(shopper.shop + "/")
    assert chips.count() == 0
