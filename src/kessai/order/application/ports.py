"""What the use cases need from outside: tables, the audit trail, sagas, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kessai.contracts.moves import OrderStatus
from kessai.contracts.order import AuditEntry, PromiseReport
from kessai.kernel.db import Tx
from kessai.kernel.errors import JsonValue, KessaiError
from kessai.order.domain.giving_back import Asked
from kessai.order.domain.order import Order, Policy
from kessai.order.domain.promise import Count, Open, Sample


@dataclass(frozen=True, slots=True)
class Limits:
    """Durations in their named unit; counts are rows of one round."""

    policy: Policy
    purchase_answer_s: float = 8.0
    fallback_after_ms: int = 20_000
    fallback_every_s: float = 5.0
    deadline_every_s: float = 0.5
    # Without a key, the same cart of the same session gets the same order for so long.
    same_cart_ms: int = 5_000
    # A key is in flight only while its saga has moved within this time.
    in_flight_ms: int = 60_000
    rows_per_round: int = 200
    write_tries: int = 5
    keep_keys_ms: int = 24 * 3600 * 1000
    purge_every_s: float = 600.0
    promise_every_s: float = 5.0
    promise_fresh_s: float = 2.0
    promise_samples_per_round: int = 500
    promise_keep_ms: int = 14 * 24 * 3600 * 1000
    # Entries of the audit trail for which no event came are looked for.
    archive_look_s: float = 10.0
    archive_late_ms: int = 30_000


class Orders(Protocol):
    """The table of orders. `save` raises `VersionConflict` when the row moved on."""

    async def add(self, tx: Tx, order: Order) -> None: ...

    async def find(self, tx: Tx, order_id: str) -> Order | None: ...

    async def save(self, tx: Tx, before: Order, after: Order) -> None: ...

    async def page(
        self, tx: Tx, user_id: str, status: OrderStatus | None, before_id: str, limit: int
    ) -> Sequence[Order]:
        """Newest first, those with an id below `before_id`."""
        ...

    async def overdue(self, tx: Tx, now_ms: int, limit: int) -> Sequence[str]:
        """Open orders past their deadline that nobody is closing, the longest overdue first."""
        ...

    async def silent(self, tx: Tx, before_ms: int, limit: int) -> Sequence[str]:
        """Open orders without news since then, the longest silent first."""
        ...

    async def asked(self, tx: Tx, order_id: str, now_ms: int) -> None:
        """The fallback asked about this order: it goes to the end of the queue."""
        ...


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund that this service wants; payment-service executes it."""

    refund_id: str
    order_id: str
    merchant_payment_id: str
    amount: int
    reason: str
    requested_at_ms: int


class Refunds(Protocol):
    async def add(self, tx: Tx, refund: Refund) -> bool:
        """False when this very refund was wanted before."""
        ...

    async def end(self, tx: Tx, refund_id: str, status: str, now_ms: int) -> None: ...

    async def find(self, tx: Tx, refund_id: str) -> Refund | None: ...

    async def of_order(self, tx: Tx, order_id: str) -> Sequence[Asked]:
        """All that were ever wanted, the oldest first."""
        ...

    async def asked_yen(self, tx: Tx, order_id: str, merchant_payment_id: str) -> int:
        """Wanted back of this payment so far, without what was refused."""
        ...

    async def silent(self, tx: Tx, before_ms: int, limit: int) -> Sequence[str]:
        """Orders with a refund that is under way and without news since then."""
        ...

    async def asked(self, tx: Tx, order_id: str, now_ms: int) -> None: ...


class Carts(Protocol):
    async def take(
        self, tx: Tx, cart_id: str, order_id: str, now_ms: int, same_cart_ms: int
    ) -> str:
        """`order_id`, or the cart's earlier order while that is young or still PENDING."""
        ...


class AuditTrail(Protocol):
    """Append-only and hash-chained, in the transaction of the change itself.

    Where there is an archive, rows wait here until it has them.
    """

    async def append(self, tx: Tx, entries: Sequence[AuditEntry]) -> None: ...

    async def read(self, tx: Tx, order_id: str) -> Sequence[AuditEntry]: ...

    async def waiting(self, tx: Tx, before_ms: int, after: str, limit: int) -> Sequence[str]:
        """Orders behind `after` with rows of that time or older, by their ids."""
        ...

    async def count(self, tx: Tx) -> int: ...

    async def forget(self, tx: Tx, order_id: str, until: int) -> None:
        """Up to that sequence, since the archive has them."""
        ...

    async def is_elsewhere(self, tx: Tx) -> bool:
        """Whether the first order's trail does not begin here: it was moved to an archive."""
        ...


class AuditRefused(KessaiError):
    """The archive has another entry in this one's place, or a rule of its own against it."""


class AuditArchive(Protocol):
    """The trail on a server of its own. Raises `Unknown("AUDIT_UNAVAILABLE")` when it is down."""

    async def keep(self, entries: Sequence[AuditEntry]) -> None:
        """Of one order. Durable when it returns; what is there already stays as it is.

        Raises `AuditRefused`.
        """
        ...

    async def read(self, order_id: str) -> Sequence[AuditEntry]: ...

    async def close(self) -> None: ...


class ArchiveBoard(Protocol):
    def waiting(self, entries: int) -> None: ...


class Samples(Protocol):
    """Payments that came to their end, and the counts that they become."""

    async def add(self, tx: Tx, sample: Sample) -> None: ...

    async def waiting(self, tx: Tx, limit: int) -> Sequence[Sample]:
        """Samples that nobody has counted."""
        ...

    async def count(self, tx: Tx, samples: Sequence[Sample]) -> Sequence[Sample]:
        """Those of the samples that this transaction counts, and no other one."""
        ...

    async def ended(self, tx: Tx, from_minute: int) -> Sequence[Count]:
        """Sums of what ended in that minute and later."""
        ...

    async def open(self, tx: Tx, now_ms: int, late_before_ms: int) -> Sequence[Open]: ...

    async def purge(self, tx: Tx, before_minute: int) -> int:
        """Forgets some of the oldest counts; returns how many rows."""
        ...


class Board(Protocol):
    """Where the figures are shown to machines."""

    def ended(self, samples: Sequence[Sample]) -> None: ...

    def show(self, report: PromiseReport) -> None: ...


class Sagas(Protocol):
    """The part of `kessai.saga`'s engine that use cases need."""

    async def start_once(
        self, tx: Tx, machine_name: str, business_key: str, params: Mapping[str, JsonValue]
    ) -> str: ...

    async def find(self, machine_name: str, business_key: str) -> str | None: ...

    async def wait(self, instance_id: str, timeout_s: float) -> object:
        """None when the time was up first."""
        ...


@dataclass(frozen=True, slots=True)
class Stopped:
    """A saga that nobody drives, as `version` of its history says."""

    instance_id: str
    machine: str
    version: int
    compensates: bool


class StoppedSagas(Protocol):
    async def find(self, keys: Sequence[tuple[str, str]]) -> Sequence[Stopped]:
        """Of these machines and business keys, those that wait for a person or for later."""
        ...

    async def drive(self, stopped: Stopped, actor: str, reason: str) -> bool:
        """Forward, or on with its compensation. False when it moves already.

        Raises `Refused` OPERATION_DENIED.
        """
        ...


class Events(Protocol):
    """The outbox of this service."""

    async def add(
        self,
        tx: Tx,
        topic: str,
        key: str,
        value: bytes,
        *,
        event_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Topics:
    orders: str
    signals: str
