"""How money comes back: by a cancel until a quarter past midnight in Japan, then by a refund."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from tests.support.payment import ORDER, Till, on_the_till, unknown
from tests.support.provider import NO_ANSWER, After, FakeProvider
from tests.support.web import run_virtual

from kessai.contracts.moves import AttemptStatus
from kessai.contracts.payment import CloseOutcome
from kessai.kernel.clock import JST, to_ms
from kessai.payment.application.capture import Captures, CaptureWish
from kessai.payment.application.ports import CodeRequest
from kessai.payment.domain.evidence import Word
from kessai.payment.domain.window import WayBack, ways_back
from kessai.proof.virtual_time import VirtualClock

FIRST = f"{ORDER}-1"


def in_japan(text: str) -> int:
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=JST))


@pytest.mark.parametrize(
    ("paid", "now", "open_"),
    [
        ("2026-01-15T12:00:00", "2026-01-15T12:00:01", True),
        ("2026-01-15T00:00:00", "2026-01-16T00:14:59.999", True),
        ("2026-01-15T00:00:00", "2026-01-16T00:15:00", False),
        ("2026-01-15T23:59:59", "2026-01-16T00:14:59", True),
        ("2026-01-15T23:59:59", "2026-01-16T00:15:00", False),
        ("2026-01-16T00:00:00", "2026-01-16T00:15:00", True),
        ("2026-01-16T00:10:00", "2026-01-17T00:14:59", True),
        ("2026-01-31T20:00:00", "2026-02-01T00:14:59", True),
        ("2026-01-31T20:00:00", "2026-02-01T00:15:00", False),
        ("2028-02-29T20:00:00", "2028-03-01T00:14:59", True),
        ("2028-02-28T20:00:00", "2028-02-29T00:15:00", False),
        ("2026-12-31T23:00:00", "2027-01-01T00:14:59", True),
        ("2026-12-31T23:00:00", "2027-01-01T00:15:00", False),
    ],
)
def test_which_way_is_open(paid: str, now: str, open_: bool) -> None:
    ways = ways_back(in_japan(paid), in_japan(now))
    assert ways == ((WayBack.CANCEL, WayBack.REFUND) if open_ else (WayBack.REFUND,))


@on_the_till()
async def test_too_late_to_cancel_and_paid_after_all_is_refunded_once(till: Till) -> None:
    """The code was never seen, the look-ups are old, and PayPay does not cancel any more."""
    till.provider.fail("create", After(NO_ANSWER))
    await unknown(till.create())
    till.provider.pay(FIRST, seen_after_s=13 * 3600 + 60)
    # Nobody asks until the window has closed.
    await till.unit.supervisor.stop()
    await asyncio.sleep(12 * 3600 + 20 * 60)
    await till.start_again()
    await unknown(till.close())
    await asyncio.sleep(30)
    assert till.provider.calls_of("cancel") == [FIRST]
    # Asked late enough it knew of no money: the order is over.
    assert (await till.close()).outcome is CloseOutcome.CLOSED
    await asyncio.sleep(3600)
    assert await till.event_types() == [
        "PaymentAttemptChanged",
        "PaymentExpired",
        "PaymentSucceeded",
    ]
    # What order-service does when a payment succeeds for an order that is over, more than once.
    for _ in range(2):
        await till.refund()
    await asyncio.sleep(60)
    assert await till.statuses() == [AttemptStatus.REFUNDED]
    assert list(till.provider.refunds) == ["refund-1"]
    assert till.provider.codes[FIRST].held_yen(till.now_ms) == 0
    assert (await till.event_types()).count("RefundCompleted") == 1


def test_each_try_of_a_capture_has_an_id_of_its_own() -> None:
    async def story() -> None:
        provider = FakeProvider(VirtualClock())
        await provider.create_code(CodeRequest("o-1", 9, "x", (), "", None, 0, authorize=True))
        provider.pay("o-1")
        provider.fail("capture", NO_ANSWER, NO_ANSWER)
        taken = await Captures(provider, provider.clock).take(CaptureWish("o-1", 9, "x"))
        assert taken.word == Word.COMPLETED
        assert [name for name, _ in provider.calls[1:]] == ["capture", "get"] * 2 + ["capture"]
        assert len(dict.fromkeys(provider.calls_of("capture"))) == 3

    run_virtual(story())
