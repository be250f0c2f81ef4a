"""A seed's course: customers and faults, then healing, and everything must come to agree."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial

from kessai.kernel.errors import KessaiError
from kessai.proof.simulation.browser import Browser
from kessai.proof.simulation.clerk import Clerk
from kessai.proof.simulation.dice import Dice
from kessai.proof.simulation.habits import HABITS
from kessai.proof.simulation.mix import BROWSERS, Kill, Plan
from kessai.proof.simulation.oracle import Oracle
from kessai.proof.simulation.people import Offer, Person
from kessai.proof.simulation.provider_faults import HEALED
from kessai.proof.simulation.scene import SHOP, Scene
from kessai.proof.simulation.trace import Happening
from kessai.proof.simulation.world import CUSTOMERS, WEBHOOK_PATH, World
from kessai.sim.paypay.application.happenings import KEPT
from kessai.sim.paypay.domain.book import Payment
from kessai.sim.paypay.web.present import page_url
from kessai.topology import ORDER, PAYPAY_SIMULATOR

# Faults are over: what may still be under way (an answer of 30 s, its lease, a close with its
# grace and its questions), counted from the later of healing and the last order's deadline.
FINAL_WITHIN_S = 150.0
# Money that old news hid is looked for again for an hour after the attempt's end.
OLD_NEWS_S = 3600.0 + 120.0
# Where goods were sold out or faults kept people from buying, others come when all is well.
FEWEST_ORDERS = 20
_NUMBER = "select count(*) from orders"
_ENDS = "select order_id, status, reason from orders order by order_id"
_AUDIT = "select * from order_audit order by at_ms, order_id, sequence"
_DENIED = "deleteCode DYNAMIC_QR_NOT_FOUND"
_PROVIDER_URL = f"http://127.0.0.1:{PAYPAY_SIMULATOR.port}"


@dataclass(slots=True)
class Outcome:
    wrong: list[str] = field(default_factory=list)
    orders: list[tuple[str, str]] = field(default_factory=list)
    moves: list[Happening] = field(default_factory=list)
    virtual_s: float = 0.0
    final_after_s: float = 0.0
    checked: Counter[str] = field(default_factory=Counter)


class SimWallet:
    """The customers' wallets: the provider's own book, and what is done in it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def offers(self, order_id: str) -> list[Offer]:
        now_ms = self._world.clock.now_ms()
        return [
            Offer(
                one.merchant_payment_id,
                page_url(one, _PROVIDER_URL) if one.deleted_at_ms is None else None,
                one.is_payable(now_ms),
            )
            for one in self._world.provider.book
            if one.merchant_payment_id.startswith(order_id)
        ]

    async def act(self, merchant_payment_id: str, act: str) -> bool:
        world = self._world
        context = world.context_of(PAYPAY_SIMULATOR.name)
        task = world.loop.create_task(self._act(merchant_payment_id, act), context=context)
        done = await asyncio.shield(task)
        world.trace.note(
            "wallet", CUSTOMERS, PAYPAY_SIMULATOR.name, f"{act} {merchant_payment_id} {done}"
        )
        return done

    async def _act(self, name: str, act: str) -> bool:
        customer = self._world.provider.customer
        try:
            if act == "pay_other":
                change = partial(_for_another_amount, now_ms=self._world.clock.now_ms())
                await self._world.provider.book.change(name, change)
            if act in ("pay", "pay_other"):
                await customer.pay(name, by="api")
            elif act == "decline":
                await customer.decline(name)
            else:
                await customer.expire(name)
        except KessaiError:
            return False
        return True

    def was_denied(self, merchant_payment_id: str) -> bool:
        kept = self._world.provider.happenings.after(0, KEPT)
        return any(
            (one.kind, one.merchant_payment_id) == ("fault.refuse", merchant_payment_id)
            and one.detail == _DENIED
            for one in kept
        )

    async def forge(self, order_id: str, amount: int, **changes: str) -> None:
        body = {
            "notification_type": "Transaction",
            "merchant_id": self._world.settings.paypay_merchant_id,
            "store_id": "",
            "pos_id": "",
            "order_id": "04639000000000000001",
            "merchant_order_id": f"{order_id}-1",
            "authorized_at": "2026-01-15T03:00:00Z",
            "expires_at": None,
            "paid_at": "2026-01-15T03:00:00Z",
            "order_amount": str(amount),
            "state": "COMPLETED",
            **changes,
        }
        try:
            await self._world.https[CUSTOMERS].send(
                "POST",
                f"{SHOP}{WEBHOOK_PATH}",
                headers={"Content-Type": "application/json"},
                body=json.dumps(body).encode(),
                timeout_s=5,
            )
        except KessaiError:
            return


def _for_another_amount(payment: Payment, now_ms: int) -> Payment:
    """As if what we asked for had been changed on its way. What was paid stays what it was."""
    if not payment.is_payable(now_ms):
        return payment
    asked = payment.asked
    amount = asked.amount.model_copy(update={"amount": asked.amount.amount + 1})
    return replace(payment, asked=asked.model_copy(update={"amount": amount}))


