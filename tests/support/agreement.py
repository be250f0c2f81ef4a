"""Do orders, the provider's book, payments, stock, wallets, events and audit agree? The oracle."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import text
from tests.support.shop import Customer, Json, Shop

from kessai.contracts.moves import LIVE_ATTEMPT, ORDER_MOVES, AttemptStatus, OrderStatus
from kessai.contracts.order import Order, OrderById
from kessai.kernel.clock import parse_wire, to_ms
from kessai.kernel.db import Db
from kessai.kernel.local_bus import LocalBus
from kessai.topology import ORDERS_TOPIC, PAYMENTS_TOPIC, SIGNALS_TOPIC

OPEN_ORDER = ("PENDING", "WAITING_PAYMENT")
_LIVE = tuple(one.value for one in LIVE_ATTEMPT)
# What somebody has to look at. `MoneyReturned` and `RefundStuck` tell of the provider's doing.
_WRONG_SIGNALS = (
    "AmountDiffers",
    "RefundRefused",
    "RefundRejected",
    "StockNotReleased",
    "StockNotRestocked",
    "UnknownProviderWord",
)
# Statuses of an attempt that agree with the last word of the provider's own book.
_AGREEING = {
    "CREATED": ("EXPIRED", "CANCELLED", "FAILED"),
    "COMPLETED": ("SUCCEEDED",),
    "REFUNDED": ("REFUNDED",),
    "FAILED": ("FAILED", "EXPIRED", "CANCELLED", "REFUNDED"),
}


async def orders_of(shop: Shop, *customers: Customer) -> list[Order]:
    found = []
    for customer in customers:
        for order_id in dict.fromkeys(customer.orders):
            found.append(await shop.ports.order.view_order(OrderById(order_id=order_id)))
    return found


async def assert_agreement(shop: Shop, *customers: Customer) -> None:
    """For orders that are final: money at the provider, orders and stock say the same."""
    orders = await orders_of(shop, *customers)
    book = await shop.book()
    kept: dict[str, int] = {}
    for row in book:
        order_id = str(row["merchantPaymentId"])[:26]
        returned = sum(int(refund["amount"]) for refund in row["refunds"] or [])
        captured = int(row["amount"]) if row["status"] in ("COMPLETED", "REFUNDED") else 0
        assert returned <= captured, row
        kept[order_id] = kept.get(order_id, 0) + captured - returned
    for order in orders:
        assert order.status not in (OrderStatus.PENDING, OrderStatus.WAITING_PAYMENT), order
        owed = order.amount if order.status is OrderStatus.PAID else 0
        if order.method == "BALANCE":
            owed = 0
        assert kept.get(order.order_id, 0) == owed, (order.status, order.reason, kept)
        trail = await shop.ports.order.audit_order(OrderById(order_id=order.order_id))
        assert trail.intact
    sold: dict[int, int] = {}
    for order in orders:
        if order.status is OrderStatus.PAID:
            for item in order.items:
                sold[item.product_id] = sold.get(item.product_id, 0) + item.quantity
    for product_id, opening in shop.opening_stock.items():
        left = await shop.stock(product_id)
        assert left == opening - sold.get(product_id, 0), (product_id, opening, left, sold)
    # What must hold at any moment, whatever the rest of the shop is doing.
    books = await read_books(shop)
    wrong = [*_stock_sums(books), *_ledger_sums(books), *_wallet_sums(books)]
    assert not wrong, "\n".join(wrong)


@dataclass
class Books:
    """Everything that anybody wrote down, at one moment."""

    now_ms: int
    orders: list[Json]
    refunds_wanted: list[Json]
    audit: list[Json]
    sagas: list[Json]
    attempts: list[Json]
    refunds: list[Json]
    ledger: list[Json]
    inbox: list[Json]
    stock: list[Json]
    movements: list[Json]
    reservations: list[Json]
    restocks: list[Json]
    wallets: list[Json]
    holds: list[Json]
    wallet_moves: list[Json]
    unsent: dict[str, int]
    records: list[Json]
    provider: list[Json]
    opening: dict[int, int] = field(default_factory=dict)

    def of_order(self, rows: Iterable[Json], order_id: str) -> list[Json]:
        return [row for row in rows if row["order_id"] == order_id]

    def provider_of(self, order_id: str) -> list[Json]:
        return [row for row in self.provider if row["merchantPaymentId"][:26] == order_id]


async def _rows(db: Db, query: str) -> list[Json]:
    async with db.read() as tx:
        return [dict(row) for row in (await tx.run(text(query))).all()]


async def read_books(shop: Shop) -> Books:
    order, payment = shop.databases["order"], shop.databases["payment"]
    storage, account = shop.databases["storage"], shop.databases["account"]
    unsent = "select count(*) as n from outbox where sent = 0"
    bus = cast(LocalBus, shop.runtime.bus).db
    return Books(
        now_ms=shop.runtime.clock.now_ms(),
        orders=await _rows(order, "select * from orders order by order_id"),
        refunds_wanted=await _rows(order, "select * from order_refund"),
        audit=await _rows(order, "select * from order_audit order by order_id, sequence"),
        sagas=await _rows(order, "select * from sg_machine"),
        attempts=await _rows(payment, "select * from attempt order by order_id, number"),
        refunds=await _rows(payment, "select * from refund"),
        ledger=await _rows(payment, "select * from ledger"),
        inbox=await _rows(payment, "select * from webhook_inbox"),
        stock=await _rows(storage, "select * from stock"),
        movements=await _rows(storage, "select * from stock_ledger"),
        reservations=await _rows(storage, "select * from reservation"),
        restocks=await _rows(storage, "select * from restock"),
        wallets=await _rows(account, "select * from wallet"),
        holds=await _rows(account, "select * from hold"),
        wallet_moves=await _rows(account, "select * from balance_ledger"),
        unsent={
            name: int((await _rows(shop.databases[name], unsent))[0]["n"])
            for name in ("order", "payment", "storage")
        },
        records=await _rows(bus, 'select * from bus_record order by topic, "partition", position'),
        provider=await shop.book(),
        opening=dict(shop.opening_stock),
    )


def disagreements(books: Books, *, crashed: bool = False) -> list[str]:
    """Of a shop at rest: every order final, faults gone. Empty when everything agrees.

    `crashed`: a process died, so that its outbox may have sent a message twice.
    """
    return [
        *_ends(books),
        *_money(books),
        *_attempts(books),
        *_refunds(books),
        *_ledger_sums(books),
        *_ledger_of_orders(books),
        *_stock_sums(books),
        *_stock_of_orders(books),
        *_wallet_sums(books),
        *_wallets_of_orders(books),
        *_events(books, crashed=crashed),
        *_audit(books),
        *_machinery(books),
        *_views(books),
    ]


def not_final(books: Books) -> list[str]:
    return [
        f"{row['order_id']} is {row['status']} (decision {row['decision']!r}, closing "
        f"{row['closing']!r}, payment {row['payment_status']})"
        for row in books.orders
        if row["status"] in OPEN_ORDER
    ]


def unsafe(books: Books) -> list[str]:
    """What may never be, also in the middle of faults."""
    wrong = [*_stock_sums(books), *_ledger_sums(books), *_wallet_sums(books)]
    for row in books.provider:
        back = sum(int(refund["amount"]) for refund in row["refunds"] or [])
        if back > int(row["amount"]):
            wrong.append(f"more went back than came: {row}")
    for order in books.orders:
        order_id = order["order_id"]
        live = [row for row in books.provider_of(order_id) if is_live_code(row, books.now_ms)]
        if len(live) > 1:
            wrong.append(f"{order_id} has live codes {[row['merchantPaymentId'] for row in live]}")
        attempts = books.of_order(books.attempts, order_id)
        if sum(one["status"] in _LIVE for one in attempts) > 1:
            wrong.append(f"{order_id} has several live attempts")
        if order["status"] == "PAID" and not _was_paid(books, order):
            wrong.append(f"{order_id} is PAID and the provider knows of no success")
    return wrong


def is_live_code(row: Json, now_ms: int) -> bool:
    """Somebody could pay it now."""
    if row["status"] != "CREATED" or row["url"] is None:
        return False
    return to_ms(parse_wire(row["expiresAt"])) > now_ms


def known_live_codes(books: Books) -> dict[str, str]:
    """merchantPaymentId -> order id of codes that we could delete and somebody could pay."""
    known = {one["id"] for one in books.attempts if one["code_id"] is not None}
    return {
        row["merchantPaymentId"]: row["merchantPaymentId"][:26]
        for row in books.provider
        if row["merchantPaymentId"] in known and is_live_code(row, books.now_ms)
    }


def _was_paid(books: Books, order: Json) -> bool:
    if order["method"] == "BALANCE":
        return any(
            one["provider"] == "Balance" and one["captured_yen"] == order["amount"]
            for one in books.of_order(books.attempts, order["order_id"])
        )
    return any(
        row["paidAt"] is not None and int(row["amount"]) == order["amount"]
        for row in books.provider_of(order["order_id"])
    )


def _ends(books: Books) -> list[str]:
    wrong = not_final(books)
    wrong += [f"{o['order_id']} is REFUNDING" for o in books.orders if o["status"] == "REFUNDING"]
    wrong += [
        f"attempt {one['id']} is {one['status']}"
        for one in books.attempts
        if one["status"] in (*_LIVE, "REFUNDING")
    ]
    return wrong


def _kept(rows: Sequence[Json]) -> int:
    """What the merchant still holds of these payments, by the provider's own book."""
    kept = 0
    for row in rows:
        if row["status"] in ("COMPLETED", "REFUNDED"):
            kept += int(row["amount"]) - sum(int(one["amount"]) for one in row["refunds"] or [])
    return kept


