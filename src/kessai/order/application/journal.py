"""The one way a change becomes durable: row, events, audit rows and timeline in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from pydantic import JsonValue as WireValue

from kessai.contracts.events import (
    OrderStatusChanged,
    OrderStatusPayload,
    OrderViewChanged,
    Signal,
    order_event_id,
    write_event,
)
from kessai.kernel.clock import Clock, wire
from kessai.kernel.db import Tx
from kessai.kernel.errors import JsonValue
from kessai.kernel.ids import content_id
from kessai.kernel.telemetry import get_log, outgoing_headers
from kessai.order.application.ports import AuditTrail, Events, Orders, Samples, Topics
from kessai.order.domain.audit import chained
from kessai.order.domain.news import SignalWanted
from kessai.order.domain.order import Change, Fact, Moved, Order
from kessai.order.domain.promise import sample_of

_log = get_log("kessai.order")
# Customers press "check" as often as they like; a timeline stays readable and a row small.
_TIMELINE_CHARACTERS = 60_000
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Journal:
    def __init__(
        self,
        orders: Orders,
        audit: AuditTrail,
        events: Events,
        samples: Samples,
        topics: Topics,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._audit = audit
        self._events = events
        self._samples = samples
        self._topics = topics
        self._clock = clock

    async def write(self, tx: Tx, change: Change, *, actor: str, cause: str) -> Order:
        """The order as it is stored now. Raises `VersionConflict`; an empty change writes nothing.

        Views count from 1, the creation's own, of which nobody needs to be told.
        """
        if change.is_empty:
            return change.after
        is_new = change.before.audit_sequence == 0
        said_ms = change.at_ms
        now_ms = self._clock.now_ms() if said_ms is None else said_ms
        at = wire(now_ms)
        before = change.before
        entries = chained(
            change.facts,
            order_id=before.order_id,
            at=at,
            actor=actor,
            cause=cause,
            last_sequence=before.audit_sequence,
            last_hash=before.audit_hash,
        )
        after = replace(
            change.after,
            view_version=before.view_version + (not is_new),
            updated_at_ms=now_ms,
            audit_sequence=entries[-1].sequence if entries else before.audit_sequence,
            audit_hash=entries[-1].hash if entries else before.audit_hash,
            timeline=_longer(before.timeline, change.facts, at),
        )
        if is_new:
            await self._orders.add(tx, after)
        else:
            await self._orders.save(tx, before, after)
        if (ended := sample_of(before, after, now_ms)) is not None:
            await self._samples.add(tx, ended)
        if entries:
            await self._audit.append(tx, entries)
        await self._tell(tx, after, change.moves, at, seen=not is_new)
        return after

    async def signal(self, tx: Tx, order_id: str, cause: str, wanted: SignalWanted) -> None:
        event_id = content_id("signal", wanted.signal, order_id, cause)
        event = Signal(
            event_id=event_id,
            occurred_at=wire(self._clock.now_ms()),
            signal=wanted.signal,
            source="order-service",
            order_id=order_id,
            facts=_values(wanted.facts),
        )
        value = write_event(event)
        await self._events.add(tx, self._topics.signals, order_id, value, event_id=event_id)
        _log.warning("order.signal", signal=wanted.signal, order_id=order_id, cause=cause)

    async def _tell(
        self, tx: Tx, order: Order, moves: Sequence[Moved], at: str, *, seen: bool
    ) -> None:
        headers, topic, key = outgoing_headers(), self._topics.orders, order.order_id
        for moved in moves:
            changed = _status_changed(order, moved, at)
            await self._events.add(
                tx, topic, key, write_event(changed), event_id=changed.event_id, headers=headers
            )
        if seen:
            view = OrderViewChanged(
                event_id=order_event_id(key, "OrderViewChanged", order.view_version),
                occurred_at=at,
                aggregate_id=key,
                version=order.view_version,
            )
            await self._events.add(
                tx, topic, key, write_event(view), event_id=view.event_id, headers=headers
            )


def _values(values: Mapping[str, JsonValue]) -> dict[str, WireValue]:
    """For a model of the contracts, whose JSON type is pydantic's."""
    return cast("dict[str, WireValue]", dict(values))


def _longer(timeline: str, facts: Sequence[Fact], at: str) -> str:
    """The JSON array with the shown facts at its end, without parsing what is there."""
    if len(timeline) > _TIMELINE_CHARACTERS:
        return timeline
    texts = [_compact(_line(fact, at)) for fact in facts if fact.shown]
    if not texts:
        return timeline
    start = timeline[:-1] if timeline == "[]" else f"{timeline[:-1]},"
    return f"{start}{','.join(texts)}]"


def _line(fact: Fact, at: str) -> dict[str, JsonValue]:
    return {"at": at, "kind": fact.kind, "code": fact.code, "data": dict(fact.values)}


def _status_changed(order: Order, moved: Moved, at: str) -> OrderStatusChanged:
    return OrderStatusChanged(
        event_id=order_event_id(order.order_id, "OrderStatusChanged", moved.version),
        occurred_at=at,
        aggregate_id=order.order_id,
        version=moved.version,
        payload=OrderStatusPayload(
            order_id=order.order_id,
            old_status=moved.old,
            new_status=moved.new,
            reason=moved.reason,
            amount=order.amount,
            method=order.method,
        ),
    )
