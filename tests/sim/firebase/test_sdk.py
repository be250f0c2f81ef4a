"""What the JavaScript SDK sends, in its order, and what it needs to find in the answers."""

from __future__ import annotations

import pytest
from tests.support.firebase import (
    JWK_URL,
    PROJECT,
    SHOPPER,
    X509_URL,
    Firebase,
    a_firebase,
    refusal,
    unverified,
)
from tests.support.web import START_MS

NOW_S = START_MS // 1000


async def test_new_customer_signs_up_and_is_looked_up() -> None:
    async with a_firebase() as firebase:
        answer = await firebase.call(
            "signUp",
            returnSecureToken=True,
            email="New@Example.com",
            password="secret1",
            clientType="CLIENT_TYPE_WEB",
        )
        new = answer.json()
        assert answer.status_code == 200
        assert new["kind"] == "identitytoolkit#SignupNewUserResponse"
        assert (new["email"], new["expiresIn"]) == ("new@example.com", "3600")
        assert len(new["localId"]) == 28
        assert new["localId"].isalnum()

        (user,) = (await firebase.ok("lookup", idToken=new["idToken"]))["users"]

    assert user == {
        "localId": new["localId"],
        "email": "new@example.com",
        "emailVerified": False,
        "passwordHash": "UkVEQUNURUQ=",
        "passwordUpdatedAt": START_MS,
        "providerUserInfo": [
            {
                "providerId": "password",
                "federatedId": "new@example.com",
                "email": "new@example.com",
                "rawId": "new@example.com",
            }
        ],
        "validSince": str(NOW_S),
        "disabled": False,
        "lastLoginAt": str(START_MS),
        "createdAt": str(START_MS),
        "lastRefreshAt": "2027-01-15T08:00:00.000Z",
    }


async def test_id_token_has_firebases_claims() -> None:
    async with a_firebase() as firebase:
        signed_in = await firebase.sign_in()

    assert unverified(signed_in["idToken"]) == {
        "name": "決済 花子",
        "iss": f"https://securetoken.google.com/{PROJECT}",
        "aud": PROJECT,
        "auth_time": NOW_S,
        "user_id": SHOPPER,
        "sub": SHOPPER,
        "iat": NOW_S,
        "exp": NOW_S + 3600,
        "email": "shopper@example.com",
        "email_verified": True,
        "firebase": {
            "identities": {"email": ["shopper@example.com"]},
            "sign_in_provider": "password",
        },
    }


@pytest.mark.parametrize("url", [JWK_URL, X509_URL], ids=["jwk", "x509"])
async def test_published_keys_verify_its_tokens(url: str) -> None:
    async with a_firebase() as firebase:
        signed_in = await firebase.sign_in()
        claims = await firebase.verifier(url).verify(signed_in["idToken"])
        keys = await firebase.client.get(url)

    assert (claims.subject, claims.email) == (SHOPPER, "shopper@example.com")
    assert (claims.name, claims.email_verified) == ("決済 花子", True)
    assert keys.headers["cache-control"].startswith("public, max-age=21600")


async def test_seeded_accounts_sign_in() -> None:
    async with a_firebase() as firebase:
        for name in ("shopper", "operator", "viewer"):
            signed_in = await firebase.sign_in(f"{name}@example.com")
            assert signed_in["localId"].startswith(f"kessaiDemo{name.capitalize()}")
            assert signed_in["registered"] is True


async def test_refreshed_tokens_keep_the_time_of_sign_in() -> None:
    async with a_firebase() as firebase:
        signed_in = await firebase.sign_in()
        firebase.clock.pass_s(3300)
        answer = await firebase.refresh(signed_in["refreshToken"])
        fresh = answer.json()

        assert answer.status_code == 200
        assert fresh["user_id"] == SHOPPER
        assert fresh["project_id"] == PROJECT
        assert (fresh["token_type"], fresh["expires_in"]) == ("Bearer", "3600")
        assert fresh["access_token"] == fresh["id_token"]
        claims = unverified(fresh["id_token"])
        assert (claims["auth_time"], claims["iat"]) == (NOW_S, NOW_S + 3300)
        assert claims["exp"] == NOW_S + 6900
        # Refresh tokens do not end by time, and the new one works as well.
        firebase.clock.pass_s(30 * 86_400)
        assert (await firebase.refresh(fresh["refresh_token"])).status_code == 200


async def test_refresh_takes_json_as_well() -> None:
    async with a_firebase() as firebase:
        signed_in = await firebase.sign_in()
        answer = await firebase.client.post(
            "/securetoken.googleapis.com/v1/token?key=fake",
            json={"grant_type": "refresh_token", "refresh_token": signed_in["refreshToken"]},
        )

    assert answer.json()["user_id"] == SHOPPER


