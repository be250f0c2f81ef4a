"""The remote control under `/sim`: pay, decline, expire; the book; faults; what happened."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import JsonValue, TypeAdapter

from kessai.contracts.paypay import ProviderStatus
from kessai.contracts.wire import Wire
from kessai.kernel.clock import Clock, wire
from kessai.kernel.errors import Kind, NotFound, Refused
from kessai.sim.paypay.application.control import Control
from kessai.sim.paypay.application.faults import FaultBox
from kessai.sim.paypay.domain.book import Payment, Refund, by
from kessai.sim.paypay.domain.ledger import Entry, ledger_of
from kessai.sim.paypay.web.present import page_url

MAX_EVENTS: Final = 500
MAX_PAGE: Final = 1000


class RefundRow(Wire):
    merchant_refund_id: str
    amount: int
    status: str
    at: str
    reason: str | None


class PaymentRow(Wire):
    """`url` is null once the code was deleted. `asked`: what the customer is to agree to."""

    merchant_payment_id: str
    payment_id: str | None
    status: str
    amount: int
    code_id: str
    url: str | None
    expires_at: str
    paid_at: str | None
    authorized_until: str | None
    captured: int
    asked: int | None
    refunds: tuple[RefundRow, ...]


_BOOK: Final = TypeAdapter(list[PaymentRow])


class EntryRow(Wire):
    merchant_payment_id: str
    payment_id: str
    reference: str
    amount: int
    at: str
    status: str


class Totals(Wire):
    """`net` is what the merchant keeps: captured less reversed less refunded."""

    captured: int
    reversed: int
    refunded: int
    net: int
    payments: int


class LedgerPage(Wire):
    captures: tuple[EntryRow, ...]
    reversals: tuple[EntryRow, ...]
    refunds: tuple[EntryRow, ...]
    totals: Totals
    wallet_balance: int


class HappeningRow(Wire):
    sequence: int
    at: str
    kind: str
    merchant_payment_id: str
    detail: str


class Resent(Wire):
    webhook_id: str
    merchant_payment_id: str
    state: str


async def same_site(request: Request) -> None:
    """Keeps other people's pages from pressing our buttons."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise Refused("FORBIDDEN_ORIGIN", "from another site", kind=Kind.FORBIDDEN)


def control_routes(control: Control, clock: Clock, *, base_url: str) -> APIRouter:
    router = APIRouter(prefix="/sim", dependencies=[Depends(same_site)], tags=["simulator"])
    _payment_routes(router, control, clock, base_url)
    _fault_routes(router, control.faults)
    _other_routes(router, control)
    return router


def _payment_routes(router: APIRouter, control: Control, clock: Clock, base_url: str) -> None:
    customer = control.customer

    def row(payment: Payment) -> PaymentRow:
        return _row(payment, clock.now_ms(), base_url)

    @router.post("/payments/{merchant_payment_id}/pay")
    async def pay(merchant_payment_id: str) -> PaymentRow:
        return row(await customer.pay(merchant_payment_id, by="api"))

    @router.post("/payments/{merchant_payment_id}/decline")
    async def decline(merchant_payment_id: str) -> PaymentRow:
        return row(await customer.decline(merchant_payment_id))

    @router.post("/payments/{merchant_payment_id}/expire")
    async def expire(merchant_payment_id: str) -> PaymentRow:
        return row(await customer.expire(merchant_payment_id))

    @router.post("/payments/{merchant_payment_id}/agree")
    async def agree(merchant_payment_id: str) -> PaymentRow:
        return row(await customer.answer(merchant_payment_id, agrees=True))

    @router.post("/payments/{merchant_payment_id}/refuse")
    async def refuse(merchant_payment_id: str) -> PaymentRow:
        return row(await customer.answer(merchant_payment_id, agrees=False))

    @router.post("/payments/{merchant_payment_id}/shorten")
    async def shorten(
        merchant_payment_id: str, left_ms: Annotated[int, Query(ge=0, alias="leftMs")]
    ) -> PaymentRow:
        return row(await customer.shorten(merchant_payment_id, left_ms))

    @router.get("/payments")
    async def payments(status: ProviderStatus | None = None) -> list[PaymentRow]:
        """In the order in which they were made."""
        rows = [row(payment) for payment in control.book]
        return [found for found in rows if status in (None, found.status)]

    @router.get("/book", response_model=list[PaymentRow])
    async def book(
        after: str = "",
        below: str = "\U0010ffff",
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
    ) -> Response:
        """By merchantPaymentId, both ends left out: ask again `after` the last one."""
        rows = [row(payment) for payment in control.book.between(after, below, limit)]
        # A verify reads all of it: FastAPI would check each row once more, for most of the time.
        return Response(_BOOK.dump_json(rows, by_alias=True), media_type="application/json")

    @router.get("/payments/{merchant_payment_id}")
    async def payment(merchant_payment_id: str) -> PaymentRow:
        found = control.book.get(merchant_payment_id)
        if found is None:
            raise NotFound(f"no payment {merchant_payment_id!r}")
        return row(found)

    @router.get("/ledger")
    async def ledger() -> LedgerPage:
        found = ledger_of(control.book, now_ms=clock.now_ms())
        return LedgerPage(
            captures=_entries(found.captures),
            reversals=_entries(found.reversals),
            refunds=_entries(found.refunds),
            totals=Totals(
                captured=found.captured_yen,
                reversed=found.reversed_yen,
                refunded=found.refunded_yen,
                net=found.net_yen,
                payments=sum(1 for _ in control.book),
            ),
            wallet_balance=customer.balance_yen(),
        )


