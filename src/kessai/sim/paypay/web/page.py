"""The payment page at a code's address: server-rendered, plain forms, no foreign files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import resources
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Header
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from kessai.contracts.paypay import ProviderStatus
from kessai.kernel.clock import JST, Clock, from_ms
from kessai.kernel.errors import Refused
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.application.customer import Customer
from kessai.sim.paypay.domain.book import Payment
from kessai.sim.paypay.domain.ledger import CHARGE_YEN
from kessai.sim.paypay.web.control import same_site
from kessai.sim.paypay.web.present import CODE_PATH, code_id_of
from kessai.sim.paypay.web.screens import CSS_PATH, JS_PATH, Asked, Ended, Screens
from kessai.sim.paypay.web.words import words_for

_STATIC: Final = resources.files("kessai.sim.paypay.web").joinpath("static")
_CSS: Final = _STATIC.joinpath("wallet.css").read_bytes()
_JS: Final = _STATIC.joinpath("wallet.js").read_bytes()
_PAYEE: Final = "Kessai 商店"
_HEADERS: Final = {"Cache-Control": "no-store", "Vary": "Accept-Language"}


def page_routes(customer: Customer, book: Book, clock: Clock) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get(CODE_PATH + "{tail}")
    async def page(
        tail: str,
        wait: bool = False,
        stay: bool = False,
        accept_language: Annotated[str | None, Header()] = None,
    ) -> Response:
        payment, now_ms = book.by_code(code_id_of(tail)), clock.now_ms()
        balance_yen = customer.balance_yen()
        screens = Screens(words_for(accept_language), balance_yen)
        if payment is None:
            content, status = screens.unknown(), 404
        elif _is_open(payment, now_ms):
            content, status = _open(screens, payment, now_ms, balance_yen, wait), 200
        else:
            content, status = _ended(screens, payment, now_ms, stay), 200
        return HTMLResponse(content, status_code=status, headers=_HEADERS)

    async def pressed(tail: str, act: Callable[[str], Awaitable[object]]) -> Response:
        """What cannot be done any more is told by the page as it is now."""
        payment = book.by_code(code_id_of(tail))
        if payment is not None:
            with suppress(Refused):
                await act(payment.merchant_payment_id)
        return RedirectResponse(CODE_PATH + tail, status_code=303)

    @router.post(CODE_PATH + "{tail}/pay", dependencies=[Depends(same_site)])
    async def pay(tail: str) -> Response:
        async def act(name: str) -> None:
            await customer.pay(name, by="page")

        return await pressed(tail, act)

    @router.post(CODE_PATH + "{tail}/decline", dependencies=[Depends(same_site)])
    async def decline(tail: str) -> Response:
        return await pressed(tail, customer.decline)

    @router.post(CODE_PATH + "{tail}/agree", dependencies=[Depends(same_site)])
    async def agree(tail: str) -> Response:
        return await pressed(tail, partial(customer.answer, agrees=True))

    @router.post(CODE_PATH + "{tail}/refuse", dependencies=[Depends(same_site)])
    async def refuse(tail: str) -> Response:
        return await pressed(tail, partial(customer.answer, agrees=False))

    @router.post(CODE_PATH + "{tail}/charge", dependencies=[Depends(same_site)])
    async def charge(tail: str) -> Response:
        async def act(_: str) -> None:
            await customer.charge()

        return await pressed(tail, act)

    @router.get(CSS_PATH)
    async def css() -> Response:
        return Response(_CSS, media_type="text/css")

    @router.get(JS_PATH)
    async def js() -> Response:
        return Response(_JS, media_type="text/javascript")

    return router


def _is_open(payment: Payment, now_ms: int) -> bool:
    return payment.status_at(now_ms) is ProviderStatus.CREATED and payment.is_payable(now_ms)


def _open(screens: Screens, payment: Payment, now_ms: int, balance_yen: int, wait: bool) -> str:
    asked = _asked(payment, payment.amount_yen, payment.expires_at_s * 1000, now_ms)
    if wait:
        return screens.wait(asked)
    if payment.amount_yen > balance_yen:
        return screens.short(asked, charge_yen=CHARGE_YEN)
    return screens.ask(asked)


def _ended(screens: Screens, payment: Payment, now_ms: int, stay: bool) -> str:
    status = payment.status_at(now_ms)
    ended = Ended(
        amount_yen=payment.amount_yen,
        reference=payment.payment_id or "",
        back_url=_back_url(payment),
    )
    if status in (ProviderStatus.AUTHORIZED, ProviderStatus.REAUTHORIZING):
        return _reserved(screens, payment, ended, now_ms)
    if status in (ProviderStatus.CANCELED, ProviderStatus.EXPIRED):
        return screens.released(ended)
    if status is ProviderStatus.COMPLETED:
        return screens.paid(replace(ended, amount_yen=payment.captured_yen), stays=stay)
    if status is ProviderStatus.CREATED:
        return screens.deleted(ended) if payment.deleted_at_ms else screens.expired(ended)
    if payment.declined_at_ms is not None:
        return screens.declined(ended)
    whole = status is ProviderStatus.FAILED
    back = ended if whole else Ended(payment.refunded_yen, ended.reference, ended.back_url)
    return screens.returned(back, whole=whole)


def _reserved(screens: Screens, payment: Payment, ended: Ended, now_ms: int) -> str:
    """Where the shop wants more than is in reserve, this is where the customer is asked."""
    wish, held_yen = payment.open_ask(now_ms), payment.held_yen(now_ms)
    if wish is None:
        return screens.reserved(replace(ended, amount_yen=held_yen))
    assert wish.ask is not None
    return screens.more(
        _asked(payment, wish.amount_yen, wish.ask.until_ms, now_ms), held_yen=held_yen
    )


def _asked(payment: Payment, amount_yen: int, until_ms: int, now_ms: int) -> Asked:
    return Asked(
        path=CODE_PATH + payment.code_id.replace("-", ""),
        payee=payment.asked.store_info or _PAYEE,
        amount_yen=amount_yen,
        name=payment.merchant_payment_id,
        expires_at=from_ms(until_ms).astimezone(JST).strftime("%H:%M:%S"),
        left_ms=until_ms - now_ms,
    )


def _back_url(payment: Payment) -> str | None:
    """App links and worse schemes are not opened from here."""
    url = payment.asked.redirect_url
    if url is None or urlsplit(url).scheme not in ("http", "https"):
        return None
    return url
