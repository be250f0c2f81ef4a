"""The steps that sagas call at other services: a no is a value, silence is asked again.

Each method takes the step's context and one map, and answers a map with `refusal` when the callee
said no. A refusal that is not listed proves nothing about the order: it counts as unknown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TypeVar

from pydantic import BaseModel

from kessai.contracts.account import AccountService, CreditBalance, HoldBalance, HoldById
from kessai.contracts.payment import (
    ClosePayments,
    CreatePayment,
    PaymentService,
    RecordBalancePayment,
    RequestRefund,
)
from kessai.contracts.storage import ReservationById, ReserveStock, Restock, StorageService
from kessai.kernel.errors import JsonValue, Refused, Unknown
from kessai.saga.services import StepContext

Json = Mapping[str, JsonValue]
A = TypeVar("A", bound=BaseModel)


class StorageSteps:
    def __init__(self, storage: StorageService) -> None:
        self._storage = storage

    async def reserve(self, _: StepContext, given: Json) -> Json:
        call = self._storage.reserve_stock(ReserveStock.model_validate(given))
        return await _ask(call, "OUT_OF_STOCK", "RESERVATION_RELEASED", "VALIDATION")

    async def confirm(self, _: StepContext, given: Json) -> Json:
        call = self._storage.confirm_stock(ReservationById.model_validate(given))
        return await _ask(call, "RESERVATION_RELEASED", "NOT_FOUND")

    async def release(self, _: StepContext, given: Json) -> Json:
        call = self._storage.release_stock(ReservationById.model_validate(given))
        return await _ask(call, "ILLEGAL_STATE", "RESERVATION_CONFIRMED", "NOT_FOUND")

    async def restock(self, _: StepContext, given: Json) -> Json:
        call = self._storage.restock(Restock.model_validate(given))
        return await _ask(call, "ILLEGAL_STATE", "NOT_FOUND", "RESERVATION_RELEASED")


class PaymentSteps:
    def __init__(self, payment: PaymentService) -> None:
        self._payment = payment

    async def create(self, context: StepContext, given: Json) -> Json:
        """ILLEGAL_STATE (a live attempt that is not this one's) is no refusal: money may move."""
        wanted = given["payment"]
        if not isinstance(wanted, Mapping):
            raise TypeError("the machine gives no payment")
        command = CreatePayment.model_validate({**wanted, "requestId": context.token})
        call = self._payment.create_payment(command)
        return await _ask(call, "PAYMENT_UNAVAILABLE", "ORDER_CLOSED")

    async def close(self, _: StepContext, given: Json) -> Json:
        return await _ask(self._payment.close_payments(ClosePayments.model_validate(given)))

    async def record_balance(self, _: StepContext, given: Json) -> Json:
        command = RecordBalancePayment.model_validate(given)
        return await _ask(self._payment.record_balance_payment(command), "ORDER_CLOSED")

    async def refund(self, _: StepContext, given: Json) -> Json:
        credited = given.get("method") == "BALANCE"
        command = RequestRefund.model_validate({**given, "credited": credited})
        call = self._payment.request_refund(command)
        return await _ask(call, "REFUND_EXCEEDS_CAPTURE", "NOT_FOUND", "ILLEGAL_STATE")


class AccountSteps:
    def __init__(self, account: AccountService) -> None:
        self._account = account

    async def hold(self, _: StepContext, given: Json) -> Json:
        call = self._account.hold_balance(HoldBalance.model_validate(given))
        return await _ask(call, "INSUFFICIENT_BALANCE", "ILLEGAL_STATE", "NOT_FOUND")

    async def capture(self, _: StepContext, given: Json) -> Json:
        return await _ask(self._account.capture_hold(HoldById.model_validate(given)))

    async def release(self, _: StepContext, given: Json) -> Json:
        return await _ask(self._account.release_hold(HoldById.model_validate(given)))

    async def credit(self, _: StepContext, given: Json) -> Json:
        call = self._account.credit_balance(CreditBalance.model_validate(given))
        return await _ask(call, "NOT_FOUND")


async def _ask(call: Awaitable[A], *finals: str) -> Json:
    try:
        answer = await call
    except Refused as refused:
        if refused.code not in finals:
            raise Unknown(refused.code, f"not understood: {refused.message}") from refused
        return {"refusal": refused.code, "facts": dict(refused.facts)}
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True)
