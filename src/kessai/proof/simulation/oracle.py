"""Whether the books agree: `verify`'s invariants over the disks, and what is still under way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import cast

from kessai.contracts.events import PaymentAttemptChanged, RefundCompleted, read_payment_event
from kessai.contracts.moves import ATTEMPT_MOVES, AttemptStatus
from kessai.kernel.db import Db
from kessai.proof.invariants.bus_book import LocalBusBook
from kessai.proof.invariants.rows import PaidBackRow, ProviderRow
from kessai.proof.invariants.table import known_ids
from kessai.proof.simulation.world import World
from kessai.proof.verify import Books, Report, check
from kessai.topology import ACCOUNT, ORDER, PAYMENT, PAYMENTS_TOPIC, STORAGE, ServiceCard

# What may never be, not even for a moment and under faults.
ALWAYS = ("I2", "I5", "I6", "I9", "I12", "I14", "I17", "I18", "I20")
_OPEN_ORDERS = "select count(*) from orders where status in ('PENDING', 'WAITING_PAYMENT')"
_UNSENT = "select count(*) from outbox where sent = 0"
_WANTED = "select merchant_payment_id, status from order_refund where status <> 'COMPLETED'"
_RETURNED = "select id from attempt where status = 'FAILED' and error_code = 'PAYMENT_RETURNED'"
# Name of what is under way, its database, how many there are.
_UNDER_WAY: Sequence[tuple[str, ServiceCard, str]] = (
    ("open orders", ORDER, _OPEN_ORDERS),
    ("orders being refunded", ORDER, "select count(*) from orders where status = 'REFUNDING'"),
    ("sagas", ORDER, "select count(*) from sg_machine where running = 1 or due_at is not null"),
    ("unsent order events", ORDER, _UNSENT),
    (
        "live attempts",
        PAYMENT,
        "select count(*) from attempt where status not in "
        "('SUCCEEDED', 'FAILED', 'EXPIRED', 'CANCELLED', 'REFUNDED')",
    ),
    ("refunds", PAYMENT, "select count(*) from refund where status <> 'COMPLETED'"),
    ("webhooks", PAYMENT, "select count(*) from webhook_inbox where status = 'NEW'"),
    ("unsent payment events", PAYMENT, _UNSENT),
    ("reservations", STORAGE, "select count(*) from reservation where status = 'RESERVED'"),
    ("unsent storage events", STORAGE, _UNSENT),
    ("holds", ACCOUNT, "select count(*) from hold where status = 'HELD'"),
)
_ENDS = {
    "PaymentSucceeded": AttemptStatus.SUCCEEDED,
    "PaymentFailed": AttemptStatus.FAILED,
    "PaymentExpired": AttemptStatus.EXPIRED,
}
# What a webhook may say without any doubt of what it means.
_TOLD = ("COMPLETED", "FAILED", "CANCELED", "REFUNDED")
_APPLIED_TWICE = (
    "select order_id, action, count(*) as times from order_audit where action in "
    "('REFUND_COMPLETED', 'LATE_SUCCESS', 'DUPLICATE_PAYMENT', 'AMOUNT_DIFFERS') "
    "group by order_id, action, cause having count(*) > 1"
)
_BEHIND = (
    'select c.consumer_group, c.topic, c."partition", c.position, h.next_position '
    "from bus_claim c join bus_head h on h.topic = c.topic and "
    'h."partition" = c."partition" where c.position < h.next_position'
)
_POSITIONS = 'select consumer_group, topic, "partition", position from bus_claim'


class Oracle:
    def __init__(self, world: World) -> None:
        self._world = world
        self.checked: Counter[str] = Counter()

    def is_final(self) -> bool:
        return self._world.disk(ORDER).count(_OPEN_ORDERS) == 0

    def is_at_rest(self) -> bool:
        return not self.unfinished()

    def unfinished(self) -> list[str]:
        """What is under way, by its name."""
        world = self._world
        found = [
            f"{count} {name}"
            for name, card, query in _UNDER_WAY
            if (count := world.disk(card).count(query))
        ]
        if wanted := self._refunds_wanted():
            found.append(f"{wanted} refunds wanted")
        for row in world.stage.bus_disk.rows(_BEHIND):
            found.append("unread events: " + " ".join(map(str, row.values())))
        return found

    def _refunds_wanted(self) -> int:
        """A refund is refused for good where the money went back by itself meanwhile: a person is
        told of both."""
        wanted = self._world.disk(ORDER).rows(_WANTED)
        returned = {row["id"] for row in self._world.disk(PAYMENT).rows(_RETURNED)}
        return sum(
            row["status"] != "REJECTED" or row["merchant_payment_id"] not in returned
            for row in wanted
        )

    def may_be_old_news(self) -> bool:
        """Money at the provider for an attempt that ended without any: it is looked at again."""
        paid = {one.merchant_payment_id for one in self._world.provider.book if one.paid_at_ms}
        ended = self._world.disk(PAYMENT).rows(
            "select id from attempt where status in ('EXPIRED', 'CANCELLED', 'FAILED')"
        )
        return any(row["id"] in paid for row in ended)

    async def look(self) -> list[str]:
        """Safety: right at any moment."""
        return await self._ask([one for one in ALWAYS if one in known_ids()])

    async def disagreements(self) -> list[str]:
        """At rest nothing settles any more: what a live system would be given an hour for."""
        report = await self._report(None)
        return [
            *_wrong(report),
            *_unsettled(report),
            *self._mispriced(),
            *self._forgotten(),
            *self._backward(),
            *self._applied_twice(),
            *self._passed_over(),
        ]

    def _mispriced(self) -> list[str]:
        """Nobody changes a price here: each order costs what its goods cost on the shelf."""
        shelf = self._world.disk(STORAGE).rows("select product_id, price from product")
        prices = {row["product_id"]: int(str(row["price"])) for row in shelf}
        found = []
        for row in self._world.disk(ORDER).rows("select order_id, amount, items from orders"):
            items = json.loads(str(row["items"]))
            costs = sum(prices[one["productId"]] * one["quantity"] for one in items)
            if costs != row["amount"]:
                found.append(f"{row['order_id']} costs {costs} and was sold for {row['amount']}")
        return found

    def _forgotten(self) -> list[str]:
        """A webhook that was answered is never sent again, so it must be in the inbox."""
        stored = {
            (row["merchant_payment_id"], row["word"])
            for row in self._world.disk(PAYMENT).rows(
                "select merchant_payment_id, word from webhook_inbox"
            )
        }
        found: dict[str, None] = {}
        for body in self._world.answered_webhooks:
            told = json.loads(body)
            name, word = told.get("merchant_order_id"), told.get("state")
            if word in _TOLD and (name, word) not in stored:
                found[f"the webhook {word} of {name} was answered and is not stored"] = None
        return list(found)

    def _backward(self) -> list[str]:
        """What payment-service told of an attempt goes by the table, each step once."""
        last: dict[str, AttemptStatus] = {}
        versions: dict[str, int] = {}
        found = []
        query = "select value from outbox where topic = ? order by id"
        for row in self._world.disk(PAYMENT).rows(query, PAYMENTS_TOPIC):
            event = read_payment_event(cast(bytes, row["value"]))
            if event is None or isinstance(event, RefundCompleted):
                continue
            name, before = event.merchant_payment_id, last.get(event.merchant_payment_id)
            if isinstance(event, PaymentAttemptChanged):
                now = event.status
                if event.version <= versions.get(name, 0):
                    found.append(f"{name} is told at version {event.version} once more")
                versions[name] = event.version
                if now is before:
                    continue
            else:
                now = _ENDS[event.event_type]
            if before is not None and now not in _after(before):
                found.append(f"{name} is told as {now} after {before}")
            last[name] = now
        return found

    def _applied_twice(self) -> list[str]:
        """Each event of a payment leaves its mark on the order once, however often it came."""
        return [
            f"{row['action']} of {row['order_id']} was applied {row['times']} times"
            for row in self._world.disk(ORDER).rows(_APPLIED_TWICE)
        ]

    def _passed_over(self) -> list[str]:
        """A record that a consumer could not handle comes until it can."""
        owed = self._world.bus.owed
        positions = {
            (row["consumer_group"], row["topic"], row["partition"]): int(str(row["position"]))
            for row in (self._world.stage.bus_disk.rows(_POSITIONS) if owed else ())
        }
        return [
            f"a record was passed over that is still owed ({group} {topic} {partition} {offset})"
            for group, topic, partition, offset in owed
            if positions.get((group, topic, partition), 0) > offset
        ]

    async def _ask(self, only: Collection[str] | None) -> list[str]:
        if only is not None and not only:
            return []
        return _wrong(await self._report(only))

    async def _report(self, only: Collection[str] | None) -> Report:
        report = await check(self._books(), only)
        for finding in report.findings:
            self.checked[finding.id] += finding.checked
        return report

    def _books(self) -> Books:
        world = self._world
        return Books(
            order=self._db(ORDER),
            payment=self._db(PAYMENT),
            storage=self._db(STORAGE),
            account=self._db(ACCOUNT),
            settings=world.settings,
            clock=world.clock,
            bus=LocalBusBook(world.bus.db),
            provider=self,
        )

    def _db(self, card: ServiceCard) -> Db:
        return self._world.houses[card.name].opened(self._world.director.context())

    async def entries(self, after: str, below: str) -> Sequence[ProviderRow]:
        now_ms = self._world.clock.now_ms()
        book = {one.merchant_payment_id: one for one in self._world.provider.book}
        return [
            ProviderRow(
                merchant_payment_id=name,
                payment_id=one.payment_id,
                status=str(one.status_at(now_ms)),
                amount=one.amount_yen,
                captured=one.captured_yen,
                is_offered=one.deleted_at_ms is None,
                expires_at_ms=one.expires_at_s * 1000,
                paid_at_ms=one.paid_at_ms,
                refunds=tuple(
                    PaidBackRow(
                        back.merchant_refund_id, back.amount_yen, str(back.state_at(now_ms))
                    )
                    for back in one.refunds
                ),
            )
            for name, one in sorted(book.items())
            if after < name < below
        ]

    async def notified(self, since_ms: int) -> Sequence[str]:  # noqa: ARG002 - the port's
        """`disagreements` knows of each answer, also of those that its sender never got."""
        return ()


def _after(status: AttemptStatus) -> frozenset[AttemptStatus]:
    """By one move or by several."""
    found: dict[AttemptStatus, None] = {}
    queue = [status]
    while queue:
        for following in sorted(ATTEMPT_MOVES[queue.pop()] - found.keys()):
            found[following] = None
            queue.append(following)
    return frozenset(found)


def _unsettled(report: Report) -> list[str]:
    return [
        f"{one.id} never settles: {one.settling.count} for {one.settling.oldest_age_s:.0f} s"
        for one in report.findings
        if one.ok and one.settling.count
    ]


def _wrong(report: Report) -> list[str]:
    return [f"{one.id} {one.sentence} {one.first}" for one in report.wrong]
