"""The audit chain: each row's hash covers the row and the hash before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import cast

from pydantic import JsonValue as WireValue

from kessai.contracts.order import AuditEntry
from kessai.order.domain.order import Fact, FactKind

# Built once: the encoder of `json.dumps` with these options is built anew by every call.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def chained(
    facts: Sequence[Fact],
    *,
    order_id: str,
    at: str,
    actor: str,
    cause: str,
    last_sequence: int,
    last_hash: str,
) -> list[AuditEntry]:
    """The facts as the next rows of the order's chain."""
    entries: list[AuditEntry] = []
    for fact in facts:
        last_sequence += 1
        # The values are ours: validating them again would cost as much as the hash.
        entry = AuditEntry.model_construct(
            order_id=order_id,
            sequence=last_sequence,
            at=at,
            actor=actor,
            action=fact.code,
            from_status=fact.old,
            to_status=fact.new,
            cause=cause,
            details=cast("dict[str, WireValue]", dict(fact.values)),
            previous_hash=last_hash,
            hash=_hash(last_hash, _content(order_id, last_sequence, at, actor, cause, fact)),
        )
        last_hash = entry.hash
        entries.append(entry)
    return entries


def first_break(entries: Sequence[AuditEntry], last_sequence: int, last_hash: str) -> int | None:
    """The sequence of the first row that is changed or missing; None for an intact chain.

    `last_*` are what the order itself remembers, so that a chain cut at its end is found too.
    """
    previous = ""
    for sequence, entry in enumerate(entries, start=1):
        sealed = entry.hash == _hash(entry.previous_hash, _content_of(entry))
        if entry.sequence != sequence or entry.previous_hash != previous or not sealed:
            return sequence
        previous = entry.hash
    if len(entries) != last_sequence:
        return min(len(entries), last_sequence) + 1
    return None if previous == last_hash else last_sequence


def _content(
    order_id: str, sequence: int, at: str, actor: str, cause: str, fact: Fact
) -> dict[str, object]:
    return {
        "action": fact.code,
        "actor": actor,
        "at": at,
        "cause": cause,
        "details": dict(fact.values),
        "from": fact.old,
        "orderId": order_id,
        "sequence": sequence,
        "to": fact.new,
    }


def _content_of(entry: AuditEntry) -> dict[str, object]:
    fact = Fact(
        FactKind.ORDER, entry.action, entry.details, True, entry.from_status, entry.to_status
    )
    return _content(entry.order_id, entry.sequence, entry.at, entry.actor, entry.cause, fact)


def _hash(previous_hash: str, content: dict[str, object]) -> str:
    """sha256 over the previous hash and the canonical JSON of everything else."""
    return hashlib.sha256((previous_hash + _canonical(content)).encode()).hexdigest()
