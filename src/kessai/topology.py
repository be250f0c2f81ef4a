"""The map of the system as data: services, ports, topics, who may call whom."""

from __future__ import annotations

from dataclasses import dataclass

PARTITIONS = 6

ORDERS_TOPIC = "ec-demo.orders.events.v1"
PAYMENTS_TOPIC = "ec-demo.payments.events.v1"
ALERTS_TOPIC = "ec-demo.alerts.order_payment_inconsistency.v1"
PRODUCTS_TOPIC = "ec-demo.products.events.v1"
SIGNALS_TOPIC = "ec-demo.signals.events.v1"
# The state of the alert rules, compacted; on the local bus it lies in files alone.
STATE_TOPIC = "ec-demo.alerts.state.v1"
TOPICS = (ORDERS_TOPIC, PAYMENTS_TOPIC, ALERTS_TOPIC, PRODUCTS_TOPIC, SIGNALS_TOPIC)


@dataclass(frozen=True, slots=True)
class ServiceCard:
    """What a service is to the others. `public` may be reached from outside, the rest may not."""

    name: str
    port: int
    package: str
    public: bool = False
    management_port: int | None = None
    emits: tuple[str, ...] = ()
    consumes: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


BFF = ServiceCard(
    "bff",
    8080,
    "bff",
    public=True,
    management_port=9080,
    consumes=(ORDERS_TOPIC, ALERTS_TOPIC),
    calls=(
        "order-service",
        "account-service",
        "storage-service",
        "payment-service",
        "es-service",
        "alert-service",
    ),
)
ACCOUNT = ServiceCard("account-service", 8081, "account")
ORDER = ServiceCard(
    "order-service",
    8082,
    "order",
    emits=(ORDERS_TOPIC, SIGNALS_TOPIC),
    consumes=(PAYMENTS_TOPIC, ORDERS_TOPIC),
    calls=("storage-service", "payment-service", "account-service"),
)
STORAGE = ServiceCard("storage-service", 8083, "storage", emits=(PRODUCTS_TOPIC, SIGNALS_TOPIC))
PAYMENT = ServiceCard("payment-service", 8084, "payment", emits=(PAYMENTS_TOPIC, SIGNALS_TOPIC))
ALERT = ServiceCard(
    "alert-service",
    8085,
    "alert",
    emits=(ALERTS_TOPIC, SIGNALS_TOPIC),
    consumes=(ORDERS_TOPIC, PAYMENTS_TOPIC, SIGNALS_TOPIC, ALERTS_TOPIC),
    calls=("order-service", "payment-service", "storage-service"),
)
SEARCH = ServiceCard(
    "es-service", 8086, "search", consumes=(PRODUCTS_TOPIC,), calls=("storage-service",)
)
PAYPAY_SIMULATOR = ServiceCard("paypay-simulator", 8090, "sim.paypay", public=True)
FIREBASE_SIMULATOR = ServiceCard("firebase-simulator", 8091, "sim.firebase", public=True)

SERVICES = (BFF, ACCOUNT, ORDER, STORAGE, PAYMENT, ALERT, SEARCH)
SIMULATORS = (PAYPAY_SIMULATOR, FIREBASE_SIMULATOR)


def service(name: str) -> ServiceCard:
    """The card of a service or simulator. Raises `LookupError` that lists the known names."""
    for card in SERVICES + SIMULATORS:
        if name in (card.name, card.package):
            return card
    known = ", ".join(card.name for card in SERVICES + SIMULATORS)
    raise LookupError(f"no service {name!r}; known: {known}")
