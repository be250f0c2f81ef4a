"""What an operator may have done about one order: each safe to repeat, each in the audit trail."""

from __future__ import annotations

from collections.abc import Sequence

from kessai.contracts.moves import AttemptStatus, OrderStatus, RefundStatus, ReservationStatus
from kessai.contracts.order import Remedy, RemedyOrder, RemedyStep
from kessai.contracts.payment import Payments, PaymentService, PaymentsOfOrder
from kessai.contracts.storage import (
    Reservation,
    ReservationById,
    ReservationsOfOrder,
    Restock,
    StorageService,
)
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import NotFound, Refused
from kessai.kernel.telemetry import get_log
from kessai.order.application.journal import Journal
from kessai.order.application.news import SETTLE_SAGA, PaymentNews
from kessai.order.application.ports import Limits, Orders, Refunds, StoppedSagas
from kessai.order.application.purchase import BALANCE_SAGA, CREATE_SAGA
from kessai.order.application.refunding import REFUND_SAGA, Refunding
from kessai.order.application.requests import CANCEL_SAGA
from kessai.order.application.retry import in_transaction
from kessai.order.domain.audit import by_operator
from kessai.order.domain.giving_back import Asked, Taken, may_settle, merged, to_give_back
from kessai.order.domain.order import OPEN_STATUSES, Change, FactKind, Order

_SAGAS = (CREATE_SAGA, BALANCE_SAGA, SETTLE_SAGA, CANCEL_SAGA)
_CAME = frozenset({AttemptStatus.SUCCEEDED, AttemptStatus.REFUNDING, AttemptStatus.REFUNDED})
_ENDED_OTHERWISE = frozenset({OrderStatus.FAILED, OrderStatus.REFUNDED})
_REASON = "REMEDY"
_log = get_log("kessai.order")

Steps = list[RemedyStep]


