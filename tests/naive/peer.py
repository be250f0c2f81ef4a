"""What every check may ask of a shop, whichever it is, and how its verdict is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

Word = Literal["open", "paid", "ended"]
Operation = Literal["create", "look-up"]
Store = Literal["news", "orders", "stock", "bus"]
Product = Literal["plenty", "sold out"]
COMPLETED = "COMPLETED"


@dataclass(frozen=True)
class Bought:
    """The answer to a purchase; `payable`: it shows a code."""

    order_id: str
    payable: bool


@dataclass(frozen=True)
class Code:
    """A line of the provider's book, which no shop can write."""

    order_id: str
    captured: int
    refunds: tuple[int, ...]

    @property
    def kept(self) -> int:
        return self.captured - sum(self.refunds)


@dataclass(frozen=True)
class Stock:
    available: int
    reserved: int
    sold: int

    @property
    def total(self) -> int:
        return self.available + self.reserved + self.sold


@dataclass(frozen=True)
class Event:
    """What was told on a topic: `kind` is a payment event, or the new status of the order."""

    topic: Literal["orders", "payments"]
    kind: str
    event_id: str
    at_s: float


class Peer(Protocol):
    """A shop with its provider on a clock of its own; everything fails only when told to."""

    name: str
    price: int
    doors: int
    """How many paths take webhooks."""

    async def buy(self, key: str, product: Product = "plenty") -> Bought: ...

    async def pay(self, order_id: str) -> bool:
        """In the customer's wallet; False when the provider no longer takes it."""
        ...

    async def wait(self, seconds: float) -> None: ...

    async def state(self, order_id: str) -> Word: ...

    async def code_ends_in_s(self, order_id: str) -> float: ...

    async def book(self) -> list[Code]: ...

    async def stock(self) -> Stock: ...

    async def events(self, order_id: str) -> list[Event]: ...

    # What may go wrong.
    async def lose_webhooks(self) -> None: ...

    async def post_webhook(self, order_id: str, door: int = 0) -> int:
        """COMPLETED, as anybody may send it; the HTTP status of the answer."""
        ...

    async def hiccup(self, operation: Operation, kind: str | None) -> None:
        """Every such call to the provider fails so: 500, 429, reset; None heals."""
        ...

    async def late_look_ups(self, seconds: float) -> None:
        """The provider's look-ups tell what was so many seconds ago."""
        ...

    async def break_store(self, store: Store) -> None:
        """It can be read, but not written: a full disk."""
        ...

    async def mend_store(self, store: Store) -> None: ...

    async def replay_news(self, order_id: str) -> None:
        """The success that was delivered, then other news, then the success again."""
        ...

    # The stock as a neighbour service uses it; False: refused.
    async def reserve(self, reservation: str) -> bool: ...

    async def confirm(self, reservation: str) -> bool: ...

    async def release(self, reservation: str) -> bool: ...

    # Who may see what.
    async def private_routes(self, order_id: str) -> list[tuple[str, str]]:
        """Method and path of everything about one order."""
        ...

    async def ask(
        self, who: Literal["owner", "other", "nobody"], method: str, path: str
    ) -> tuple[int, str]: ...

    async def allowed_origin(self, origin: str) -> str | None:
        """The answer's `Access-Control-Allow-Origin` to a page from there."""
        ...

    async def lets_socket_in(self, origin: str) -> bool: ...

    async def inside_without_token(self) -> dict[str, int]:
        """Service name -> status of a call to its own port by somebody without a token."""
        ...

    async def starts_with_default_secrets(self) -> bool:
        """In production."""
        ...

    async def log_text(self) -> str: ...

    async def secrets_of_owner(self) -> list[str]:
        """Session id and e-mail address: what a log must not know."""
        ...


class OutOfReach(AssertionError):
    """The check never came to its question, so its silence would prove nothing."""


@dataclass
class Verdict:
    """Facts that were checked, and those that were wrong."""

    facts: int = 0
    wrong: list[str] = field(default_factory=list)

    def require(self, holds: bool, otherwise: str) -> None:
        self.facts += 1
        if not holds:
            self.wrong.append(otherwise)


def reached(holds: bool, question: str) -> None:
    if not holds:
        raise OutOfReach(question)
