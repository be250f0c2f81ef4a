"""Where the instances of one service answer: the caller chooses among them, nobody else does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kessai.kernel.breaker import CircuitBreaker, CircuitOpen, State
from kessai.kernel.http import NotSent

T = TypeVar("T")
_UNSENT = (NotSent, CircuitOpen)


@dataclass(frozen=True, slots=True)
class Address:
    """One instance; its breaker is its own, so that a sick one does not shut out the others."""

    url: str
    breaker: CircuitBreaker


class Addresses:
    """The instances of one service, taken in turn; those that are known to be away come last."""

    def __init__(self, instances: Sequence[Address]) -> None:
        if not instances:
            raise ValueError("a service without an address")
        self._instances = tuple(instances)
        self._next = 0

    def begin(self) -> Attempts:
        """For one call and all of its tries."""
        first, count = self._next, len(self._instances)
        self._next = (first + 1) % count
        turn = self._instances[first:] + self._instances[:first]
        # The order of turns stays within both halves.
        return Attempts(sorted(turn, key=lambda address: address.breaker.state is State.OPEN))


class Attempts:
    """The tries of one call. What may have been sent to an instance is only asked of that one."""

    def __init__(self, turn: Sequence[Address]) -> None:
        self._turn = turn

    async def send(self, ask: Callable[[str], Awaitable[T]]) -> T:
        """The answer of the first instance that the request reaches; `ask` gets its URL.

        Raises what the last one raised when it certainly reached none.
        """
        *others, last = self._turn
        for address in others:
            try:
                return await self._at(address, ask)
            except _UNSENT:
                continue
        return await self._at(last, ask)

    async def _at(self, address: Address, ask: Callable[[str], Awaitable[T]]) -> T:
        try:
            return await address.breaker.call(lambda: ask(address.url))
        except _UNSENT:
            raise
        except BaseException:
            self._turn = (address,)
            raise
