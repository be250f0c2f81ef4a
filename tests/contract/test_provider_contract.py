"""One contract for `Provider`: the plain fake, and PayPay's client against the simulator.

Only the simulator limits the number of refunds in time (THROTTLED is told to the fake), and only
a scripted wire has a clock that is off, a full lane or a used-up rate (test_paypay_line.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from tests.support.payment import refusal, unknown
from tests.support.paypay import BASE, PayPay, a_paypay
from tests.support.paypay_client import a_client, a_request
from tests.support.provider import NEVER_LATE, NO_ANSWER, NOT_SENT, After, FakeProvider
from tests.support.web import run_virtual

from kessai.kernel.clock import Clock
from kessai.kernel.errors import Refused, Unknown
from kessai.payment.application.capture import Captures, CaptureWish
from kessai.payment.application.ports import (
    THROTTLED,
    CaptureRequest,
    CodeExists,
    CodeRequest,
    Provider,
    RefundRequest,
    RevertRequest,
)
from kessai.payment.domain.evidence import Word
from kessai.proof.virtual_time import VirtualClock

Ask = Callable[[], Awaitable[object]]

# Our name of an operation, and the simulator's.
OPERATIONS = {
    "create": "createCode",
    "delete": "deleteCode",
    "get": "getCodePayment",
    "get_direct": "getPayment",
    "cancel": "cancel",
    "refund": "refund",
    "get_refund": "getRefund",
    "capture": "capture",
    "revert": "revert",
}


@dataclass
class Side:
    """A provider, its customer, and the trouble that it can be in."""

    provider: Provider
    clock: Clock
    fake: FakeProvider | None = None
    paypay: PayPay | None = None

    async def pay(self, name: str = "o-1") -> str:
        """PayPay's id of the payment."""
        if self.fake:
            self.fake.pay(name)
        if self.paypay:
            await self.paypay.act(name, "pay")
        return (await self.provider.get_payment(name)).payment_id or ""

    async def decline(self, name: str = "o-1") -> None:
        if self.fake:
            self.fake.decline(name)
        if self.paypay:
            await self.paypay.act(name, "decline")

    async def lose(self, operation: str, asked: Ask) -> str:
        """Its answer is lost, after it took effect; what the caller is told."""
        if self.fake:
            self.fake.fail(operation, After(NO_ANSWER))
            return await unknown(asked())
        assert self.paypay
        await self.paypay.faults(api={OPERATIONS[operation]: {"lostAnswer": 100}})
        told = await unknown(asked())
        await self.paypay.faults(api={OPERATIONS[operation]: {"lostAnswer": 0}})
        return told

    async def break_off(self, operation: str, asked: Ask) -> str:
        """An error without effect."""
        if self.fake:
            self.fake.fail(operation, Unknown("PROVIDER_ERROR"))
            return await unknown(asked())
        assert self.paypay
        faulty = {"error": 100, "kinds": ["500"]}
        await self.paypay.faults(api={OPERATIONS[operation]: faulty})
        told = await unknown(asked())
        await self.paypay.faults(api={OPERATIONS[operation]: {"error": 0}})
        return told

    async def cut_off(self, operation: str, asked: Ask) -> str:
        """Nothing leaves us."""
        if self.fake:
            self.fake.fail(operation, NOT_SENT)
            return await unknown(asked())
        assert self.paypay
        self.paypay.http.unroute(BASE)
        told = await unknown(asked())
        self.paypay.http.route(BASE, self.paypay.unit.app)
        return told


Tale = Callable[[Side], Awaitable[None]]


def both(tale: Tale) -> Callable[[str], None]:
    async def live(which: str) -> None:
        if which == "fake":
            fake = FakeProvider(VirtualClock(), reversal_s=0.5)
            await tale(Side(fake, fake.clock, fake=fake))
            return
        async with a_paypay() as paypay:
            client = a_client(paypay.http, paypay.clock)
            await tale(Side(client, paypay.clock, paypay=paypay))

    @pytest.mark.parametrize("which", ["fake", "paypay"])
    def test(which: str) -> None:
        run_virtual(live(which))

    test.__name__, test.__doc__ = tale.__name__, tale.__doc__
    return test


def an_authorisation(amount_yen: int = 1200) -> CodeRequest:
    return CodeRequest("o-1", amount_yen, "x", (), "http://shop.test/o", None, 0, authorize=True)


def a_refund(side: Side, payment_id: str, yen: int = 1200, name: str = "rf-1") -> RefundRequest:
    return RefundRequest(name, payment_id, yen, "CUSTOMER", side.clock.now_ms())


