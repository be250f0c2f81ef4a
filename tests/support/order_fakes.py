"""Honest little stand-ins for the services that order-service calls: they remember and refuse."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kessai.contracts.account import (
    Account,
    Credit,
    CreditBalance,
    Hold,
    HoldBalance,
    HoldById,
    SetProfile,
    SetRole,
    SyncUser,
    User,
    UserById,
)
from kessai.contracts.events import (
    PaymentAttemptChanged,
    PaymentExpired,
    PaymentFailed,
    PaymentSucceeded,
    RefundCompleted,
    payment_event_id,
)
from kessai.contracts.moves import (
    LIVE_ATTEMPT,
    AttemptStatus,
    HoldStatus,
    OrderReason,
    RefundStatus,
    ReservationStatus,
)
from kessai.contracts.payment import (
    Attempt,
    Closed,
    CloseOutcome,
    ClosePayments,
    CreatePayment,
    Payments,
    PaymentsOfOrder,
    ReceiveWebhook,
    RecordBalancePayment,
    Refund,
    RequestRefund,
    WebhookReceived,
)
from kessai.contracts.storage import (
    Categories,
    ImportCatalogue,
    Imported,
    Line,
    ListProducts,
    ListSnapshots,
    Product,
    ProductById,
    ProductPage,
    Quote,
    Quoted,
    QuotedLine,
    Reservation,
    ReservationById,
    Reservations,
    ReservationsOfOrder,
    ReserveStock,
    Restock,
    SnapshotPage,
)
from kessai.contracts.wire import Nothing
from kessai.kernel.clock import Clock, wire
from kessai.kernel.errors import Invalid, KessaiError, Kind, NotFound, Refused

T = TypeVar("T")


@dataclass
class Trouble:
    """What the next call of an operation meets instead of an answer."""

    error: KessaiError
    after_effect: bool = False
    delay_s: float = 0.0


class Fake:
    def __init__(self) -> None:
        self.troubles: dict[str, deque[Trouble]] = {}
        self.calls: list[str] = []
        self.delays_s: dict[str, float] = {}

    def meets(self, operation: str, *errors: KessaiError, after_effect: bool = False) -> None:
        """The next calls of `operation` raise these; `after_effect`: only the answer is lost."""
        queue = self.troubles.setdefault(operation, deque())
        queue.extend(Trouble(error, after_effect) for error in errors)

    async def _do(self, operation: str, effect: Callable[[], T]) -> T:
        self.calls.append(operation)
        await asyncio.sleep(self.delays_s.get(operation, 0))
        queue = self.troubles.get(operation)
        trouble = queue.popleft() if queue else None
        if trouble is not None and not trouble.after_effect:
            raise trouble.error
        answer = effect()
        if trouble is not None:
            raise trouble.error
        return answer

    def count(self, operation: str) -> int:
        return self.calls.count(operation)


@dataclass
class Kept:
    status: ReservationStatus
    lines: tuple[Line, ...]


class FakeStorage(Fake):
    def __init__(self, stock: dict[int, int], prices: dict[int, int]) -> None:
        super().__init__()
        self.stock = dict(stock)
        self.prices = dict(prices)
        self.kept: dict[str, Kept] = {}
        self.restocks: dict[str, str] = {}

    async def quote(self, command: Quote) -> Quoted:
        return await self._do("quote", lambda: self._quote(command))

    async def reserve_stock(self, command: ReserveStock) -> Reservation:
        return await self._do("reserve_stock", lambda: self._reserve(command))

    async def confirm_stock(self, command: ReservationById) -> Reservation:
        return await self._do("confirm_stock", lambda: self._confirm(command.reservation_id))

    async def release_stock(self, command: ReservationById) -> Reservation:
        return await self._do("release_stock", lambda: self._release(command.reservation_id))

    async def list_reservations(self, command: ReservationsOfOrder) -> Reservations:
        return await self._do("list_reservations", lambda: self._of_order(command.order_id))

    async def restock(self, command: Restock) -> Reservation:
        return await self._do("restock", lambda: self._restock(command))

    def _quote(self, command: Quote) -> Quoted:
        for position, line in enumerate(command.lines):
            if line.product_id not in self.prices:
                raise Invalid(f"items[{position}].productId", "UNKNOWN")
        lines = tuple(
            QuotedLine(
                product_id=line.product_id,
                title=f"品物 {line.product_id}",
                image_key=None,
                unit_price=self.prices[line.product_id],
                quantity=line.quantity,
            )
            for line in command.lines
        )
        return Quoted(lines=lines, amount=sum(one.unit_price * one.quantity for one in lines))

    def _reserve(self, command: ReserveStock) -> Reservation:
        kept = self.kept.get(command.reservation_id)
        if kept is not None:
            if kept.status is ReservationStatus.RELEASED:
                raise Refused("RESERVATION_RELEASED")
            return self._told(command.reservation_id)
        short = [
            {
                "productId": line.product_id,
                "wanted": line.quantity,
                "available": self.stock[line.product_id],
            }
            for line in command.lines
            if self.stock[line.product_id] < line.quantity
        ]
        if short:
            raise Refused("OUT_OF_STOCK", facts={"items": short})
        self._add(command.lines, -1)
        self.kept[command.reservation_id] = Kept(ReservationStatus.RESERVED, command.lines)
        return self._told(command.reservation_id)

    def _confirm(self, reservation_id: str) -> Reservation:
        kept = self.kept.get(reservation_id)
        if kept is None:
            raise NotFound("no reservation")
        if kept.status is ReservationStatus.RELEASED:
            raise Refused("RESERVATION_RELEASED")
        kept.status = ReservationStatus.CONFIRMED
        return self._told(reservation_id)

    def _release(self, reservation_id: str) -> Reservation:
        kept = self.kept.setdefault(reservation_id, Kept(ReservationStatus.RELEASED, ()))
        if kept.status is ReservationStatus.CONFIRMED:
            raise Refused("ILLEGAL_STATE", "the reservation is confirmed")
        if kept.status is ReservationStatus.RESERVED:
            self._add(kept.lines, +1)
            kept.status = ReservationStatus.RELEASED
        return self._told(reservation_id)

    def _of_order(self, order_id: str) -> Reservations:
        names = sorted(name for name in self.kept if name.startswith(f"{order_id}-"))
        return Reservations(items=tuple(self._told(name) for name in names))

    def _restock(self, command: Restock) -> Reservation:
        if command.restock_id not in self.restocks:
            self.restocks[command.restock_id] = command.reservation_id
            self._add(self.kept[command.reservation_id].lines, +1)
        return self._told(command.reservation_id)

    def _add(self, lines: tuple[Line, ...], sign: int) -> None:
        for line in lines:
            self.stock[line.product_id] += sign * line.quantity

    def _told(self, reservation_id: str) -> Reservation:
        status = self.kept[reservation_id].status
        return Reservation(
            reservation_id=reservation_id, order_id=reservation_id[:26], status=status
        )

    async def list_categories(self, command: Nothing) -> Categories:
        raise NotImplementedError

    async def list_products(self, command: ListProducts) -> ProductPage:
        raise NotImplementedError

    async def get_product(self, command: ProductById) -> Product:
        raise NotImplementedError

    async def list_snapshots(self, command: ListSnapshots) -> SnapshotPage:
        raise NotImplementedError

    async def import_catalogue(self, command: ImportCatalogue) -> Imported:
        raise NotImplementedError

    async def ping(self, command: Nothing) -> Nothing:
        return command


@dataclass
class Till:
    attempts: dict[str, Attempt] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    closed: bool = False


class FakePayment(Fake):
    """payment-service with PayPay behind it: a code is made at once and lives 300 s."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.tills: dict[str, Till] = {}
        self.pays_before_answer = False

    def till(self, order_id: str) -> Till:
        return self.tills.setdefault(order_id, Till())

    def attempt(self, order_id: str, number: int | None = None) -> Attempt:
        attempts = list(self.till(order_id).attempts.values())
        return attempts[-1] if number is None else attempts[number - 1]

    def live_codes(self, order_id: str) -> int:
        return sum(one.status in LIVE_ATTEMPT for one in self.till(order_id).attempts.values())

    # What happens at PayPay, and the events that payment-service emits then.

    def pay(
        self, order_id: str, number: int | None = None, amount: int | None = None
    ) -> PaymentSucceeded:
        one = self._end(order_id, number, AttemptStatus.SUCCEEDED, provider_status="COMPLETED")
        event_id = payment_event_id(one.merchant_payment_id, "PaymentSucceeded")
        return PaymentSucceeded(**self._common(one, event_id, amount))

    def decline(self, order_id: str, number: int | None = None) -> PaymentFailed:
        one = self._end(order_id, number, AttemptStatus.FAILED, provider_status="FAILED")
        event_id = payment_event_id(one.merchant_payment_id, "PaymentFailed")
        return PaymentFailed(**self._common(one, event_id))

    def expire(self, order_id: str, number: int | None = None) -> PaymentExpired:
        one = self._end(order_id, number, AttemptStatus.EXPIRED)
        event_id = payment_event_id(one.merchant_payment_id, "PaymentExpired")
        return PaymentExpired(**self._common(one, event_id))

    def changed(self, order_id: str, number: int | None = None) -> PaymentAttemptChanged:
        one = self.attempt(order_id, number)
        event_id = payment_event_id(
            one.merchant_payment_id, "PaymentAttemptChanged", str(one.version)
        )
        return PaymentAttemptChanged(
            **self._common(one, event_id), status=one.status, version=one.version
        )

    def complete_refund(self, order_id: str) -> RefundCompleted:
        """Of the newest refund."""
        till = self.till(order_id)
        refund = list(till.refunds.values())[-1]
        done = refund.model_copy(
            update={"status": RefundStatus.COMPLETED, "completed_at": self._now()}
        )
        till.refunds[refund.refund_id] = done
        one = till.attempts[refund.merchant_payment_id]
        event_id = payment_event_id(one.merchant_payment_id, "RefundCompleted", refund.refund_id)
        return RefundCompleted(
            **self._common(one, event_id, refund.amount), refund_id=refund.refund_id
        )

    def _end(
        self, order_id: str, number: int | None, status: AttemptStatus, **more: object
    ) -> Attempt:
        one = self.attempt(order_id, number)
        one = one.model_copy(
            update={
                "status": status,
                "completed_at": self._now(),
                "version": one.version + 1,
                **more,
            }
        )
        self.till(order_id).attempts[one.merchant_payment_id] = one
        return one

    def _common(self, one: Attempt, event_id: str, amount: int | None = None) -> dict[str, Any]:
        return {
            "event_id": event_id,
            "occurred_at": self._now(),
            "order_id": one.order_id,
            "payment_id": one.payment_id,
            "merchant_payment_id": one.merchant_payment_id,
            "provider": one.provider,
            "amount": one.amount if amount is None else amount,
        }

    def _now(self) -> str:
        return wire(self._clock.now_ms())

    # The service.

    async def create_payment(self, command: CreatePayment) -> Attempt:
        return await self._do("create_payment", lambda: self._create(command))

    async def get_payments(self, command: PaymentsOfOrder) -> Payments:
        return await self._do("get_payments", lambda: self._known(command.order_id))

    async def check_payment(self, command: PaymentsOfOrder) -> Payments:
        return await self._do("check_payment", lambda: self._known(command.order_id))

    async def close_payments(self, command: ClosePayments) -> Closed:
        return await self._do("close_payments", lambda: self._close(command))

    async def record_balance_payment(self, command: RecordBalancePayment) -> Attempt:
        return await self._do("record_balance_payment", lambda: self._record(command))

    async def request_refund(self, command: RequestRefund) -> Refund:
        return await self._do("request_refund", lambda: self._refund(command))

    async def receive_webhook(self, command: ReceiveWebhook) -> WebhookReceived:
        raise NotImplementedError

    async def ping(self, command: Nothing) -> Nothing:
        return command

    def _known(self, order_id: str) -> Payments:
        till = self.till(order_id)
        return Payments(
            order_id=order_id,
            closed=till.closed,
            attempts=tuple(till.attempts.values()),
            refunds=tuple(till.refunds.values()),
        )

    def _create(self, command: CreatePayment) -> Attempt:
        till = self.till(command.order_id)
        if command.request_id in till.tokens:
            return till.attempts[till.tokens[command.request_id]]
        if till.closed:
            raise Refused("ORDER_CLOSED")
        if self.live_codes(command.order_id):
            raise Refused("ILLEGAL_STATE", "a live attempt")
        number = len(till.attempts) + 1
        name = f"{command.order_id}-{number}"
        till.tokens[command.request_id] = name
        till.attempts[name] = self._new(command.order_id, number, command.amount)
        if self.pays_before_answer:
            self.pay(command.order_id)
        return till.attempts[name]

    def _new(self, order_id: str, number: int, amount: int) -> Attempt:
        now_ms = self._clock.now_ms()
        return Attempt(
            order_id=order_id,
            merchant_payment_id=f"{order_id}-{number}",
            number=number,
            provider="PayPay",
            status=AttemptStatus.AWAITING,
            provider_status="CREATED",
            payment_id=f"0{number}234567890",
            amount=amount,
            url=f"https://qr.example/{order_id}-{number}",
            deeplink=f"paypay://{order_id}-{number}",
            expires_at=wire(now_ms + 300_000),
            requested_at=wire(now_ms),
            version=2,
        )

    def _close(self, command: ClosePayments) -> Closed:
        till = self.till(command.order_id)
        till.closed = True
        for one in list(till.attempts.values()):
            if one.status in LIVE_ATTEMPT:
                self._end(command.order_id, one.number, AttemptStatus.CANCELLED)
        statuses = [one.status for one in till.attempts.values()]
        if AttemptStatus.SUCCEEDED in statuses:
            return Closed(outcome=CloseOutcome.PAID)
        reasons = {
            AttemptStatus.FAILED: OrderReason.PAYMENT_DECLINED,
            AttemptStatus.EXPIRED: OrderReason.PAYMENT_EXPIRED,
            AttemptStatus.CANCELLED: OrderReason.PAYMENT_EXPIRED,
        }
        reason = reasons.get(statuses[-1]) if statuses else None
        return Closed(outcome=CloseOutcome.CLOSED, reason=reason)

    def _record(self, command: RecordBalancePayment) -> Attempt:
        till = self.till(command.order_id)
        name = f"{command.order_id}-1"
        if name in till.attempts:
            return till.attempts[name]
        if till.closed:
            raise Refused("ORDER_CLOSED")
        till.attempts[name] = Attempt(
            order_id=command.order_id,
            merchant_payment_id=name,
            number=1,
            provider="Balance",
            status=AttemptStatus.SUCCEEDED,
            amount=command.amount,
            requested_at=self._now(),
            completed_at=self._now(),
            version=1,
        )
        return till.attempts[name]

    def _refund(self, command: RequestRefund) -> Refund:
        till = self.till(command.order_id)
        if command.merchant_payment_id not in till.attempts:
            raise NotFound("no such payment")
        if command.refund_id not in till.refunds:
            till.refunds[command.refund_id] = Refund(
                refund_id=command.refund_id,
                order_id=command.order_id,
                merchant_payment_id=command.merchant_payment_id,
                amount=command.amount,
                reason=command.reason,
                status=RefundStatus.REQUESTED,
                requested_at=self._now(),
            )
        return till.refunds[command.refund_id]


