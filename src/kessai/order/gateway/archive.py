"""The audit trail in MongoDB: documents are inserted and read, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson.errors import BSONError
from pymongo import ASCENDING
from pymongo.errors import BulkWriteError, PyMongoError

from kessai.contracts.order import AuditEntry
from kessai.kernel.clock import parse_wire, to_ms, wire
from kessai.kernel.mongo import Database, Document, asking
from kessai.order.application.ports import AuditRefused

COLLECTION = "order_audit"
UNAVAILABLE = "AUDIT_UNAVAILABLE"
_PLACE = [("orderId", ASCENDING), ("sequence", ASCENDING)]
_IS_THERE = 11000


class MongoAuditArchive:
    """(order, sequence) is unique, and a document's `_id` is its seal: a repeat is recognised.

    A write counts when a majority has it in its journal.
    """

    def __init__(self, database: Database) -> None:
        self._entries = database[COLLECTION]
        self._client = database.client

    async def prepare(self) -> None:
        """Makes the index where it is missing. Raises `ValueError` with a line for people."""
        try:
            known = await self._entries.index_information()
            if not any(one["key"] == _PLACE and one.get("unique") for one in known.values()):
                await self._entries.create_index(_PLACE, unique=True)
        except PyMongoError as error:
            raise ValueError(
                f"{COLLECTION}: no unique index of orderId and sequence ({_first_line(error)})"
            ) from None

    async def keep(self, entries: Sequence[AuditEntry]) -> None:
        async with asking(UNAVAILABLE):
            try:
                await self._entries.insert_many([_document(one) for one in entries], ordered=False)
            except BulkWriteError as error:
                wrong = [one for one in error.details["writeErrors"] if one["code"] != _IS_THERE]
                if wrong:
                    raise AuditRefused(f"{entries[0].order_id}: {wrong[0]['errmsg']}") from error
                if error.details.get("writeConcernErrors"):
                    raise
                await self._require_same(entries)
            except (BSONError, OverflowError) as error:
                raise AuditRefused(f"{entries[0].order_id}: no document ({error})") from error

    async def read(self, order_id: str) -> Sequence[AuditEntry]:
        async with asking(UNAVAILABLE):
            return [_entry(found) async for found in self._entries.find({"orderId": order_id})]

    async def close(self) -> None:
        await self._client.close()

    async def _require_same(self, entries: Sequence[AuditEntry]) -> None:
        order_id = entries[0].order_id
        found = self._entries.find({"orderId": order_id}, {"sequence": 1})
        kept = {one["sequence"]: one["_id"] async for one in found}
        for entry in entries:
            if kept.get(entry.sequence) != entry.hash:
                raise AuditRefused(f"{order_id}: another entry {entry.sequence} is kept")


def _document(entry: AuditEntry) -> Document:
    return {
        "_id": entry.hash,
        "orderId": entry.order_id,
        "sequence": entry.sequence,
        "at": parse_wire(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "from": entry.from_status,
        "to": entry.to_status,
        "cause": entry.cause,
        "details": dict(entry.details),
        "previousHash": entry.previous_hash,
    }


def _entry(found: Mapping[str, Any]) -> AuditEntry:
    try:
        return AuditEntry(
            order_id=found["orderId"],
            sequence=found["sequence"],
            at=wire(to_ms(found["at"])),
            actor=found["actor"],
            action=found["action"],
            from_status=found["from"],
            to_status=found["to"],
            cause=found["cause"],
            details=found["details"],
            previous_hash=found["previousHash"],
            hash=found["_id"],
        )
    except (ArithmeticError, LookupError, TypeError, ValueError):
        # Somebody changed it: it is shown, in its place, and breaks the chain there.
        sequence = found.get("sequence")
        return AuditEntry(
            order_id=found["orderId"],
            sequence=sequence if isinstance(sequence, int) else 0,
            at="",
            actor="",
            action="UNREADABLE",
            from_status=None,
            to_status=None,
            cause="",
            previous_hash="",
            hash="",
        )


def _first_line(error: PyMongoError) -> str:
    return str(error).partition("\n")[0][:200]
