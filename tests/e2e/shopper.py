"""What a person does in the shop, and what the wallet does on the other side."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.process import Processes

if TYPE_CHECKING:
    from playwright.sync_api import Page

# A page of a busy machine; nothing here judges how fast it was.
WAIT_MS = 60_000
EMAIL, PASSWORD = "shopper@example.com", "kessai-demo"
ADDRESS = {
    "name": "山田 花子",
    "postal-code": "１５０-0001",
    "tel": "090-1234-5678",
    "street-address": "東京都渋谷区神宮前 1-2-3",
}


@dataclass
class Wallet:
    """The simulator as its owner uses it."""

    url: str

    def press(self, what: str, order_id: str, attempt: int = 1) -> None:
        self._send("POST", f"/sim/payments/{order_id}-{attempt}/{what}", {})

    def faults(self, **faults: Any) -> None:
        self._send("PUT", "/sim/faults", faults)

    def _send(self, method: str, path: str, body: Any) -> None:
        request = urllib.request.Request(
            self.url + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        urllib.request.urlopen(request, timeout=20).read()


class Shopper:
    def __init__(self, page: Page, system: Processes) -> None:
        self.page = page
        self.shop = system.urls.shop
        self.wallet = Wallet(system.urls.paypay)
        self.clicks = 0
        self.page.set_default_timeout(WAIT_MS)
        self.broken: list[str] = []
        page.on("pageerror", lambda error: self.broken.append(str(error)))

    def open(self, path: str) -> None:
        self.page.goto(self.shop + path)
        self.page.wait_for_selector("h1")

    def click(self, selector: str) -> None:
        self.clicks += 1
        self.page.locator(selector).locator("visible=true").first.click()

    def press(self, words: str, *, exact: bool = False) -> None:
        """The button that says so; a phone and a PC may each have theirs."""
        button = self.page.get_by_role("button", name=words, exact=exact)
        button.locator("visible=true").first.click()

    def sign_in(self, next_path: str = "/", email: str = EMAIL, password: str = PASSWORD) -> None:
        self.open(f"/login?next={next_path}")
        self.sign_in_here(email, password)
        self.page.wait_for_url(self.shop + next_path)

    def sign_in_here(self, email: str = EMAIL, password: str = PASSWORD) -> None:
        self.page.fill("input[type=email]", email)
        self.page.fill("input[autocomplete=current-password]", password)
        self.page.press("input[autocomplete=current-password]", "Enter")

    def fill_address(self) -> None:
        for name, value in ADDRESS.items():
            self.page.fill(f"input[autocomplete={name}]", value)

    def filled(self, name: str) -> str:
        """What stands in a field that the page fills by itself.

        Asked again and again from here: the page's own policy forbids a predicate that is text.
        """
        field = self.page.locator(f"input[autocomplete={name}]")
        for _ in range(WAIT_MS // 100):
            if text := field.input_value():
                return str(text)
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{name} stays empty")

    def in_stock(self, words: str) -> str:
        """The title of a product that can be bought; other tests empty the shelf."""
        query = urllib.parse.urlencode({"q": words, "inStock": "true"})
        with urllib.request.urlopen(
            f"{self.shop}/api/products/search?{query}", timeout=20
        ) as found:
            return str(json.load(found)["items"][0]["title"])

    def in_plenty(self) -> str:
        """The id of what no other test sells out: the shelves tell of that a moment later."""
        with urllib.request.urlopen(
            f"{self.shop}/api/products/search?inStock=true&size=100", timeout=20
        ) as found:
            items = json.load(found)["items"]
        return str(max(items, key=lambda item: int(item["stock"]))["productId"])

    def order(self) -> str:
        """From a product to the pay page; the order's id."""
        self.to_checkout()
        return self.pay_button()

    def to_checkout(self) -> None:
        self.open(f"/products/{self.in_plenty()}")
        self.press("カートに入れる")
        self.open("/checkout")
        self.fill_address()

    def pay_button(self) -> str:
        self.page.wait_for_selector("button[type=submit]:not([aria-disabled]) >> visible=true")
        self.click("button[type=submit]")
        self.page.wait_for_url("**/checkout/*/pay")
        return str(self.page.url).split("/")[-2]

    def phase(self, phase: str) -> None:
        self.page.wait_for_selector(f"[data-phase={phase}]")

    def link(self, link: str) -> None:
        self.page.wait_for_selector(f".chip[data-link={link}] >> visible=true")

    def stay(self) -> None:
        self.press("移動しない")

    def cart(self) -> list[dict[str, Any]]:
        """What the browser keeps of the cart."""
        kept = self.page.evaluate("localStorage.getItem('kessai.cart')")
        return list(json.loads(kept or "[]"))

    @property
    def text(self) -> str:
        return str(self.page.inner_text("main"))
