"""What a processor is to the runtime: pure functions over one key's state and a moment."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from kessai.kernel.bus import Message

S = TypeVar("S")
E = TypeVar("E")


class Poison(ValueError):
    """The record cannot be read: it goes to the dead letters, and its partition goes on.

    The kind of it is told there by the name of the class.
    """


class Output(NamedTuple):
    """A message that is published once: `id` is the same whenever the same fact leads to it."""

    id: str
    message: Message


# (state, wake_ms, outputs). No state: nothing is kept. `wake_ms`: when time alone will change
# something.
Step: TypeAlias = tuple[S | None, int | None, tuple[Output, ...]]


class Codec(Protocol[S]):
    """A state in memory and on the disk. States are values: whoever changes one makes another."""

    def decode(self, state: bytes) -> S: ...

    def encode(self, state: S) -> bytes: ...


class Processor(Protocol[S, E]):
    """`E` is what it makes of a record before it knows the key's state."""

    @property
    def codec(self) -> Codec[S]: ...

    def read(self, topic: str, value: bytes, at_ms: int) -> tuple[str, E] | None:
        """The key, and what is new of it since `at_ms`, the record's own moment; None where it is
        of no interest. Raises `Poison`."""
        ...

    def apply(self, key: str, state: S | None, news: E, now_ms: int) -> Step[S]:
        """`now_ms` is how far the stream is: never less than the moment of the record."""
        ...

    def wake(self, key: str, state: S, now_ms: int) -> Step[S]: ...
