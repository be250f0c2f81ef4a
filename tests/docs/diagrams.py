"""The map of the system as pictures. `topology.py` says what is on them, the places are ours.

Whoever adds a service, a call or a topic there finds it missing here: say where it stands.
"""

from __future__ import annotations

from textwrap import wrap

from tests.docs.diagram_events import data_flow, short, topic_tone
from tests.docs.drawing import Box, End, Kind, Line, Point, Sheet, Text, Words
from tests.docs.drawing_drawio import to_drawio
from tests.docs.drawing_svg import to_svg

from kessai.topology import (
    PAYPAY_SIMULATOR,
    SERVICES,
    SIMULATORS,
    TOPICS,
    ServiceCard,
)

_WIDTH, _EDGE = 1090.0, 16.0
_LEFT, _WIDE, _COLUMN = 204.0, 712.0, 208.0
_COLUMNS = (_LEFT, 456.0, 708.0)
_CALLERS, _CALLED = 252.0, 470.0
_HIGH = 100.0
_GAP_1, _GAP_2 = 434.0, 686.0
_SIDE = 124.0

# Left, top, width, height.
_PLACES: dict[str, tuple[float, float, float, float]] = {
    "bff": (_LEFT, 72, _WIDE, 96),
    "es-service": (_COLUMNS[0], _CALLERS, _COLUMN, _HIGH),
    "order-service": (_COLUMNS[1], _CALLERS, _COLUMN, _HIGH),
    "alert-service": (_COLUMNS[2], _CALLERS, _COLUMN, _HIGH),
    "storage-service": (_COLUMNS[0], _CALLED, _COLUMN, _HIGH),
    "account-service": (_COLUMNS[1], _CALLED, _COLUMN, _HIGH),
    "payment-service": (_COLUMNS[2], _CALLED, _COLUMN, _HIGH),
    "paypay-simulator": (982, 72, 92, 498),
    "firebase-simulator": (_EDGE, _CALLERS, _SIDE, _HIGH),
}
_TONES = {
    "order-service": "tetsu",
    "alert-service": "enji",
    "es-service": "yama",
    "payment-service": "matsu",
    "paypay-simulator": "matsu",
    "account-service": "kikyo",
    "firebase-simulator": "kikyo",
}
_TITLES = {"paypay-simulator": "PayPay", "firebase-simulator": "Firebase"}
_TEXTS: dict[str, tuple[str, ...]] = {
    "bff": (
        "the only door: pages, sessions, live channels, pictures, PayPay's webhooks",
        "sessions and limits: in memory or Redis",
        "pushes every change of an order to the page that shows it",
    ),
    "es-service": ("search, completion", "tantivy, Elasticsearch", "pictures: folder, S3"),
    "order-service": ("orders, sagas, audit", "ec_order", "trail: SQL, MongoDB"),
    "alert-service": ("rules over the events", "RocksDB, ec_system", "tells people: webhook"),
    "storage-service": ("goods, prices, stock", "reservations, ledger", "ec_storage"),
    "account-service": ("people, roles", "wallets and holds", "ec_account"),
    "payment-service": ("evidence, refunds", "ledger, day's files", "ec_payment"),
    "paypay-simulator": ("codes", "answers", "webhooks", "", "stand-in", "8090"),
    "firebase-simulator": ("who it is", "stand-in", "8091"),
}

_Way = tuple[End, End, tuple[Point, ...]]
_WAYS: dict[tuple[str, str], _Way] = {
    ("bff", "es-service"): (End("bottom", _COLUMN / 2 / _WIDE), End("top", 0.5), ()),
    ("bff", "order-service"): (End("bottom", 0.5), End("top", 0.5), ()),
    ("bff", "alert-service"): (End("bottom", 1 - _COLUMN / 2 / _WIDE), End("top", 0.5), ()),
    ("bff", "storage-service"): (
        End("bottom", (_GAP_1 - 8 - _LEFT) / _WIDE),
        End("right", 0.5),
        (Point(_GAP_1 - 8, _CALLED + 50),),
    ),
    ("bff", "account-service"): (
        End("bottom", (_GAP_1 + 8 - _LEFT) / _WIDE),
        End("left", 0.5),
        (Point(_GAP_1 + 8, _CALLED + 50),),
    ),
    ("bff", "payment-service"): (
        End("bottom", (_GAP_2 - _LEFT) / _WIDE),
        End("left", 0.5),
        (Point(_GAP_2, _CALLED + 50),),
    ),
    ("order-service", "account-service"): (End("bottom", 0.5), End("top", 0.5), ()),
    ("order-service", "storage-service"): (
        End("bottom", 0.2),
        End("top", 0.55),
        (Point(_COLUMNS[1] + 0.2 * _COLUMN, 386), Point(_LEFT + 0.55 * _COLUMN, 386)),
    ),
    ("order-service", "payment-service"): (
        End("bottom", 0.8),
        End("top", 0.3),
        (Point(_COLUMNS[1] + 0.8 * _COLUMN, 438), Point(_COLUMNS[2] + 0.3 * _COLUMN, 438)),
    ),
    ("alert-service", "order-service"): (End("left", 0.5), End("right", 0.5), ()),
    ("alert-service", "payment-service"): (End("bottom", 0.6), End("top", 0.6), ()),
    ("alert-service", "storage-service"): (
        End("bottom", 0.2),
        End("top", 0.85),
        (Point(_COLUMNS[2] + 0.2 * _COLUMN, 412), Point(_LEFT + 0.85 * _COLUMN, 412)),
    ),
    ("es-service", "storage-service"): (End("bottom", 0.25), End("top", 0.25), ()),
}


