"""Where verify looks: the services' databases, the bus, and the provider's book behind a port."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from kessai.kernel.clock import Clock, parse_wire, to_ms
from kessai.kernel.db import Db
from kessai.kernel.errors import KessaiError, Unknown
from kessai.kernel.http import Http
from kessai.kernel.settings import Settings
from kessai.proof.invariants.limits import Limits
from kessai.proof.invariants.rows import PaidBackRow, ProviderRow

_PAGE = 1000
_EVENTS = 500
_TIMEOUT_S = 30.0


class BooksUnreadable(KessaiError):
    """A book cannot be read at all, so nothing can be said; the text tells which and why."""


class ProviderBook(Protocol):
    """The provider's own book, which our services cannot write. Only a simulator shows its."""

    async def entries(self, after: str, below: str) -> Sequence[ProviderRow]:
        """Payments with a merchantPaymentId between the two, in that order, as they are now."""
        ...

    async def notified(self) -> Sequence[str]:
        """The merchantPaymentIds of webhooks that were answered with 200 lately."""
        ...


@dataclass(frozen=True, slots=True)
class Books:
    """Read only. `bus` is None where events are elsewhere, `provider` with the real PayPay.

    `absent` says for `bus` or `provider` why it is not there.
    """

    order: Db
    payment: Db
    storage: Db
    account: Db
    settings: Settings
    clock: Clock
    bus: Db | None = None
    provider: ProviderBook | None = None
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the books as a whole; `kept` is what several invariants read once in it."""

    books: Books
    limits: Limits
    kept: dict[str, Any] = field(default_factory=dict)


class HttpProviderBook:
    """The simulator's book, page by page."""

    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._url = f"{url.rstrip('/')}/sim"

    async def entries(self, after: str, below: str) -> list[ProviderRow]:
        found: list[ProviderRow] = []
        while True:
            page = await self._page(after, below)
            found.extend(_provider_row(entry) for entry in page)
            if len(page) < _PAGE:
                return found
            after = found[-1].merchant_payment_id

    async def notified(self) -> list[str]:
        told = await self._get(f"events?limit={_EVENTS}")
        names = [one["merchantPaymentId"] for one in told if one["kind"] == "webhook.sent"]
        return [name for name in dict.fromkeys(names) if name]

    async def _page(self, after: str, below: str) -> list[dict[str, Any]]:
        return await self._get(f"book?after={quote(after)}&below={quote(below)}&limit={_PAGE}")

    async def _get(self, path: str) -> list[dict[str, Any]]:
        url = f"{self._url}/{path}"
        try:
            answer = await self._http.send("GET", url, timeout_s=_TIMEOUT_S)
        except Unknown as unknown:
            raise BooksUnreadable(f"the provider's book: {unknown.message}") from unknown
        if answer.status != 200:
            raise BooksUnreadable(f"the provider's book: {url} answers {answer.status}")
        rows: list[dict[str, Any]] = json.loads(answer.body)
        return rows


def _provider_row(entry: dict[str, Any]) -> ProviderRow:
    paid_at = entry["paidAt"]
    return ProviderRow(
        merchant_payment_id=entry["merchantPaymentId"],
        payment_id=entry["paymentId"],
        status=entry["status"],
        amount=entry["amount"],
        captured=entry["captured"],
        is_offered=entry["url"] is not None,
        expires_at_ms=to_ms(parse_wire(entry["expiresAt"])),
        paid_at_ms=None if paid_at is None else to_ms(parse_wire(paid_at)),
        refunds=tuple(
            PaidBackRow(refund["merchantRefundId"], refund["amount"], refund["status"])
            for refund in entry["refunds"]
        ),
    )
