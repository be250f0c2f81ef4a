"""What the simulator needs from outside: a durable book, somebody who carries webhooks."""

from __future__ import annotations

from typing import Protocol

from kessai.sim.paypay.domain.book import Payment


class Store(Protocol):
    """Every call returns once it is durable."""

    async def load(self) -> list[Payment]:
        """In the order in which they were made."""
        ...

    async def add(self, payment: Payment) -> None: ...

    async def save(self, payment: Payment) -> None: ...

    async def keep(self, name: str, value: str) -> None: ...

    async def kept(self, name: str) -> str | None: ...

    async def clear(self) -> None: ...


class Courier(Protocol):
    async def deliver(self, body: bytes, *, cut: bool = False, source: str | None = None) -> bool:
        """True when the merchant answered 200 in time.

        With `cut` the connection ends in the middle of the body. `source` is the address that the
        sender claims to have.
        """
        ...
