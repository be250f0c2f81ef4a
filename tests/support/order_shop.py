"""An order-service of its own for a story: real sagas and SQL in memory, virtual time, fakes."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, select, text
from tests.support.order_fakes import FakeAccount, FakePayment, FakeStorage

from kessai.contracts.account import AccountService
from kessai.contracts.events import OrderStatusChanged, Signal, read_order_event
from kessai.contracts.moves import Method
from kessai.contracts.order import (
    AuditTrailOfOrder,
    Order,
    OrderById,
    OrderOfUser,
    Purchase,
)
from kessai.contracts.payment import PaymentService
from kessai.contracts.storage import Line, StorageService
from kessai.kernel.bus import Consumer, Handle, Message
from kessai.kernel.chance import SeededChance
from kessai.kernel.db import Body, Db, Tx, open_database
from kessai.kernel.http import AsgiHttp
from kessai.kernel.ids import RandomIds
from kessai.kernel.kernel_tables import OUTBOX
from kessai.kernel.migrations import migrate
from kessai.kernel.runtime import Runtime
from kessai.kernel.settings import Settings
from kessai.order.main import House, assemble
from kessai.proof.virtual_time import VirtualClock, VirtualLoop
from kessai.topology import ORDERS_TOPIC, SIGNALS_TOPIC

T = TypeVar("T")
BOB = "user-bob"
TEA, CUP = 1, 2
PRICES = {TEA: 1200, CUP: 800}
STOCK = {TEA: 5, CUP: 3}


def on_virtual_time(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs the story on a loop whose clock jumps; what still runs at its end is dropped."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        loop = VirtualLoop()
        asyncio.set_event_loop(None)
        try:
            loop.run_until_complete(_then_drop_all(test(*args, **kwargs)))
        finally:
            loop.close()

    return run


async def _then_drop_all(story: Awaitable[None]) -> None:
    try:
        await story
    finally:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class QuietBus:
    """Takes what the relay brings; stories hand events over themselves."""

    def __init__(self) -> None:
        self.taken: list[Message] = []

    async def publish(self, messages: Sequence[Message]) -> None:
        self.taken.extend(messages)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        handle: Handle,
        *,
        start: str = "earliest",
        at_once: int = 1,
    ) -> Consumer:
        return cast(Consumer, object())

    async def lag(self, group: str) -> dict[str, int]:
        return {}

    async def redrive(self, topic: str, *, limit: int = 1000) -> int:
        return 0

    async def close(self) -> None:
        return None


class Mortality:
    """Counts the places where a process may die; from the `at`-th on nothing moves any more."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.passed = 0
        self.dead = False
        self.name = ""

    def point(self, name: str) -> None:
        self.passed += 1
        if self.passed == self.at:
            self.dead, self.name = True, name

    async def breathe(self) -> None:
        """A dead process never comes back from here, and is never told so."""
        if self.dead:
            await asyncio.Event().wait()


class MortalDb:
    def __init__(self, db: Db, life: Mortality) -> None:
        self._db = db
        self._life = life

    def transaction(self) -> Body:
        return cast(Body, _MortalBody(self._db.transaction(), self._life))

    def read(self) -> Body:
        return cast(Body, _MortalBody(self._db.read(), self._life, counts=False))

    async def ping(self) -> None:
        await self._db.ping()

    def migrate(self, change: Callable[[Connection], None]) -> None:
        self._db.migrate(change)

    async def close(self) -> None:
        await self._db.close()


class _MortalBody:
    def __init__(self, body: Body, life: Mortality, *, counts: bool = True) -> None:
        self._body = body
        self._life = life
        self._counts = counts

    async def __aenter__(self) -> Tx:
        if self._counts:
            self._life.point("before commit")
        await self._life.breathe()
        tx = await self._body.__aenter__()
        if self._counts:
            tx.after_commit(functools.partial(self._life.point, "after commit"))
        return tx

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._body.__aexit__(kind, error, trace)
        await self._life.breathe()


class _MortalPort:
    """A service as the process sees it: it may die before the call or before its answer."""

    def __init__(self, service: object, life: Mortality) -> None:
        self._service = service
        self._life = life

    def __getattr__(self, name: str) -> Callable[[Any], Awaitable[Any]]:
        async def call(command: Any) -> Any:
            self._life.point(f"before {name}")
            await self._life.breathe()
            answer = await getattr(self._service, name)(command)
            self._life.point(f"after {name}")
            await self._life.breathe()
            return answer

        return call