def _money(books: Books) -> list[str]:
    wrong = []
    returned = {
        signal["orderId"]
        for signal in _events_on(books, SIGNALS_TOPIC)
        if signal["signal"] == "MoneyReturned"
    }
    for order in books.orders:
        order_id = order["order_id"]
        paypay = order["method"] == "PAYPAY"
        owed = order["amount"] if paypay and order["status"] == "PAID" else 0
        kept = _kept(books.provider_of(order_id))
        if owed and kept == 0 and order_id in returned:
            # A cancel that won after all (design.md, 2.1): an operator was told.
            continue
        if kept != owed:
            wrong.append(f"{order_id} is {order['status']} ({order['reason']}), kept {kept}")
        if order["status"] == "PAID" and not _was_paid(books, order):
            wrong.append(f"{order_id} is PAID without a success")
    return wrong


def _attempts(books: Books) -> list[str]:
    wrong = []
    ours = {one["id"]: one for one in books.attempts}
    for row in books.provider:
        one = ours.get(row["merchantPaymentId"])
        if one is None:
            wrong.append(f"nobody here knows of {row['merchantPaymentId']}")
        elif one["status"] not in _AGREEING[row["status"]]:
            wrong.append(f"attempt {one['id']} is {one['status']}, there {row['status']}")
        elif one["error_code"] == "PAYMENT_UNAVAILABLE":
            wrong.append(f"attempt {one['id']} was refused, and its code exists")
    theirs = {row["merchantPaymentId"] for row in books.provider}
    for one in books.attempts:
        if one["provider"] == "PayPay" and one["id"] not in theirs and one["code_id"] is not None:
            wrong.append(f"attempt {one['id']} has a code that the provider never made")
    return wrong


