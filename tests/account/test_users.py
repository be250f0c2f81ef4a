"""One user for each Firebase uid; who may do what is decided here and not by a claim."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.account import LOCAL, an_account_service

from kessai.account.domain import FirstSignIn
from kessai.account.main import first_sign_in
from kessai.contracts.account import Profile, Role, SetProfile, SetRole, UserById
from kessai.kernel.errors import Invalid, NotFound
from kessai.kernel.settings import Settings


async def test_the_first_sign_in_makes_a_customer_and_the_next_ones_find_him() -> None:
    async with an_account_service() as story:
        first = await story.sign_in("uid-1", "mei@example.com", "Mei")
        assert (first.role, first.email, first.name) == (Role.CUSTOMER, "mei@example.com", "Mei")
        assert len(first.user_id) == 26
        story.clock.ms += 60_000
        assert await story.sign_in("uid-1", "mei@example.com", "Mei") == first
        [row] = await story.rows("SELECT created_at_ms, updated_at_ms FROM user_account")
        assert row["created_at_ms"] == row["updated_at_ms"]


async def test_two_first_sign_ins_at_once_make_one_user() -> None:
    async with an_account_service() as story:
        users = await asyncio.gather(*(story.sign_in("uid-1", name="Mei") for _ in range(10)))
        assert len({user.user_id for user in users}) == 1
        assert len(await story.rows("SELECT * FROM user_account")) == 1
        assert await story.balance(users[0]) == 1000
        assert len(await story.rows("SELECT * FROM balance_ledger")) == 1


async def test_ids_are_ordered_by_time() -> None:
    async with an_account_service() as story:
        earlier = await story.sign_in("uid-b")
        story.clock.ms += 1
        assert earlier.user_id < (await story.sign_in("uid-a")).user_id


async def test_new_claims_replace_old_ones_and_absent_ones_take_nothing_away() -> None:
    async with an_account_service() as story:
        first = await story.sign_in("uid-1", "old@example.com", "Old")
        renamed = await story.sign_in("uid-1", "new@example.com", None)
        assert (renamed.user_id, renamed.email, renamed.name) == (
            first.user_id,
            "new@example.com",
            "Old",
        )
        account = await story.accounts.get_account(UserById(user_id=first.user_id))
        assert (account.email, account.name) == ("new@example.com", "Old")


async def test_demo_roles_are_given_at_the_first_sign_in_only() -> None:
    async with an_account_service() as story:
        assert (await story.sign_in("a", "operator@example.com")).role is Role.OPERATOR
        assert (await story.sign_in("b", "viewer@example.com")).role is Role.VIEWER
        assert (await story.sign_in("c", "shopper@example.com")).role is Role.CUSTOMER
        # Whoever takes the address later gets nothing by it.
        assert (await story.sign_in("c", "operator@example.com")).role is Role.CUSTOMER


async def test_outside_of_a_local_machine_an_email_decides_nothing() -> None:
    async with an_account_service(FirstSignIn()) as story:
        user = await story.sign_in("a", "operator@example.com")
        assert user.role is Role.CUSTOMER
        assert await story.balance(user) == 0


def test_gifts_and_roles_depend_on_the_environment() -> None:
    local = Settings(_env_file=None)
    assert first_sign_in(local) == FirstSignIn(opening_yen=100_000, roles=LOCAL.roles)
    production = local.model_copy(update={"env": "production"})
    assert first_sign_in(production) == FirstSignIn()


async def test_a_role_is_set_by_uid_or_by_an_email_that_means_one_user() -> None:
    async with an_account_service() as story:
        mei = await story.sign_in("uid-1", "mei@example.com")
        by_uid = await story.accounts.set_role(SetRole(user="uid-1", role=Role.OPERATOR))
        assert by_uid == mei.model_copy(update={"role": Role.OPERATOR})
        by_email = await story.accounts.set_role(SetRole(user="mei@example.com", role=Role.VIEWER))
        assert by_email.role is Role.VIEWER
        assert (await story.sign_in("uid-1")).role is Role.VIEWER
        with pytest.raises(NotFound):
            await story.accounts.set_role(SetRole(user="nobody", role=Role.OPERATOR))
        await story.sign_in("uid-2", "mei@example.com")
        with pytest.raises(Invalid):
            await story.accounts.set_role(SetRole(user="mei@example.com", role=Role.OPERATOR))
        roles = await story.rows("SELECT role FROM user_account ORDER BY firebase_uid")
        assert [row["role"] for row in roles] == ["viewer", "customer"]


async def test_a_profile_is_kept_as_a_whole() -> None:
    async with an_account_service() as story:
        user = await story.sign_in()
        profile = Profile(last_name="山田", first_name="芽衣", birth_date="1990-04-01")
        account = await story.accounts.set_profile(
            SetProfile(user_id=user.user_id, profile=profile)
        )
        assert account.profile == profile
        shorter = Profile(last_name="佐藤")
        await story.accounts.set_profile(SetProfile(user_id=user.user_id, profile=shorter))
        found = await story.accounts.get_account(UserById(user_id=user.user_id))
        assert found.profile == shorter


async def test_a_stranger_has_no_account_and_no_profile() -> None:
    async with an_account_service() as story:
        with pytest.raises(NotFound):
            await story.accounts.get_account(UserById(user_id="nobody"))
        with pytest.raises(NotFound):
            await story.accounts.set_profile(SetProfile(user_id="nobody", profile=Profile()))
        assert await story.rows("SELECT * FROM user_account") == []
