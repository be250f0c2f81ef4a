"""Every kind of customer at the shop of a story; what they note is what the books say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from tests.support.agreement import disagreements, read_books
from tests.support.line import Network
from tests.support.shop import Shop, story

from kessai.proof.shopper.crowd import Crowd, Crowding
from kessai.proof.shopper.habits import HABITS
from kessai.proof.shopper.mix import Kind, mix_of
from kessai.proof.shopper.notes import Notes
from kessai.proof.shopper.person import Manners
from kessai.proof.shopper.plan import Planned, plan_customers

SETTINGS = {"order_deadline_s": 30, "paypay_code_lifetime_s": 10}


def a_plan(*kinds: Kind, **more: float) -> tuple[Planned, ...]:
    return tuple(
        replace(
            Planned(f"c{number}", kind, 0.0, 0.3, 0.5, 0.2, 0.4),
            **more,  # type: ignore[arg-type]
        )
        for number, kind in enumerate(kinds)
    )


async def visit(
    shop: Shop, plan: Sequence[Planned], *, network: Network | None = None, wait_s: float = 60
) -> Notes:
    """The plan lived to its end, with codes that live ten seconds."""
    await shop.faults(codeLifetimeS=10)
    line = network or Network(shop)
    # A run has keys and accounts of its own; the same ones would get the old orders again.
    run = f"run{shop.customers}"
    shop.customers += 1
    crowding = Crowding(4, Manners(run, patience_s=60))
    crowd = Crowd(line.browser, shop.runtime.clock, crowding)
    try:
        await crowd.live(plan, await crowd.shelf(plan))
        await crowd.look_again(within_s=wait_s)
        return crowd.notes
    finally:
        await crowd.close()


def ends(notes: Notes) -> dict[str, int]:
    return dict(notes.ends)


EXPECTED = {
    Kind.PAYS_AT_ONCE: {"PAID": 1},
    Kind.PAYS_LATE: {"PAID": 1},
    Kind.ABANDONS: {"FAILED: PAYMENT_EXPIRED": 1},
    Kind.DECLINES: {"FAILED: PAYMENT_DECLINED": 1},
    Kind.CANCELS: {"FAILED: CANCELLED": 1},
    Kind.PAYS_AFTER_CANCEL: {"FAILED: CANCELLED": 1},
    Kind.DOUBLE_CLICK: {"PAID": 1},
    Kind.TWO_TABS: {"PAID": 2},
    Kind.TWO_DEVICES: {"PAID": 1},
    Kind.RETRIES_AFTER_DECLINE: {"PAID": 1},
    Kind.RETRIES_AFTER_EXPIRY: {"PAID": 1},
    Kind.CHECKS: {"PAID": 1},
    Kind.RELOADS: {"PAID": 1},
    Kind.RECONNECTS: {"PAID": 1},
    Kind.REFUND: {"REFUNDED": 1},
    Kind.REFUND_TWICE: {"REFUNDED": 1},
    Kind.WALLET: {"PAID": 1},
    Kind.WALLET_REFUND: {"REFUNDED": 1},
    Kind.OUT_OF_STOCK: {"FAILED: OUT_OF_STOCK": 1},
    Kind.LAST_PIECES: {"PAID": 1},
    Kind.SEVERAL_PRODUCTS: {"PAID": 1},
    Kind.OLD_PRICE: {"PAID": 1},
}
RACES = (Kind.PAYS_AT_EXPIRY, Kind.PAYS_AT_DEADLINE, Kind.CANCELS_WHILE_PAYING)


def test_every_kind_has_a_story_and_an_expected_end() -> None:
    assert set(HABITS) == set(Kind)
    assert {*EXPECTED, *RACES} == set(Kind)


@story(1, **SETTINGS)
async def test_each_kind_ends_as_it_should(shop: Shop) -> None:
    for kind, expected in EXPECTED.items():
        notes = await visit(shop, a_plan(kind))
        assert (kind, ends(notes)) == (kind, expected)
        assert notes.wrong == []
        assert notes.indeterminate == {}
    await asyncio.sleep(60)
    assert disagreements(await read_books(shop)) == []


@story(1, **SETTINGS)
async def test_races_end_either_way_and_the_books_agree(shop: Shop) -> None:
    for number in range(5):
        plan = [
            replace(one, instant=number / 5, aside=1 - number / 5, product=0.1 * number)
            for one in a_plan(*RACES)
        ]
        notes = await visit(shop, plan)
        assert sum(notes.ends.values()) == 3
        assert set(notes.ends) <= {"PAID", "FAILED: PAYMENT_EXPIRED", "FAILED: CANCELLED"}
        assert notes.wrong == []
    await asyncio.sleep(60)
    assert disagreements(await read_books(shop)) == []


@story(1, **SETTINGS)
async def test_paying_before_the_end_of_the_code_succeeds_and_after_it_does_not(shop: Shop) -> None:
    early = await visit(shop, a_plan(Kind.PAYS_AT_EXPIRY, instant=0.1))
    late = await visit(shop, a_plan(Kind.PAYS_AT_EXPIRY, instant=0.9))
    assert (ends(early), ends(late)) == ({"PAID": 1}, {"FAILED: PAYMENT_EXPIRED": 1})


@story(1)
async def test_a_deadline_beyond_the_patience_is_not_waited_for(shop: Shop) -> None:
    notes = await visit(shop, a_plan(Kind.PAYS_AT_DEADLINE), wait_s=0)
    assert ends(notes) == {"WAITING_PAYMENT": 1}
    assert notes.gave_up == {"the deadline is too far away": 1}


@story(1, **SETTINGS)
async def test_an_answer_that_never_came_is_indeterminate_and_asked_for_again(shop: Shop) -> None:
    network = Network(shop, lost={"/api/orders/purchase": 2})
    notes = await visit(shop, a_plan(Kind.PAYS_AT_ONCE), network=network)
    assert notes.indeterminate == {"purchase": 2}
    assert ends(notes) == {"PAID": 1}
    assert len(notes.purchase_s) == 1
    assert len((await read_books(shop)).orders) == 1


@story(1, **SETTINGS)
async def test_a_purchase_that_is_never_answered_is_neither_failed_nor_counted(shop: Shop) -> None:
    network = Network(shop, lost={"/api/orders/purchase": 10_000})
    notes = await visit(shop, a_plan(Kind.PAYS_AT_ONCE), network=network)
    assert notes.unanswered == 1
    assert (ends(notes), notes.wrong) == ({}, [])
    assert len((await read_books(shop)).orders) == 1


@story(1, **SETTINGS)
async def test_a_push_that_never_came_is_missed(shop: Shop) -> None:
    notes = await visit(shop, a_plan(Kind.PAYS_AT_ONCE), network=Network(shop, silent=True))
    pushes = notes.row()["pushes"]
    assert pushes == {"frames": 0, "watched": 1, "missed": 1, "reconnects": 0}
    assert ends(notes) == {"PAID": 1}


@story(1, **SETTINGS)
async def test_without_a_channel_nothing_is_missed(shop: Shop) -> None:
    notes = await visit(shop, a_plan(Kind.PAYS_AT_ONCE), network=Network(shop, no_sockets=True))
    pushes = notes.row()["pushes"]
    assert isinstance(pushes, dict)
    assert (pushes["frames"], pushes["missed"]) == (0, 0)
    assert notes.gave_up == {"a live channel": 1}
    assert ends(notes) == {"PAID": 1}


@story(1, **SETTINGS)
async def test_who_pays_sees_it_at_once(shop: Shop) -> None:
    notes = await visit(shop, a_plan(Kind.PAYS_AT_ONCE, Kind.PAYS_LATE))
    assert len(notes.converged_s) == 2
    # The webhook, and not the next look-up, has told.
    assert max(notes.converged_s) < 2


@story(1, **SETTINGS)
async def test_a_seeded_crowd_of_all_kinds_agrees_in_the_end(shop: Shop) -> None:
    mix = mix_of({"customers": dict.fromkeys(Kind, 1)})
    notes = await visit(shop, plan_customers(mix, 26, 11, over_s=20), wait_s=90)
    assert notes.wrong == []
    assert sum(notes.ends.values()) == 26
    assert not {"PENDING", "WAITING_PAYMENT", "REFUNDING"} & set(notes.ends)
    await asyncio.sleep(60)
    assert disagreements(await read_books(shop)) == []


@story(1)
async def test_a_session_that_ended_is_begun_again(shop: Shop) -> None:
    network = Network(shop)
    customer = network.browser()
    crowd = Crowd(lambda: customer, shop.runtime.clock, Crowding(1, Manners("run")))
    plan = a_plan(Kind.PAYS_LATE)
    living = asyncio.ensure_future(crowd.live(plan, await crowd.shelf(plan)))
    await asyncio.sleep(1)
    await shop.send(
        "POST",
        "http://127.0.0.1:8080/api/auth/logout",
        headers={"Cookie": customer.cookie, "Origin": "http://127.0.0.1:8080"},
    )
    await living
    assert ends(crowd.notes) == {"PAID": 1}


def test_a_result_of_nobody_has_no_percentiles() -> None:
    assert Notes().row()["purchase"] == {
        "answers": 0,
        "ms": {"p50": None, "p95": None, "p99": None, "max": None},
    }