class Play:
    def __init__(self, world: World, scene: Scene) -> None:
        self._world = world
        self._scene = scene
        self._oracle = Oracle(world)
        self._outcome = Outcome(wrong=world.findings)
        http = world.https[CUSTOMERS]
        self._browsers = [Browser(http, member) for member in scene.members]
        self._wallet = SimWallet(world)
        self._clerk = Clerk(world.ports_of("bff").order)

    async def run(self) -> Outcome:
        world, mix = self._world, self._world.mix
        await world.open()
        await world.provider.faults.change(dict(mix.knobs))
        for kill in mix.kills:
            world.loop.call_later(kill.at_s, self._arm, kill)
        living = self._people()
        watching = asyncio.ensure_future(self._watch())
        await asyncio.sleep(mix.heal_s)
        await self._heal()
        watching.cancel()
        await self._come_to_rest(living)
        # What is freed later complains no more.
        return replace(self._outcome, wrong=list(self._outcome.wrong))

    def _people(self) -> list[asyncio.Task[None]]:
        return [self._live(number, plan) for number, plan in enumerate(self._world.mix.plans)]

    def _live(self, number: int, plan: Plan) -> asyncio.Task[None]:
        world = self._world
        person = Person(
            number,
            plan,
            self._browsers[plan.browser],
            self._wallet,
            self._clerk,
            self._scene.goods,
            world.clock,
            self._outcome.wrong,
        )
        work = person.live(HABITS[plan.kind])
        return world.loop.create_task(work, context=world.people.context())

    def _latecomers(self) -> list[asyncio.Task[None]]:
        """As many as orders are missing; nobody in a prefix of a seed, which is to stay short."""
        plans = self._world.mix.plans
        wanted = FEWEST_ORDERS if len(plans) >= FEWEST_ORDERS else 0
        there = self._world.disk(ORDER).count(_NUMBER)
        return [
            self._live(len(plans) + number, Plan("pays_at_once", 0.0, number % BROWSERS))
            for number in range(wanted - there)
        ]

    def _arm(self, kill: Kill) -> None:
        """The service dies so many steps from now, wherever it is then."""
        house = self._world.houses[kill.service]
        life = house.life
        if house.healed or life is None or not life.alive or not house.is_up:
            return
        life.fuse = kill.steps
        life.on_fuse = lambda: self._strike(kill)

    def _strike(self, kill: Kill) -> None:
        world = self._world
        house = world.houses[kill.service]
        if house.healed:
            return
        context = world.director.context()
        if kill.stop:
            house.stop()
            if kill.twin:
                context.run(house.begin_twin)
            world.loop.call_later(kill.down_s, house.resume, world.loop, context=context)
        else:
            house.die()
            world.loop.call_later(kill.down_s, house.begin, context=context)

    async def _heal(self) -> None:
        world = self._world
        self._note_provider_faults()
        world.heal()
        await world.provider.faults.change(dict(HEALED))
        world.trace.note("heal", "director", "world", "")

    def _note_provider_faults(self) -> None:
        for one in self._world.provider.faults.fired():
            if not one.place.startswith("answers:"):
                self._world.trace.fired[f"provider.{one.place}.{one.fault}"] += one.times

    async def _watch(self) -> None:
        """What may never be is looked at while faults are on."""
        dice = Dice("watch", self._world.mix.seed)
        while True:
            await asyncio.sleep(dice.between(4, 20))
            self._outcome.wrong += await self._oracle.look()

    def _have_all_been(self, living: list[asyncio.Task[None]]) -> bool:
        if not all(task.done() for task in living):
            return False
        late = self._latecomers()
        living += late
        return not late

    async def _come_to_rest(self, living: list[asyncio.Task[None]]) -> None:
        world, outcome = self._world, self._outcome
        healed_s = world.loop.time()
        limit_s = healed_s + float(world.settings.order_deadline_s) + FINAL_WITHIN_S
        while not (self._have_all_been(living) and self._oracle.is_final()):
            if world.loop.time() > limit_s:
                outcome.wrong += self._oracle.unfinished() or ["a customer is still at it"]
                break
            await asyncio.sleep(2)
        outcome.final_after_s = world.loop.time() - healed_s
        for task in living:
            if task.done() and task.exception() is not None:
                outcome.wrong.append(f"a customer failed: {task.exception()!r}")
        await self._agree(world.loop.time() + FINAL_WITHIN_S)
        outcome.virtual_s = world.loop.time()
        for order in world.disk(ORDER).rows(_ENDS):
            end = ":".join(str(order[name]) for name in ("status", "reason") if order[name])
            outcome.orders.append((str(order["order_id"]), end))
        outcome.moves = self._moves()

    def _moves(self) -> list[Happening]:
        """From the audit trail, which tells of every change of an order."""
        start_ms = self._world.clock.start_ms
        found = []
        for row in self._world.disk(ORDER).rows(_AUDIT):
            moved = f" {row['from_status']} > {row['to_status']}" if row["to_status"] else ""
            text = f"{row['action']}{moved} {row['order_id']} by {row['actor']} ({row['cause']})"
            at_s = (int(str(row["at_ms"])) - start_ms) / 1000
            found.append(Happening(at_s, "move", ORDER.name, ORDER.name, text, ""))
        return found

    async def _agree(self, limit_s: float) -> None:
        """At rest everything agrees; while something may still be under way, it may not yet."""
        world = self._world
        pause_s, may_wait = 1.0, True
        while True:
            if self._oracle.is_at_rest():
                wrong = await self._oracle.disagreements()
                if not wrong:
                    break
            else:
                wrong = []
            if world.loop.time() > limit_s:
                if not may_wait or not self._oracle.may_be_old_news():
                    self._outcome.wrong += wrong or self._oracle.unfinished()
                    break
                limit_s, may_wait = world.loop.time() + OLD_NEWS_S, False
                pause_s = 60.0
            await asyncio.sleep(pause_s)
            pause_s = min(60.0, pause_s * 1.5)
        self._outcome.checked = self._oracle.checked
