"""docs/architecture/services.md: the map of the system in words, out of `topology.py` and the
services' published interfaces."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tests.docs.markdown import code, page, table

from kessai.contracts.account import AccountService
from kessai.contracts.alert import AlertService
from kessai.contracts.order import OrderService
from kessai.contracts.payment import PaymentService
from kessai.contracts.search import SearchService
from kessai.contracts.storage import StorageService
from kessai.topology import SERVICES, SIMULATORS, ServiceCard


@dataclass(frozen=True, slots=True)
class Words:
    """What the code does not say of a service in a sentence."""

    owns: str
    keeps: str
    by_itself: str
    away: str


WORDS: Final[Mapping[str, Words]] = {
    "bff": Words(
        "sessions, live channels, the shop's pages, the console, pictures as they are shown",
        "sessions, tickets and rate limits in memory or in Redis (`KESSAI_REDIS_URL`)",
        "reads every order event and pushes it to its own sockets; follows the alerts",
        "nobody can buy; PayPay sends its webhooks again, payments are found by polling",
    ),
    "account-service": Words(
        "people, roles, wallets, holds and the wallets' ledger",
        "schema `ec_account`",
        "nothing: every change is somebody's command",
        "nobody can sign in anew or pay by wallet; sagas ask again",
    ),
    "order-service": Words(
        "orders, idempotency keys, sagas, refunds wanted, the audit trail, the promise's counts",
        "schema `ec_order`; the trail there or in MongoDB (`KESSAI_AUDIT_URL`)",
        "drives sagas, closes orders past their deadline, asks about orders that no event came "
        "for, moves the audit trail, relays its outbox",
        "nobody can buy; payments go on and wait as events",
    ),
    "storage-service": Words(
        "products, prices of record, categories, stock, reservations and the stock ledger",
        "schema `ec_storage`",
        "announces changed products, tells of reservations that nobody settled",
        "nobody can buy; orders under way wait for it; searching goes on with the index as it is",
    ),
    "payment-service": Words(
        "payment attempts, evidence, the webhook inbox, refunds, the money ledger, files of a day",
        "schema `ec_payment`",
        "asks PayPay about live codes and webhooks, makes refunds, fetches and reconciles files",
        "orders stay PENDING, webhooks are answered 503 and come again; what was paid is found "
        "when it is back",
    ),
    "alert-service": Words(
        "what the rules know of each order, alerts, their history, notices to people",
        "rule state in RocksDB, alerts in `ec_system.sys_pay_alert`",
        "runs the rules, fills the table, tells people by a signed webhook",
        "nothing for customers; alerts come late, none is lost or doubled",
    ),
    "es-service": Words(
        "the search index, which is a picture of storage-service's catalogue, and the pictures",
        "tantivy's files or Elasticsearch (`KESSAI_SEARCH_URL`); a folder or S3 "
        "(`KESSAI_OBJECTS_URL`)",
        "follows the products, builds an index anew when its analysis changed",
        "searching answers 503; lists, categories and purchases go on",
    ),
}
PORTS: Final[Mapping[str, type]] = {
    "account-service": AccountService,
    "order-service": OrderService,
    "storage-service": StorageService,
    "payment-service": PaymentService,
    "alert-service": AlertService,
    "es-service": SearchService,
}
LEAD: Final = (
    "Seven services, each a folder of `src/kessai/` with a schema of its own. They run in one "
    "process (`kessai up`), one by one (`kessai serve NAME`), or several of each; callers cannot "
    "tell. Why so: [0001](../adr/0001-one-package-fenced-by-a-test.md) and "
    "[0011](../adr/0011-calls-through-one-port-three-adapters.md)."
)


def services_page() -> str:
    return page(
        "Services",
        LEAD,
        [
            "![The services, their ports and who calls whom](../diagrams/overview.svg)",
            "",
            "The same picture for draw.io: [kessai.drawio](../diagrams/kessai.drawio). "
            "Which events go where: [data-flow.md](data-flow.md).",
        ],
        summary(),
        *(section(card) for card in SERVICES),
        strangers(),
    )


def summary() -> list[str]:
    rows = [
        (f"[{card.name}](#{card.name})", ports(card), code(f"kessai.{card.package}"), links(card))
        for card in SERVICES
    ]
    return table(("service", "port", "package", "calls"), rows)


def ports(card: ServiceCard) -> str:
    more = f", management {card.management_port}" if card.management_port else ""
    return f"{card.port}{more}"


def links(card: ServiceCard) -> str:
    return ", ".join(f"[{name}](#{name})" for name in card.calls)


def section(card: ServiceCard) -> Iterator[str]:
    words = WORDS[card.name]
    yield f"## {card.name}"
    yield ""
    yield from table(("", card.name), facts(card, words))


def facts(card: ServiceCard, words: Words) -> Iterator[tuple[str, str]]:
    yield "owns", words.owns
    yield "keeps it in", words.keeps
    if card.name in PORTS:
        yield "offers", ", ".join(code(name) for name in operations(PORTS[card.name]))
    for title, topics in (("emits", card.emits), ("reads", card.consumes)):
        if topics:
            yield title, ", ".join(code(topic) for topic in topics)
    yield "does by itself", words.by_itself
    yield "while it is away", words.away


def operations(port: type) -> list[str]:
    """In the order of the interface; `ping` is for the health of callers."""
    return [
        name
        for name, member in vars(port).items()
        if inspect.iscoroutinefunction(member) and name != "ping"
    ]


def strangers() -> Iterator[str]:
    yield "## Strangers"
    yield ""
    yield (
        "PayPay and Firebase are reached by settings. What stands in for them by default speaks "
        "their wire protocol, and also runs alone (`kessai sim paypay`, `kessai sim firebase`): "
        "[simulator.md](../develop/simulator.md)."
    )
    yield ""
    rows = [(card.name, str(card.port), code(f"kessai.{card.package}")) for card in SIMULATORS]
    yield from table(("simulator", "port", "package"), rows)
