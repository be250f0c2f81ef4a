"""`kessai order refund`, as an operator types it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from tests.support.process import Processes, free_offset, processes
from typer.testing import CliRunner

from kessai.cli import app
from kessai.proof.customer import Customer

ORDER = "0mk3z4a5b6c7d8e9f0g1h2j3k4"


def refund(*more: str, env: dict[str, str]) -> tuple[int, str]:
    done = CliRunner().invoke(
        app, ["order", "refund", ORDER, "--reason", "broken", "--request", "r-1", *more], env=env
    )
    return done.exit_code, done.stderr


def test_without_the_service_it_says_so(tmp_path: Path) -> None:
    env = {"KESSAI_DATA_DIR": str(tmp_path), "KESSAI_PORT_OFFSET": str(free_offset())}
    code, told = refund(env=env)
    assert (code, told.count("\n")) == (3, 1)


@pytest.mark.parametrize("more", [("--amount", "0"), ("--amount", "-5"), ("--actor", "x" * 61)])
def test_what_no_refund_can_be_is_refused_before_anything_is_asked(
    more: tuple[str, str], tmp_path: Path
) -> None:
    code, told = refund(*more, env={"KESSAI_DATA_DIR": str(tmp_path)})
    assert (code, told.count("\n")) == (2, 1)
    assert not list(tmp_path.iterdir())


async def a_paid_order(system: Processes) -> str:
    async with Customer(system.urls) as customer:
        await customer.sign_in("shopper@example.com", "kessai-demo")
        listed = await customer.products()
        product = next(int(str(p["id"])) for p in listed if int(str(p["stock"])) >= 1)
        order = await customer.purchase([(product, 1)], key="refunded")
        await customer.pay(f"{order.order_id}-1")
        await customer.until(order.order_id, "PAID", timeout_s=20)
    return order.order_id


async def seen(system: Processes, order_id: str, status: str) -> None:
    async with Customer(system.urls) as customer:
        await customer.sign_in("shopper@example.com", "kessai-demo")
        await customer.until(order_id, status, timeout_s=20)


@pytest.mark.crash
@pytest.mark.network
@pytest.mark.timeout(120)
def test_a_part_and_then_the_rest_of_a_running_shop(tmp_path: Path) -> None:
    with processes(tmp_path) as system:
        system.start("up")
        order_id = asyncio.run(a_paid_order(system))
        asked = ("order", "refund", order_id, "--reason", "one was broken", "--actor", "hanako")
        part = system.run(*asked, "--request", "part", "--amount", "100")
        assert "¥100 goes back, the order is PAID" in part
        again = system.run(*asked, "--request", "part", "--amount", "100")
        assert again == part
        with pytest.raises(subprocess.CalledProcessError) as too_much:
            system.run(*asked, "--request", "more", "--amount", "99999999")
        assert too_much.value.returncode == 2
        assert b"more than is left to give back" in too_much.value.stderr
        assert "the order is REFUNDING" in system.run(*asked, "--request", "rest")
        asyncio.run(seen(system, order_id, "REFUNDED"))
