"""The audit trail in MongoDB as verify reads it: by the names of its fields only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo.read_concern import ReadConcern

from kessai.contracts.audit import canonical
from kessai.kernel.clock import to_ms
from kessai.kernel.errors import Unknown
from kessai.kernel.mongo import Database, asking
from kessai.proof.invariants.books import BooksUnreadable
from kessai.proof.invariants.rows import AuditRow

_COLLECTION = "order_audit"
_IN_SEQUENCE = [("orderId", 1), ("sequence", 1)]


class MongoAuditBook:
    """What a majority has: it will not be taken back."""

    def __init__(self, database: Database) -> None:
        concern = ReadConcern("majority")
        self._entries = database.get_collection(_COLLECTION, read_concern=concern)
        self._client = database.client

    async def entries(self, low: str, high: str) -> Sequence[AuditRow]:
        of = {"orderId": {"$gte": low, "$lt": high}}
        try:
            async with asking("AUDIT_UNAVAILABLE"):
                return [_row(one) async for one in self._entries.find(of).sort(_IN_SEQUENCE)]
        except Unknown as unknown:
            raise BooksUnreadable(f"the audit trail: {unknown.message}") from unknown

    async def close(self) -> None:
        await self._client.close()


def _row(found: Mapping[str, Any]) -> AuditRow:
    """What somebody changed is read as well as it can be: its seal will not fit."""
    sequence, at, details = found.get("sequence"), found.get("at"), found.get("details")
    return AuditRow(
        order_id=str(found["orderId"]),
        sequence=sequence if isinstance(sequence, int) else 0,
        at_ms=to_ms(at) if isinstance(at, datetime) else 0,
        actor=str(found.get("actor", "")),
        action=str(found.get("action", "")),
        from_status=found.get("from"),
        to_status=found.get("to"),
        cause=str(found.get("cause", "")),
        details=canonical(details) if isinstance(details, dict) else "{}",
        previous_hash=str(found.get("previousHash", "")),
        hash=str(found.get("_id", "")),
    )
