"""Control of the simulator: switches, keys that rotate and stay, starting over, its page."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.firebase import (
    JWK_URL,
    SHOPPER,
    X509_URL,
    Firebase,
    Keyring,
    a_firebase,
    refusal,
    unverified,
)
from tests.support.web import StillClock

from kessai.kernel.errors import Refused
from kessai.sim.firebase.domain import Limits


async def kids(firebase: Firebase) -> list[str]:
    jwk = [key["kid"] for key in (await firebase.client.get(JWK_URL)).json()["keys"]]
    assert sorted((await firebase.client.get(X509_URL)).json()) == sorted(jwk)
    return jwk


async def test_restart_keeps_accounts_and_keys(tmp_path: Path) -> None:
    clock = StillClock()
    async with a_firebase(tmp_path, clock=clock) as firebase:
        new = await firebase.sign_up()
        published = await kids(firebase)
        await firebase.switch(SHOPPER, disabled=True)

    keyring = Keyring()
    async with a_firebase(tmp_path, clock=clock, keyring=keyring) as firebase:
        assert keyring.given == 0
        assert await kids(firebase) == published
        assert (await firebase.sign_in("new@example.com", "secret1"))["localId"] == new["localId"]
        assert (await firebase.refresh(new["refreshToken"])).status_code == 200
        assert (await firebase.verifier().verify(new["idToken"])).subject == new["localId"]
        accounts = (await firebase.client.get("/sim/accounts")).json()["accounts"]
        assert [a["disabled"] for a in accounts if a["localId"] == SHOPPER] == [True]


async def test_two_simulators_do_not_share_a_key() -> None:
    async with a_firebase() as one, a_firebase(keyring=Keyring()) as other:
        token = (await one.sign_in())["idToken"]
        other_keys = await kids(other)
        assert other_keys != []

        await other.client.post("/sim/keys/rotate")

        assert (await kids(other))[0] not in await kids(one)
        await one.ok("lookup", idToken=token)


async def test_rotated_key_signs_and_the_old_one_is_still_served() -> None:
    async with a_firebase() as firebase:
        verifier = firebase.verifier()
        old = (await firebase.sign_in())["idToken"]
        await verifier.verify(old)
        before = await kids(firebase)

        answer = await firebase.client.post("/sim/keys/rotate")

        assert answer.json()["kids"] == await kids(firebase)
        assert answer.json()["kids"][1:] == before
        new = (await firebase.sign_in())["idToken"]
        assert (await verifier.verify(new)).subject == SHOPPER
        assert (await verifier.verify(old)).subject == SHOPPER
        await firebase.ok("lookup", idToken=old)


async def test_replaced_key_is_served_as_long_as_somebody_may_need_it(tmp_path: Path) -> None:
    clock = StillClock()
    async with a_firebase(tmp_path, clock=clock) as firebase:
        clock.pass_s(60)
        await firebase.client.post("/sim/keys/rotate")
        clock.pass_s(3600 + 21_600 - 1)
        assert len(await kids(firebase)) == 2
    async with a_firebase(tmp_path, clock=clock) as firebase:
        assert len(await kids(firebase)) == 2
    clock.pass_s(1)
    async with a_firebase(tmp_path, clock=clock) as firebase:
        assert len(await kids(firebase)) == 1


async def test_key_is_replaced_at_a_start_after_a_long_pause(tmp_path: Path) -> None:
    """Its certificate would end else, and strict verifiers would refuse its tokens."""
    clock = StillClock()
    async with a_firebase(tmp_path, clock=clock) as firebase:
        before = await kids(firebase)
    clock.pass_s(40 * 86_400)

    async with a_firebase(tmp_path, clock=clock) as firebase:
        assert (await kids(firebase))[0] not in before
        token = (await firebase.sign_in())["idToken"]
        assert (await firebase.verifier(X509_URL).verify(token)).subject == SHOPPER


async def test_rotating_often_leaves_a_bounded_number_of_keys() -> None:
    async with a_firebase(limits=Limits(max_keys=3)) as firebase:
        for _ in range(6):
            await firebase.client.post("/sim/keys/rotate")
            firebase.clock.pass_s(1)

        assert len(await kids(firebase)) == 3


async def test_claims_are_in_the_next_token() -> None:
    async with a_firebase() as firebase:
        signed_in = await firebase.sign_in()
        answer = await firebase.switch(SHOPPER, customClaims={"role": "operator", "sub2": [1]})
        assert answer.json()["customClaims"] == {"role": "operator", "sub2": [1]}

        fresh = (await firebase.refresh(signed_in["refreshToken"])).json()["id_token"]

        assert unverified(fresh)["role"] == "operator"
        assert "role" not in unverified(signed_in["idToken"])
        (user,) = (await firebase.ok("lookup", idToken=fresh))["users"]
        assert user["customAttributes"] == '{"role": "operator", "sub2": [1]}'


async def test_claims_cannot_replace_those_of_the_token() -> None:
    async with a_firebase() as firebase:
        await firebase.switch(SHOPPER, customClaims={"user_id": "other", "email": "x@example.com"})

        claims = unverified((await firebase.sign_in())["idToken"])

    assert (claims["user_id"], claims["email"]) == (SHOPPER, "shopper@example.com")


@pytest.mark.parametrize(
    ("switches", "status", "code"),
    [
        ({"customClaims": {"sub": "other"}}, 400, "FORBIDDEN_CLAIM"),
        ({"customClaims": {"text": "x" * 1000}}, 400, "CLAIMS_TOO_LARGE"),
        ({"disabled": "perhaps"}, 422, "VALIDATION"),
        ({"admin": True}, 422, "VALIDATION"),
    ],
)
async def test_wrong_switch_changes_nothing(
    switches: dict[str, object], status: int, code: str
) -> None:
    async with a_firebase() as firebase:
        before = (await firebase.client.get("/sim/accounts")).json()

        answer = await firebase.switch(SHOPPER, **switches)

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await firebase.client.get("/sim/accounts")).json() == before


async def test_unknown_account_is_not_found() -> None:
    async with a_firebase() as firebase:
        assert (await firebase.switch("nobody", disabled=True)).status_code == 404


async def test_reset_leaves_the_seeded_accounts_and_the_keys() -> None:
    async with a_firebase(limits=Limits(wrong_passwords=1)) as firebase:
        new = await firebase.sign_up()
        old = await firebase.sign_in()
        await firebase.ok("sendOobCode", requestType="PASSWORD_RESET", email="viewer@example.com")
        await firebase.switch(SHOPPER, disabled=True)
        await firebase.refused("signInWithPassword", email="viewer@example.com", password="guess")
        before = await kids(firebase)

        answer = await firebase.client.post("/sim/reset")

        assert [a["email"] for a in answer.json()["accounts"]] == [
            "operator@example.com",
            "shopper@example.com",
            "viewer@example.com",
        ]
        assert await firebase.mails() == []
        assert await kids(firebase) == before
        assert refusal(await firebase.refresh(new["refreshToken"])) == "USER_NOT_FOUND"
        assert refusal(await firebase.refresh(old["refreshToken"])) == "TOKEN_EXPIRED"
        assert (await firebase.sign_in())["localId"] == SHOPPER
        await firebase.sign_in("viewer@example.com")


@pytest.mark.parametrize("path", ["/sim/reset", "/sim/keys/rotate", f"/sim/accounts/{SHOPPER}"])
async def test_foreign_page_cannot_work_the_switches(path: str) -> None:
    async with a_firebase() as firebase:
        await firebase.sign_up()
        before = await kids(firebase)

        answer = await firebase.client.post(
            path, json={"disabled": True}, headers={"Origin": "https://evil.test"}
        )

        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN_ORIGIN")
        assert "access-control-allow-origin" not in answer.headers
        assert await kids(firebase) == before
        await firebase.sign_in("new@example.com", "secret1")
        await firebase.sign_in()


async def test_other_project_refuses_its_tokens() -> None:
    async with a_firebase(project="another") as firebase:
        token = (await firebase.sign_in())["idToken"]

        with pytest.raises(Refused):
            await firebase.verifier().verify(token)


async def test_page_says_what_it_is() -> None:
    async with a_firebase() as firebase:
        page = await firebase.client.get("/")

    assert page.headers["content-type"].startswith("text/html")
    assert "simulator" in page.text
    assert "本物の Firebase ではありません" in page.text
    for word in (
        "shopper@example.com",
        "operator@example.com",
        "viewer@example.com",
        "kessai-demo",
    ):
        assert word in page.text
    assert "content-security-policy" in page.headers


async def test_health_is_up() -> None:
    async with a_firebase() as firebase:
        health = (await firebase.client.get("/actuator/health")).json()

    assert health["status"] == "UP"
