"""What alert-service needs from the outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from kessai.alert.domain.alert import Alert
from kessai.contracts.alert import ListAlerts
from kessai.kernel.db import Tx
from kessai.kernel.leases import Due


@dataclass(frozen=True, slots=True)
class Act:
    """One row of an alert's history; rows are added only."""

    alert_id: str
    version: int
    at_ms: int
    action: str
    actor: str
    reason: str
    note: str | None = None


class Alerts(Protocol):
    async def get(self, tx: Tx, alert_id: str) -> Alert | None: ...

    async def lock(self, tx: Tx, alert_id: str) -> Alert | None:
        """For who is going to change it in this transaction."""
        ...

    async def add(self, tx: Tx, alert: Alert) -> bool:
        """False where it is there already."""
        ...

    async def save(self, tx: Tx, before: Alert, after: Alert) -> Alert:
        """As it is stored now, with its change. Raises `VersionConflict`."""
        ...

    async def page(self, tx: Tx, asked: ListAlerts) -> Sequence[Alert]:
        """Newest first, one more than asked for where there are more."""
        ...

    async def last_change(self, tx: Tx) -> int: ...

    async def changed(self, tx: Tx, after: int, limit: int) -> Sequence[Alert]:
        """Those whose last change is a later one, in the order of changes."""
        ...

    async def acts(self, tx: Tx, alert_id: str) -> Sequence[Act]: ...

    async def add_act(self, tx: Tx, act: Act) -> None: ...


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to people outside; `body` is JSON, the same at every try."""

    id: str
    alert_id: str
    body: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class DueNotice:
    notice: Notice
    tries: int
    due: Due


class Notices(Protocol):
    async def add(self, tx: Tx, notice: Notice) -> None:
        """One that is there already stays as it is."""
        ...

    async def is_any_due(self, tx: Tx, now_ms: int) -> bool: ...

    async def take(
        self, tx: Tx, *, owner: str, lease_ms: int, now_ms: int, limit: int
    ) -> Sequence[DueNotice]: ...

    async def forget(self, tx: Tx, one: DueNotice) -> None:
        """Told, or given up. Raises `Fenced`."""
        ...

    async def put_off(self, tx: Tx, one: DueNotice, next_ms: int) -> None:
        """Raises `Fenced`."""
        ...


class Closings(Protocol):
    async def tell(self, tx: Tx, alert: Alert) -> None:
        """A person closed it: the topic and the rules have to know."""
        ...


class Notifier(Protocol):
    """Tells people outside; may be told the same notice again."""

    async def tell(self, notice: Notice) -> None:
        """Raises `Unknown` when it may be tried again, `Refused` when never."""
        ...


class Tell(Protocol):
    async def __call__(self, tx: Tx, alert: Alert, news: Literal["raised", "resolved"]) -> None:
        """In the transaction of the change."""
        ...