def a_capture(
    side: Side, yen: int = 1200, name: str = "c-1", payment: str = "o-1"
) -> CaptureRequest:
    return CaptureRequest(name, payment, yen, "x", side.clock.now_ms())


@both
async def test_a_code_is_made_once_and_paid(side: Side) -> None:
    code = await side.provider.create_code(a_request())
    now_ms = side.clock.now_ms()
    assert now_ms + 299_000 <= code.expires_at_ms <= now_ms + 301_000
    assert (await side.provider.get_payment("o-1")).word == Word.CREATED
    assert (await side.provider.get_payment("o-9")).word == Word.NOT_FOUND
    assert (await side.provider.get_direct_payment("o-1")).word == Word.NOT_FOUND
    with pytest.raises(CodeExists):
        await side.provider.create_code(a_request())
    payment_id = await side.pay()
    for seen in (
        await side.provider.get_payment("o-1", urgent=True),
        await side.provider.get_direct_payment("o-1"),
    ):
        assert (seen.word, seen.amount_yen, seen.currency) == (Word.COMPLETED, 1200, "JPY")
        assert seen.payment_id == payment_id
        assert seen.accepted_at_ms is not None


@both
async def test_a_declined_payment_failed(side: Side) -> None:
    await side.provider.create_code(a_request())
    await side.decline()
    assert (await side.provider.get_payment("o-1")).word == Word.FAILED


@both
async def test_a_lost_create_made_a_code(side: Side) -> None:
    told = await side.lose("create", lambda: side.provider.create_code(a_request()))
    assert told == "NO_ANSWER"
    with pytest.raises(CodeExists):
        await side.provider.create_code(a_request())


@both
async def test_what_broke_off_or_never_left_made_none(side: Side) -> None:
    ask: Ask = lambda: side.provider.create_code(a_request())  # noqa: E731
    assert await side.break_off("create", ask) == "PROVIDER_ERROR"
    assert await side.cut_off("create", ask) == "NOT_SENT"
    assert (await side.provider.create_code(a_request())).code_id


@both
async def test_deleting(side: Side) -> None:
    code = await side.provider.create_code(a_request())
    delete: Ask = lambda: side.provider.delete_code(code.code_id)  # noqa: E731
    assert await side.cut_off("delete", delete) == "NOT_SENT"
    assert await side.lose("delete", delete) == "NO_ANSWER"
    assert await delete() is Word.CODE_UNKNOWN
    assert await side.provider.delete_code("04-nothing") is Word.CODE_UNKNOWN
    assert (await side.provider.get_payment("o-1")).word == Word.CREATED
    paid = await side.provider.create_code(a_request("o-2"))
    assert await side.provider.delete_code(paid.code_id) is Word.CODE_DELETED
    third = await side.provider.create_code(a_request("o-3"))
    await side.pay("o-3")
    assert await side.provider.delete_code(third.code_id) is Word.ALREADY_PAID


@both
async def test_looking_up_in_trouble_says_nothing(side: Side) -> None:
    await side.provider.create_code(a_request())
    look: Ask = lambda: side.provider.get_payment("o-1")  # noqa: E731
    assert await side.break_off("get", look) == "PROVIDER_ERROR"
    assert await side.lose("get", look) == "NO_ANSWER"
    assert await side.cut_off("get", look) == "NOT_SENT"
    assert (await side.provider.get_payment("o-1")).word == Word.CREATED


@both
async def test_a_cancel_takes_effect_later_and_also_on_a_later_payment(side: Side) -> None:
    await side.provider.create_code(a_request())
    cancel: Ask = lambda: side.provider.cancel_payment("o-1", leaves_by_ms=NEVER_LATE)  # noqa: E731
    assert await side.lose("cancel", cancel) == "NO_ANSWER"
    assert await cancel() is Word.CANCEL_ACCEPTED
    await side.pay()
    assert (await side.provider.get_payment("o-1")).word == Word.COMPLETED
    await asyncio.sleep(1)
    assert (await side.provider.get_payment("o-1")).word == Word.FAILED
    assert await side.provider.cancel_payment("o-9", leaves_by_ms=NEVER_LATE) is Word.CANCEL_REFUSED


@both
async def test_a_cancel_after_the_window_is_too_late(side: Side) -> None:
    """Paid at noon in Japan, cancelled a quarter past midnight."""
    for name in ("o-1", "o-2"):
        await side.provider.create_code(a_request(name))
        await side.pay(name)
    until_midnight_s = 12 * 3600 + 15 * 60 - side.clock.now_ms() / 1000 % 60
    await asyncio.sleep(until_midnight_s - 1)
    assert (
        await side.provider.cancel_payment("o-1", leaves_by_ms=NEVER_LATE) is Word.CANCEL_ACCEPTED
    )
    await asyncio.sleep(1.5)
    assert (
        await side.provider.cancel_payment("o-2", leaves_by_ms=NEVER_LATE) is Word.CANCEL_TOO_LATE
    )
    assert (await side.provider.get_payment("o-1")).word == Word.FAILED
    assert (await side.provider.get_payment("o-2")).word == Word.COMPLETED


