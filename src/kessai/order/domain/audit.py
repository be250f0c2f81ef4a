"""The audit chain: each row's hash covers the row and the hash before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from pydantic import JsonValue as WireValue

from kessai.contracts.audit import seal
from kessai.contracts.order import AuditEntry
from kessai.order.domain.order import Fact

# What a row has room for.
_ACTOR_LENGTH: Final = 40


def by_operator(name: str) -> str:
    """An operator as the trail names who acted; of a long name the beginning."""
    return f"operator:{name}"[:_ACTOR_LENGTH]


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
            hash=seal(
                last_hash,
                order_id=order_id,
                sequence=last_sequence,
                at=at,
                actor=actor,
                action=fact.code,
                from_status=fact.old,
                to_status=fact.new,
                cause=cause,
                details=fact.values,
            ),
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
        sealed = entry.hash == _seal_of(entry)
        if entry.sequence != sequence or entry.previous_hash != previous or not sealed:
            return sequence
        previous = entry.hash
    if len(entries) != last_sequence:
        return min(len(entries), last_sequence) + 1
    return None if previous == last_hash else last_sequence


def merged(kept: Sequence[AuditEntry], waiting: Sequence[AuditEntry]) -> list[AuditEntry]:
    """A trail from where it is kept and from where it waited a moment before, in sequence.

    An entry in both is one; two that differ are shown both, so that the chain breaks there.
    """
    places = {(entry.sequence, entry.hash): entry for entry in (*waiting, *kept)}
    return [places[place] for place in sorted(places)]


def _seal_of(entry: AuditEntry) -> str:
    return seal(
        entry.previous_hash,
        order_id=entry.order_id,
        sequence=entry.sequence,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        from_status=entry.from_status,
        to_status=entry.to_status,
        cause=entry.cause,
        details=entry.details,
    )
