"""What the use cases need from outside: the provider, the books, the events."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from kessai.contracts.events import PaymentEvent, Signal
from kessai.contracts.payment import PaymentItem
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import Refused
from kessai.kernel.leases import Due
from kessai.payment.domain.attempt import PaymentAttempt, Rules
from kessai.payment.domain.evidence import Evidence, Word
from kessai.payment.domain.refund import RefundOrder

NOT_SENT = "NOT_SENT"
# A refund that may be asked for again in a minute.
THROTTLED = "THROTTLED"
# The customer has hours to agree to a capture.
USER_CONFIRMATION_REQUIRED = "USER_CONFIRMATION_REQUIRED"


class CodeExists(Refused):
    """The provider made a code under this id before and does not show it again."""

    def __init__(self) -> None:
        super().__init__("CODE_EXISTS")


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """`authorize`: the customer only authorises; the money comes with a capture."""

    merchant_payment_id: str
    amount_yen: int
    description: str
    items: tuple[PaymentItem, ...]
    redirect_url: str
    user_agent: str | None
    requested_at_ms: int
    authorize: bool = False
    authorize_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Code:
    code_id: str
    url: str
    deeplink: str | None
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a look-up showed; `word` is NOT_FOUND where the provider knows of no payment.

    `amount_yen` is what was captured, while nothing is captured what was asked for. `expires_at_ms`
    is the end of an authorisation, `capture_waits` a capture that the customer has to confirm.
    """

    word: str
    payment_id: str | None = None
    amount_yen: int | None = None
    currency: str | None = None
    accepted_at_ms: int | None = None
    canceled_at_ms: int | None = None
    expires_at_ms: int | None = None
    capture_waits: bool = False


@dataclass(frozen=True, slots=True)
class RefundRequest:
    refund_id: str
    payment_id: str
    amount_yen: int
    reason: str
    requested_at_ms: int


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """`capture_id` is of this one try: after an unknown answer another try has another one."""

    capture_id: str
    merchant_payment_id: str
    amount_yen: int
    description: str
    requested_at_ms: int


@dataclass(frozen=True, slots=True)
class RevertRequest:
    revert_id: str
    payment_id: str
    reason: str
    requested_at_ms: int


class Provider(Protocol):
    """Every operation ends in a value, `Refused` (a clear no, nothing done) or `Unknown`.

    `Unknown` with the code NOT_SENT means that the request certainly did not leave. What is asked
    about a payment that the provider does not know is `Unknown` as well: we hold a proof of it.
    """

    async def create_code(self, request: CodeRequest) -> Code:
        """Raises `CodeExists` when the id was used before and the code is not shown again."""
        ...

    async def delete_code(self, code_id: str) -> Word:
        """CODE_DELETED, CODE_UNKNOWN, ALREADY_PAID or CODE_REFUSED."""
        ...

    async def get_payment(self, merchant_payment_id: str, *, urgent: bool = False) -> Sighting:
        """Of a code, paid or not.

        `urgent`: money was announced or a customer asks, so it goes before routine look-ups.
        """
        ...

    async def get_direct_payment(self, merchant_payment_id: str) -> Sighting:
        """Of a payment as such: an unpaid code is NOT_FOUND here. The shop only needs codes."""
        ...

    async def cancel_payment(self, merchant_payment_id: str, *, leaves_by_ms: int) -> Word:
        """CANCEL_ACCEPTED (it takes effect later), CANCEL_REFUSED (there is nothing to cancel),
        or CANCEL_TOO_LATE (there is a payment, and only a refund brings its money back).

        What could not leave by then, since the process stood still, is not sent any more.
        """
        ...

    async def capture(self, request: CaptureRequest) -> Sighting:
        """Takes what was authorised, or less. `Unknown` USER_CONFIRMATION_REQUIRED: not yet."""
        ...

    async def revert(self, request: RevertRequest) -> None:
        """Gives an authorisation up; afterwards the payment is CANCELED."""
        ...

    async def refund(self, request: RefundRequest) -> bool:
        """True: the money is back. False: accepted. The same refund id is the same refund.

        Raises `Refused` THROTTLED when it may be asked again in a minute.
        """
        ...

    async def get_refund(self, refund_id: str, payment_id: str) -> bool | None:
        """As `refund`; None when the provider knows no such refund."""
        ...


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    order_id: str
    closed: bool


class Orders(Protocol):
    async def open(self, tx: Tx, order_id: str, now_ms: int) -> bool:
        """True when this made the row: then the order has no attempt."""
        ...

    async def get(self, tx: Tx, order_id: str) -> PaymentOrder | None:
        """Locks the row, so that one request at a time decides about the order's attempts."""
        ...

    async def close(self, tx: Tx, order_id: str, reason: str, now_ms: int) -> None: ...

    async def is_closed(self, tx: Tx, order_id: str) -> bool: ...


