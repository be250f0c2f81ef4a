"""A second `Provider` in plain memory, with its own book, and trouble as it is told."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from kessai.kernel.clock import Clock
from kessai.kernel.errors import Refused, Unknown
from kessai.payment.application.ports import (
    USER_CONFIRMATION_REQUIRED,
    CaptureRequest,
    Code,
    CodeExists,
    CodeRequest,
    RefundRequest,
    RevertRequest,
    Sighting,
)
from kessai.payment.domain.evidence import Word
from kessai.payment.domain.window import WayBack, ways_back

LIFETIME_S = 300
NEVER_LATE = 1 << 62
NO_ANSWER = Unknown("NO_ANSWER", "no answer in time")
NOT_SENT = Unknown("NOT_SENT", "connection refused")


@dataclass(frozen=True)
class After:
    """The call takes effect, and then this happens instead of its answer."""

    error: Exception


Trouble = Exception | After


@dataclass
class FakeCode:
    """A code and its payment. `status` is what the look-ups say until something dated says more."""

    code_id: str
    amount_yen: int
    expires_at_ms: int
    authorize: bool = False
    deleted: bool = False
    status: str = Word.CREATED
    paid_yen: int = 0
    currency: str = "JPY"
    accepted_at_ms: int | None = None
    canceled: bool = False
    reversed_at_ms: int | None = None
    visible_from_ms: int = 0
    capture_waits: bool = False
    refunded_yen: int = 0

    def is_payable(self, now_ms: int) -> bool:
        """Also after a cancel: PayPay accepts it, takes the money and gives it back."""
        return self.status == Word.CREATED and not self.deleted and now_ms < self.expires_at_ms

    def word_at(self, now_ms: int) -> str:
        if self.reversed_at_ms is not None and now_ms >= self.reversed_at_ms:
            return Word.FAILED
        if self.status == Word.COMPLETED and self.refunded_yen:
            return Word.REFUNDED
        return self.status

    def held_yen(self, now_ms: int) -> int:
        """What the provider has of the customer's, and owes the merchant."""
        if self.word_at(now_ms) not in (Word.COMPLETED, Word.REFUNDED):
            return 0
        return self.paid_yen - self.refunded_yen


