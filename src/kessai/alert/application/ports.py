"""What alert-service needs from the outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kessai.alert.domain.alert import Alert
from kessai.contracts.alert import ListAlerts
from kessai.kernel.db import Tx


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


class Notifier(Protocol):
    """Tells people outside; may be told the same alert again."""

    async def tell(self, alert: Alert) -> None: ...
