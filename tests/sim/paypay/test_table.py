"""Status moves: the published table is the one the simulator has, and no other move is seen."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.paypay import NOW_MS, a_payment, a_refund

from kessai.contracts.paypay import CaptureAsked, ProviderStatus, ReauthorizeAsked, RevertAsked
from kessai.kernel.errors import IllegalMove
from kessai.sim.paypay.domain import authorisation, moves
from kessai.sim.paypay.domain.behaviour import Behaviour
from kessai.sim.paypay.domain.book import Payment
from kessai.sim.paypay.domain.results import TurnedDown
from kessai.sim.paypay.domain.table import MOVES, TABLE

PUBLISHED = """
instant create      -          CREATED    -
instant pay         CREATED    COMPLETED  COMPLETED
instant refund      COMPLETED  REFUNDED   -
instant cancel      COMPLETED  FAILED     -
preauth create      -          CREATED    -
preauth pay         CREATED    AUTHORIZED AUTHORIZED
preauth reauthorize AUTHORIZED AUTHORIZED AUTHORIZED
preauth capture     AUTHORIZED COMPLETED  COMPLETED
preauth expire      AUTHORIZED EXPIRED    EXPIRED
preauth revert      AUTHORIZED CANCELED   CANCELED
preauth cancel      AUTHORIZED FAILED     -
preauth refund      COMPLETED  REFUNDED   -
"""


def test_the_table_is_the_published_one() -> None:
    rows = [
        (move.flow, move.event, move.before or "-", move.after, state_of(move.told))
        for move in TABLE
        if move.in_table
    ]
    assert rows == [tuple(line.split()) for line in PUBLISHED.strip().splitlines()]


def state_of(told: str | None) -> str:
    return {None: "-", "REAUTHORIZED": "AUTHORIZED"}.get(told, str(told))


def test_what_has_ended_stays_as_it_is() -> None:
    ends = (ProviderStatus.FAILED, ProviderStatus.CANCELED, ProviderStatus.EXPIRED)
    for flow in MOVES.values():
        assert [flow[end] for end in (*ends, ProviderStatus.REFUNDED)] == [frozenset()] * 4


RULES = Behaviour(cancel_delay_ms=500, refund_delay_ms=1000, reauthorize_delay_ms=700)
MOVES_TRIED = (
    "pay",
    "decline",
    "expire",
    "delete",
    "cancel",
    "refund",
    "revert",
    "agree",
    "refuse",
    "capture",
    "more",
    "less",
    "higher",
    "shorten",
)
MOVE = st.sampled_from(MOVES_TRIED)
# Each in a millisecond of its own: of two in the same one only the later is seen.
STEP = st.tuples(MOVE, st.integers(1, 400_000))


@settings(max_examples=300, deadline=None)
@given(st.booleans(), st.lists(STEP, max_size=10))
def test_status_never_moves_but_by_the_table(pre_auth: bool, steps: list[tuple[str, int]]) -> None:
    """Seen at each moment that the book knows of, each change of status is one of the table's."""
    expiry_s = NOW_MS // 1000 + 900
    payment = a_payment(isAuthorization=pre_auth, authorizationExpiry=expiry_s)
    now_ms, moments = NOW_MS, [NOW_MS, expiry_s * 1000]
    for number, (move, wait_ms) in enumerate(steps):
        now_ms += wait_ms
        payment = tried(payment, move, number, now_ms)
        moments += [now_ms, now_ms + 500, now_ms + 700, now_ms + 1000, now_ms + 60_000]
    seen = [payment.status_at(at_ms) for at_ms in sorted(moments)]
    for before, after in pairwise(seen):
        assert after is before or after in MOVES[payment.flow][before]
    assert payment.refunded_yen <= payment.captured_yen
    assert sum(taking.taken_at_ms is not None for taking in payment.takings) <= 1
    assert not (payment.refunds and payment.reversed_at_ms)


def tried(payment: Payment, move: str, number: int, now_ms: int) -> Payment:
    try:
        return done(payment, move, number, now_ms)
    except (IllegalMove, TurnedDown):
        return payment


def done(payment: Payment, move: str, number: int, now_ms: int) -> Payment:
    match move:
        case "pay":
            return moves.pay(payment, "p-1", by="api", now_ms=now_ms, rules=RULES)
        case "decline":
            return moves.decline(payment, "p-1", now_ms=now_ms)
        case "expire":
            return moves.expire(payment, now_ms=now_ms)
        case "delete":
            return moves.delete(payment, now_ms=now_ms, rules=RULES)
        case "cancel":
            return moves.cancel(payment, now_ms=now_ms, rules=RULES)
        case "refund":
            asked = a_refund(f"r-{number}", 10_000)
            return moves.refund(payment, asked, now_ms=now_ms, rules=RULES)
        case "agree" | "refuse":
            agrees = move == "agree"
            return authorisation.answer(payment, agrees=agrees, now_ms=now_ms, rules=RULES)
        case "shorten":
            return authorisation.shorten(payment, until_ms=now_ms + 60_000, now_ms=now_ms)
        case _:
            return asked_for(payment, move, number, now_ms)


def asked_for(payment: Payment, move: str, number: int, now_ms: int) -> Payment:
    now_s, amount = now_ms // 1000, {"capture": 20_000, "more": 30_000}.get(move)
    if move == "revert":
        back = RevertAsked(merchant_revert_id="v-1", payment_id="p-1", requested_at=now_s)
        return authorisation.revert(payment, back, now_ms=now_ms, rules=RULES)
    if amount is not None:
        wish = {
            "merchantPaymentId": "m-1",
            "amount": {"amount": amount},
            "merchantCaptureId": f"c-{number}",
            "requestedAt": now_s,
            "orderDescription": "x",
        }
        taken = CaptureAsked.model_validate(wish)
        return authorisation.capture(payment, taken, now_ms=now_ms, rules=RULES)
    other = {
        "requestId": f"a-{number}",
        "paymentId": "p-1",
        "updatedAmount": {"amount": 15_000 if move == "less" else 40_000},
        "redirectUrl": "http://127.0.0.1/",
        "redirectType": "WEB_LINK",
        "userAgent": "x",
    }
    changed = ReauthorizeAsked.model_validate(other)
    return authorisation.reauthorize(payment, changed, now_ms=now_ms, rules=RULES)
