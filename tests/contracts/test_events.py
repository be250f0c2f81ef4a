"""Events: fixed names, ids from content, old readers and new writers understand each other."""

from __future__ import annotations

import json

import pytest

from kessai.contracts.events import (
    OrderStatusChanged,
    PaymentSucceeded,
    RefundCompleted,
    order_event_id,
    payment_event_id,
    read_order_event,
    read_payment_event,
    refund_id,
    write_event,
)
from kessai.contracts.schema_files import FOLDER, schema_texts

# As version 1 of the product wrote them; they must be readable for ever.
SUCCEEDED_V1 = {
    "eventType": "PaymentSucceeded",
    "eventId": "e1",
    "occurredAt": "2026-11-22T01:02:03.456Z",
    "orderId": "0" * 26,
    "paymentId": "04639000000000000001",
    "merchantPaymentId": "0" * 26 + "-1",
    "provider": "PayPay",
    "amount": 25180,
    "currency": "JPY",
}
CHANGED_V1 = {
    "eventType": "OrderStatusChanged",
    "eventId": "e2",
    "occurredAt": "2026-11-22T01:02:03.456Z",
    "aggregateId": "0" * 26,
    "version": 3,
    "payload": {
        "orderId": "0" * 26,
        "oldStatus": "WAITING_PAYMENT",
        "newStatus": "PAID",
        "reason": None,
        "amount": 25180,
        "method": "PAYPAY",
    },
}


def encoded(content: object) -> bytes:
    return json.dumps(content).encode()


def test_a_payment_event_of_version_1_is_read() -> None:
    event = read_payment_event(encoded(SUCCEEDED_V1))
    assert isinstance(event, PaymentSucceeded)
    assert (event.amount, event.provider, event.schema_version) == (25180, "PayPay", 1)


def test_an_order_event_of_version_1_is_read() -> None:
    event = read_order_event(encoded(CHANGED_V1))
    assert isinstance(event, OrderStatusChanged)
    assert (event.payload.old_status, event.payload.new_status) == ("WAITING_PAYMENT", "PAID")


def test_names_on_the_wire_are_the_contract() -> None:
    event = read_payment_event(encoded(SUCCEEDED_V1))
    assert event is not None
    added = {"capturedAt": None, "channel": None}
    assert json.loads(write_event(event)) == {**SUCCEEDED_V1, "schemaVersion": 1, **added}


def test_a_success_tells_when_the_provider_captured_and_who_proved_it() -> None:
    told = {**SUCCEEDED_V1, "capturedAt": "2026-11-22T01:02:01.000Z", "channel": "a later word"}
    event = read_payment_event(encoded(told))
    assert isinstance(event, PaymentSucceeded)
    assert (event.captured_at, event.channel) == ("2026-11-22T01:02:01.000Z", "a later word")


def test_an_unknown_event_type_is_skipped_not_refused() -> None:
    assert read_payment_event(encoded({**SUCCEEDED_V1, "eventType": "PaymentDisputed"})) is None
    assert read_order_event(encoded({**CHANGED_V1, "eventType": "OrderShipped"})) is None


def test_unknown_fields_are_skipped() -> None:
    event = read_payment_event(encoded({**SUCCEEDED_V1, "loyaltyPoints": 7}))
    assert isinstance(event, PaymentSucceeded)


@pytest.mark.parametrize(
    "value",
    [b"", b"null", b"[]", b"{}", b"\xff", encoded({**SUCCEEDED_V1, "amount": "many"})],
)
def test_what_is_no_event_is_an_error(value: bytes) -> None:
    with pytest.raises(ValueError):
        read_payment_event(value)


def test_the_same_content_gives_the_same_id() -> None:
    assert order_event_id("o", "OrderStatusChanged", 2) == order_event_id(
        "o", "OrderStatusChanged", 2
    )
    assert order_event_id("o", "OrderStatusChanged", 2) != order_event_id(
        "o", "OrderViewChanged", 2
    )
    assert payment_event_id("o-1", "PaymentSucceeded") != payment_event_id(
        "o-2", "PaymentSucceeded"
    )
    assert refund_id("o-1", "LATE_SUCCESS") == refund_id("o-1", "LATE_SUCCESS")
    assert len(refund_id("o-1", "LATE_SUCCESS")) == 26


def test_the_written_schemas_are_those_of_the_models() -> None:
    written = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    assert written == schema_texts()


def test_version_1_keeps_its_required_fields() -> None:
    """A field that becomes required would refuse what older writers have put on the bus."""
    schema = json.loads((FOLDER / "PaymentSucceeded.v1.json").read_text("utf-8"))
    assert sorted(schema["required"]) == [
        "amount",
        "eventId",
        "merchantPaymentId",
        "occurredAt",
        "orderId",
        "provider",
    ]
    changed = json.loads((FOLDER / "OrderStatusChanged.v1.json").read_text("utf-8"))
    assert sorted(changed["required"]) == [
        "aggregateId",
        "eventId",
        "occurredAt",
        "payload",
        "version",
    ]
    assert RefundCompleted.model_fields["refund_id"].is_required()