def _refunds(books: Books) -> list[str]:
    wrong = []
    there = {
        refund["merchantRefundId"]: (int(refund["amount"]), refund["status"])
        for row in books.provider
        for refund in row["refunds"] or []
    }
    for one in books.refunds:
        if one["status"] != "COMPLETED":
            wrong.append(f"refund {one['id']} of {one['merchant_payment_id']} is {one['status']}")
        elif one["provider"] == "PayPay" and there.get(one["id"]) != (
            one["amount_yen"],
            "REFUNDED",
        ):
            wrong.append(f"refund {one['id']} is {there.get(one['id'])} there")
    executed = {one["id"] for one in books.refunds}
    wrong += [f"nobody here wanted the refund {one}" for one in there if one not in executed]
    wanted = {one["refund_id"]: one["status"] for one in books.refunds_wanted}
    ordered = {one["id"] for one in books.refunds if one["reason"] != "AMOUNT_MISMATCH"}
    if set(wanted) != ordered:
        wrong.append(f"refunds wanted {sorted(wanted)}, executed {sorted(ordered)}")
    wrong += [f"refund {one} is {at} here" for one, at in wanted.items() if at != "COMPLETED"]
    for attempt, count in Counter(one["merchant_payment_id"] for one in books.refunds).items():
        if count > 1:
            wrong.append(f"{attempt} was refunded {count} times")
    return wrong


