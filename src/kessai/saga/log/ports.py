"""What the engine needs of a log. Writes name the fence they stand behind: machine and seq."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from kessai.kernel.db import Tx
from kessai.saga.history import Event
from kessai.saga.log.rows import EventRow, Filter, Instance, MachineRow, Rest


class Session(Protocol):
    """One transaction on the log; what it reads is consistent, what it writes is all or nothing."""

    async def create(self, instance: Instance, event: Event, *, owner: str, at: int) -> None:
        """The machine row and its first event. Raises `Duplicate` for a taken business key."""
        ...

    async def append(self, instance: Instance, event: Event, rest: Rest, *, at: int) -> None:
        """The next row of an instance; `Fenced` when that place in its history is taken."""
        ...

    async def claim(
        self, instance: Instance, event: Event, rest: Rest, *, owner: str, at: int
    ) -> None:
        """A takeover: the claim row fences the old owner, then the machine row changes hands.

        `instance` carries the new epoch and the run before the claim is applied.
        """
        ...

    async def machine(self, instance_id: str) -> MachineRow | None: ...

    async def machine_by_key(self, name: str, business_key: str) -> MachineRow | None: ...

    async def child_of(self, parent_id: str) -> MachineRow | None:
        """The newest instance that was started by this step of another one."""
        ...

    async def history(self, instance_id: str) -> Sequence[EventRow]: ...

    async def epoch_at(self, instance_id: str, seq: int) -> int | None: ...

    async def list(self, wanted: Filter) -> Sequence[MachineRow]: ...

    async def due(self, now_ms: int, limit: int) -> Sequence[str]: ...

    async def count_needing_operator(self) -> int: ...

    async def renew(self, owner: str, lease_until_ms: int) -> None:
        """Heartbeat; the row is made again if somebody declared this engine dead meanwhile."""
        ...

    async def retire_predecessors(self, owner: str) -> None:
        """An instance name runs once, so earlier starts under it are dead, lease or not.

        Should two live processes share a name by mistake, the fence still keeps every history
        whole.
        """
        ...

    async def forget_dead(self, now_ms: int) -> None:
        """Dead engines that own nothing leave the table."""
        ...

    async def lease_of(self, owner: str) -> int | None: ...

    async def orphans(self, owner: str, now_ms: int, limit: int) -> Sequence[tuple[str, str]]:
        """Running instances whose engine has no lease any more, and that engine."""
        ...

    async def own_running(self, owner: str, before_ms: int) -> Sequence[str]:
        """Running instances of this engine; those without a task lost it to an error."""
        ...

    async def purge(self, ended_before_ms: int, limit: int) -> int:
        """Deletes settled instances with their events, sub machines only with their parents."""
        ...

    def after_commit(self, fn: Callable[[], None]) -> None: ...


class SagaLog(Protocol):
    """`create` and `append` are durable when they return; a log may group those of many sagas."""

    def session(self) -> AbstractAsyncContextManager[Session]: ...

    def reading(self) -> AbstractAsyncContextManager[Session]: ...

    def within(self, tx: Tx) -> Session:
        """The log's part of a transaction that somebody else opened."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Tx]:
        """For a local step: its own changes and its row together."""
        ...

    async def create(self, instance: Instance, event: Event, *, owner: str, at: int) -> None:
        """Raises `Duplicate`, `DatabaseUnavailable` (it may be written)."""
        ...

    async def append(self, instance: Instance, event: Event, rest: Rest, *, at: int) -> None:
        """Raises `Fenced`, `DatabaseUnavailable` (it may be written)."""
        ...

    async def close(self) -> None: ...