class FakeAccount(Fake):
    """One wallet."""

    def __init__(self, balance: int) -> None:
        super().__init__()
        self.balance = balance
        self.holds: dict[str, Hold] = {}
        self.credits: dict[str, int] = {}

    async def hold_balance(self, command: HoldBalance) -> Hold:
        return await self._do("hold_balance", lambda: self._hold(command))

    async def capture_hold(self, command: HoldById) -> Hold:
        return await self._do(
            "capture_hold", lambda: self._to(command.hold_id, HoldStatus.CAPTURED)
        )

    async def release_hold(self, command: HoldById) -> Hold:
        return await self._do("release_hold", lambda: self._release(command.hold_id))

    async def credit_balance(self, command: CreditBalance) -> Credit:
        return await self._do("credit_balance", lambda: self._credit(command))

    def _hold(self, command: HoldBalance) -> Hold:
        known = self.holds.get(command.hold_id)
        if known is not None:
            if known.status is HoldStatus.RELEASED:
                raise Refused("ILLEGAL_STATE", "the hold was released")
            return known
        if self.balance < command.amount:
            raise Refused("INSUFFICIENT_BALANCE", kind=Kind.CONFLICT)
        self.balance -= command.amount
        hold = Hold(hold_id=command.hold_id, status=HoldStatus.HELD, amount=command.amount)
        self.holds[command.hold_id] = hold
        return hold

    def _release(self, hold_id: str) -> Hold:
        known = self.holds.get(hold_id)
        if known is None:
            hold = Hold(hold_id=hold_id, status=HoldStatus.RELEASED, amount=0)
            self.holds[hold_id] = hold
            return hold
        if known.status is HoldStatus.HELD:
            self.balance += known.amount
        return self._to(hold_id, HoldStatus.RELEASED)

    def _to(self, hold_id: str, status: HoldStatus) -> Hold:
        self.holds[hold_id] = self.holds[hold_id].model_copy(update={"status": status})
        return self.holds[hold_id]

    def _credit(self, command: CreditBalance) -> Credit:
        if command.credit_id not in self.credits:
            self.credits[command.credit_id] = command.amount
            self.balance += command.amount
        return Credit(credit_id=command.credit_id, balance=self.balance)

    async def sync_user(self, command: SyncUser) -> User:
        raise NotImplementedError

    async def get_account(self, command: UserById) -> Account:
        raise NotImplementedError

    async def set_profile(self, command: SetProfile) -> Account:
        raise NotImplementedError

    async def set_role(self, command: SetRole) -> User:
        raise NotImplementedError

    async def ping(self, command: Nothing) -> Nothing:
        return command