@dataclass
class FakeProvider:
    """Codes live until they are deleted, whatever their own date says: `pay` asks no clock."""

    clock: Clock
    codes: dict[str, FakeCode] = field(default_factory=dict)
    refunds: dict[str, tuple[RefundRequest, bool]] = field(default_factory=dict)
    refunds_are_back: bool = True
    reversal_s: float = 0.0
    calls: list[tuple[str, str]] = field(default_factory=list)
    trouble: dict[str, deque[Trouble]] = field(default_factory=dict)
    delay_s: dict[str, float] = field(default_factory=dict)

    def fail(self, operation: str, *troubles: Trouble) -> None:
        self.trouble.setdefault(operation, deque()).extend(troubles)

    def calls_of(self, operation: str) -> list[str]:
        return [subject for name, subject in self.calls if name == operation]

    def pay(self, payment: str, amount_yen: int | None = None, *, seen_after_s: float = 0) -> None:
        """The customer pays or authorises; after a cancel the money comes and soon goes back."""
        code = self.codes[payment]
        assert not code.deleted, "a deleted code cannot be paid"
        now_ms = self.clock.now_ms()
        code.status = Word.AUTHORIZED if code.authorize else Word.COMPLETED
        code.paid_yen = 0 if code.authorize else amount_yen or code.amount_yen
        code.accepted_at_ms = now_ms // 1000 * 1000
        code.visible_from_ms = now_ms + int(seen_after_s * 1000)
        if code.canceled:
            code.reversed_at_ms = now_ms + int(self.reversal_s * 1000)

    def decline(self, payment: str) -> None:
        self.codes[payment].status = Word.FAILED

    async def create_code(self, request: CodeRequest) -> Code:
        after = await self._begin("create", request.merchant_payment_id)
        if request.merchant_payment_id in self.codes:
            raise CodeExists
        made = FakeCode(
            f"04-{len(self.codes):016d}",
            request.amount_yen,
            self.clock.now_ms() // 1000 * 1000 + LIFETIME_S * 1000,
            authorize=request.authorize,
        )
        self.codes[request.merchant_payment_id] = made
        _end(after)
        url = f"https://pay.test/{made.code_id}"
        return Code(made.code_id, url, f"paypay://{made.code_id}", made.expires_at_ms)

    async def delete_code(self, code_id: str) -> Word:
        after = await self._begin("delete", code_id)
        word = Word.CODE_UNKNOWN
        for code in self.codes.values():
            if code.code_id == code_id and not code.deleted:
                paid = code.status != Word.CREATED
                word = Word.ALREADY_PAID if paid else Word.CODE_DELETED
                code.deleted = not paid
        _end(after)
        return word

    async def get_payment(self, merchant_payment_id: str, *, urgent: bool = False) -> Sighting:
        after = await self._begin("get", merchant_payment_id)
        seen = self._seen(merchant_payment_id)
        _end(after)
        return seen

    async def get_direct_payment(self, merchant_payment_id: str) -> Sighting:
        after = await self._begin("get_direct", merchant_payment_id)
        seen = self._seen(merchant_payment_id)
        _end(after)
        return Sighting(Word.NOT_FOUND) if seen.word == Word.CREATED else seen

    def _seen(self, payment: str) -> Sighting:
        code, now_ms = self.codes.get(payment), self.clock.now_ms()
        if code is None:
            return Sighting(Word.NOT_FOUND)
        if code.status == Word.CREATED or now_ms < code.visible_from_ms:
            return Sighting(Word.CREATED)
        return Sighting(
            code.word_at(now_ms),
            f"pp-{payment}",
            code.paid_yen or code.amount_yen,
            code.currency,
            code.accepted_at_ms,
            code.reversed_at_ms if code.word_at(now_ms) == Word.FAILED else None,
            capture_waits=code.capture_waits,
        )

    async def cancel_payment(self, merchant_payment_id: str, *, leaves_by_ms: int) -> Word:
        if self.clock.now_ms() > leaves_by_ms:
            raise Unknown("NOT_SENT", "it is too late to send it")
        after = await self._begin("cancel", merchant_payment_id)
        word = self._cancel(merchant_payment_id)
        _end(after)
        return word

    def _cancel(self, payment: str) -> Word:
        code, now_ms = self.codes.get(payment), self.clock.now_ms()
        if code is None:
            return Word.CANCEL_REFUSED
        if code.canceled:
            return Word.CANCEL_ACCEPTED
        ended = code.status == Word.CANCELED or code.refunded_yen
        captured_ms = code.accepted_at_ms if code.status == Word.COMPLETED else None
        late = captured_ms is not None and WayBack.CANCEL not in ways_back(captured_ms, now_ms)
        if ended or late or (code.authorize and captured_ms is not None):
            return Word.CANCEL_TOO_LATE
        code.canceled = True
        if code.status in (Word.COMPLETED, Word.AUTHORIZED):
            code.reversed_at_ms = now_ms + int(self.reversal_s * 1000)
        return Word.CANCEL_ACCEPTED

    async def capture(self, request: CaptureRequest) -> Sighting:
        after = await self._begin("capture", request.capture_id)
        code = self.codes.get(request.merchant_payment_id)
        if code is None:
            raise Unknown("UNEXPECTED_ANSWER", "no such payment")
        word = code.word_at(self.clock.now_ms())
        if word in (Word.COMPLETED, Word.REFUNDED):
            raise Refused("ALREADY_CAPTURED")
        if word != Word.AUTHORIZED:
            raise Refused("ORDER_NOT_CAPTURABLE")
        if request.amount_yen > code.amount_yen:
            code.capture_waits = True
            _end(after)
            raise Unknown(USER_CONFIRMATION_REQUIRED)
        code.status, code.paid_yen = Word.COMPLETED, request.amount_yen
        seen = self._seen(request.merchant_payment_id)
        _end(after)
        return seen

    async def revert(self, request: RevertRequest) -> None:
        after = await self._begin("revert", request.revert_id)
        code = self.codes.get(request.payment_id.removeprefix("pp-"))
        if code is None:
            raise Unknown("UNEXPECTED_ANSWER", "no such payment")
        if code.word_at(self.clock.now_ms()) != Word.AUTHORIZED:
            raise Refused("ORDER_NOT_CANCELABLE")
        code.status = Word.CANCELED
        _end(after)

    async def refund(self, request: RefundRequest) -> bool:
        after = await self._begin("refund", request.refund_id)
        if request.refund_id not in self.refunds:
            self._give_back(request)
        _end(after)
        return self.refunds[request.refund_id][1]

    def _give_back(self, request: RefundRequest) -> None:
        code = self.codes.get(request.payment_id.removeprefix("pp-"))
        if code is None:
            raise Unknown("UNEXPECTED_ANSWER", "no such payment")
        if code.word_at(self.clock.now_ms()) not in (Word.COMPLETED, Word.REFUNDED):
            raise Refused("UNACCEPTABLE_OP")
        if request.amount_yen > code.paid_yen - code.refunded_yen:
            raise Refused("INVALID_PARAMS")
        code.refunded_yen += request.amount_yen
        self.refunds[request.refund_id] = (request, self.refunds_are_back)

    async def get_refund(self, refund_id: str, payment_id: str) -> bool | None:
        after = await self._begin("get_refund", refund_id)
        _end(after)
        found = self.refunds.get(refund_id)
        return found[1] or self.refunds_are_back if found else None

    async def _begin(self, operation: str, subject: str) -> Exception | None:
        self.calls.append((operation, subject))
        if delay_s := self.delay_s.get(operation):
            await asyncio.sleep(delay_s)
        waiting = self.trouble.get(operation)
        if not waiting:
            return None
        trouble = waiting.popleft()
        if isinstance(trouble, After):
            return trouble.error
        raise trouble


def _end(after: Exception | None) -> None:
    if after is not None:
        raise after
