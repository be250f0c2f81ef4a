"""Every no has Firebase's shape and word, and nothing happened."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from tests.support.firebase import (
    SHOPPER,
    X509_URL,
    Firebase,
    Json,
    a_firebase,
    refusal,
    unverified,
)

from kessai.sim.firebase.domain import Limits

SIGN_UP = "/identitytoolkit.googleapis.com/v1/accounts:signUp"


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"email": "shopper@example.com", "password": "secret1"}, "EMAIL_EXISTS"),
        ({"email": "SHOPPER@EXAMPLE.COM", "password": "secret1"}, "EMAIL_EXISTS"),
        (
            {"email": "new@example.com", "password": "12345"},
            "WEAK_PASSWORD : Password should be at least 6 characters",
        ),
        ({"email": "new@example.com"}, "MISSING_PASSWORD"),
        ({"email": "new@example.com", "password": ""}, "MISSING_PASSWORD"),
        ({"password": "secret1"}, "MISSING_EMAIL"),
        ({}, "ADMIN_ONLY_OPERATION"),
        ({"email": "new", "password": "secret1"}, "INVALID_EMAIL"),
        ({"email": "new@example", "password": "secret1"}, "INVALID_EMAIL"),
        ({"email": f"{'n' * 250}@example.com", "password": "secret1"}, "INVALID_EMAIL"),
        (
            {"email": "new@example.com", "password": 1234567},
            "INVALID_ARGUMENT : Invalid JSON payload received: password",
        ),
        ({"idToken": "x", "email": "new@example.com"}, "OPERATION_NOT_ALLOWED"),
    ],
)
async def test_sign_up_is_refused(wish: Json, message: str) -> None:
    async with a_firebase() as firebase:
        assert await firebase.refused("signUp", **wish) == message

        accounts = (await firebase.client.get("/sim/accounts")).json()["accounts"]
    assert len(accounts) == 3


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 2000, b'{"email": "\\ud800"}'])
async def test_nonsense_is_refused(body: bytes) -> None:
    async with a_firebase() as firebase:
        answer = await firebase.client.post(f"{SIGN_UP}?key=fake", content=body)
        assert answer.status_code == 400
        assert refusal(answer).startswith("INVALID_ARGUMENT : Invalid JSON payload received")

        token = await firebase.client.post(
            "/securetoken.googleapis.com/v1/token?key=fake",
            content=body,
            headers={"Content-Type": "application/json"},
        )
        assert token.status_code == 400


async def test_call_without_a_key_is_refused() -> None:
    async with a_firebase() as firebase:
        answer = await firebase.client.post(SIGN_UP, json={})

    assert answer.status_code == 403
    assert refusal(answer) == "PERMISSION_DENIED : The request is missing a valid API key."


async def test_other_calls_of_the_sdk_are_refused_in_its_words() -> None:
    async with a_firebase() as firebase:
        message = await firebase.refused("signInWithIdp", postBody="id_token=x")

    assert message.startswith("OPERATION_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("shopper@example.com", "kessai-dem0", "INVALID_LOGIN_CREDENTIALS"),
        ("nobody@example.com", "kessai-demo", "INVALID_LOGIN_CREDENTIALS"),
        ("shopper@example.com", "x" * 4097, "INVALID_LOGIN_CREDENTIALS"),
        ("shopper@example.com", "", "MISSING_PASSWORD"),
        ("", "kessai-demo", "MISSING_EMAIL"),
        ("shopper", "kessai-demo", "INVALID_EMAIL"),
    ],
)
async def test_sign_in_is_refused(email: str, password: str, message: str) -> None:
    async with a_firebase() as firebase:
        assert (
            await firebase.refused("signInWithPassword", email=email, password=password) == message
        )


async def test_guessing_locks_the_address_for_a_while() -> None:
    async with a_firebase(limits=Limits(wrong_passwords=3, lock_s=60)) as firebase:
        shopper = "shopper@example.com"
        for _ in range(3):
            await firebase.refused("signInWithPassword", email=shopper, password="guess")

        # The right one is refused as well, or the lock would tell which one it is.
        message = await firebase.refused(
            "signInWithPassword", email=shopper, password="kessai-demo"
        )
        assert message.startswith("TOO_MANY_ATTEMPTS_TRY_LATER : ")
        await firebase.sign_in("viewer@example.com")

        firebase.clock.pass_s(60)
        await firebase.sign_in()


async def test_right_password_starts_the_count_anew() -> None:
    async with a_firebase(limits=Limits(wrong_passwords=3)) as firebase:
        for _ in range(3):
            for _ in range(2):
                await firebase.refused(
                    "signInWithPassword", email="shopper@example.com", password="guess"
                )
            await firebase.sign_in()


async def test_disabled_account_is_cut_off() -> None:
    async with a_firebase() as firebase:
        before = await firebase.sign_in()
        view = (await firebase.switch(SHOPPER, disabled=True)).json()
        assert view["disabled"] is True

        wish = {"email": "shopper@example.com", "password": "kessai-demo"}
        assert await firebase.refused("signInWithPassword", **wish) == "USER_DISABLED"
        assert await firebase.refused("lookup", idToken=before["idToken"]) == "USER_DISABLED"
        assert refusal(await firebase.refresh(before["refreshToken"])) == "USER_DISABLED"
        # Who does not know the password does not learn that it is disabled.
        wish = {"email": "shopper@example.com", "password": "guess"}
        assert await firebase.refused("signInWithPassword", **wish) == "INVALID_LOGIN_CREDENTIALS"

        await firebase.switch(SHOPPER, disabled=False)
        await firebase.sign_in()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({}, "MISSING_GRANT_TYPE"),
        ({"grant_type": "authorization_code"}, "INVALID_GRANT_TYPE"),
        ({"grant_type": "refresh_token"}, "MISSING_REFRESH_TOKEN"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "INVALID_REFRESH_TOKEN"),
        ({"grant_type": "refresh_token", "refresh_token": "é"}, "INVALID_REFRESH_TOKEN"),
        ({"grant_type": "refresh_token", "refresh_token": "A" * 200}, "INVALID_REFRESH_TOKEN"),
    ],
)
async def test_refresh_is_refused(form: dict[str, str], message: str) -> None:
    async with a_firebase() as firebase:
        answer = await firebase.client.post(
            "/securetoken.googleapis.com/v1/token?key=fake", data=form
        )

    assert answer.status_code == 400
    assert refusal(answer) == message


def signed_by_somebody_else(token: str, pem: str) -> str:
    kid = jwt.get_unverified_header(token)["kid"]
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(dict(unverified(token)), key, algorithm="RS256", headers={"kid": kid})


def unsigned(token: str, pem: str) -> str:
    kid = jwt.get_unverified_header(token)["kid"]
    return jwt.encode(dict(unverified(token)), "", algorithm="none", headers={"kid": kid})


def sealed_with_the_public_key(token: str, pem: str) -> str:
    header = {"alg": "HS256", "kid": jwt.get_unverified_header(token)["kid"]}
    encoded = jwt.utils.base64url_encode(json.dumps(header).encode()).decode()
    parts = f"{encoded}.{token.split('.')[1]}"
    seal = hmac.digest(pem.encode(), parts.encode(), hashlib.sha256)
    return f"{parts}.{jwt.utils.base64url_encode(seal).decode()}"


@pytest.mark.parametrize(
    "forge", [signed_by_somebody_else, unsigned, sealed_with_the_public_key, lambda *_: "nonsense"]
)
async def test_forged_token_is_refused(forge: Callable[[str, str], str]) -> None:
    async with a_firebase() as firebase:
        token = (await firebase.sign_in())["idToken"]
        pem = next(iter((await firebase.client.get(X509_URL)).json().values()))
        forged = forge(token, pem)

        for verb in ("lookup", "update", "delete"):
            assert await firebase.refused(verb, idToken=forged) == "INVALID_ID_TOKEN"
        await firebase.ok("lookup", idToken=token)


async def test_expired_and_missing_tokens_are_refused() -> None:
    async with a_firebase() as firebase:
        token = (await firebase.sign_in())["idToken"]
        assert await firebase.refused("lookup") == "MISSING_ID_TOKEN"
        firebase.clock.pass_s(3599)
        await firebase.ok("lookup", idToken=token)

        firebase.clock.pass_s(1)

        assert await firebase.refused("lookup", idToken=token) == "TOKEN_EXPIRED"


async def test_there_is_a_limit_of_accounts() -> None:
    async with a_firebase(limits=Limits(max_accounts=4)) as firebase:
        await firebase.sign_up("fourth@example.com")

        message = await firebase.refused("signUp", email="fifth@example.com", password="secret1")

    assert message.startswith("QUOTA_EXCEEDED")


async def test_names_have_a_limit() -> None:
    async with a_firebase() as firebase:
        token = (await firebase.sign_in())["idToken"]

        assert await names(firebase, token, "x" * 257) == "INVALID_DISPLAY_NAME"
        await firebase.ok("update", idToken=token, displayName="x" * 256)


async def names(firebase: Firebase, token: str, name: str) -> str:
    return await firebase.refused("update", idToken=token, displayName=name)
