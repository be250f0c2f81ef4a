"""The audit chain: each row's hash covers the row and the hash before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from kessai.contracts.order import AuditEntry


def seal(entry: AuditEntry) -> str:
    """The hash of an entry: sha256 over the previous hash and the canonical JSON of the rest."""
    content = {
        "action": entry.action,
        "actor": entry.actor,
        "at": entry.at,
        "cause": entry.cause,
        "details": entry.details,
        "from": entry.from_status,
        "orderId": entry.order_id,
        "sequence": entry.sequence,
        "to": entry.to_status,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256((entry.previous_hash + text).encode()).hexdigest()


def first_break(entries: Sequence[AuditEntry], last_sequence: int, last_hash: str) -> int | None:
    """The sequence of the first row that is changed or missing; None for an intact chain.

    `last_*` are what the order itself remembers, so that a chain cut at its end is found too.
    """
    previous = ""
    for sequence, entry in enumerate(entries, start=1):
        sealed = entry.hash == seal(entry)
        if entry.sequence != sequence or entry.previous_hash != previous or not sealed:
            return sequence
        previous = entry.hash
    if len(entries) != last_sequence:
        return min(len(entries), last_sequence) + 1
    return None if previous == last_hash else last_sequence
