"""The picture of the events: who writes which topic, and who reads it in which group."""

from __future__ import annotations

from textwrap import wrap
from typing import get_args

from tests.docs.drawing import LINE_HEIGHT, TITLE_BASE, Box, End, Line, Sheet, Text, Words

from kessai.alert.main import RULES_GROUP, TABLE_GROUP
from kessai.contracts.alert import AlertEvent
from kessai.contracts.events import OrderEvent, PaymentEvent, ProductChanged, Signal
from kessai.order.application import archive, news
from kessai.search.main import INDEX_GROUP
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
    ServiceCard,
)

_TONES = {
    PRODUCTS_TOPIC: "yama",
    ORDERS_TOPIC: "tetsu",
    PAYMENTS_TOPIC: "matsu",
    SIGNALS_TOPIC: "kikyo",
    ALERTS_TOPIC: "enji",
    STATE_TOPIC: "nezu",
}
# From the top; neighbours here keep the lines from crossing.
_ORDER = (PRODUCTS_TOPIC, ORDERS_TOPIC, PAYMENTS_TOPIC, SIGNALS_TOPIC, ALERTS_TOPIC)
_WRITERS = ("storage-service", "order-service", "payment-service", "alert-service")
_READERS = ("es-service", "bff", "order-service", "alert-service")
_WRITTEN: dict[str, tuple[str, ...]] = {
    "storage-service": ("a product as it is now", "goods that nobody settled"),
    "order-service": ("each move of an order", "each change of its view", "refunds that hang"),
    "payment-service": ("what a payment became", "amounts that differ", "silent webhooks, files"),
    "alert-service": ("what disagrees, its end", "what a person closed"),
}
_READ: dict[str, tuple[tuple[str, str], ...]] = {
    "es-service": ((INDEX_GROUP, "puts it into the index"),),
    "bff": (("bff.<instance>", "pushes it to the page"), ("bff.alerts.<instance>", "and console")),
    "order-service": (
        (news.CONSUMER, "settles the order"),
        (archive.CONSUMER, "moves the audit trail"),
    ),
    "alert-service": ((RULES_GROUP, "asks every rule"), (TABLE_GROUP, "fills sys_pay_alert")),
}
_WIDTH, _EDGE = 1090.0, 16.0
_TOP, _BOTTOM = 84.0, 752.0
_SIDE, _MIDDLE = 232.0, 356.0
_CHARACTERS = 46


def topic_tone(topic: str) -> str:
    return _TONES[topic]


def short(topic: str) -> str:
    """`ec-demo.orders.events.v1` -> `orders`."""
    return topic.split(".")[1]


def event_names(topic: str) -> tuple[str, ...]:
    kinds: dict[str, tuple[type, ...]] = {
        ORDERS_TOPIC: _united(OrderEvent),
        PAYMENTS_TOPIC: _united(PaymentEvent),
        ALERTS_TOPIC: _united(AlertEvent),
        PRODUCTS_TOPIC: (ProductChanged,),
        SIGNALS_TOPIC: (Signal,),
    }
    return tuple(kind.__name__ for kind in kinds[topic])


def _united(annotated: object) -> tuple[type, ...]:
    union = get_args(annotated)[0]
    return get_args(union)


def data_flow() -> Sheet:
    cards = {card.name: card for card in SERVICES}
    topics = _column(
        [*(_topic(topic) for topic in _ORDER), _state()], (_WIDTH - _MIDDLE) / 2, _MIDDLE
    )
    writers = _column([_writer(cards[name]) for name in _WRITERS], _EDGE, _SIDE)
    readers = _column([_reader(cards[name]) for name in _READERS], _WIDTH - _EDGE - _SIDE, _SIDE)
    return Sheet(
        name="DataFlow",
        title="Kessai: events and their ways",
        about="On the left who writes, in the middle the topics, on the right who reads them and "
        "what becomes of it.",
        width=_WIDTH,
        height=790,
        boxes=(*writers, *topics, *readers),
        lines=_lines(writers, topics, readers),
        words=(
            Words("heading", _EDGE, 42, "Events and their ways", "title"),
            Words("writes", _EDGE, 70, "with the change, in one transaction (outbox)"),
            Words(
                "topics",
                _WIDTH / 2,
                70,
                f"{PARTITIONS} partitions each, by key",
                centred=True,
            ),
            Words("reads", _WIDTH - _EDGE - _SIDE, 70, "by group; repeats change nothing"),
            Words(
                "dead-letters",
                _WIDTH / 2,
                776,
                "What cannot be handled goes to <topic>.dlt; the partition goes on.",
                centred=True,
            ),
        ),
    )


