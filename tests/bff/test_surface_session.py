"""Session, account and configuration, row by row as the wire contract says."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version

import jwt
from tests.support.firebase import Keyring, unverified
from tests.support.shop import FIREBASE, PASSWORD, SHOP, Reply, Shop, story
from tests.support.surface import TOKEN, assert_problem, assert_shape

USER = {"success": True, "userId": str, "email": "shopper@example.com", "name": (str, None)}
NOBODY = {"success": False, "userId": None, "email": None, "name": None, "role": None}
PROFILE = {
    "lastName": "決済",
    "firstName": "花子",
    "lastNameKana": "ケッサイ",
    "firstNameKana": "ハナコ",
    "birthDate": "1990-02-28",
    "gender": "female",
}


async def id_token(shop: Shop) -> str:
    signed_in = await shop.send(
        "POST",
        f"{FIREBASE}/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=k",
        {"email": "shopper@example.com", "password": PASSWORD, "returnSecureToken": True},
    )
    return str(signed_in.ok()["idToken"])


async def bearer(shop: Shop, token: str, path: str = "/api/auth/session") -> Reply:
    return await shop.send("POST", f"{SHOP}{path}", None, {"Authorization": f"Bearer {token}"})


def cookie_parts(reply: Reply) -> tuple[str, list[str]]:
    first, *attributes = str(reply.headers["set-cookie"]).split("; ")
    return first, sorted(attributes)


@story(1)
async def test_a_session_begins_by_header_or_body_on_both_paths(shop: Shop) -> None:
    token = await id_token(shop)
    for path in ("/api/auth/session", "/auth/session"):
        for headers, body in (
            ({"Authorization": f"Bearer {token}"}, None),
            ({"Authorization": f"bearer {token}"}, None),
            ({}, {"idToken": token}),
        ):
            answer = await shop.send("POST", f"{SHOP}{path}", body, headers)
            assert answer.status == 201
            assert_shape(answer.body, {**USER, "message": str})
            cookie, attributes = cookie_parts(answer)
            assert cookie.startswith("sid=")
            assert TOKEN.fullmatch(cookie.removeprefix("sid="))
            assert attributes == ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=lax"]
            assert cookie.removeprefix("sid=") not in json.dumps(answer.body)


@story(1, public_url="https://shop.example")
async def test_over_https_the_cookie_is_bound_to_host_and_tls(shop: Shop) -> None:
    answer = await bearer(shop, await id_token(shop))
    cookie, attributes = cookie_parts(answer)
    assert cookie.startswith("__Host-sid=")
    assert attributes == ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=lax", "Secure"]
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    for name, success in (("__Host-sid", True), ("sid", False)):
        sent = {"Cookie": f"{name}={cookie.removeprefix('__Host-sid=')}"}
        status = await shop.send("GET", f"{SHOP}/api/auth/status", None, sent)
        assert status.ok()["success"] is success
    origin = {"Cookie": cookie, "Origin": "https://shop.example"}
    gone = await shop.send("POST", f"{SHOP}/api/auth/logout", None, origin)
    cleared, attributes = cookie_parts(gone)
    assert cleared == '__Host-sid=""'
    assert "Max-Age=0" in attributes
    assert "Secure" in attributes
    assert "Path=/" in attributes


@story(1)
async def test_no_token_is_400_and_a_body_that_is_none_422(shop: Shop) -> None:
    async def sign_in(raw: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        return await shop.send("POST", f"{SHOP}/api/auth/session", None, headers, raw)

    for raw in (None, b"{}", b'{"idToken": null}', b'{"idToken": ""}', b"null"):
        assert_problem(await sign_in(raw), 400, "TOKEN_MISSING", path="/api/auth/session")
    for value in ("", "Bearer", "Bearer ", "Basic c2VjcmV0", "Token x"):
        missing = await sign_in(headers={"Authorization": value})
        assert_problem(missing, 400, "TOKEN_MISSING")
    for raw, field in (
        (b'{"idToken": 7}', "idToken"),
        (b'{"idToken": "%s"}' % (b"x" * 8193), "idToken"),
        (b'{"idtoken": "x"}', "idtoken"),
        (b'{"idToken": "x", "role": "operator"}', "role"),
        (b'["x"]', "body"),
        (b"{", "body"),
        (b"\xff\xfe", "body"),
    ):
        assert_problem(await sign_in(raw), 422, "VALIDATION", field)


def forged_tokens(token: str, key_set: Mapping[str, object]) -> dict[str, str]:
    """Tokens that look like a good one and are not."""
    claims = dict(unverified(token))
    header = jwt.get_unverified_header(token)
    kid = str(header["kid"])
    other_key = Keyring()()
    head, body, signature = token.split(".")
    public = json.dumps(key_set).encode()

    def signed(**changes: object) -> str:
        return jwt.encode({**claims, **changes}, other_key, "RS256", headers={"kid": kid})

    return {
        "another signature": signed(),
        "a foreign kid": jwt.encode(claims, other_key, "RS256", headers={"kid": "foreign"}),
        "no kid": jwt.encode(claims, other_key, "RS256"),
        "a kid of a path": jwt.encode(claims, other_key, "RS256", headers={"kid": "../../k"}),
        "its own key": jwt.encode(
            claims, other_key, "RS256", headers={"kid": kid, "jku": "https://evil.example/k"}
        ),
        "alg none": jwt.encode(claims, "", "none", headers={"kid": kid}),
        "alg none, signed": f"{jwt.encode(claims, '', 'none', headers={'kid': kid})}{signature}",
        "HS256 with the public key": jwt.encode(
            claims, hashlib.sha256(public).hexdigest(), "HS256", headers={"kid": kid}
        ),
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "another subject": ".".join((head, signed(sub="somebody-else").split(".")[1], signature)),
        "no token at all": "x",
        "only dots": "..",
    }


@story(1)
async def test_a_forged_token_is_401_and_makes_no_session(shop: Shop) -> None:
    token = await id_token(shop)
    url = f"{FIREBASE}/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
    keys = (await shop.send("GET", url)).ok()
    for name, forged in forged_tokens(token, keys).items():
        answer = await bearer(shop, forged)
        assert answer.status == 401, name
        assert_problem(answer, 401, "TOKEN_INVALID")
        assert "set-cookie" not in answer.headers, name
        again = await shop.send("POST", f"{SHOP}/auth/session", {"idToken": forged})
        assert again.status == 401, name
    assert (await bearer(shop, token)).status == 201


@story(1)
async def test_the_public_key_is_no_shared_secret(shop: Shop) -> None:
    """The classic confusion: the published certificate, byte for byte, as an HMAC key."""
    token = await id_token(shop)
    url = f"{FIREBASE}/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"
    certificates = (await shop.send("GET", url)).ok()
    kid = str(jwt.get_unverified_header(token)["kid"])
    head, body, _ = token.split(".")
    header = jwt.utils.base64url_encode(
        json.dumps({"alg": "HS256", "kid": kid, "typ": "JWT"}).encode()
    ).decode()
    signer = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = signer.sign(f"{header}.{body}".encode(), certificates[kid].encode())
    forged = f"{header}.{body}.{jwt.utils.base64url_encode(signature).decode()}"
    assert head != header
    assert_problem(await bearer(shop, forged), 401, "TOKEN_INVALID")


@story(1, session_idle_s=9999)
async def test_an_expired_token_is_401(shop: Shop) -> None:
    token = await id_token(shop)
    lifetime_s = int(unverified(token)["exp"]) - int(unverified(token)["iat"])
    assert lifetime_s == 3600
    await asyncio.sleep(lifetime_s + 301)
    assert_problem(await bearer(shop, token), 401, "TOKEN_INVALID")
    assert (await bearer(shop, await id_token(shop))).status == 201


@story(1)
async def test_status_tells_who_one_is_or_that_one_is_nobody(shop: Shop) -> None:
    customer = await shop.customer()
    for path in ("/api/auth/status", "/auth/status"):
        known = await customer.send("GET", path)
        assert known.status == 200
        assert_shape(known.body, {**USER, "role": "customer"})
        assert known.headers["cache-control"] == "no-store"
        for headers in ({}, {"Cookie": "sid=x"}, {"Cookie": "sid="}, {"Cookie": "sid"}):
            unknown = await shop.send("GET", f"{SHOP}{path}", None, headers)
            assert unknown.status == 200
            assert_shape(unknown.body, NOBODY)
    for email, role in (("operator@example.com", "operator"), ("viewer@example.com", "viewer")):
        person = await shop.customer(email)
        assert (await person.send("GET", "/api/auth/status")).ok()["role"] == role


@story(1)
async def test_logout_ends_the_session_in_the_store_on_both_paths(shop: Shop) -> None:
    for path in ("/api/auth/logout", "/auth/logout"):
        customer = await shop.customer()
        answer = await customer.send("POST", path)
        assert answer.status == 200
        assert_shape(answer.body, {"success": True, "message": str})
        cleared, attributes = cookie_parts(answer)
        assert cleared == 'sid=""'
        assert "Max-Age=0" in attributes
        assert_problem(await customer.send("GET", "/api/account"), 401, "SESSION_NOT_FOUND")
        assert (await customer.send("POST", path)).status == 200
        assert (await shop.send("POST", f"{SHOP}{path}")).status == 200


@story(1)
async def test_personal_information_is_kept_as_it_was_sent(shop: Shop) -> None:
    customer = await shop.customer()
    before = (await customer.send("GET", "/api/account")).ok()
    assert_shape(
        before,
        {
            "userId": customer.user_id,
            "email": "shopper@example.com",
            "name": (str, None),
            "role": "customer",
            "profile": dict.fromkeys(PROFILE),
            "balance": int,
        },
    )
    saved = await customer.send("POST", "/api/auth/personal-information", PROFILE)
    assert saved.status == 200
    assert_shape(saved.body, {"success": True, "message": str})
    after = (await customer.send("GET", "/api/account")).ok()
    assert after == {**before, "profile": PROFILE}


def _wrong_in_each_field() -> list[tuple[dict[str, object], str]]:
    wrong_values: tuple[object, ...] = (7, True, ["x"], "x" * 101)
    return [({name: wrong}, name) for name in PROFILE for wrong in wrong_values]


WRONG_PROFILES: list[tuple[dict[str, object], str]] = [
    *_wrong_in_each_field(),
    ({"birthDate": "2023-02-29"}, "birthDate"),
    ({"birthDate": "２０２３-０２-０１"}, "birthDate"),
    ({"birthDate": "2023-2-1"}, "birthDate"),
    ({"birthDate": ""}, "birthDate"),
    ({"lastName": "\ud800"}, "lastName"),
    ({"role": "operator"}, "role"),
    ({"balance": 1}, "balance"),
    ({"last_name": "x"}, "last_name"),
]


@story(1)
async def test_wrong_personal_information_is_named_and_not_kept(shop: Shop) -> None:
    customer = await shop.customer()
    for change, field in WRONG_PROFILES:
        wrong = await customer.send("POST", "/api/auth/personal-information", {**PROFILE, **change})
        assert_problem(wrong, 422, "VALIDATION", field)
    profile = (await customer.send("GET", "/api/account")).ok()["profile"]
    assert profile == dict.fromkeys(PROFILE)


@story(1)
async def test_the_configuration_of_a_local_shop(shop: Shop) -> None:
    config = await shop.send("GET", f"{SHOP}/api/config")
    assert config.status == 200
    assert_shape(
        config.body,
        {
            "shopName": str,
            "languages": list,
            "firebase": {
                "apiKey": str,
                "authDomain": str,
                "projectId": "kessai-local",
                "appId": str,
                "apiBaseUrl": FIREBASE,
            },
            "pollIntervalMs": 3000,
            "env": "local",
            "version": version("kessai"),
            "simulators": {"paypay": "http://127.0.0.1:8090", "firebase": FIREBASE},
        },
    )
    assert config.body["languages"] == ["ja", "en", "zh"]
