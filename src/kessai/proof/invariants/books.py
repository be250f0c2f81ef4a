"""Where verify looks: the services' databases, the bus, and the provider's book behind a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from kessai.kernel.clock import Clock, to_ms
from kessai.kernel.db import Db
from kessai.kernel.errors import KessaiError, Unknown
from kessai.kernel.http import Http
from kessai.kernel.settings import Settings
from kessai.proof.invariants.bus_book import BusBook
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.outboxes import Outboxes
from kessai.proof.invariants.rows import AuditRow, PaidBackRow, ProviderRow

_PAGE = 1000
_EVENTS = 500
_TIMEOUT_S = 30.0

T = TypeVar("T")


class BooksUnreadable(KessaiError):
    """A book cannot be read at all, so nothing can be said; the text tells which and why."""


class ProviderBook(Protocol):
    """The provider's own book, which our services cannot write. Only a simulator shows its."""

    async def entries(self, after: str, below: str) -> Sequence[ProviderRow]:
        """Payments with a merchantPaymentId between the two, in that order, as they are now."""
        ...

    async def notified(self, since_ms: int) -> Sequence[str]:
        """The merchantPaymentIds of webhooks that were answered with 200 lately, and since then."""
        ...


class AuditBook(Protocol):
    """The audit trail where it is not, or not only, with the orders. Raises `BooksUnreadable`."""

    async def entries(self, low: str, high: str) -> Sequence[AuditRow]:
        """Of the orders from `low` on and below `high`, in their sequence."""
        ...


@dataclass(frozen=True, slots=True)
class Books:
    """Read only. `bus` is None where events are elsewhere, `provider` with the real PayPay.

    `audit` is None where the trail is with the orders, `alert` in a shop without alert-service.
    `absent` says for `bus`, `provider`, `audit` or `alerts` why it is not there.
    """

    order: Db
    payment: Db
    storage: Db
    account: Db
    settings: Settings
    clock: Clock
    bus: BusBook | None = None
    provider: ProviderBook | None = None
    audit: AuditBook | None = None
    alert: Db | None = None
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the books as a whole; `kept` is what several invariants read once in it."""

    books: Books
    limits: Limits
    outboxes: Outboxes
    kept: dict[str, Any] = field(default_factory=dict)


class _PaidBack(msgspec.Struct, rename="camel", gc=False):
    merchant_refund_id: str
    amount: int
    status: str


class _Payment(msgspec.Struct, rename="camel", gc=False):
    merchant_payment_id: str
    payment_id: str | None
    status: str
    amount: int
    captured: int
    url: str | None
    expires_at: datetime
    paid_at: datetime | None
    refunds: list[_PaidBack]

    def row(self) -> ProviderRow:
        return ProviderRow(
            merchant_payment_id=self.merchant_payment_id,
            payment_id=self.payment_id,
            status=self.status,
            amount=self.amount,
            captured=self.captured,
            is_offered=self.url is not None,
            expires_at_ms=to_ms(self.expires_at),
            paid_at_ms=None if self.paid_at is None else to_ms(self.paid_at),
            refunds=tuple(
                PaidBackRow(refund.merchant_refund_id, refund.amount, refund.status)
                for refund in self.refunds
            ),
        )


class _Event(msgspec.Struct, rename="camel", gc=False):
    at: datetime
    kind: str
    merchant_payment_id: str | None = None


_payments = msgspec.json.Decoder(list[_Payment])
_events = msgspec.json.Decoder(list[_Event])


class HttpProviderBook:
    """The simulator's book, page by page."""

    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._url = f"{url.rstrip('/')}/sim"

    async def entries(self, after: str, below: str) -> list[ProviderRow]:
        found: list[ProviderRow] = []
        while True:
            path = f"book?after={quote(after)}&below={quote(below)}&limit={_PAGE}"
            page = await self._get(path, _payments)
            found.extend(payment.row() for payment in page)
            if len(page) < _PAGE:
                return found
            after = found[-1].merchant_payment_id

    async def notified(self, since_ms: int) -> list[str]:
        told = await self._get(f"events?limit={_EVENTS}", _events)
        sent = [one for one in told if one.kind == "webhook.sent" and to_ms(one.at) >= since_ms]
        names = [one.merchant_payment_id for one in sent]
        return [name for name in dict.fromkeys(names) if name]

    async def _get(self, path: str, of: msgspec.json.Decoder[list[T]]) -> list[T]:
        url = f"{self._url}/{path}"
        try:
            answer = await self._http.send("GET", url, timeout_s=_TIMEOUT_S)
        except Unknown as unknown:
            raise BooksUnreadable(f"the provider's book: {unknown.message}") from unknown
        if answer.status != 200:
            raise BooksUnreadable(f"the provider's book: {url} answers {answer.status}")
        try:
            return of.decode(answer.body)
        except msgspec.MsgspecError as error:
            raise BooksUnreadable(f"the provider's book: {url} is no book: {error}") from error
