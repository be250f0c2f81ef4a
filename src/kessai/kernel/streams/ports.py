"""What a processor is to the runtime: pure functions over one key's state and a moment."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeVar

from kessai.kernel.bus import Message, Record


class Poison(ValueError):
    """The record cannot be read: it goes to the dead letters, and its partition goes on.

    The kind of it is told there by the name of the class.
    """


class Output(NamedTuple):
    """A message that is published once: `id` is the same whenever the same fact leads to it."""

    id: str
    message: Message


class Step(NamedTuple):
    """`state` None: nothing is kept. `wake_ms`: when time alone will change something."""

    state: bytes | None
    wake_ms: int | None = None
    outputs: tuple[Output, ...] = ()


E = TypeVar("E")


class Processor(Protocol[E]):
    """`E` is what it makes of a record before it knows the key's state."""

    def read(self, record: Record) -> tuple[str, E] | None:
        """The key, and what is new of it; None where it is of no interest. Raises `Poison`."""
        ...

    def apply(self, key: str, state: bytes | None, news: E, at_ms: int, now_ms: int) -> Step:
        """`at_ms` is the record's own moment, `now_ms` how far the stream is (never less)."""
        ...

    def wake(self, key: str, state: bytes, now_ms: int) -> Step: ...