async def test_profile_is_changed_and_removed() -> None:
    async with a_firebase() as firebase:
        new = await firebase.sign_up()
        answer = await firebase.ok(
            "update",
            idToken=new["idToken"],
            displayName="花子",
            photoUrl="https://example.com/a.png",
            returnSecureToken=True,
        )
        assert (answer["displayName"], answer["photoUrl"]) == ("花子", "https://example.com/a.png")
        claims = unverified(answer["idToken"])
        assert (claims["name"], claims["picture"]) == ("花子", "https://example.com/a.png")

        answer = await firebase.ok(
            "update", idToken=answer["idToken"], deleteAttribute=["DISPLAY_NAME", "OTHER"]
        )
        assert "displayName" not in answer
        assert answer["photoUrl"] == "https://example.com/a.png"
        assert "idToken" not in answer


async def test_new_password_ends_every_older_session() -> None:
    async with a_firebase() as firebase:
        new = await firebase.sign_up()
        firebase.clock.pass_s(1)
        changed = await firebase.ok(
            "update", idToken=new["idToken"], password="secret2", returnSecureToken=True
        )

        assert refusal(await firebase.refresh(new["refreshToken"])) == "TOKEN_EXPIRED"
        assert await firebase.refused("lookup", idToken=new["idToken"]) == "TOKEN_EXPIRED"
        assert (await firebase.refresh(changed["refreshToken"])).status_code == 200
        assert await wrong_password(firebase, "secret1")
        assert (await firebase.sign_in("new@example.com", "secret2"))["localId"] == new["localId"]


async def test_new_address_has_to_be_free_and_is_not_verified_yet() -> None:
    async with a_firebase() as firebase:
        signed_in = await firebase.sign_in()
        token = signed_in["idToken"]
        assert (
            await firebase.refused("update", idToken=token, email="viewer@example.com")
            == "EMAIL_EXISTS"
        )
        assert await firebase.refused("update", idToken=token, email="nobody") == "INVALID_EMAIL"
        (user,) = (await firebase.ok("lookup", idToken=token))["users"]
        assert (user["email"], user["emailVerified"]) == ("shopper@example.com", True)

        answer = await firebase.ok("update", idToken=token, email="Other@example.com")

        assert (answer["email"], answer["emailVerified"]) == ("other@example.com", False)
        assert (await firebase.sign_in("other@example.com"))["localId"] == SHOPPER


async def test_old_sign_in_may_not_change_a_credential_or_delete() -> None:
    async with a_firebase() as firebase:
        token = (await firebase.sign_in())["idToken"]
        firebase.clock.pass_s(301)

        for verb, wish in (("update", {"password": "secret2"}), ("delete", {})):
            assert (
                await firebase.refused(verb, idToken=token, **wish)
                == "CREDENTIAL_TOO_OLD_LOGIN_AGAIN"
            )
        await firebase.ok("update", idToken=token, displayName="still allowed")
        assert (await firebase.sign_in())["localId"] == SHOPPER


async def test_deleted_account_is_gone() -> None:
    async with a_firebase() as firebase:
        new = await firebase.sign_up()
        assert await firebase.ok("delete", idToken=new["idToken"]) == {
            "kind": "identitytoolkit#DeleteAccountResponse"
        }

        assert await firebase.refused("lookup", idToken=new["idToken"]) == "USER_NOT_FOUND"
        assert refusal(await firebase.refresh(new["refreshToken"])) == "USER_NOT_FOUND"
        assert await wrong_password(firebase, "secret1")
        again = await firebase.sign_up()
        assert again["localId"] != new["localId"]


async def wrong_password(firebase: Firebase, password: str) -> bool:
    message = await firebase.refused(
        "signInWithPassword", email="new@example.com", password=password
    )
    return message == "INVALID_LOGIN_CREDENTIALS"


async def test_page_of_another_origin_may_call() -> None:
    asked = "content-type,x-client-version,x-firebase-gmpid,x-firebase-client"
    async with a_firebase() as firebase:
        for path in (
            "/identitytoolkit.googleapis.com/v1/accounts:signUp",
            "/securetoken.googleapis.com/v1/token",
        ):
            preflight = await firebase.client.options(
                f"{path}?key=fake",
                headers={
                    "Origin": "http://127.0.0.1:8080",
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": asked,
                },
            )
            assert preflight.status_code == 200
            assert preflight.headers["access-control-allow-headers"] == asked
            assert preflight.headers["access-control-allow-origin"] == "*"
        refused = await firebase.client.post(
            "/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=fake",
            json={"email": "shopper@example.com", "password": "wrong"},
            headers={"Origin": "http://127.0.0.1:8080"},
        )

    assert refused.status_code == 400
    assert refused.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in refused.headers