def _ledger_sums(books: Books) -> list[str]:
    wrong = [f"ledger row {row}" for row in books.ledger if row["amount_yen"] < 1]
    balance: Counter[str] = Counter()
    for row in books.ledger:
        balance[row["debit_account"]] += row["amount_yen"]
        balance[row["credit_account"]] -= row["amount_yen"]
    if sum(balance.values()) != 0:
        wrong.append(f"debits and credits differ: {dict(balance)}")
    held: Counter[str] = Counter()
    for one in books.attempts:
        held[one["provider"]] += one["captured_yen"]
    for one in books.refunds:
        if one["status"] == "COMPLETED":
            held[one["provider"]] -= one["amount_yen"]
    for provider in ("PayPay", "Balance"):
        if balance[f"provider:{provider}"] != held[provider]:
            wrong.append(
                f"ledger {provider} {balance[f'provider:{provider}']}, attempts {held[provider]}"
            )
    return wrong


def _ledger_of_orders(books: Books) -> list[str]:
    wrong = []
    for order in books.orders:
        account, total = f"order:{order['order_id']}", 0
        for row in books.ledger:
            total += row["amount_yen"] * (row["credit_account"] == account)
            total -= row["amount_yen"] * (row["debit_account"] == account)
        kept = _kept(books.provider_of(order["order_id"]))
        if order["method"] == "BALANCE":
            kept = order["amount"] if order["status"] == "PAID" else 0
        if total != kept:
            wrong.append(f"the ledger of {order['order_id']} says {total}, the book {kept}")
    return wrong


def _stock_sums(books: Books) -> list[str]:
    wrong = []
    sums: dict[int, list[int]] = {}
    for move in books.movements:
        found = sums.setdefault(move["product_id"], [0, 0, 0])
        for place, name in enumerate(("available_delta", "reserved_delta", "sold_delta")):
            found[place] += move[name]
    for row in books.stock:
        counts = [row["available"], row["reserved"], row["sold"]]
        if min(counts) < 0 or row["on_hand"] != row["available"] + row["reserved"]:
            wrong.append(f"stock {row}")
        if sums.get(row["product_id"], [0, 0, 0]) != counts:
            wrong.append(f"stock {row['product_id']}: {counts}, movements {sums}")
    return wrong


