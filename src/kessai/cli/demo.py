"""`kessai demo`: a purchase, a lost webhook, doubled and reordered ones, and what was kept."""

from __future__ import annotations

import asyncio
import io
import logging
import os.path
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import segno
from pydantic import JsonValue
from rich.console import Console
from rich.table import Table

from kessai.cli.demo_alert import force_rule_a
from kessai.cli.errors import fail, load_settings
from kessai.cli.starting import a_shop
from kessai.contracts.order import AuditTrailOfOrder, OrderById, OrderService
from kessai.embedded import service_urls
from kessai.kernel.addresses import Address, Addresses
from kessai.kernel.breaker import CircuitBreaker
from kessai.kernel.calls import http
from kessai.kernel.clock import SystemClock, parse_wire
from kessai.kernel.http import AiohttpHttp
from kessai.kernel.settings import Settings
from kessai.proof.customer import Answered, Customer, SeenFrame, SeenOrder, ShopUrls, Watch
from kessai.proof.line import LOST
from kessai.topology import ORDER

UNAVAILABLE = 3
_EMAIL = "shopper@example.com"
_PASSWORD = "kessai-demo"  # noqa: S105 - the simulator's seeded account
_NO_FAULTS: dict[str, JsonValue] = {"drop": 0, "duplicate": 0, "reorder": 0, "delayMs": [0, 0]}


@dataclass(slots=True)
class Findings:
    """What was expected and whether it came so."""

    rows: list[tuple[str, bool, str]] = field(default_factory=list)

    def expect(self, sentence: str, holds: bool, seen: object = "") -> None:
        self.rows.append((sentence, holds, str(seen)))

    @property
    def agrees(self) -> bool:
        return all(holds for _, holds, _ in self.rows)


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase of the show: the order at its end and the frames that were pushed."""

    title: str
    order: SeenOrder
    frames: Sequence[SeenFrame]
    paid_after_s: float


def show() -> int:
    """The exit code: 0 when everything agreed, 1 when not, 3 when somebody did not answer."""
    settings = load_settings()
    logging.getLogger().setLevel(logging.ERROR)
    try:
        return asyncio.run(_show(settings))
    except LOST as lost:
        # All three are needed: the shop, the wallet that pays, and who signs customers in.
        where = f"{settings.public_url}, {settings.sim_public_url}, {settings.firebase_api_url}"
        fail(f"one of {where} does not answer: {type(lost).__name__}", UNAVAILABLE)
    except Answered as answered:
        fail(f"{settings.public_url} answered {answered}", UNAVAILABLE)


async def _show(settings: Settings) -> int:
    console = Console(highlight=False)
    urls = ShopUrls(settings.public_url, settings.sim_public_url, settings.firebase_api_url)
    findings = Findings()
    async with a_shop(settings) as started:
        console.print(
            "Started a shop of its own." if started else f"Using the shop at {urls.shop}."
        )
        async with Customer(urls) as customer:
            await customer.sign_in(_EMAIL, _PASSWORD)
            purchases = await _buy_three_times(console, customer, findings)
            await customer.set_faults({"scope": "*", "webhooks": _NO_FAULTS})
        await _observe(console, settings, purchases, findings)
        console.rule("and what does not agree is told: rule A")
        bought = [purchase.order.order_id for purchase in purchases]
        await force_rule_a(console, settings, bought, findings)
    _report(console, findings)
    return 0 if findings.agrees else 1


async def _buy_three_times(
    console: Console, customer: Customer, findings: Findings
) -> list[Purchase]:
    product = await _cheapest_in_stock(customer)
    console.rule("1  A purchase waits for payment")
    first = await customer.purchase([(product, 1)], key=str(uuid.uuid4()))
    findings.expect("the order waits for payment", first.status == "WAITING_PAYMENT", first.status)
    console.print(f"order {first.order_number}: PENDING → {first.status}, ¥{first.amount:,}")
    console.print(_qr(first.payment_url or ""))
    console.rule("2  Paid by webhook, then without it, then by too many of them")
    bought = [await _pay(console, customer, first, "the webhook arrives")]
    lost = await customer.purchase([(product, 1)], key=str(uuid.uuid4()))
    await _disturb(customer, [lost], {"drop": 100})
    bought.append(await _pay(console, customer, lost, "the webhook is lost, polling finds it"))
    pair = [await customer.purchase([(product, 1)], key=str(uuid.uuid4())) for _ in range(2)]
    await _disturb(
        customer, pair, {"duplicate": 100, "duplicates": 3, "reorder": 50, "delayMs": [0, 300]}
    )
    title = "webhooks are doubled and reordered"
    bought += await asyncio.gather(*(_pay(console, customer, order, title) for order in pair))
    for purchase in bought:
        _judge(purchase, findings)
    return bought


async def _disturb(
    customer: Customer, orders: Sequence[SeenOrder], webhooks: dict[str, JsonValue]
) -> None:
    """Only these orders' webhooks: a shop that was up already may have other customers."""
    # Ids begin with the time, so those of one moment share their first characters.
    scope = os.path.commonprefix([order.order_id for order in orders])  # noqa: RUF071
    await customer.set_faults({"scope": scope, "webhooks": {**_NO_FAULTS, **webhooks}})