@both
async def test_a_refund_is_one_whatever_becomes_of_its_answer(side: Side) -> None:
    await side.provider.create_code(a_request())
    payment_id = await side.pay()
    assert await side.provider.get_refund("rf-1", payment_id) is None
    ask: Ask = lambda: side.provider.refund(a_refund(side, payment_id))  # noqa: E731
    assert await side.cut_off("refund", ask) == "NOT_SENT"
    assert await side.provider.get_refund("rf-1", payment_id) is None
    assert await side.lose("refund", ask) == "NO_ANSWER"
    await ask()
    await asyncio.sleep(2)
    assert await side.provider.get_refund("rf-1", payment_id) is True
    seen = await side.provider.get_payment("o-1")
    assert (seen.word, seen.amount_yen) == (Word.REFUNDED, 1200)
    more = a_refund(side, payment_id, 1, "rf-2")
    assert await refusal(side.provider.refund(more)) != THROTTLED
    assert await side.provider.get_refund("rf-2", payment_id) is None


@both
async def test_a_throttled_refund_says_so_and_works_later(side: Side) -> None:
    await side.provider.create_code(a_request())
    payment_id = await side.pay()
    if side.paypay:
        await side.paypay.faults(behaviour={"refundThrottleMs": 60_000})
    await side.provider.refund(a_refund(side, payment_id, 100, "rf-1"))
    if side.fake:
        side.fake.fail("refund", Refused(THROTTLED))
    second = a_refund(side, payment_id, 100, "rf-2")
    assert await refusal(side.provider.refund(second)) == THROTTLED
    await asyncio.sleep(61)
    await side.provider.refund(second)


@both
async def test_about_a_payment_that_they_do_not_know_nothing_is_certain(side: Side) -> None:
    assert await unknown(side.provider.refund(a_refund(side, "0000"))) == "UNEXPECTED_ANSWER"
    capture = side.provider.capture(a_capture(side, payment="o-9"))
    assert await unknown(capture) == "UNEXPECTED_ANSWER"
    revert = side.provider.revert(RevertRequest("rv-1", "0000", "x", side.clock.now_ms()))
    assert await unknown(revert) == "UNEXPECTED_ANSWER"


@both
async def test_less_than_authorised_is_captured_once(side: Side) -> None:
    await side.provider.create_code(an_authorisation())
    await side.pay()
    assert (await side.provider.get_payment("o-1")).word == Word.AUTHORIZED
    taken = await side.provider.capture(a_capture(side, 900))
    assert (taken.word, taken.amount_yen) == (Word.COMPLETED, 900)
    assert (await side.provider.get_payment("o-1")).amount_yen == 900
    again = side.provider.capture(a_capture(side, 900, "c-2"))
    assert await refusal(again) == "ALREADY_CAPTURED"


@both
async def test_a_lost_capture_is_asked_about_and_not_taken_twice(side: Side) -> None:
    await side.provider.create_code(an_authorisation())
    await side.pay()
    ask: Ask = lambda: side.provider.capture(a_capture(side))  # noqa: E731
    assert await side.lose("capture", ask) == "NO_ANSWER"
    taken = await Captures(side.provider, side.clock).take(CaptureWish("o-1", 1200, "x"))
    assert (taken.word, taken.amount_yen) == (Word.COMPLETED, 1200)


@both
async def test_more_than_authorised_waits_for_the_customer(side: Side) -> None:
    await side.provider.create_code(an_authorisation())
    await side.pay()
    asked = Captures(side.provider, side.clock).take(CaptureWish("o-1", 1500, "x"))
    assert await unknown(asked) == "USER_CONFIRMATION_REQUIRED"
    seen = await side.provider.get_payment("o-1")
    assert (seen.word, seen.capture_waits) == (Word.AUTHORIZED, True)


@both
async def test_an_authorisation_is_reverted(side: Side) -> None:
    await side.provider.create_code(an_authorisation())
    payment_id = await side.pay()
    request = RevertRequest("rv-1", payment_id, "x", side.clock.now_ms())
    assert await side.lose("revert", lambda: side.provider.revert(request)) == "NO_ANSWER"
    assert (await side.provider.get_payment("o-1")).word == Word.CANCELED
    assert await refusal(side.provider.capture(a_capture(side))) != ""