def _stock_of_orders(books: Books) -> list[str]:
    wrong = []
    sold: Counter[int] = Counter()
    back = {row["reservation_id"] for row in books.restocks}
    for order in books.orders:
        mine = [
            row
            for row in books.reservations
            if row["reservation_id"].rpartition("-")[0] == order["order_id"]
        ]
        out = [
            row["reservation_id"]
            for row in mine
            if row["status"] == "CONFIRMED" and row["reservation_id"] not in back
        ]
        is_sold = order["status"] == "PAID"
        if len(out) != int(is_sold):
            wrong.append(f"{order['order_id']} is {order['status']}, sold under {out}")
        if is_sold and out and out[0] != order["reservation_id"]:
            wrong.append(f"{order['order_id']} was sold under {out}, not its own")
        if is_sold:
            for item in json.loads(order["items"]):
                sold[item["productId"]] += item["quantity"]
        wrong += [f"reservation {row}" for row in mine if row["status"] == "RESERVED"]
    for row in books.stock:
        left = books.opening[row["product_id"]] - sold[row["product_id"]]
        if (row["available"], row["reserved"], row["sold"]) != (left, 0, sold[row["product_id"]]):
            wrong.append(f"stock {row}, expected {left} left and {sold[row['product_id']]} sold")
    return wrong


def _wallet_sums(books: Books) -> list[str]:
    wrong = []
    for wallet in books.wallets:
        moves = [row for row in books.wallet_moves if row["user_id"] == wallet["user_id"]]
        sums = (sum(m["available_delta"] for m in moves), sum(m["held_delta"] for m in moves))
        if sums != (wallet["available"], wallet["held"]) or min(sums) < 0:
            wrong.append(f"wallet {wallet}, its ledger {sums}")
    return wrong


def _wallets_of_orders(books: Books) -> list[str]:
    wrong = [f"hold {row} has no end" for row in books.holds if row["status"] == "HELD"]
    spent: Counter[str] = Counter()
    for order in books.orders:
        if order["method"] == "BALANCE" and order["status"] == "PAID":
            spent[order["user_id"]] += order["amount"]
    for wallet in books.wallets:
        opening = sum(
            row["available_delta"]
            for row in books.wallet_moves
            if row["user_id"] == wallet["user_id"] and row["kind"] == "OPENING"
        )
        left = opening - spent[wallet["user_id"]]
        if (wallet["available"], wallet["held"]) != (left, 0):
            wrong.append(f"wallet {wallet}, opened with {opening}, expected {left}")
    return wrong


def _events_on(books: Books, topic: str) -> list[Json]:
    return [json.loads(row["value"]) for row in books.records if row["topic"] == topic]


def _once(events: list[Json]) -> list[Json]:
    found: dict[str, Json] = {}
    for event in events:
        found.setdefault(event["eventId"], event)
    return list(found.values())


def _events(books: Books, *, crashed: bool) -> list[str]:
    told, paid = _events_on(books, ORDERS_TOPIC), _events_on(books, PAYMENTS_TOPIC)
    if crashed:
        told, paid = _once(told), _once(paid)
    wrong = []
    moves: dict[str, list[Json]] = {}
    views: dict[str, list[int]] = {}
    for event in told:
        if event["eventType"] == "OrderStatusChanged":
            moves.setdefault(event["aggregateId"], []).append(event)
        else:
            views.setdefault(event["aggregateId"], []).append(event["version"])
    for order in books.orders:
        order_id = order["order_id"]
        wrong += _moves_of(order, moves.get(order_id, []))
        if views.get(order_id, []) != list(range(2, order["view_version"] + 1)):
            wrong.append(f"{order_id} view versions {views.get(order_id)}")
    captured = sorted(
        row["merchant_payment_id"] for row in books.ledger if row["kind"] == "CAPTURE"
    )
    succeeded = sorted(
        event["merchantPaymentId"] for event in paid if event["eventType"] == "PaymentSucceeded"
    )
    if captured != succeeded:
        wrong.append(f"captured {captured}, PaymentSucceeded {succeeded}")
    wrong += [
        f"signal {signal['signal']} of {signal.get('orderId')}: {signal['facts']}"
        for signal in _events_on(books, SIGNALS_TOPIC)
        if signal["signal"] in _WRONG_SIGNALS
    ]
    return wrong