def _box(id_: str, title: str, kind: str, tone: str, beside: str, texts: list[Text]) -> Box:
    height = TITLE_BASE + LINE_HEIGHT * len(texts) + 13
    is_topic = kind == "topic"
    return Box(
        id_, title, 0, 0, 0, height, "topic" if is_topic else "service", tone, beside, tuple(texts)
    )


def _topic(topic: str) -> Box:
    names = wrap(" · ".join(event_names(topic)), _CHARACTERS)
    texts = [Text(topic, "mono"), *(Text(line.strip(" ·"), "note") for line in names)]
    return _box(topic, short(topic), "topic", _TONES[topic], "", texts)


def _state() -> Box:
    texts = [
        Text(STATE_TOPIC, "mono"),
        Text("what the rules know, compacted; on Kafka only", "note"),
    ]
    return _box(STATE_TOPIC, "state", "topic", _TONES[STATE_TOPIC], "", texts)


def _writer(card: ServiceCard) -> Box:
    texts = [Text(words) for words in _WRITTEN[card.name]]
    return _box(f"{card.name}-writes", card.name, "service", "nezu", str(card.port), texts)


def _reader(card: ServiceCard) -> Box:
    texts = []
    for group, use in _READ[card.name]:
        texts += [Text(group, "mono"), Text(use)]
    return _box(f"{card.name}-reads", card.name, "service", "nezu", str(card.port), texts)


def _column(boxes: list[Box], x: float, width: float) -> list[Box]:
    """Spread from the top to the bottom with equal gaps."""
    gap = (_BOTTOM - _TOP - sum(box.height for box in boxes)) / (len(boxes) - 1)
    placed, y = [], _TOP
    for box in boxes:
        placed.append(
            Box(
                box.id,
                box.title,
                x,
                round(y, 1),
                width,
                box.height,
                box.kind,
                box.tone,
                box.beside,
                box.texts,
            )
        )
        y += box.height + gap
    return placed


def _lines(writers: list[Box], topics: list[Box], readers: list[Box]) -> tuple[Line, ...]:
    emits = [
        (f"{card.name}-writes", topic)
        for card in SERVICES
        for topic in TOPICS
        if topic in card.emits
    ]
    consumes = [
        (topic, f"{card.name}-reads")
        for card in SERVICES
        for topic in TOPICS
        if topic in card.consumes
    ]
    changelog = [("alert-service-writes", STATE_TOPIC), (STATE_TOPIC, "alert-service-reads")]
    boxes = {box.id: box for box in (*writers, *topics, *readers)}
    pairs = [*emits, *consumes, *changelog]
    return tuple(_line(pair, pairs, boxes) for pair in pairs)


def _line(pair: tuple[str, str], pairs: list[tuple[str, str]], boxes: dict[str, Box]) -> Line:
    source, target = pair
    leaving = sorted((to for of, to in pairs if of == source), key=lambda id_: boxes[id_].y)
    coming = sorted((of for of, to in pairs if to == target), key=lambda id_: boxes[id_].y)
    topic = source if source in _TONES else target
    return Line(
        f"{source}--{target}",
        source,
        target,
        End("right", (leaving.index(target) + 1) / (len(leaving) + 1)),
        End("left", (coming.index(source) + 1) / (len(coming) + 1)),
        tone=_TONES[topic],
        curved=True,
        dashed=topic == STATE_TOPIC,
    )