def drawio() -> str:
    return to_drawio((overview(), data_flow()))


def overview_svg() -> str:
    return to_svg(overview())


def data_flow_svg() -> str:
    return to_svg(data_flow())


def overview() -> Sheet:
    services = tuple(drawn_service(card) for card in (*SERVICES, *SIMULATORS))
    browser = Box(
        "browser",
        "Browser",
        _EDGE,
        72,
        _SIDE,
        96,
        "outside",
        texts=(Text("shop, console"), Text("Vue 3")),
    )
    calls = tuple(drawn_call(card, name) for card in SERVICES for name in card.calls)
    return Sheet(
        name="Overview",
        title="Kessai: services, ports and calls",
        about="The browser, PayPay and Firebase stand outside. Every arrow between services is a "
        "call; below are the topics with who writes and who reads them.",
        width=_WIDTH,
        height=790,
        boxes=(browser, *services, *_topics()),
        lines=(*_outside_lines(), *calls),
        words=(
            Words("heading", _EDGE, 42, "Services, ports and calls", "title"),
            Words("events", _EDGE, 640, "Events: who writes and reads which topic", "text"),
        ),
    )


def drawn_service(card: ServiceCard) -> Box:
    """Raises `LookupError` for a service that nobody has given a place."""
    if card.name not in _PLACES or card.name not in _TEXTS:
        raise LookupError(f"{__file__}: {card.name} has no place or no words on the picture")
    x, y, width, height = _PLACES[card.name]
    texts = _TEXTS[card.name]
    outside = card in SIMULATORS
    kind: Kind = "outside" if outside else "service"
    ports = [str(card.port)] + ([f"management {card.management_port}"] * bool(card.management_port))
    return Box(
        card.name,
        _TITLES.get(card.name, card.name),
        x,
        y,
        width,
        height,
        kind,
        _TONES.get(card.name, "nezu"),
        "" if outside else ", ".join(ports),
        tuple(Text(words, "mono" if words.isdigit() else "text") for words in texts),
    )


def drawn_call(caller: ServiceCard, callee: str) -> Line:
    """Raises `LookupError` for a call that nobody has drawn a way for."""
    way = _WAYS.get((caller.name, callee))
    if way is None:
        raise LookupError(f"{__file__}: no way is drawn for the call {caller.name} -> {callee}")
    start, end, via = way
    tone = _TONES.get(caller.name, "nezu")
    return Line(f"call-{caller.name}-{callee}", caller.name, callee, start, end, via, tone)


def _outside_lines() -> tuple[Line, ...]:
    firebase, paypay = "firebase-simulator", PAYPAY_SIMULATOR.name
    asks = Point(949, 514)
    return (
        Line("requests", "browser", "bff", End("right", 0.35), End("left", 0.35), label="requests"),
        Line("pushes", "bff", "browser", End("left", 0.7), End("right", 0.7), label="pushes"),
        Line(
            "sign-in",
            "browser",
            firebase,
            End("bottom", 0.5),
            End("top", 0.5),
            tone="kikyo",
            label="signs in",
            label_at=Point(_EDGE + _SIDE / 2, 216),
        ),
        Line(
            "keys",
            "bff",
            firebase,
            End("bottom", 14 / _WIDE),
            End("right", 0.5),
            (Point(_LEFT + 14, 212), Point(172, 212), Point(172, 302)),
            "kikyo",
            "public keys",
            Point(168, 204),
        ),
        Line(
            "webhook",
            paypay,
            "bff",
            End("left", 48 / 498),
            End("right", 0.5),
            tone="matsu",
            label="webhook",
        ),
        Line(
            "asks",
            "payment-service",
            paypay,
            End("right", 0.5),
            End("left", 448 / 498),
            tone="matsu",
            label="asks",
            label_at=asks,
        ),
    )


def _topics() -> tuple[Box, ...]:
    gap = 10.0
    width = (_WIDTH - 2 * _EDGE - 4 * gap) / 5
    found = []
    for at, topic in enumerate(TOPICS):
        writers = ", ".join(_plain(card) for card in SERVICES if topic in card.emits)
        readers = ", ".join(_plain(card) for card in SERVICES if topic in card.consumes)
        ends = [*wrap(f"from {writers}", 22), *wrap(f"to {readers}", 22)]
        texts = tuple(Text(words, "note") for words in ends)
        x = _EDGE + at * (width + gap)
        tone = topic_tone(topic)
        found.append(Box(topic, short(topic), x, 656, width, 98, "topic", tone, texts=texts))
    return tuple(found)


def _plain(card: ServiceCard) -> str:
    return card.name.removesuffix("-service")
