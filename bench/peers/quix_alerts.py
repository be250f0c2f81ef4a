"""Rules A to D on quixstreams, exactly once: the peer of bench/alerts.py.

    python quix_alerts.py HOSTS GROUP ORDERS PAYMENTS ALERTS FOLDER WINDOW_MS REFUND_MS

It has no timers, so it says only what a record itself can tell: an order whose missing fact never
comes raises nothing here. That is less work than the others do.
"""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application, State
from quixstreams.models import Topic

Json = dict[str, Any]


def main(given: list[str]) -> None:
    hosts, group, orders, payments, alerts, folder, window_ms, refund_ms = given
    app = Application(
        broker_address=hosts,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=1.0,
        commit_every=20_000,
        state_dir=folder,
        loglevel="WARNING",
        producer_extra_config={"compression.type": "lz4", "linger.ms": 5},
    )

    def rules(event: Json, key: str, at_ms: int, _: Any, state: State) -> list[Json]:
        known: Json = state.get("order") or {"successes": {}, "backs": {}, "told": []}
        if not add(known, event, at_ms):
            return []
        told = decide(known, key, at_ms, int(window_ms), int(refund_ms))
        state.set("order", known)
        return told

    def topic(name: str) -> Topic:
        return app.topic(name, key_deserializer="str", value_deserializer="json")

    flow = app.dataframe(topic(orders)).concat(app.dataframe(topic(payments)))
    flow = flow.apply(rules, stateful=True, metadata=True, expand=True)
    flow.to_topic(app.topic(alerts, key_serializer="str", value_serializer="json"))
    app.run()


def add(known: Json, event: Json, at_ms: int) -> bool:
    """Whether it was news."""
    if event["eventType"] == "OrderStatusChanged":
        name = {"PAID": "paid", "FAILED": "failed"}.get(event["payload"]["newStatus"])
        if name is None or name in known:
            return False
        known[name] = at_ms
        return True
    seen = known["successes" if event["eventType"] == "PaymentSucceeded" else "backs"]
    if event["eventId"] in seen:
        return False
    seen[event["eventId"]] = at_ms
    return True


def decide(known: Json, order: str, now_ms: int, window_ms: int, refund_ms: int) -> list[Json]:
    kept = len(known["successes"]) - len(known["backs"])
    first_ms = min(known["successes"].values(), default=now_ms)
    paid_ms, failed_ms = known.get("paid"), known.get("failed")
    found = {
        "A": kept > 0 and (paid_ms or now_ms) - first_ms > window_ms,
        "B": paid_ms is not None and first_ms - paid_ms > window_ms,
        "C": kept > 1,
        "D": failed_ms is not None and kept > 0 and now_ms - failed_ms > refund_ms,
    }
    told = []
    for rule, holds in found.items():
        if holds and rule not in known["told"]:
            known["told"].append(rule)
            told.append(
                {"eventType": "AlertRaised", "rule": rule, "orderId": order, "facts": dict(known)}
            )
    return told


if __name__ == "__main__":
    main(sys.argv[1:])