def _moves_of(order: Json, events: list[Json]) -> list[str]:
    versions = [event["version"] for event in events]
    if versions != list(range(1, order["version"] + 1)):
        return [f"{order['order_id']} versions {versions}, the row has {order['version']}"]
    last: str | None = None
    for event in events:
        old, new = event["payload"]["oldStatus"], event["payload"]["newStatus"]
        legal = last is None or OrderStatus(new) in ORDER_MOVES[OrderStatus(last)]
        if old != last or not legal:
            return [f"{order['order_id']} moved {old}>{new} after {last}"]
        last = new
    return [] if last == order["status"] else [f"{order['order_id']} ended as {last} on the bus"]


def _audit(books: Books) -> list[str]:
    wrong = []
    for order in books.orders:
        rows = books.of_order(books.audit, order["order_id"])
        moved = [(row["from_status"], row["to_status"]) for row in rows if row["to_status"]]
        last = None
        for old, new in moved:
            if old != last:
                wrong.append(f"the audit of {order['order_id']} moves {moved}")
                break
            last = new
        if last != order["status"] or len(moved) != order["version"]:
            wrong.append(f"the audit of {order['order_id']} ends as {moved}")
        if [row["sequence"] for row in rows] != list(range(1, order["audit_sequence"] + 1)):
            wrong.append(f"the audit of {order['order_id']} has gaps")
    return wrong


def _machinery(books: Books) -> list[str]:
    wrong = [
        f"saga {row['name']} of {row['business_key']}: {row['status']}/{row['compensation']}, "
        f"running {row['running']}, due {row['due_at']}, operator {row['needs_operator']}"
        for row in books.sagas
        if row["running"]
        or row["needs_operator"]
        or row["due_at"] is not None
        or (row["status"] in ("RU", "UN") and row["compensation"] != "SU")
    ]
    wrong += [f"outbox of {name}: {count} unsent" for name, count in books.unsent.items() if count]
    wrong += [
        f"dead letter {row['topic']}: {row['value'][:200]!r}"
        for row in books.records
        if row["topic"].endswith(".dlt")
    ]
    wrong += [f"webhook {row['id']} is NEW" for row in books.inbox if row["status"] == "NEW"]
    return wrong


def _views(books: Books) -> list[str]:
    """What the customer is shown of the payment is what payment-service knows in the end."""
    wrong = []
    for order in books.orders:
        attempts = books.of_order(books.attempts, order["order_id"])
        shown = {one["id"]: one for one in attempts}.get(order["paid_attempt"] or "")
        if shown is None and order["paid_attempt"]:
            wrong.append(f"{order['order_id']} was paid by the unknown {order['paid_attempt']}")
        shown = shown or (attempts[-1] if attempts else None)
        if shown is None or _refunded_late(shown, order) or _taken_back(shown, order):
            continue
        if (order["attempt_number"], order["payment_status"]) != (
            shown["number"],
            shown["status"],
        ):
            wrong.append(
                f"{order['order_id']} shows attempt {order['attempt_number']} "
                f"{order['payment_status']}, there {shown['number']} {shown['status']}"
            )
    return wrong


def _refunded_late(attempt: Json, order: Json) -> bool:
    """Of money that was given back the refund is shown, whatever the attempt is called."""
    gone = (AttemptStatus.REFUNDING, AttemptStatus.REFUNDED)
    return attempt["status"] in gone and order["refund_status"] == "COMPLETED"


def _taken_back(attempt: Json, order: Json) -> bool:
    """A failure after PAID is told to an operator and changes nothing else (design.md, 2.2)."""
    mine = bool(order["paid_attempt"] == attempt["id"])
    return mine and attempt["error_code"] == "PAYMENT_RETURNED"


async def broken_trails(shop: Shop, books: Books) -> list[str]:
    wrong = []
    for order in books.orders:
        trail = await shop.ports.order.audit_order(OrderById(order_id=order["order_id"]))
        if not trail.intact:
            wrong.append(f"the audit of {order['order_id']} is broken at {trail.broken_at}")
    return wrong
