"""Who the shopper is: sign-up, a forgotten password, personal information, leaving for good."""

from __future__ import annotations

import json
import urllib.request
import uuid
from typing import TYPE_CHECKING

import pytest
from tests.e2e.shopper import Shopper
from tests.support.process import Processes

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.network, pytest.mark.timeout(400)]

PASSWORD = "six-and-more"


@pytest.fixture
def newcomer(page: Page, system: Processes) -> tuple[Shopper, str]:
    """Somebody who has just made an account, signed in on the first page."""
    shopper = Shopper(page, system)
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    shopper.open("/signup")
    page.fill("input[autocomplete=name]", "佐藤 一")
    page.fill("input[type=email]", email)
    page.fill("input[autocomplete=new-password]", "short")
    shopper.press("アカウントを作る")
    page.wait_for_selector("text=パスワードは6文字以上で入力してください")
    page.fill("input[autocomplete=new-password]", PASSWORD)
    shopper.press("アカウントを作る")
    page.wait_for_url(shopper.shop + "/")
    return shopper, email


def test_who_signs_up_can_buy_and_nobody_takes_the_address_twice(
    newcomer: tuple[Shopper, str], system: Processes
) -> None:
    shopper, email = newcomer
    shopper.to_checkout()
    assert shopper.page.input_value("input[autocomplete=email]") == email
    order_id = shopper.pay_button()
    shopper.phase("waiting")
    shopper.wallet.press("pay", order_id)
    shopper.phase("paid")
    browser = shopper.page.context.browser
    assert browser is not None
    with browser.new_context(locale="ja-JP") as context:
        other = Shopper(context.new_page(), system)
        other.open("/signup")
        other.page.fill("input[type=email]", email)
        other.page.fill("input[autocomplete=new-password]", PASSWORD)
        other.press("アカウントを作る")
        other.page.wait_for_selector("text=このメールアドレスは登録済みです。")


def test_a_forgotten_password_is_set_anew_by_the_mails_code(
    newcomer: tuple[Shopper, str], system: Processes
) -> None:
    shopper, email = newcomer
    shopper.page.context.clear_cookies()
    shopper.open("/reset")
    shopper.page.fill("input[type=email]", email)
    shopper.press("再設定の案内を送る")
    shopper.page.wait_for_selector("text=登録があれば、再設定の案内を送りました。")
    shopper.open(f"/reset?oobCode={_code_of(system, email)}")
    shopper.page.fill("input[autocomplete=new-password]", "another-one")
    shopper.press("新しいパスワードにする")
    shopper.page.wait_for_selector("text=新しいパスワードにしました。")
    shopper.open("/login")
    shopper.sign_in_here(email, PASSWORD)
    shopper.page.wait_for_selector("text=メールアドレスかパスワードが違います。")
    shopper.sign_in_here(email, "another-one")
    shopper.page.wait_for_url(shopper.shop + "/")
    # The same mail works once.
    shopper.open(f"/reset?oobCode={_code_of(system, email)}")
    shopper.page.fill("input[autocomplete=new-password]", "a-third-one")
    shopper.press("新しいパスワードにする")
    shopper.page.wait_for_selector("text=この案内は使えないか、期限が切れています。")


def test_whether_an_address_is_known_is_told_to_nobody(page: Page, system: Processes) -> None:
    shopper = Shopper(page, system)
    shopper.open("/reset")
    page.fill("input[type=email]", "nobody-at-all@example.com")
    shopper.press("再設定の案内を送る")
    page.wait_for_selector("text=登録があれば、再設定の案内を送りました。")