async def _cheapest_in_stock(customer: Customer) -> int:
    products = await customer.products()
    stocked = [p for p in products if isinstance(p["stock"], int) and p["stock"] >= 10]
    if not stocked:
        raise RuntimeError("no product has ten pieces in stock: import a catalogue first")
    return int(str(min(stocked, key=lambda product: int(str(product["price"])))["id"]))


async def _pay(console: Console, customer: Customer, order: SeenOrder, title: str) -> Purchase:
    loop = asyncio.get_running_loop()
    async with customer.watching(await customer.order(order.order_id)) as watch:
        started = loop.time()
        await customer.pay(f"{order.order_id}-1")
        paid = await customer.until(order.order_id, "PAID", timeout_s=60, every_s=0.03)
        paid_after_s = loop.time() - started
        await _settled_frames(watch)
    console.print(f"{paid.order_number}: {title}: PAID after {paid_after_s * 1000:,.0f} ms")
    later = await customer.order(order.order_id)
    return Purchase(f"{paid.order_number}, {title}", later, watch.frames, paid_after_s)


async def _settled_frames(watch: Watch) -> None:
    """The final push, and a moment more in which a repeat would show."""
    async with asyncio.timeout(10):
        await watch.ended.wait()
    await asyncio.sleep(1.0)


def _judge(purchase: Purchase, findings: Findings) -> None:
    title = purchase.title
    sequences = [frame.sequence for frame in purchase.frames]
    results = [frame.result for frame in purchase.frames]
    paid = [fact.code for fact in purchase.order.timeline].count("PAID")
    findings.expect(
        f"{title}: PAID within 60 s", purchase.paid_after_s < 60, f"{purchase.paid_after_s:.2f} s"
    )
    findings.expect(f"{title}: paid once", paid == 1, paid)
    findings.expect(
        f"{title}: pushed in order, the end last and once",
        sequences == sorted(set(sequences)) and results.count("SUCCESS") == 1,
        sequences,
    )


async def _observe(
    console: Console, settings: Settings, purchases: Iterable[Purchase], findings: Findings
) -> None:
    console.rule("3  What was kept")
    client = AiohttpHttp()
    own = f"http://127.0.0.1:{ORDER.port + settings.port_offset}"
    urls = service_urls(settings).get(ORDER.name) or [own]
    orders = http(
        OrderService,
        Addresses([Address(url, CircuitBreaker(SystemClock())) for url in urls]),
        service=ORDER.name,
        token=settings.service_token.get_secret_value(),
        client=client,
        timeout_s=settings.call_timeout_s,
    )
    try:
        for purchase in purchases:
            trail = await orders.audit_order(OrderById(order_id=purchase.order.order_id))
            console.print(_story(purchase))
            _judge_trail(purchase, trail, findings)
    finally:
        await client.close()


def _judge_trail(purchase: Purchase, trail: AuditTrailOfOrder, findings: Findings) -> None:
    moves = [entry.to_status for entry in trail.entries if entry.to_status != entry.from_status]
    words = [str(status) for status in moves if status]
    findings.expect(f"{purchase.title}: the audit chain verifies", trail.intact, trail.broken_at)
    findings.expect(
        f"{purchase.title}: three moves, each once",
        words == ["PENDING", "WAITING_PAYMENT", "PAID"],
        " → ".join(words),
    )


def _story(purchase: Purchase) -> Table:
    table = Table("after", "what", "fact", title=purchase.title)
    start = parse_wire(purchase.order.timeline[0].at) if purchase.order.timeline else None
    for fact in purchase.order.timeline:
        after = (parse_wire(fact.at) - start).total_seconds() if start else 0.0
        table.add_row(f"{after:8.3f} s", fact.kind, fact.code)
    pushed = " ".join(f"#{frame.sequence} {frame.order_status}" for frame in purchase.frames)
    table.add_row("", "pushed", pushed)
    return table


def _report(console: Console, findings: Findings) -> None:
    table = Table("expected", "", "seen", title="Agreement", show_lines=False)
    for sentence, holds, seen in findings.rows:
        table.add_row(sentence, "[green]yes[/green]" if holds else "[red]NO[/red]", seen)
    console.print(table)
    console.print("Everything agrees." if findings.agrees else "[red]Something disagrees.[/red]")


def _qr(url: str) -> str:
    target = io.StringIO()
    segno.make(url, micro=False).terminal(target, compact=True, border=1)
    return f"{target.getvalue()}{url}"
