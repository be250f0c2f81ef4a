"""The backup of the embedded default, by the very lines of docs/operations/backup.md."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.docs.blocks import blocks
from tests.docs.commands import commands
from tests.support.process import Processes, processes

from kessai.proof.customer import Customer

PAGE = "docs/operations/backup.md"
STOP, START = "kill -TERM PID", "kessai up"
EMAIL, PASSWORD = "shopper@example.com", "kessai-demo"
pytestmark = [pytest.mark.crash, pytest.mark.long, pytest.mark.network, pytest.mark.timeout(240)]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Processes]:
    with processes(tmp_path) as made:
        made.start("up")
        yield made


def block_with(words: str) -> list[str]:
    """The commands of the page's one block that has these words."""
    found = [
        [text for _, text in commands(block)]
        for block in blocks([PAGE])
        if block.is_shell and any(words in line for line in block.lines)
    ]
    assert len(found) == 1, f"{PAGE}: {len(found)} blocks with {words!r}"
    return found[0]


def follow(shop: Processes, lines: list[str]) -> None:
    environment = {**os.environ, "KESSAI_DATA_DIR": str(data_of(shop))}
    for line in lines:
        if line.startswith(STOP):
            assert shop.stop("up") == 0
            assert not list(data_of(shop).glob("*-wal")), "a clean end leaves no log"
        elif line.startswith(START):
            shop.start("up")
        else:
            subprocess.run(
                ["bash", "-ec", line], cwd=shop.folder, env=environment, check=True, timeout=60
            )


def data_of(shop: Processes) -> Path:
    return shop.folder / "data"


def orders(shop: Processes) -> dict[str, str]:
    file = f"file:{data_of(shop) / 'order.db'}?mode=ro"
    with closing(sqlite3.connect(file, uri=True)) as connection:
        return dict(connection.execute("SELECT order_id, status FROM orders"))


async def buy(shop: Processes, *, pay: bool) -> str:
    async with Customer(shop.urls) as customer:
        await customer.sign_in(EMAIL, PASSWORD)
        product = next(one for one in await customer.products() if one["stock"] != 0)
        order = await customer.purchase([(int(str(product["id"])), 1)], key=str(uuid.uuid4()))
        if pay:
            await customer.pay(f"{order.order_id}-1")
            await customer.until(order.order_id, "PAID", timeout_s=60, every_s=0.05)
        return order.order_id


async def pay_later(shop: Processes, order_id: str) -> None:
    async with Customer(shop.urls) as customer:
        await customer.sign_in(EMAIL, PASSWORD)
        await customer.pay(f"{order_id}-1")
        await customer.until(order_id, "PAID", timeout_s=60, every_s=0.05)


def test_what_was_copied_comes_back_and_goes_on(shop: Processes) -> None:
    paid, waiting = asyncio.run(buy(shop, pay=True)), asyncio.run(buy(shop, pay=False))
    follow(shop, block_with("-czf backup.tar.gz"))
    lost = asyncio.run(buy(shop, pay=True))

    follow(shop, block_with("-xzf backup.tar.gz"))

    assert orders(shop) == {paid: "PAID", waiting: "WAITING_PAYMENT"}
    assert lost not in orders(shop)
    asyncio.run(pay_later(shop, waiting))
    assert "all agree" in shop.run("verify")