def test_personal_information_is_checked_kept_and_offered_at_checkout(
    newcomer: tuple[Shopper, str],
) -> None:
    shopper, _ = newcomer
    shopper.open("/account")
    shopper.page.get_by_label("姓", exact=True).fill("佐藤")
    shopper.page.get_by_label("名", exact=True).fill("花")
    shopper.page.get_by_label("セイ", exact=True).fill("sato")
    shopper.press("保存する")
    shopper.page.wait_for_selector("text=全角カタカナで入力してください")
    # Half-width signs are the same letters.
    shopper.page.get_by_label("セイ", exact=True).fill("ｻﾄｳ")
    shopper.page.get_by_label("生年月日").fill("1990-04-01")
    shopper.page.get_by_label("性別").select_option(label="女性")
    shopper.press("保存する")
    shopper.page.wait_for_selector("text=保存しました")
    shopper.page.reload()
    shopper.filled("bday")
    assert shopper.page.get_by_label("セイ", exact=True).input_value() == "サトウ"
    assert shopper.page.get_by_label("生年月日").input_value() == "1990-04-01"
    shopper.open("/")
    shopper.click(".product .btn:not([aria-disabled='true'])")
    shopper.open("/checkout")
    assert shopper.filled("name") == "佐藤 花"


def test_an_account_is_deleted_only_with_its_password_and_then_for_good(
    newcomer: tuple[Shopper, str],
) -> None:
    shopper, email = newcomer
    shopper.open("/account")
    shopper.press("アカウントを消す")
    field = shopper.page.locator("dialog input[autocomplete=current-password]")
    field.fill("not-this-one")
    shopper.press("消す", exact=True)
    shopper.page.wait_for_selector("text=メールアドレスかパスワードが違います。")
    field.fill(PASSWORD)
    shopper.press("消す", exact=True)
    shopper.page.wait_for_url(shopper.shop + "/")
    shopper.page.goto(shopper.shop + "/account")
    shopper.page.wait_for_url("**/login?next=/account")
    shopper.sign_in_here(email, PASSWORD)
    shopper.page.wait_for_selector("text=メールアドレスかパスワードが違います。")


def test_the_language_and_the_light_are_chosen_once_and_kept(
    newcomer: tuple[Shopper, str],
) -> None:
    shopper, _ = newcomer
    shopper.open("/account")
    shopper.page.get_by_label("明るさ").last.select_option(label="暗い")
    shopper.page.get_by_label("言語").last.select_option(label="English")
    shopper.page.wait_for_selector("h1:has-text('You')")
    shopper.page.reload()
    shopper.page.wait_for_selector("h1:has-text('You')")
    root = shopper.page.locator("html")
    assert (root.get_attribute("lang"), root.get_attribute("data-theme")) == ("en", "dark")


def test_an_order_and_its_receipt_speak_the_readers_language_and_print_alone(
    newcomer: tuple[Shopper, str],
) -> None:
    shopper, _ = newcomer
    shopper.to_checkout()
    (bought,) = shopper.cart()
    order_id = shopper.pay_button()
    shopper.phase("waiting")
    shopper.wallet.press("pay", order_id)
    shopper.phase("paid")
    shopper.page.evaluate("localStorage.setItem('kessai.language', 'en')")
    shopper.page.evaluate("localStorage.setItem('kessai.theme', 'dark')")
    for path in (f"/orders/{order_id}", f"/orders/{order_id}/receipt", "/orders"):
        shopper.open(path)
        shopper.page.get_by_text(bought["names"]["en"]).first.wait_for()
    shopper.open(f"/orders/{order_id}/receipt")
    shopper.page.wait_for_selector(".receipt .seal")
    shopper.page.emulate_media(media="print")
    for hidden in (".head", ".foot", ".receipt .btn"):
        assert not shopper.page.locator(hidden).first.is_visible(), hidden
    assert shopper.page.locator(".receipt .closing").is_visible()
    # Dark on the screen is still ink on paper.
    ink = shopper.page.evaluate("getComputedStyle(document.querySelector('.receipt')).color")
    assert ink == "rgb(23, 33, 31)"


def _code_of(system: Processes, email: str) -> str:
    with urllib.request.urlopen(f"{system.urls.firebase}/sim/mails", timeout=20) as answer:
        mails = json.loads(answer.read())
    last = [mail for mail in mails if email in json.dumps(mail)][-1]
    # As it is: it may begin with a hyphen.
    return str(last["oobCode"])