def _fault_routes(router: APIRouter, faults: FaultBox) -> None:
    @router.get("/faults")
    async def get_faults() -> dict[str, JsonValue]:
        return _faults_page(faults)

    @router.put("/faults")
    async def put_faults(patch: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Merges; what is absent stays, null means the default."""
        await faults.change(patch)
        return _faults_page(faults)


def _other_routes(router: APIRouter, control: Control) -> None:
    @router.post("/webhooks/{webhook_id}/resend", status_code=202)
    async def resend(webhook_id: str) -> Resent:
        """`<merchantPaymentId>.COMPLETED` or `.FAILED`; the events name them."""
        letter = control.webhooks.resend(webhook_id)
        return Resent(
            webhook_id=letter.id, merchant_payment_id=letter.merchant_payment_id, state=letter.state
        )

    @router.post("/reset")
    async def reset() -> dict[str, JsonValue]:
        """Book, faults, counters and events as on the first day."""
        await control.reset()
        return _faults_page(control.faults)

    @router.get("/events")
    async def events(
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_EVENTS)] = 100,
    ) -> list[HappeningRow]:
        """The newest, oldest first; ask again with the last `sequence` as `after`."""
        return [
            HappeningRow(
                sequence=found.sequence,
                at=wire(found.at_ms),
                kind=found.kind,
                merchant_payment_id=found.merchant_payment_id,
                detail=found.detail,
            )
            for found in control.happenings.after(after, limit)
        ]


def _faults_page(faults: FaultBox) -> dict[str, JsonValue]:
    page: dict[str, JsonValue] = faults.faults.model_dump(mode="json", by_alias=True)
    parts: dict[str, dict[str, int]] = {"webhooks": {}, "settlement": {}}
    api: dict[str, dict[str, int]] = {}
    answers: dict[str, dict[str, int]] = {}
    silences = {"blackout": 0, "flapping": 0}
    for fired in faults.fired():
        of_answers, _, operation = fired.place.partition(":")
        if fired.place in parts:
            parts[fired.place][fired.fault] = fired.times
        elif fired.place in silences:
            silences[fired.place] += fired.times
        elif operation:
            answers.setdefault(operation, {})[fired.fault] = fired.times
        else:
            api.setdefault(of_answers, {})[fired.fault] = fired.times
    told: dict[str, Any] = {**parts, "api": api, "answers": answers, **silences}
    page["fired"] = told
    return page


def _row(payment: Payment, now_ms: int, base_url: str) -> PaymentRow:
    wish = payment.open_ask(now_ms)
    return PaymentRow(
        merchant_payment_id=payment.merchant_payment_id,
        payment_id=payment.payment_id,
        status=payment.status_at(now_ms),
        amount=payment.amount_yen,
        code_id=payment.code_id,
        url=None if payment.deleted_at_ms else page_url(payment, base_url),
        expires_at=wire(payment.expires_at_s * 1000),
        paid_at=_wire(payment.paid_at_ms),
        authorized_until=_wire(payment.authorized_until_ms),
        captured=payment.captured_yen if by(payment.paid_at_ms, now_ms) else 0,
        asked=wish.amount_yen if wish else None,
        refunds=tuple(_refund_row(refund, now_ms) for refund in payment.refunds),
    )


def _wire(at_ms: int | None) -> str | None:
    return None if at_ms is None else wire(at_ms)


def _refund_row(refund: Refund, now_ms: int) -> RefundRow:
    return RefundRow(
        merchant_refund_id=refund.merchant_refund_id,
        amount=refund.amount_yen,
        status=refund.state_at(now_ms),
        at=wire(refund.asked_at_ms),
        reason=refund.reason,
    )


def _entries(entries: tuple[Entry, ...]) -> tuple[EntryRow, ...]:
    return tuple(
        EntryRow(
            merchant_payment_id=entry.merchant_payment_id,
            payment_id=entry.payment_id,
            reference=entry.reference,
            amount=entry.amount_yen,
            at=wire(entry.at_ms),
            status=entry.state,
        )
        for entry in entries
    )
