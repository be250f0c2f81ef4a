"""The rows that verify reads, by the columns that it needs; each has the names of its table."""

from __future__ import annotations

from typing import NamedTuple


class OrderRow(NamedTuple):
    order_id: str
    user_id: str
    method: str
    amount: int
    items: str
    created_at_ms: int
    hold_until_ms: int
    status: str
    reason: str | None
    decision: str
    closing: str
    version: int
    view_version: int
    updated_at_ms: int
    attempt_number: int
    payment_status: str | None
    payment_id: str | None
    paid_attempt: str | None
    paid_at_ms: int | None
    reservation_id: str
    refunded_amount: int
    refund_amount: int | None
    refund_status: str | None
    audit_sequence: int
    audit_hash: str


class AuditRow(NamedTuple):
    order_id: str
    sequence: int
    at_ms: int
    actor: str
    action: str
    from_status: str | None
    to_status: str | None
    cause: str
    details: str
    previous_hash: str
    hash: str


class WantedRow(NamedTuple):
    """A refund as order-service wants it."""

    refund_id: str
    order_id: str
    merchant_payment_id: str
    amount: int
    reason: str
    status: str
    requested_at_ms: int


class AttemptRow(NamedTuple):
    id: str
    order_id: str
    number: int
    provider: str
    status: str
    amount_yen: int
    requested_at_ms: int
    hold_until_ms: int
    payment_id: str | None
    captured_yen: int
    code_id: str | None
    expires_at_ms: int | None
    completed_at_ms: int | None
    ended_at_ms: int | None
    closing_at_ms: int | None
    lost: int
    error_code: str | None


class EvidenceRow(NamedTuple):
    attempt_id: str
    digest: str
    source: str
    word: str
    payment_id: str | None
    amount_yen: int | None
    currency: str | None
    accepted_at_ms: int | None
    canceled_at_ms: int | None
    first_observed_ms: int
    observed_at_ms: int


class ClosedRow(NamedTuple):
    """Whether an order may still have a further code."""

    order_id: str
    closed: int
    closed_reason: str | None


class RefundRow(NamedTuple):
    """A refund as payment-service executes it."""

    id: str
    order_id: str
    merchant_payment_id: str
    payment_id: str | None
    provider: str
    amount_yen: int
    reason: str
    status: str
    requested_at_ms: int
    completed_at_ms: int | None


class LedgerRow(NamedTuple):
    id: str
    order_id: str
    merchant_payment_id: str
    kind: str
    debit_account: str
    credit_account: str
    amount_yen: int
    at_ms: int
    refund_id: str | None
    value_at_ms: int | None


class ReservationRow(NamedTuple):
    reservation_id: str
    order_id: str | None
    status: str
    lines: str
    created_at_ms: int
    ended_at_ms: int | None


class RestockRow(NamedTuple):
    restock_id: str
    reservation_id: str
    reason: str
    at_ms: int


class MovementRow(NamedTuple):
    """A row of the stock ledger."""

    id: int
    product_id: int
    kind: str
    cause_id: str
    available_delta: int
    reserved_delta: int
    sold_delta: int
    at_ms: int


class HoldRow(NamedTuple):
    hold_id: str
    user_id: str | None
    order_id: str | None
    amount: int
    status: str
    created_at_ms: int
    ended_at_ms: int | None


class PaidBackRow(NamedTuple):
    """A refund in the provider's book."""

    merchant_refund_id: str
    amount: int
    status: str


class ProviderRow(NamedTuple):
    """A payment in the provider's book. `is_offered`: its code was not deleted."""

    merchant_payment_id: str
    payment_id: str | None
    status: str
    amount: int
    captured: int
    is_offered: bool
    expires_at_ms: int
    paid_at_ms: int | None
    refunds: tuple[PaidBackRow, ...]


class KeyRow(NamedTuple):
    """An idempotency key, and whose order it names, None where there is none."""

    scope: str
    request_key: str
    state: str
    subject_id: str
    status_code: int | None
    created_at_ms: int
    user_id: str | None


class CartRow(NamedTuple):
    """A cart that was bought without a key, and whose order it names."""

    cart_id: str
    order_id: str
    user_id: str | None


class StockRow(NamedTuple):
    product_id: int
    on_hand: int
    available: int
    reserved: int
    sold: int


class WebhookRow(NamedTuple):
    id: str
    merchant_payment_id: str
    word: str
    status: str
    reason: str | None
    tries: int
    received_at_ms: int


class SettlementRow(NamedTuple):
    """A report on the provider's file of a day."""

    id: str
    day: str
    file_rows: int
    matched: int
    missing_here: int
    missing_there: int
    differing: int
    duplicates: int
    broken: int
    ended_at_ms: int


class WalletRow(NamedTuple):
    user_id: str
    available: int
    held: int


class SagaRow(NamedTuple):
    id: str
    name: str
    business_key: str | None
    status: str
    compensation: str | None
    running: int
    due_at: int | None
    needs_operator: int
    started_at: int
    ended_at: int | None
