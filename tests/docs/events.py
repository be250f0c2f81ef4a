"""docs/reference/events.md: topics, who writes and reads them, and the fields of each event."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from tests.docs.markdown import code, page, table

from kessai.contracts.alert import AlertEvent
from kessai.contracts.events import OrderEvent, PaymentEvent, ProductChanged, Signal
from kessai.contracts.schema_files import EVENTS
from kessai.contracts.wire import Wire
from kessai.topology import (
    ALERTS_TOPIC,
    ORDERS_TOPIC,
    PARTITIONS,
    PAYMENTS_TOPIC,
    PRODUCTS_TOPIC,
    SERVICES,
    SIGNALS_TOPIC,
    STATE_TOPIC,
    TOPICS,
)

Schema = Mapping[str, Any]

LEAD = (
    f"JSON, {PARTITIONS} partitions a topic. Delivery is at least once, in the order of a key; "
    "`eventId` comes from what is told, so a repeat has the same. Event types and fields that a "
    "reader does not know are skipped. Within a `schemaVersion` fields are only added, never as "
    "required ones."
)
KEYS = {PRODUCTS_TOPIC: "`productId`", SIGNALS_TOPIC: "`orderId`, or the source", STATE_TOPIC: ""}


def _models(union: object) -> tuple[type[Wire], ...]:
    """Of `Annotated[A | B, Discriminator(...)]`."""
    return get_args(get_args(union)[0])


OF_TOPIC: Mapping[str, tuple[type[Wire], ...]] = {
    ORDERS_TOPIC: _models(OrderEvent),
    PAYMENTS_TOPIC: _models(PaymentEvent),
    ALERTS_TOPIC: _models(AlertEvent),
    PRODUCTS_TOPIC: (ProductChanged,),
    SIGNALS_TOPIC: (Signal,),
}


def events_page() -> str:
    parts = [
        ["## Topics", "", *table(("topic", "key", "events", "from", "read by"), _topics())],
        [
            f"What a reader cannot digest goes to `<topic>.dlt` after its tries. `{STATE_TOPIC}` "
            "is no topic for readers: it is the compacted state of the alert rules on Kafka."
        ],
    ]
    for topic in TOPICS:
        parts.append([f"## {topic}"])
        parts += [part for model in OF_TOPIC[topic] for part in _event(model)]
    return page("Events", LEAD, *parts)


def _topics() -> Iterator[tuple[str, ...]]:
    for topic in TOPICS:
        writers = [card.name for card in SERVICES if topic in card.emits]
        readers = [card.name for card in SERVICES if topic in card.consumes]
        yield (
            code(topic),
            KEYS.get(topic, "`orderId`"),
            ", ".join(code(model.__name__) for model in OF_TOPIC[topic]),
            ", ".join(writers),
            ", ".join(readers),
        )


def _event(model: type[Wire]) -> Iterator[list[str]]:
    schema = model.model_json_schema(by_alias=True)
    own = model.__dict__.get("__doc__") or ""
    words = re.sub(r"\s*\n\s*", " ", own.strip()).replace("<", "&lt;")
    file = f"src/kessai/contracts/schemas/{model.__name__}.v1.json"
    if model in EVENTS:
        words = f"{words} Schema: `{file}`.".strip()
    head = [f"### {model.__name__}", *(["", words] if words else [])]
    yield [*head, "", *table(("field", "type", "required"), fields(schema, schema))]


def fields(schema: Schema, of: Schema, above: str = "") -> Iterator[tuple[str, str, str]]:
    required = of.get("required", ())
    for name, field in of.get("properties", {}).items():
        inner = _resolved(schema, field)
        yield code(f"{above}{name}"), kind(schema, field), "yes" if name in required else ""
        if "properties" in inner:
            yield from fields(schema, inner, f"{above}{name}.")


def _resolved(schema: Schema, field: Schema) -> Schema:
    found: Schema = field
    if "$ref" in field:
        found = schema["$defs"][field["$ref"].rsplit("/", 1)[1]]
    return found


def kind(schema: Schema, field: Schema) -> str:
    inner = _resolved(schema, field)
    if "const" in inner:
        return code(str(inner["const"]))
    if "enum" in inner:
        return ", ".join(code(str(one)) for one in inner["enum"])
    if "anyOf" in inner:
        return " or ".join(kind(schema, one) for one in inner["anyOf"])
    if inner.get("type") == "array":
        return f"list of {kind(schema, inner.get('items', {}))}"
    return str(inner.get("type", "any"))
