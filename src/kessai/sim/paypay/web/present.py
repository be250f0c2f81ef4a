"""The book in PayPay's words: what is absent is left out, an unpaid code says almost nothing."""

from __future__ import annotations

from urllib.parse import quote

from kessai.contracts.paypay import (
    Capture,
    CaptureList,
    Code,
    CodeItem,
    CreateCode,
    Money,
    PaymentDetails,
    PaymentMethod,
    ProviderStatus,
    ReauthorizeReply,
    RefundList,
    RefundReply,
    Revert,
    RevertReply,
)
from kessai.sim.paypay.domain.book import Payment, Refund, by

# The published addresses are https://<host>/281801 and the code without its dash.
CODE_PATH = "/281801"


def page_url(payment: Payment, base_url: str) -> str:
    return f"{base_url}{CODE_PATH}{payment.code_id.replace('-', '')}"


def code_id_of(tail: str) -> str:
    """Back from the address of the page."""
    return f"{tail[:2]}-{tail[2:]}"


def code_of(payment: Payment, base_url: str) -> Code:
    asked = payment.asked
    url = page_url(payment, base_url)
    return Code(
        code_id=payment.code_id,
        url=url,
        deeplink=f"paypay://payment?link_key={quote(url, safe='')}",
        expiry_date=payment.expires_at_s,
        merchant_payment_id=payment.merchant_payment_id,
        amount=Money(amount=payment.amount_yen),
        order_description=asked.order_description,
        order_items=_echoed_items(asked),
        code_type=asked.code_type,
        store_info=asked.store_info,
        store_id=asked.store_id,
        product_type=asked.product_type,
        terminal_id=asked.terminal_id,
        requested_at=asked.requested_at,
        redirect_url=asked.redirect_url,
        redirect_type=asked.redirect_type,
        is_authorization=asked.is_authorization,
        authorization_expiry=asked.authorization_expiry,
    )


def _echoed_items(asked: CreateCode) -> tuple[CodeItem, ...] | None:
    if asked.order_items is None:
        return None
    return tuple(
        CodeItem(
            name=item.name,
            quantity=item.quantity,
            unit_price=item.unit_price,
            category=item.category,
            product_id=item.product_id,
        )
        for item in asked.order_items
    )


def details_of(payment: Payment, at_ms: int) -> PaymentDetails:
    status = payment.status_at(at_ms)
    if status is ProviderStatus.CREATED:
        return PaymentDetails(status=status, accepted_at=0, requested_at=0)
    asked = payment.asked
    return PaymentDetails(
        payment_id=payment.payment_id,
        status=status,
        accepted_at=_seconds(payment.authorized_at_ms or payment.paid_at_ms) or 0,
        refunds=_refunds_of(payment, at_ms),
        captures=_captures_of(payment, at_ms),
        revert=_revert_of(payment, at_ms),
        merchant_payment_id=payment.merchant_payment_id,
        amount=Money(amount=payment.held_yen(at_ms)),
        requested_at=asked.requested_at or payment.created_at_ms // 1000,
        expires_at=_seconds(payment.authorized_until_ms),
        canceled_at=_canceled_at(payment, status),
        store_id=asked.store_id,
        terminal_id=asked.terminal_id,
        order_description=asked.order_description,
        order_items=[
            item.model_dump(mode="json", by_alias=True, exclude_none=True)
            for item in asked.order_items
        ]
        if asked.order_items
        else None,
        payment_methods=None if payment.declined_at_ms else _methods_of(payment, at_ms),
    )


def _methods_of(payment: Payment, at_ms: int) -> tuple[PaymentMethod, ...]:
    is_paid = by(payment.paid_at_ms, at_ms)
    amount = payment.captured_yen if is_paid else payment.held_yen(at_ms)
    return (PaymentMethod(amount=Money(amount=amount), type="WALLET"),)


def _captures_of(payment: Payment, at_ms: int) -> CaptureList | None:
    """The capture, or what the customer is asked for; what was refused is told to nobody."""
    known = [
        Capture(
            status="COMPLETED" if by(taking.taken_at_ms, at_ms) else "USER_REQUESTED",
            accepted_at=(taking.taken_at_ms or taking.asked_at_ms) // 1000,
            merchant_capture_id=taking.merchant_capture_id,
            amount=Money(amount=taking.amount_yen),
            order_description=taking.description,
            requested_at=taking.requested_at_s,
            expires_at=_seconds(taking.ask.until_ms) if taking.ask else None,
        )
        for taking in payment.takings
        if taking.asked_at_ms <= at_ms
        and (taking.taken_at_ms is not None or payment.open_ask(at_ms) is taking)
    ]
    return CaptureList(data=tuple(known)) if known else None


def _revert_of(payment: Payment, at_ms: int) -> Revert | None:
    done = payment.reverted
    if done is None or done.at_ms > at_ms:
        return None
    return Revert(
        accepted_at=done.at_ms // 1000,
        merchant_revert_id=done.merchant_revert_id,
        requested_at=done.requested_at_s,
        reason=done.reason,
    )


def reverted_of(payment: Payment) -> RevertReply:
    done = payment.reverted
    assert done is not None
    return RevertReply(
        status=ProviderStatus.CANCELED,
        accepted_at=done.at_ms // 1000,
        payment_id=payment.payment_id or "",
        requested_at=done.requested_at_s,
        reason=done.reason,
    )


def reauthorized_of(payment: Payment, base_url: str) -> ReauthorizeReply:
    """The amount as it is now; while the customer is asked, where and until when."""
    hold = payment.holds[-1]
    if hold.since_ms is None and hold.ask is not None:
        until_s = hold.ask.until_ms // 1000
        return ReauthorizeReply(expires_at=until_s, url=page_url(payment, base_url))
    amount = Money(amount=hold.amount_yen)
    return ReauthorizeReply(
        request_id=hold.request_id,
        payment_id=payment.payment_id,
        updated_amount=amount,
        requested_at=hold.requested_at_s or hold.asked_at_ms // 1000,
        accepted_at=hold.asked_at_ms // 1000,
        expires_at=(payment.authorized_until_ms or 0) // 1000,
        payment_methods=(PaymentMethod(amount=amount, type="WALLET"),),
    )


def refund_of(payment: Payment, refund: Refund, at_ms: int) -> RefundReply:
    return RefundReply(
        status=refund.state_at(at_ms),
        accepted_at=refund.asked_at_ms // 1000,
        merchant_refund_id=refund.merchant_refund_id,
        payment_id=payment.payment_id or "",
        amount=Money(amount=refund.amount_yen),
        requested_at=refund.requested_at_s,
        reason=refund.reason,
    )


def _refunds_of(payment: Payment, at_ms: int) -> RefundList | None:
    known = [refund for refund in payment.refunds if refund.asked_at_ms <= at_ms]
    if not known:
        return None
    return RefundList(data=tuple(refund_of(payment, refund, at_ms) for refund in known))


def _canceled_at(payment: Payment, status: ProviderStatus) -> int | None:
    """The time of FAILED, as the documents say."""
    if status is not ProviderStatus.FAILED:
        return None
    return _seconds(payment.declined_at_ms or payment.reversed_at_ms)


def _seconds(at_ms: int | None) -> int | None:
    return None if at_ms is None else at_ms // 1000
