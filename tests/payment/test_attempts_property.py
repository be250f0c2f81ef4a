"""Whatever customer, clock and answers do: one live code, and no money kept or returned twice.

The provider's own book judges. A run that fails shows its sequence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from tests.support.payment import ORDER, Till, open_till
from tests.support.provider import NO_ANSWER, NOT_SENT, After, Trouble
from tests.support.web import run_virtual

from kessai.contracts.moves import LIVE_ATTEMPT, AttemptStatus
from kessai.contracts.payment import CloseOutcome, RequestRefund
from kessai.kernel.errors import Refused, Unknown
from kessai.payment.domain.evidence import Word

# Beyond the life of a code: grace, a look-up, and what an accepted cancel may take.
BOUND_S = 300 + 2 + 60
TROUBLE: dict[str, Trouble] = {
    "lost": After(NO_ANSWER),
    "broken": NO_ANSWER,
    "unsent": NOT_SENT,
    "refused": Refused("SOME_CODE"),
}
steps = st.one_of(
    st.sampled_from(
        ["create", "create", "again", "pay", "pay late", "decline", "webhook", "close"]
    ),
    st.sampled_from([1, 5, 40, 150, 310]),
    st.tuples(st.just("create"), st.sampled_from([*TROUBLE])),
    st.tuples(st.sampled_from(["get", "delete", "cancel"]), st.sampled_from(["lost", "broken"])),
)
Step = str | int | tuple[str, str]


def live_codes(till: Till) -> list[str]:
    now_ms = till.now_ms
    return [name for name, code in till.provider.codes.items() if code.is_payable(now_ms)]


async def take(till: Till, step: Step, tokens: list[str]) -> None:
    live = live_codes(till)
    match step:
        case int(seconds):
            await asyncio.sleep(seconds)
        case (str(operation), str(kind)):
            till.provider.fail(operation, TROUBLE[kind])
        case "create" | "again":
            if step == "again":
                tokens.append(f"r{len(tokens) + 1}")
            await till.create(request_id=tokens[-1])
        case "pay" | "pay late" if live:
            till.provider.pay(live[0], seen_after_s=30 if step == "pay late" else 0)
        case "decline" if live:
            till.provider.decline(live[0])
        case "webhook" if till.provider.codes:
            await till.webhook([*till.provider.codes][-1])
        case "close":
            await till.close()


async def settle_order(till: Till) -> bool:
    """As order-service: closed, then every success but one that pays it goes back. Paid?"""
    till.provider.trouble.clear()
    ended_s = till.runtime.clock.monotonic() + BOUND_S
    while True:
        try:
            outcome = (await till.close()).outcome
            break
        except Unknown:
            assert till.runtime.clock.monotonic() < ended_s, "it is not closed within its bound"
            await asyncio.sleep(2)
    kept = None
    for _ in range(2):
        attempts = (await till.payments()).attempts
        paid = [a for a in attempts if a.status is AttemptStatus.SUCCEEDED]
        if kept is None and outcome is CloseOutcome.PAID and paid:
            kept = paid[0].merchant_payment_id
        for one in paid:
            name = one.merchant_payment_id
            if name != kept:
                wish = RequestRefund(
                    refund_id=f"rf-{name}",
                    order_id=ORDER,
                    merchant_payment_id=name,
                    amount=one.amount,
                    reason="LATE",
                )
                await asyncio.gather(*[till.service.request_refund(wish) for _ in range(2)])
        await asyncio.sleep(135)
    status = {a.merchant_payment_id: a.status for a in (await till.payments()).attempts}
    return status.get(kept or "") is AttemptStatus.SUCCEEDED


async def check(till: Till, *, is_paid: bool) -> None:
    codes, now_ms = till.provider.codes, till.now_ms
    for one in (await till.payments()).attempts:
        assert one.status not in LIVE_ATTEMPT, one
        code = codes.get(one.merchant_payment_id)
        if one.status is AttemptStatus.FAILED and code is not None:
            assert code.word_at(now_ms) == Word.FAILED, "failed without the provider's word"
    held_yen = sum(code.held_yen(now_ms) for code in codes.values())
    assert held_yen == (1200 if is_paid else 0)
    assert all(code.refunded_yen <= code.paid_yen for code in codes.values())
    ledger = {"CAPTURE": 1, "RETURN": -1, "REFUND": -1}
    rows = await till.rows("SELECT kind, amount_yen FROM ledger")
    assert sum(ledger[row["kind"]] * row["amount_yen"] for row in rows) == held_yen
    # A code that we never saw was cancelled: what is paid for it goes back by itself.
    assert all(codes[name].canceled for name in live_codes(till))


async def live_through(sequence: Sequence[Step]) -> None:
    till = await open_till()
    till.provider.reversal_s = 1
    tokens = ["r1"]

    async def watch() -> None:
        while True:
            assert len(live_codes(till)) <= 1, "two codes are live"
            await asyncio.sleep(1)

    watching = asyncio.ensure_future(watch())
    try:
        for step in sequence:
            try:
                await take(till, step, tokens)
            except (Refused, Unknown) as answer:
                note(f"{step}: {answer!r}")
            assert len(live_codes(till)) <= 1, "two codes are live"
        is_paid = await settle_order(till)
        await check(till, is_paid=is_paid)
        assert not watching.done()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await till.unit.stop()
        await till.db.close()


# Shrinking such a run takes longer than reading it.
@settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(steps, min_size=3, max_size=12))
def test_money_and_codes_agree_after_any_sequence(sequence: list[Step]) -> None:
    run_virtual(live_through(sequence))
