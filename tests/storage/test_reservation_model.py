"""Whatever is asked in whatever order, SQL agrees with a model that fits on one page."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.support.storage import Shelf, a_storage

from kessai.kernel.errors import Refused

STOCK = {1: 6, 2: 3}
NAMES = st.sampled_from(["a", "b", "c", "d"])
RESTOCKS = st.sampled_from(["x", "y"])
CARTS = st.dictionaries(st.sampled_from(sorted(STOCK)), st.integers(1, 4), min_size=1)
Cart = dict[int, int]


class Model:
    """Stock as a person would keep it with four lists."""

    def __init__(self) -> None:
        self.carts: dict[str, Cart] = {}
        self.status: dict[str, str] = {}
        self.returned: dict[str, str] = {}
        self.refused: set[str] = set()

    def count(self, product: int, *statuses: str) -> int:
        return sum(
            cart.get(product, 0)
            for name, cart in self.carts.items()
            if self.status[name] in statuses
        )

    def came_back(self, product: int) -> int:
        return sum(self.carts[name].get(product, 0) for name in self.returned.values())

    def shelf(self, product: int) -> Shelf:
        reserved = self.count(product, "RESERVED")
        sold = self.count(product, "CONFIRMED") - self.came_back(product)
        on_hand = STOCK[product] - sold
        return Shelf(on_hand, on_hand - reserved, reserved, sold)

    def reserve(self, name: str, cart: Cart) -> str:
        if name in self.refused:
            return "OUT_OF_STOCK"
        if name in self.status:
            if self.status[name] == "RELEASED":
                return "RESERVATION_RELEASED"
            return self.status[name] if self.carts[name] == cart else "IDEMPOTENCY_CONFLICT"
        if any(self.shelf(product).available < count for product, count in cart.items()):
            self.refused.add(name)
            self.carts[name], self.status[name] = {}, "RELEASED"
            return "OUT_OF_STOCK"
        self.carts[name], self.status[name] = cart, "RESERVED"
        return "RESERVED"

    def confirm(self, name: str) -> str:
        if name not in self.status:
            return "NOT_FOUND"
        if self.status[name] == "RELEASED":
            return "RESERVATION_RELEASED"
        self.status[name] = "CONFIRMED"
        return "CONFIRMED"

    def release(self, name: str) -> str:
        if self.status.get(name) == "CONFIRMED":
            return "ILLEGAL_STATE"
        self.carts.setdefault(name, {})
        self.status[name] = "RELEASED"
        return "RELEASED"

    def restock(self, name: str, restock_id: str) -> str:
        if name not in self.status:
            return "NOT_FOUND"
        if self.status[name] != "CONFIRMED":
            return "ILLEGAL_STATE"
        if self.returned.get(restock_id, name) != name:
            return "ILLEGAL_STATE"
        if name in self.returned.values() and restock_id not in self.returned:
            return "ILLEGAL_STATE"
        self.returned[restock_id] = name
        return "CONFIRMED"


class Reservations(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.story = self.run(self.stack.enter_async_context(a_storage(STOCK)))
        self.model = Model()

    def run(self, step: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(step)

    def answer(self, step: Coroutine[Any, Any, Any]) -> str:
        try:
            return str(self.run(step).status)
        except Refused as refused:
            return refused.code

    @rule(name=NAMES, cart=CARTS)
    def reserve(self, name: str, cart: Cart) -> None:
        answer = self.answer(self.story.reserve(name, *cart.items()))
        assert answer == self.model.reserve(name, cart)

    @rule(name=NAMES)
    def confirm(self, name: str) -> None:
        assert self.answer(self.story.confirm(name)) == self.model.confirm(name)

    @rule(name=NAMES)
    def release(self, name: str) -> None:
        assert self.answer(self.story.release(name)) == self.model.release(name)

    @rule(name=NAMES, restock_id=RESTOCKS)
    def restock(self, name: str, restock_id: str) -> None:
        answer = self.answer(self.story.restock(name, restock_id))
        assert answer == self.model.restock(name, restock_id)

    @invariant()
    def sql_agrees_with_the_model_and_with_its_ledger(self) -> None:
        for product in STOCK:
            assert self.run(self.story.shelf(product)) == self.model.shelf(product)
        assert self.run(self.story.disagreements()) == []

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()


TestReservations = Reservations.TestCase
TestReservations.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
