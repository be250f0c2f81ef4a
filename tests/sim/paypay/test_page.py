"""The payment page: what it says in each state, and that its plain forms do the rest."""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict
from urllib.parse import urlsplit

import httpx2
from tests.support.paypay import PayPay, paypay_test

from kessai.sim.paypay.web.words import words_for

BACK = "http://127.0.0.1:8080/orders/1?a=1&b=2"


def text_of(page: httpx2.Response) -> str:
    """What a person reads, without tags."""
    body = page.text[page.text.index("<body>") :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


async def opened(paypay: PayPay, amount: int = 25180, **more: object) -> str:
    """The path of a new code's page."""
    return urlsplit((await paypay.create("m-1", amount, **more))["url"]).path


async def seen(paypay: PayPay, path: str) -> httpx2.Response:
    page = await paypay.client.get(path)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.count("練習用の財布　本物のお金は動きません") == 1
    return page


async def pressed(paypay: PayPay, path: str, act: str) -> httpx2.Response:
    answer = await paypay.client.post(f"{path}/{act}")
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    return await seen(paypay, path)


@paypay_test
async def test_it_asks_for_the_amount_and_shows_what_will_be_left(paypay: PayPay) -> None:
    path = await opened(paypay, storeInfo="Kessai <商店>")
    await asyncio.sleep(58)
    page = await seen(paypay, path)
    text = text_of(page)
    for words in (
        "模擬ウォレット",
        "残高 ¥ 50,000",
        "Kessai &lt;商店&gt; に支払う",
        "¥ 25,180",
        "m-1",
        "支払い後の残高 ¥ 24,820",
        "12:05:00 あと 04:02",
        "支払う",
        "断る",
        "何もせず、期限を待つ",
    ):
        assert words in text, (words, text)
    assert f'action="{path}/pay"' in page.text
    assert 'lang="ja"' in page.text


@paypay_test
async def test_it_speaks_the_first_language_of_the_browser_as_the_shop_does(paypay: PayPay) -> None:
    path = await opened(paypay)
    for asked, lang, words in (
        ("en-US,en;q=0.9,ja;q=0.8", "en", ("Pay", "Decline", "no real money moves", "05:00 left")),
        ("zh-TW,zh;q=0.9", "zh-CN", ("付款", "拒绝", "不会动用真钱", "剩余 05:00")),
        ("fr,en;q=0.5", "ja", ("支払う", "断る", "本物のお金は動きません", "あと 05:00")),
        ("*", "ja", ("支払う",)),
    ):
        page = await paypay.client.get(path, headers={"Accept-Language": asked})
        assert f'<html lang="{lang}">' in page.text
        assert page.headers["vary"].lower().count("accept-language") == 1
        text = text_of(page)
        for word in words:
            assert word in text, (asked, word, text)


def test_all_languages_say_the_same_and_have_a_place_for_the_same_values() -> None:
    japanese, english, chinese = (asdict(words_for(lang)) for lang in ("ja", "en", "zh"))
    for name, said in japanese.items():
        assert said.count("{}") == english[name].count("{}") == chinese[name].count("{}"), name
        assert not re.search(r"[\u3040-\u30ff]", english[name] + chinese[name]), name
        assert english[name].isascii(), name


@paypay_test
async def test_it_loads_nothing_from_elsewhere_and_runs_nothing_inline(paypay: PayPay) -> None:
    page = await seen(paypay, await opened(paypay))
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]* src=)", page.text) == []
    assert " style=" not in page.text
    assert " onclick" not in page.text
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {"/sim/assets/wallet.css", "/sim/assets/wallet.js", "data:,", "?wait=1"} == set(linked)
    for path, kind in (
        ("/sim/assets/wallet.css", "text/css"),
        ("/sim/assets/wallet.js", "text/javascript"),
    ):
        answer = await paypay.client.get(path)
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, kind)
        assert "http" not in answer.text


@paypay_test
async def test_pressing_pay_pays(paypay: PayPay) -> None:
    path = await opened(paypay, redirectUrl=BACK)
    page = await pressed(paypay, path, "pay")
    row = (await paypay.payments())[0]
    assert row["status"] == "COMPLETED"
    text = text_of(page)
    for words in (
        "残高 ¥ 24,820",
        "支払いました",
        "¥ 25,180",
        "秒後にお店へ戻ります",
        "お店へ戻る",
    ):
        assert words in text, (words, text)
    assert f"{row['paymentId'][:5]}…{row['paymentId'][-4:]}" in text
    escaped = BACK.replace("&", "&amp;")
    assert f'data-url="{escaped}" data-seconds="5"' in page.text
    assert f'content="5;url={escaped}"' in page.text
    await asyncio.sleep(1)
    assert [notice["state"] for notice in paypay.door.notices()] == ["COMPLETED"]


