"""Money in a wallet is held, and then taken or given back: one of the two, once."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.account import Purse, an_account_service, hold_of
from tests.support.gap import GapDb

from kessai.contracts.account import Role, User
from kessai.contracts.moves import HoldStatus
from kessai.kernel.errors import IllegalMove, Invalid, NotFound, Refused
from kessai.kernel.money import MAX_YEN

HELD, CAPTURED, RELEASED = HoldStatus
STRANGER = User(user_id="nobody", firebase_uid="-", email=None, name=None, role=Role.CUSTOMER)


async def test_a_hold_takes_what_can_be_spent_and_a_capture_takes_it_for_good() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        hold = await story.hold("h", user, 300)
        assert (hold.status, hold.amount) == (HELD, 300)
        assert await story.purse() == Purse(available=700, held=300)
        assert await story.balance(user) == 700
        assert (await story.capture("h")).status is CAPTURED
        assert await story.purse() == Purse(available=700, held=0)
        assert await story.disagreements() == []


async def test_a_released_hold_gives_everything_back() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        await story.hold("h", user, 300)
        assert (await story.release("h")).status is RELEASED
        assert await story.purse() == Purse(available=1000, held=0)


async def test_more_than_there_is_cannot_be_held() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        await story.hold("all", user, 1000)
        with pytest.raises(Refused) as refused:
            await story.hold("more", user, 1)
        assert refused.value.code == "INSUFFICIENT_BALANCE"
        assert refused.value.facts == {"amount": 1, "balance": 0}
        assert await story.purse() == Purse(available=0, held=1000)
        assert await story.rows("SELECT hold_id, amount, status FROM hold ORDER BY hold_id") == [
            {"hold_id": "all", "amount": 1000, "status": HELD},
            {"hold_id": "more", "amount": 0, "status": RELEASED},
        ]


async def test_a_refused_hold_stays_refused_when_money_came() -> None:
    """Its order has failed by then, and nobody would ever end what a late repeat had held."""
    async with an_account_service() as story:
        user = await story.sign_in()
        await story.hold("all", user, 1000)
        with pytest.raises(Refused):
            await story.hold("more", user, 1)
        await story.release("all")
        with pytest.raises(Refused) as again:
            await story.hold("more", user, 1)
        assert again.value.code == "INSUFFICIENT_BALANCE"
        assert (await story.release("more")).status is RELEASED
        assert (await story.hold("another", user, 1)).status is HELD
        assert await story.purse() == Purse(available=999, held=1)


async def test_who_was_first_after_a_refusal_has_answered_for_both() -> None:
    """Between a refusal and its row the same is asked for again, and there is money by then."""
    async with an_account_service() as story:
        user = await story.sign_in()
        await story.hold("all", user, 1000)

        async def meanwhile() -> None:
            await story.release("all")
            assert (await story.hold("h", user, 300)).status is HELD

        accounts = story.over(GapDb(story.db, meanwhile))
        assert (await accounts.hold_balance(hold_of("h", user, 300))).status is HELD
        assert await story.purse() == Purse(available=700, held=300)


async def test_every_command_may_be_repeated() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        for _ in range(3):
            assert (await story.hold("h", user, 300)).status is HELD
        for _ in range(3):
            assert (await story.capture("h")).status is CAPTURED
        assert (await story.hold("h", user, 300)).status is CAPTURED
        await story.hold("i", user, 100)
        for _ in range(3):
            assert (await story.release("i")).status is RELEASED
        for _ in range(3):
            assert (await story.credit("c", user, 50)).balance == 750
        assert await story.purse() == Purse(available=750, held=0)
        assert await story.disagreements() == []


async def test_a_repeated_credit_gets_the_first_answer() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        assert (await story.credit("c", user, 50)).balance == 1050
        await story.hold("h", user, 1000)
        assert (await story.credit("c", user, 50)).balance == 1050
        assert await story.balance(user) == 50


async def test_another_amount_under_one_id_is_refused() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        await story.hold("h", user, 300)
        await story.credit("c", user, 50)
        for repeat in (story.hold("h", user, 301), story.credit("c", user, 51)):
            with pytest.raises(Refused) as refused:
                await repeat
            assert refused.value.code == "IDEMPOTENCY_CONFLICT"
        assert await story.purse() == Purse(available=750, held=300)


async def test_release_without_hold_changes_nothing_and_is_remembered() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        for _ in range(2):
            assert (await story.release("h")).status is RELEASED
        with pytest.raises(IllegalMove):
            await story.hold("h", user, 300)
        assert await story.purse() == Purse(available=1000, held=0)


async def test_a_hold_ends_one_way_only() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        await story.hold("taken", user, 300)
        await story.capture("taken")
        with pytest.raises(IllegalMove):
            await story.release("taken")
        await story.hold("freed", user, 100)
        await story.release("freed")
        with pytest.raises(IllegalMove):
            await story.capture("freed")
        with pytest.raises(IllegalMove):
            await story.hold("freed", user, 100)
        with pytest.raises(NotFound):
            await story.capture("never made")
        assert await story.purse() == Purse(available=700, held=0)
        assert await story.disagreements() == []


async def test_ten_orders_at_once_cannot_spend_one_balance_twice() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        answers = await asyncio.gather(
            *(story.hold(f"h{n}", user, 300) for n in range(10)), return_exceptions=True
        )
        assert sum(isinstance(answer, Refused) for answer in answers) == 7
        assert await story.purse() == Purse(available=100, held=900)


async def test_capture_and_release_at_once_end_it_one_way() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        for n in range(10):
            await story.hold(f"h{n}", user, 100)
        await asyncio.gather(
            *(end(f"h{n}") for n in range(10) for end in (story.capture, story.release)),
            return_exceptions=True,
        )
        [row] = await story.rows(
            "SELECT SUM(status = 'CAPTURED') taken, SUM(status = 'HELD') open FROM hold"
        )
        assert row["open"] == 0
        assert await story.purse() == Purse(available=1000 - 100 * row["taken"], held=0)
        assert await story.disagreements() == []


async def test_strangers_have_no_wallet() -> None:
    async with an_account_service() as story:
        for attempt in (story.hold("h", STRANGER, 1), story.credit("c", STRANGER, 1)):
            with pytest.raises(NotFound):
                await attempt
        assert await story.rows("SELECT * FROM hold") == []
        assert await story.rows("SELECT * FROM credit") == []


async def test_a_wallet_never_holds_more_than_an_amount_may_be() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        with pytest.raises(Invalid):
            await story.credit("c", user, MAX_YEN)
        assert await story.rows("SELECT * FROM credit") == []
        assert await story.balance(user) == 1000
        assert (await story.credit("d", user, MAX_YEN - 1000)).balance == MAX_YEN