class Attempts(Protocol):
    async def exists(self, tx: Tx, attempt_id: str) -> bool: ...

    async def get(self, tx: Tx, attempt_id: str) -> PaymentAttempt | None: ...

    async def of_order(self, tx: Tx, order_id: str) -> list[PaymentAttempt]: ...

    async def add(
        self,
        tx: Tx,
        attempt: PaymentAttempt,
        *,
        due_ms: int | None,
        lease_until_ms: int = 0,
    ) -> None: ...

    async def save(self, tx: Tx, attempt: PaymentAttempt, *, due_ms: int | None) -> None:
        """Expects the row at the version before. Raises `VersionConflict`."""
        ...

    async def take(self, tx: Tx, attempt: PaymentAttempt, *, now_ms: int, until_ms: int) -> bool:
        """The right to ask for the code; False while another process may still be asking."""
        ...

    async def give_back(self, tx: Tx, attempt_id: str, *, due_ms: int | None) -> None:
        """Ends what `add` or `take` began."""
        ...

    async def record_code(self, tx: Tx, attempt: PaymentAttempt, *, due_ms: int) -> None:
        """`save` and `give_back` at once, of what a create answer changes."""
        ...

    async def hurry(self, tx: Tx, attempt_id: str, *, now_ms: int, due_ms: int) -> None:
        """Somebody asked: looked at again by `due_ms`, ahead of what is only watched."""
        ...

    async def slow_down(self, tx: Tx, attempt_id: str) -> None:
        """Only watched from now on. Every `save` is news and ends that."""
        ...


class EvidenceBook(Protocol):
    async def add(self, tx: Tx, attempt_id: str, evidence: Evidence) -> None:
        """A repeat is the same row with another count and time."""
        ...

    async def of(self, tx: Tx, attempt_id: str) -> list[Evidence]: ...


@dataclass(frozen=True, slots=True)
class Webhook:
    """A delivery as it was stored; `id` is the digest of its fields."""

    id: str
    merchant_payment_id: str
    payment_id: str | None
    word: str
    amount_yen: int | None
    body: bytes
    source: str
    received_at_ms: int
    parked: str | None = None
    tries: int = 0


class WebhookInbox(Protocol):
    async def add(self, tx: Tx, webhook: Webhook) -> bool:
        """False for a repeat, which is only counted."""
        ...

    def read(self, due: Due) -> Webhook: ...

    async def tried(self, tx: Tx, webhook_id: str) -> None: ...

    async def done(self, tx: Tx, webhook_id: str, reason: str) -> None: ...

    async def forget(self, tx: Tx, before_ms: int, *, limit: int) -> int:
        """Deletes about `limit` of the oldest that came last before then and were dealt with."""
        ...


class Refunds(Protocol):
    async def get(self, tx: Tx, refund_id: str) -> RefundOrder | None: ...

    async def of_order(self, tx: Tx, order_id: str) -> list[RefundOrder]: ...

    async def of_attempt(self, tx: Tx, attempt_id: str) -> list[RefundOrder]: ...

    async def add(self, tx: Tx, refund: RefundOrder, *, due_ms: int | None) -> None:
        """Raises `Duplicate` for an id that another transaction has added."""
        ...

    async def save(self, tx: Tx, refund: RefundOrder) -> None:
        """Expects the row at the version before. Raises `VersionConflict`."""
        ...

    async def tried(self, tx: Tx, refund_id: str) -> None: ...


class Ledger(Protocol):
    """Double entry by shape: one amount, one account that gives, one that takes."""

    async def capture(
        self, tx: Tx, attempt: PaymentAttempt, amount_yen: int, at_ms: int
    ) -> None: ...

    async def gone_back(
        self, tx: Tx, attempt: PaymentAttempt, amount_yen: int, at_ms: int
    ) -> None: ...

    async def refund(self, tx: Tx, refund: RefundOrder, at_ms: int) -> None: ...


class Events(Protocol):
    """Leave with the transaction by the outbox."""

    async def tell(self, tx: Tx, event: PaymentEvent) -> None: ...

    async def signal(self, tx: Tx, signal: Signal) -> None: ...


class Work(Protocol):
    """Due-time rows of one table, each worked on by one process (see `kernel.leases`)."""

    async def claim_due(
        self, tx: Tx, *, owner: str, lease_ms: int, now_ms: int, limit: int
    ) -> list[Due]: ...

    async def finish(self, tx: Tx, due: Due, *, next_ms: int | None) -> None: ...

    async def soonest(self, tx: Tx, until_ms: int) -> int | None:
        """When the next row up to then is due and not leased; None without one."""
        ...


class Background(Protocol):
    """Runs a call to its end, whoever gave up on it (`kernel.supervisor.Supervisor`)."""

    def spawn(self, name: str, once: Coroutine[Any, Any, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Books:
    """All that the use cases share; built once in `main`."""

    db: Db
    clock: Clock
    rules: Rules
    owner: str
    orders: Orders
    attempts: Attempts
    evidence: EvidenceBook
    webhooks: WebhookInbox
    refunds: Refunds
    ledger: Ledger
    events: Events
    visits: Work
    webhook_work: Work
    refund_work: Work