class Remedies:
    def __init__(
        self,
        db: Db,
        orders: Orders,
        refunds: Refunds,
        journal: Journal,
        refunding: Refunding,
        news: PaymentNews,
        sagas: StoppedSagas,
        payment: PaymentService,
        storage: StorageService,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._db = db
        self._orders = orders
        self._refunds = refunds
        self._journal = journal
        self._refunding = refunding
        self._news = news
        self._sagas = sagas
        self._payment = payment
        self._storage = storage
        self._clock = clock
        self._limits = limits

    async def apply(self, command: RemedyOrder) -> tuple[Order, Steps]:
        """As `OrderService.remedy_order`. Who asked is written down before anything is done."""
        await self._note(command)
        match command.remedy:
            case Remedy.ASK_PROVIDER:
                steps = await self._ask_provider(command)
            case Remedy.REFUND:
                steps = await self._give_back(command)
            case Remedy.RELEASE:
                steps = await self._release(command)
            case Remedy.REDRIVE_SAGA:
                steps = await self._redrive(command)
        _log.info(
            "order.remedied",
            order_id=command.order_id,
            remedy=command.remedy.value,
            actor=command.actor,
            steps=[one.code for one in steps],
        )
        return await self._find(command.order_id), steps

    async def _note(self, command: RemedyOrder) -> None:
        async def body(tx: Tx) -> None:
            order = await self._order(tx, command.order_id)
            told = {"remedy": command.remedy.value, "by": command.actor}
            change = Change.of(order).note(FactKind.ORDER, "REMEDY_ASKED", told, shown=False)
            by = by_operator(command.actor)
            await self._journal.write(tx, change, actor=by, cause=command.reason)

        await in_transaction(self._db, self._limits.write_tries, body)

    async def _ask_provider(self, command: RemedyOrder) -> Steps:
        known = await self._payment.check_payment(PaymentsOfOrder(order_id=command.order_id))
        await self._news.apply_payments(known)
        if not known.attempts:
            return []
        newest = known.attempts[-1]
        code = f"PROVIDER_SAYS_{newest.provider_status or newest.status.value}"
        return [RemedyStep(code=code, subject=newest.merchant_payment_id, amount=newest.amount)]

    async def _give_back(self, command: RemedyOrder) -> Steps:
        known = await self._payment.get_payments(PaymentsOfOrder(order_id=command.order_id))
        # What the order has not heard of yet may already be all that is missing.
        await self._news.apply_payments(known)

        async def body(tx: Tx) -> Steps:
            return await self._start_refunds(tx, command, known)

        return await in_transaction(self._db, self._limits.write_tries, body)

    async def _start_refunds(self, tx: Tx, command: RemedyOrder, known: Payments) -> Steps:
        order = await self._order(tx, command.order_id)
        ours = await self._refunds.of_order(tx, order.order_id)
        await self._end_refused(tx, ours, known)
        taken = _taken(known)
        asked = merged(ours, _asked(known))
        wanted = to_give_back(order, taken, asked, own=command.own)
        if not wanted and any(may_settle(order, one) for one in taken):
            raise _illegal(order, "it is not decided yet whether this money pays the order")
        steps = []
        for refund in wanted:
            order = await self._refunding.start(
                tx, order, refund, actor=by_operator(command.actor), cause=command.reason
            )
            steps.append(
                RemedyStep(
                    code="REFUND_STARTED", subject=refund.merchant_payment_id, amount=refund.amount
                )
            )
        return steps

    async def _end_refused(self, tx: Tx, ours: Sequence[Asked], known: Payments) -> None:
        """The provider's no is told to people as a signal; here it frees the amount."""
        open_ids = {one.refund_id for one in ours if not one.is_refused}
        for refund in known.refunds:
            if refund.status is RefundStatus.REJECTED and refund.refund_id in open_ids:
                now_ms = self._clock.now_ms()
                await self._refunds.end(tx, refund.refund_id, RefundStatus.REJECTED, now_ms)

    async def _release(self, command: RemedyOrder) -> Steps:
        """FAILED, REFUNDED and PAID never become open again, so looking first is safe."""
        order = await self._find(command.order_id)
        if order.status in OPEN_STATUSES:
            raise _illegal(order, "its goods are held for a payment that may still come")
        of_order = ReservationsOfOrder(order_id=order.order_id)
        steps = []
        for one in (await self._storage.list_reservations(of_order)).items:
            if one.status is ReservationStatus.RESERVED:
                by_id = ReservationById(reservation_id=one.reservation_id)
                await self._storage.release_stock(by_id)
                steps.append(RemedyStep(code="RELEASED", subject=one.reservation_id))
            elif one.status is ReservationStatus.CONFIRMED and order.status in _ENDED_OTHERWISE:
                steps += await self._restock(order, one)
        return steps

    async def _restock(self, order: Order, sold: Reservation) -> Steps:
        """Under the id of the refund whose saga brings the goods back, should it come later."""
        async with self._db.read() as tx:
            refunds = await self._refunds.of_order(tx, order.order_id)
        restock_id = _restocking(order, refunds) or f"remedy-{sold.reservation_id}"
        asked = Restock(restock_id=restock_id, reservation_id=sold.reservation_id, reason=_REASON)
        try:
            await self._storage.restock(asked)
        except Refused as refused:
            if refused.code != "ILLEGAL_STATE":
                raise
            # They came back under another id.
            return []
        return [RemedyStep(code="RESTOCKED", subject=sold.reservation_id)]

    async def _redrive(self, command: RemedyOrder) -> Steps:
        async with self._db.read() as tx:
            order = await self._order(tx, command.order_id)
            refunds = await self._refunds.of_order(tx, command.order_id)
        keys = [(machine, order.order_id) for machine in _SAGAS]
        keys += [(REFUND_SAGA, one.refund_id) for one in refunds]
        steps = []
        for saga in await self._sagas.find(keys):
            if await self._sagas.drive(saga, by_operator(command.actor), command.reason):
                code = "SAGA_COMPENSATED" if saga.compensates else "SAGA_FORWARDED"
                steps.append(RemedyStep(code=code, subject=f"{saga.machine}/{saga.instance_id}"))
        return steps

    async def _find(self, order_id: str) -> Order:
        async with self._db.read() as tx:
            return await self._order(tx, order_id)

    async def _order(self, tx: Tx, order_id: str) -> Order:
        order = await self._orders.find(tx, order_id)
        if order is None:
            raise NotFound("no such order")
        return order


def _taken(known: Payments) -> list[Taken]:
    return [
        Taken(one.merchant_payment_id, one.amount) for one in known.attempts if one.status in _CAME
    ]


def _asked(known: Payments) -> list[Asked]:
    return [
        Asked(
            one.refund_id,
            one.merchant_payment_id,
            one.amount,
            is_refused=one.status is RefundStatus.REJECTED,
        )
        for one in known.refunds
    ]


def _restocking(order: Order, refunds: Sequence[Asked]) -> str | None:
    """The refund that made the order's own payment whole again on its way back."""
    asked_yen = 0
    for one in refunds:
        if one.merchant_payment_id == order.paid_attempt:
            asked_yen += one.amount
            if asked_yen >= order.amount:
                return one.refund_id
    return None


def _illegal(order: Order, message: str) -> Refused:
    return Refused("ILLEGAL_STATE", message, facts={"status": order.status.value})
