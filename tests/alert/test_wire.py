"""What the rules put on the topic is what the contract reads, to the last field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kessai.alert.domain.facts import (
    NOTHING,
    Back,
    Fact,
    Facts,
    Success,
    Told,
    with_back,
    with_failed,
    with_paid,
    with_success,
    with_told,
)
from kessai.alert.domain.rules import Windows
from kessai.alert.domain.story import Memory
from kessai.alert.gateway.codec import FactsCodec
from kessai.alert.web.events import News, Topics
from kessai.alert.web.watch import OrderWatch
from kessai.contracts.alert import AlertEvent, AlertRaised, AlertResolved, read_alert_event
from kessai.kernel.outbox import EVENT_ID_HEADER
from kessai.kernel.streams.ports import Output

ORDER, SOURCE = "0" * 26, "payment-service"
T0 = 1_700_000_000_000
WATCH = OrderWatch(Topics("o", "p", "s", "alerts"), FactsCodec(), Windows(), Memory())

first: News = with_success, Success(T0, "e-1", "o-1", 100, "PayPay")
second: News = with_success, Success(T0 + 5, "e-2", "o-2", 100, "PayPay")
given_back: News = with_back, Back(T0 + 9, "e-3", "o-2", 100, "r-1")
paid: News = with_paid, Fact("e-4", T0 + 1)
failed: News = with_failed, Fact("e-5", T0)
lags: News = with_told, Told(T0, "e-6", "OutboxLag", "", '{"waits": 3, "日": null}')
drained: News = with_told, Told(T0 + 7, "e-7", "OutboxDrained", "", "{}")


def told(key: str, *news: News, later_ms: int = 1_000_000) -> list[AlertEvent]:
    """By the facts one after the other, and then by time alone."""
    state: Facts | None = NOTHING
    outputs: list[Output] = []
    for one in news:
        state, _, more = WATCH.apply(key, state, one, one[1].at_ms)
        outputs += more
    if state is not None:
        outputs += WATCH.wake(key, state, T0 + later_ms)[2]
    found = []
    for output in outputs:
        value = output.message.value
        event = read_alert_event(value)
        # Nothing is missing and nothing is there that the contract does not know.
        assert json.loads(event.model_dump_json(by_alias=True)) == json.loads(value)
        assert (output.message.topic, output.message.key) == ("alerts", key)
        assert output.id == event.event_id == output.message.headers[EVENT_ID_HEADER]
        found.append(event)
    return found


@pytest.mark.parametrize(
    "news", [(first,), (paid,), (failed, first), (first, paid, second)], ids="ABDC"
)
def test_an_alert_of_an_order(news: tuple[News, ...]) -> None:
    *_, raised = told(ORDER, *news)
    assert isinstance(raised, AlertRaised)
    assert (raised.order_id, raised.source) == (ORDER, None)
    assert raised.detected_at == raised.occurred_at


def test_an_alert_that_the_facts_end() -> None:
    raised, resolved = told(ORDER, first, paid, second, given_back)
    assert isinstance(resolved, AlertResolved)
    assert resolved.alert_id == raised.alert_id
    assert resolved.event_id != raised.event_id
    assert (resolved.detected_at, resolved.resolved_by) == (raised.detected_at, "system")
    assert resolved.resolved_at == resolved.occurred_at == "2023-11-14T22:13:20.009Z"
    payments: Any = resolved.facts["payments"]
    assert [one["refunded"] for one in payments] == [0, 100]


def test_an_alert_of_a_source() -> None:
    raised, resolved = told(SOURCE, lags, drained)
    assert (raised.order_id, raised.source, raised.rule) == (None, SOURCE, "H")
    assert raised.facts["signals"] == [
        {"signal": "OutboxLag", "at": "2023-11-14T22:13:20.000Z", "waits": 3, "日": None}
    ]
    assert isinstance(resolved, AlertResolved)