@dataclass
class OrderShop:
    runtime: Runtime
    db: Db
    bus: QuietBus
    storage: FakeStorage
    payment: FakePayment
    account: FakeAccount
    house: House
    life: Mortality
    loops: list[asyncio.Task[None]] = field(default_factory=list)

    async def buy(self, **wishes: Any) -> Order:
        return await self.house.desk.purchase(a_purchase(**wishes))

    async def order(self, order_id: str) -> Order:
        return await self.house.desk.view_order(OrderById(order_id=order_id))

    async def news(self, event: Any) -> None:
        await self.house.news.apply_payment_event(event)

    async def settled(self, order_id: str, *, within_s: float = 30.0) -> Order:
        """The order once nothing moves by itself any more, or after the time."""
        await asyncio.sleep(within_s)
        return await self.order(order_id)

    async def audit(self, order_id: str) -> AuditTrailOfOrder:
        return await self.house.desk.audit_order(OrderById(order_id=order_id))

    async def moves(self, order_id: str) -> list[str]:
        """`old>new` of each OrderStatusChanged in the outbox, in order."""
        moves = []
        for row in await self._outbox(ORDERS_TOPIC):
            event = read_order_event(row["value"])
            if isinstance(event, OrderStatusChanged) and event.aggregate_id == order_id:
                moves.append(f"{event.payload.old_status or ''}>{event.payload.new_status}")
        return moves

    async def versions(self, order_id: str) -> list[int]:
        events = [read_order_event(row["value"]) for row in await self._outbox(ORDERS_TOPIC)]
        return [
            event.version
            for event in events
            if isinstance(event, OrderStatusChanged) and event.aggregate_id == order_id
        ]

    async def signals(self) -> list[Signal]:
        rows = await self._outbox(SIGNALS_TOPIC)
        return [Signal.model_validate_json(row["value"]) for row in rows]

    async def count(self, table: str) -> int:
        async with self.db.read() as tx:
            return cast(int, (await tx.run(text(f"select count(*) from {table}"))).scalar())

    async def sagas(self) -> dict[str, str]:
        """`machine/key` -> `status/compensation`."""
        async with self.db.read() as tx:
            rows = (await tx.run(text("select * from sg_machine"))).all()
        return {
            f"{row['name']}/{row['business_key'][-6:]}": f"{row['status']}/{row['compensation']}"
            for row in rows
        }

    async def operators_wanted(self) -> int:
        async with self.db.read() as tx:
            query = text("select count(*) from sg_machine where needs_operator = 1")
            return cast(int, (await tx.run(query)).scalar())

    def run(self, *names: str) -> None:
        """Starts loops: sagas, deadlines, fallback."""
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "sagas": self.house.engine.run,
            "deadlines": self.house.watch.deadlines,
            "fallback": self.house.watch.fallback,
        }
        for name in names or tuple(loops):
            loop = cast("Callable[[], Any]", loops[name])
            self.loops.append(asyncio.ensure_future(loop()))

    async def restarted(self) -> OrderShop:
        """A new process on the same tables; the old one is left where it died."""
        self.life.dead = True
        return _shop(self.runtime, self.db, self.bus, self.storage, self.payment, self.account)

    async def _outbox(self, topic: str) -> Sequence[Any]:
        async with self.db.read() as tx:
            statement = select(OUTBOX).where(OUTBOX.c.topic == topic).order_by(OUTBOX.c.id)
            return (await tx.run(statement)).all()


async def a_shop(
    *,
    stock: dict[int, int] | None = None,
    balance: int = 10_000,
    life: Mortality | None = None,
    run: bool = True,
    clock: VirtualClock | None = None,
    **settings: Any,
) -> OrderShop:
    """With all loops running, unless `run` is false."""
    clock = clock or VirtualClock()
    chance = SeededChance(7)
    bus = QuietBus()
    db = await open_database("sqlite:")
    migrate(db, "order")
    runtime = Runtime(
        settings=Settings(_env_file=None, **settings),
        clock=clock,
        ids=RandomIds(clock, chance),
        chance=chance,
        bus=bus,
        http=AsgiHttp(),
        open_db=functools.partial(open_database),
    )
    storage = FakeStorage(stock or STOCK, PRICES)
    shop = _shop(
        runtime, db, bus, storage, FakePayment(clock), FakeAccount(balance), life or Mortality()
    )
    if run:
        shop.run()
    return shop


def _shop(
    runtime: Runtime,
    db: Db,
    bus: QuietBus,
    storage: FakeStorage,
    payment: FakePayment,
    account: FakeAccount,
    life: Mortality | None = None,
) -> OrderShop:
    life = life or Mortality()
    house = assemble(
        runtime,
        cast(Db, MortalDb(db, life)),
        cast(StorageService, _MortalPort(storage, life)),
        cast(PaymentService, _MortalPort(payment, life)),
        cast(AccountService, _MortalPort(account, life)),
    )
    return OrderShop(runtime, db, bus, storage, payment, account, house, life)


def a_purchase(
    *,
    lines: dict[int, int] | None = None,
    key: str | None = "key-1",
    user: str = BOB,
    session: str = "session-1",
    fingerprint: str | None = None,
    expected: int | None = None,
    method: Method = Method.PAYPAY,
) -> Purchase:
    wanted = lines or {TEA: 1}
    return Purchase(
        user_id=user,
        session=session,
        idempotency_key=key,
        fingerprint=fingerprint or repr((sorted(wanted.items()), expected, method.value)),
        customer_name="京野 茶子",
        customer_email="chako@example.com",
        lines=tuple(Line(product_id=one, quantity=count) for one, count in wanted.items()),
        expected_amount=expected,
        method=method,
        user_agent="story",
    )


def of(order: Order, user: str = BOB) -> OrderOfUser:
    return OrderOfUser(user_id=user, order_id=order.order_id)


def codes(order: Order) -> list[str]:
    return [entry.code for entry in order.timeline]