@paypay_test
async def test_staying_loses_the_way_back_but_not_the_button(paypay: PayPay) -> None:
    path = await opened(paypay, redirectUrl=BACK)
    await pressed(paypay, path, "pay")
    page = await seen(paypay, f"{path}?stay=1")
    assert "秒後に" not in page.text
    assert "http-equiv" not in page.text
    assert "戻らない" not in page.text
    assert "お店へ戻る" in page.text


@paypay_test
async def test_pressing_twice_pays_once(paypay: PayPay) -> None:
    path = await opened(paypay)
    await asyncio.gather(*(pressed(paypay, path, "pay") for _ in range(3)))
    await asyncio.sleep(1)
    assert len(paypay.door.received) == 1
    assert "残高 ¥ 24,820" in text_of(await seen(paypay, path))


@paypay_test
async def test_pressing_decline_declines(paypay: PayPay) -> None:
    path = await opened(paypay, redirectUrl=BACK)
    page = await pressed(paypay, path, "decline")
    text = text_of(page)
    assert "断りました" in text
    assert "お金は動いていません" in text
    assert "残高 ¥ 50,000" in text
    assert "お店へ戻る" in text
    assert (await paypay.payments())[0]["status"] == "FAILED"
    assert "断りました" in (await pressed(paypay, path, "pay")).text
    assert (await paypay.payments())[0]["status"] == "FAILED"


@paypay_test
async def test_waiting_shows_the_clock_and_then_that_time_is_up(paypay: PayPay) -> None:
    path = await opened(paypay, redirectUrl=BACK)
    waiting = await seen(paypay, f"{path}?wait=1")
    assert "あと 05:00" in text_of(waiting)
    assert "<form" not in waiting.text
    await asyncio.sleep(300)
    page = await seen(paypay, f"{path}?wait=1")
    assert "コードの期限が切れました" in text_of(page)
    assert "<form" not in page.text
    assert "コードの期限が切れました" in (await pressed(paypay, path, "pay")).text
    assert (await paypay.payments())[0]["status"] == "CREATED"


@paypay_test
async def test_too_little_money_is_charged_first(paypay: PayPay) -> None:
    path = await opened(paypay, 63800)
    page = await seen(paypay, path)
    text = text_of(page)
    assert "残高が ¥ 13,800 足りません" in text
    assert "¥ 20,000 &ensp;をチャージ" in text
    assert f"{path}/pay" not in page.text
    assert "足りません" in (await pressed(paypay, path, "pay")).text
    assert (await paypay.payments())[0]["status"] == "CREATED"
    charged = text_of(await pressed(paypay, path, "charge"))
    assert "残高 ¥ 70,000" in charged
    assert "支払い後の残高 ¥ 6,200" in charged
    assert "支払いました" in (await pressed(paypay, path, "pay")).text


@paypay_test
async def test_a_deleted_a_returned_and_an_unknown_code_say_so(paypay: PayPay) -> None:
    code = await paypay.create("m-1")
    await paypay.api("DELETE", f"/v2/codes/{code['codeId']}")
    page = await seen(paypay, urlsplit(code["url"]).path)
    assert "このコードは使えません" in text_of(page)
    for name, act in (("m-2", "refund"), ("m-3", "cancel")):
        code = await paypay.create(name)
        row = await paypay.act(name)
        if act == "refund":
            await paypay.refund(row["paymentId"], 180)
        else:
            await paypay.api("DELETE", f"/v2/payments/{name}")
        await asyncio.sleep(1)
        text = text_of(await seen(paypay, urlsplit(code["url"]).path))
        words = "返金されました ¥ 180" if act == "refund" else "支払いは取り消されました"
        assert words in text
    unknown = await seen(paypay, "/28180104AAAAAAAAAAAAAAAA")
    assert unknown.status_code == 404
    assert "コードが見つかりません" in text_of(unknown)
    assert (await paypay.client.post("/28180104AAAAAAAAAAAAAAAA/pay")).status_code == 303


@paypay_test
async def test_only_web_addresses_are_linked(paypay: PayPay) -> None:
    path = await opened(paypay, redirectUrl="javascript:alert(1)")
    page = await pressed(paypay, path, "pay")
    assert "javascript:" not in page.text
    assert "お店へ戻る" not in page.text


@paypay_test
async def test_another_site_cannot_press_the_button(paypay: PayPay) -> None:
    path = await opened(paypay)
    refused = await paypay.client.post(f"{path}/pay", headers={"Sec-Fetch-Site": "cross-site"})
    assert refused.status_code == 403
    assert (await paypay.payments())[0]["status"] == "CREATED"
