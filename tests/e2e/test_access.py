"""Everybody can use it: no barrier that a machine can find, and no mouse needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.e2e.conftest import ROOT
from tests.e2e.shopper import ADDRESS, Shopper
from tests.support.process import Processes

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.network, pytest.mark.timeout(900)]

RULES = "['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']"
PUBLIC = (
    "/", "/products?q=急須", "/products?q=zzzz", "/products?cat=1&min=1000&stock=1",
    "/products/1001", "/products/999999", "/cart", "/login", "/signup", "/reset",
    "/reset?oobCode=x", "/nowhere",
)  # fmt: skip
MEMBERS = ("/checkout", "/orders", "/orders?status=REFUNDED", "/account")


@pytest.fixture
def shopper(page: Page, system: Processes) -> Shopper:
    return Shopper(page, system)


@pytest.mark.parametrize("language", ["ja", "en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_barrier_that_a_machine_can_find(
    shopper: Shopper, theme: str, language: str
) -> None:
    axe = (ROOT / "frontend/node_modules/axe-core/axe.min.js").read_text("utf-8")
    page = shopper.page
    page.add_init_script(
        f"localStorage.setItem('kessai.theme','{theme}');"
        f"localStorage.setItem('kessai.language','{language}')"
    )
    found: list[str] = []

    def look(name: str) -> None:
        page.wait_for_load_state("networkidle")
        page.evaluate(axe)
        result = page.evaluate(f"() => axe.run({{runOnly: {RULES}}})")
        found.extend(
            f"{name} {issue['id']}: {issue['nodes'][0]['html'][:120]}"
            for issue in result["violations"]
        )

    def visit(*paths: str) -> None:
        for path in paths:
            shopper.open(path)
            look(path)

    shopper.sign_in()
    shopper.click(".product .btn:not([aria-disabled='true'])")
    visit(*PUBLIC, *MEMBERS)
    shopper.open("/cart")
    page.locator(".cart-count").click()
    page.wait_for_selector("dialog[open] .line")
    look("the drawer")
    shopper.open("/account")
    page.locator(".btn-danger").click()
    look("the question before an account is deleted")

    shopper.open("/checkout")
    shopper.fill_address()
    order_id = shopper.pay_button()
    shopper.phase("waiting")
    look("pay, waiting")
    visit(f"/orders/{order_id}")
    shopper.open(f"/checkout/{order_id}/result")
    shopper.phase("confirming")
    look("result, confirming")
    shopper.open(f"/checkout/{order_id}/pay")
    shopper.wallet.press("decline", order_id)
    shopper.phase("failed")
    look("pay, failed")
    page.locator(".slip-right .btn-primary").click()
    shopper.phase("waiting")
    shopper.wallet.press("pay", order_id, attempt=2)
    shopper.phase("paid")
    page.locator(".slip-right .link").click()
    look("pay, paid")
    visit(f"/orders/{order_id}", f"/orders/{order_id}/receipt", "/orders")
    shopper.open(f"/checkout/{order_id}/result")
    shopper.phase("paid")
    page.locator(".slip-right .link").click()
    look("result, paid")
    assert found == []


def test_keys_alone_find_and_buy(shopper: Shopper) -> None:
    shopper.sign_in()
    keys = shopper.page.keyboard
    title = shopper.in_stock("急須")
    keys.press("/")
    keys.type(title)
    shopper.page.wait_for_selector(f"[role=option]:has-text('{title}'):has-text('¥')")
    for _ in range(20):
        keys.press("ArrowDown")
        chosen = shopper.page.locator("[role=option][aria-selected=true]")
        words = chosen.inner_text() if chosen.count() else ""
        if title in words and "¥" in words:
            break
    keys.press("Enter")
    shopper.page.wait_for_url("**/products/*")
    _tab_to(shopper.page, "カートに入れる")
    keys.press("Enter")
    shopper.page.wait_for_selector("dialog[open]")
    _tab_to(shopper.page, "ご注文手続きへ")
    keys.press("Enter")
    shopper.page.wait_for_url("**/checkout")
    shopper.page.wait_for_selector("button[type=submit]:not([aria-disabled]) >> visible=true")
    for name, value in ADDRESS.items():
        _tab_to(shopper.page, name)
        keys.insert_text(value)
    _tab_to(shopper.page, "PayPayで支払う")
    keys.press("Enter")
    shopper.phase("waiting")
    order_id = shopper.page.url.split("/")[-2]
    # A code is scanned by a phone; what is left to do here is done by keys, too.
    _tab_to(shopper.page, "今すぐ確認")
    keys.press("Enter")
    shopper.phase("waiting")
    shopper.wallet.press("pay", order_id)
    shopper.phase("paid")
    _tab_to(shopper.page, "移動しない")
    keys.press("Enter")
    _tab_to(shopper.page, "注文の詳細を見る")
    keys.press("Enter")
    shopper.page.wait_for_url(f"**/orders/{order_id}")


def _tab_to(page: Page, words: str) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        # Where what had the focus went with its page, the whole page has it, with all its words.
        here = "(e => e === document.body ? '' : `${e.innerText} ${e.autocomplete ?? ''}`)"
        here += "(document.activeElement ?? document.body)"
        if words in page.evaluate(here):
            return
    raise AssertionError(f"no way by Tab to {words}")
