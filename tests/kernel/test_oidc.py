"""Forged tokens are refused, whatever is wrong with them; keys rotate, go stale, and run out."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from jwt.algorithms import RSAAlgorithm
from tests.support.web import START_MS, StillClock

from kessai.kernel.clock import from_ms
from kessai.kernel.errors import Kind, Refused, Unknown
from kessai.kernel.http import Answer, NotSent
from kessai.kernel.metrics import Metrics
from kessai.kernel.oidc import TokenVerifier

ISSUER = "https://issuer.test/shop"
AUDIENCE = "shop"
KEYS_URL = "http://keys.test/jwk"
NOW_S = START_MS // 1000


@cache
def a_key(name: str) -> RSAPrivateKey:
    """One real key per name; making one takes 50 ms."""
    return generate_private_key(public_exponent=65537, key_size=1024 if name == "weak" else 2048)


def a_jwk_set(*names: str) -> dict[str, Any]:
    keys = []
    for name in names:
        jwk = RSAAlgorithm.to_jwk(a_key(name).public_key(), as_dict=True)
        keys.append({**jwk, "kid": name, "use": "sig", "alg": "RS256"})
    return {"keys": keys}


def a_certificate(name: str, *, days: int = 16) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = from_ms(START_MS) - timedelta(days=1)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(a_key(name).public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1 + days))
        .sign(a_key(name), hashes.SHA256())
    )
    return built.public_bytes(Encoding.PEM).decode()


def a_token(
    key: str = "one",
    *,
    headers: Mapping[str, Any] | None = None,
    without: tuple[str, ...] = (),
    **claims: Any,
) -> str:
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "u1",
        "iat": NOW_S,
        "exp": NOW_S + 3600,
        "auth_time": NOW_S - 60,
        "email": "a@example.com",
        "email_verified": True,
        "name": "Hanako",
        **claims,
    }
    for name in without:
        del payload[name]
    return jwt.encode(
        payload, a_key(key), algorithm="RS256", headers={"kid": key, **(headers or {})}
    )


def by_hand(header: Mapping[str, Any], payload: bytes, sign: Any) -> str:
    """A token as no library would make it."""
    parts = b".".join(base64url(part) for part in (json.dumps(header).encode(), payload))
    return (parts + b"." + base64url(sign(parts))).decode()


def base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


class KeyServer:
    """The issuer's key set behind the `Http` port; counts how often it is asked."""

    def __init__(self, content: object) -> None:
        self.content = content
        self.status = 200
        self.headers: Mapping[str, str] = {"Cache-Control": "public, max-age=21600"}
        self.is_up = True
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Answer:
        assert (method, url) == ("GET", KEYS_URL)
        self.asked += 1
        await asyncio.sleep(0)
        await self.answers.wait()
        if not self.is_up:
            raise NotSent("the connection was refused")
        content = self.content if isinstance(self.content, bytes) else json.dumps(self.content)
        raw = content if isinstance(content, bytes) else content.encode()
        return Answer(self.status, self.headers, raw)

    async def close(self) -> None:
        return None


class Scene:
    def __init__(self, content: object) -> None:
        self.clock = StillClock()
        self.keys = KeyServer(content)
        self.metrics = Metrics("test")
        self.verifier = TokenVerifier(
            self.keys,
            self.clock,
            issuer=ISSUER,
            audience=AUDIENCE,
            keys_url=KEYS_URL,
            metrics=self.metrics,
        )

    async def refuses(self, token: str, reason: str) -> None:
        with pytest.raises(Refused) as refused:
            await self.verifier.verify(token)
        assert refused.value.code == "TOKEN_INVALID"
        assert refused.value.kind is Kind.UNAUTHENTICATED
        assert refused.value.message == "the token is not valid"
        assert refused.value.facts == {}
        assert self.counted(reason) == 1

    async def has_no_keys(self, token: str) -> None:
        with pytest.raises(Unknown) as unknown:
            await self.verifier.verify(token)
        assert unknown.value.code == "TOKEN_KEYS_UNAVAILABLE"

    def counted(self, outcome: str) -> float:
        value = self.metrics.registry.get_sample_value(
            "token_verifications_total", {"outcome": outcome}
        )
        return value or 0.0


@pytest.fixture
def scene() -> Scene:
    return Scene(a_jwk_set("one"))


async def test_good_token_tells_whom_it_speaks_of(scene: Scene) -> None:
    claims = await scene.verifier.verify(a_token())

    assert (claims.subject, claims.email, claims.name) == ("u1", "a@example.com", "Hanako")
    assert claims.email_verified
    assert claims.auth_time == datetime.fromtimestamp(NOW_S - 60, UTC)
    assert claims.expires_at == datetime.fromtimestamp(NOW_S + 3600, UTC)
    assert scene.counted("accepted") == 1


async def test_name_and_email_may_be_missing(scene: Scene) -> None:
    claims = await scene.verifier.verify(
        a_token(without=("email", "email_verified"), name={"not": "text"})
    )

    assert (claims.email, claims.name, claims.email_verified) == (None, None, False)


CLAIMS: list[tuple[str, dict[str, Any], str]] = [
    ("expired", {"exp": NOW_S - 5}, "expired"),
    ("exp is text", {"exp": str(NOW_S + 60)}, "exp_missing"),
    ("exp is true", {"exp": True}, "exp_missing"),
    ("exp is infinite", {"exp": float("inf")}, "exp_missing"),
    ("exp is no number", {"exp": float("nan")}, "exp_missing"),
    ("exp missing", {"without": ("exp",)}, "exp_missing"),
    ("iat in the future", {"iat": NOW_S + 6}, "iat_in_future"),
    ("iat missing", {"without": ("iat",)}, "iat_missing"),
    ("nbf in the future", {"nbf": NOW_S + 6}, "nbf_in_future"),
    ("nbf is null", {"nbf": None}, "nbf_missing"),
    ("auth_time in the future", {"auth_time": NOW_S + 6}, "auth_time_in_future"),
    ("auth_time missing", {"without": ("auth_time",)}, "auth_time_missing"),
    ("another audience", {"aud": "other"}, "aud"),
    ("one audience of two", {"aud": [AUDIENCE, "other"]}, "aud"),
    ("aud missing", {"without": ("aud",)}, "aud"),
    ("another issuer", {"iss": f"{ISSUER}/"}, "iss"),
    ("iss missing", {"without": ("iss",)}, "iss"),
    ("empty subject", {"sub": ""}, "sub"),
    ("subject of 129 characters", {"sub": "x" * 129}, "sub"),
    ("subject is null", {"sub": None}, "sub"),
    ("kid of another key", {"headers": {"kid": "two"}}, "kid_unknown"),
    ("kid is empty", {"headers": {"kid": ""}}, "kid_missing"),
    ("key set of its own", {"headers": {"jku": "http://evil.test/jwk"}}, "header"),
    ("certificate of its own", {"headers": {"x5u": "http://evil.test/pem"}}, "header"),
    ("certificate inside", {"headers": {"x5c": ["MII"]}}, "header"),
    ("key inside", {"headers": {"jwk": a_jwk_set("two")["keys"][0]}}, "header"),
    ("rules of its own", {"headers": {"crit": ["x"], "x": 1}}, "malformed"),
]


@pytest.mark.parametrize(("claims", "reason"), [c[1:] for c in CLAIMS], ids=[c[0] for c in CLAIMS])
async def test_wrong_claim_is_refused(scene: Scene, claims: dict[str, Any], reason: str) -> None:
    await scene.refuses(a_token(**claims), reason)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW_S - 4},
        {"iat": NOW_S + 5},
        {"nbf": NOW_S + 5},
        {"auth_time": NOW_S + 5},
        {"sub": "x" * 128},
        {"aud": [AUDIENCE]},
    ],
    ids=lambda claims: next(iter(claims)),
)
async def test_last_good_value_is_accepted(scene: Scene, claims: dict[str, Any]) -> None:
    await scene.verifier.verify(a_token(**claims))


async def test_time_is_that_of_the_injected_clock(scene: Scene) -> None:
    token = a_token()
    scene.clock.pass_s(3600 + 4)
    await scene.verifier.verify(token)

    scene.clock.pass_s(1)

    await scene.refuses(token, "expired")


async def test_unsigned_token_is_refused(scene: Scene) -> None:
    payload = json.dumps(jwt.decode(a_token(), options={"verify_signature": False})).encode()

    await scene.refuses(by_hand({"alg": "none", "kid": "one"}, payload, lambda _: b""), "alg")
    assert scene.keys.asked == 0


@pytest.mark.parametrize("alg", ["None", "nOnE", "", None, 7, "RS384", "PS256", "ES256", "rs256"])
async def test_other_algorithms_are_refused(scene: Scene, alg: object) -> None:
    payload = json.dumps(jwt.decode(a_token(), options={"verify_signature": False})).encode()

    await scene.refuses(by_hand({"alg": alg, "kid": "one"}, payload, lambda _: b"x"), "alg")


async def test_public_key_is_no_shared_secret(scene: Scene) -> None:
    payload = json.dumps(jwt.decode(a_token(), options={"verify_signature": False})).encode()
    pem = a_key("one").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(parts: bytes) -> bytes:
        return hmac.new(pem, parts, hashlib.sha256).digest()

    await scene.refuses(by_hand({"alg": "HS256", "kid": "one"}, payload, sign), "alg")


async def test_foreign_key_under_a_known_id_is_refused(scene: Scene) -> None:
    await scene.refuses(a_token("two", headers={"kid": "one"}), "signature")


async def test_token_without_key_id_is_refused(scene: Scene) -> None:
    token = jwt.encode({"sub": "u1"}, a_key("one"), algorithm="RS256")

    await scene.refuses(token, "kid_missing")
    assert scene.keys.asked == 0


async def test_tampered_payload_is_refused(scene: Scene) -> None:
    header, payload, signature = a_token().split(".")
    raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    forged = base64url(raw.replace(b'"u1"', b'"u2"')).decode()

    await scene.refuses(f"{header}.{forged}.{signature}", "signature")


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b", "a.b.c", "....", "é.é.é", "\udc80", "x" * 8193],
    ids=["empty", "word", "two", "letters", "dots", "accents", "surrogate", "huge"],
)
async def test_nonsense_is_refused(scene: Scene, token: str) -> None:
    await scene.refuses(token, "malformed")
    assert scene.keys.asked == 0


async def test_huge_token_is_refused_unread(scene: Scene) -> None:
    await scene.refuses(a_token(name="x" * 8192), "malformed")
    assert scene.keys.asked == 0


async def test_bottomless_header_is_refused(scene: Scene) -> None:
    header = base64url(b"[" * 4000).decode()

    await scene.refuses(f"{header}.e30.eA", "malformed")


@pytest.mark.parametrize("payload", [b"[" * 2000, b"[1]", b"\xff", b"9" * 5000])
async def test_signed_nonsense_is_refused(scene: Scene, payload: bytes) -> None:
    token = jwt.PyJWS().encode(payload, a_key("one"), "RS256", {"kid": "one"})

    await scene.refuses(token, "malformed")


async def test_certificates_are_read_as_well() -> None:
    scene = Scene({"one": a_certificate("one"), "two": a_certificate("two")})

    await scene.verifier.verify(a_token("one"))
    await scene.verifier.verify(a_token("two"))

    await scene.refuses(a_token("two", headers={"kid": "one"}), "signature")
    assert scene.keys.asked == 1


async def test_key_ends_with_its_certificate() -> None:
    scene = Scene({"one": a_certificate("one", days=1)})
    await scene.verifier.verify(a_token())

    scene.clock.pass_s(86_400)

    await scene.refuses(a_token(exp=NOW_S + 90_000), "kid_unknown")


async def test_keys_that_do_not_fit_are_left_out() -> None:
    content = a_jwk_set("one", "two", "weak")
    content["keys"][1]["use"] = "enc"
    content["keys"] += [{"kty": "EC", "kid": "three"}, {"kty": "RSA", "kid": "four"}, "five"]
    scene = Scene(content)

    await scene.verifier.verify(a_token())

    await scene.refuses(a_token("two"), "kid_unknown")


async def test_keys_are_kept_for_their_max_age(scene: Scene) -> None:
    scene.keys.headers = {"Cache-Control": "public, max-age=600, must-revalidate", "Age": "100"}
    await scene.verifier.verify(a_token())

    scene.clock.pass_s(499.9)
    await scene.verifier.verify(a_token())
    assert scene.keys.asked == 1

    scene.clock.pass_s(0.1)
    await scene.verifier.verify(a_token())
    assert scene.keys.asked == 2


async def test_removed_key_is_forgotten_after_max_age(scene: Scene) -> None:
    await scene.verifier.verify(a_token())
    scene.keys.content = a_jwk_set("two")

    scene.clock.pass_s(21_600)

    await scene.refuses(a_token(exp=NOW_S + 90_000), "kid_unknown")


async def test_new_key_is_fetched_when_it_is_met(scene: Scene) -> None:
    await scene.verifier.verify(a_token())
    scene.keys.content = a_jwk_set("one", "two")

    await scene.verifier.verify(a_token("two"))
    await scene.verifier.verify(a_token("one"))

    assert scene.keys.asked == 2


async def test_forged_key_ids_cause_one_fetch_a_minute(scene: Scene) -> None:
    await scene.verifier.verify(a_token())
    for n in range(100):
        with pytest.raises(Refused):
            await scene.verifier.verify(a_token(headers={"kid": f"forged-{n}"}))
    assert scene.keys.asked == 2

    scene.clock.pass_s(59.9)
    with pytest.raises(Refused):
        await scene.verifier.verify(a_token(headers={"kid": "forged"}))
    assert scene.keys.asked == 2

    scene.clock.pass_s(0.1)
    with pytest.raises(Refused):
        await scene.verifier.verify(a_token(headers={"kid": "forged"}))
    assert scene.keys.asked == 3


async def test_many_at_once_share_one_fetch(scene: Scene) -> None:
    claims = await asyncio.gather(*(scene.verifier.verify(a_token()) for _ in range(50)))
    assert [c.subject for c in claims] == ["u1"] * 50
    assert scene.keys.asked == 1

    scene.keys.content = a_jwk_set("one", "two")
    await asyncio.gather(*(scene.verifier.verify(a_token("two")) for _ in range(50)))
    assert scene.keys.asked == 2


async def test_caller_that_gives_up_takes_nobody_with_it(scene: Scene) -> None:
    first = asyncio.create_task(scene.verifier.verify(a_token()))
    second = asyncio.create_task(scene.verifier.verify(a_token()))
    await asyncio.sleep(0)
    assert scene.keys.asked == 1
    first.cancel()

    assert (await second).subject == "u1"


async def test_nobody_waits_for_a_slow_server_while_the_old_keys_will_do(scene: Scene) -> None:
    token = a_token(exp=NOW_S + 90_000)
    await scene.verifier.verify(token)
    scene.keys.answers.clear()
    scene.clock.pass_s(21_600)

    first = asyncio.create_task(scene.verifier.verify(token))
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await scene.verifier.verify(token)

    assert not first.done()
    scene.keys.answers.set()
    await first
    assert scene.keys.asked == 2


async def test_old_keys_serve_while_the_server_is_down_and_then_no_more(scene: Scene) -> None:
    token = a_token(exp=NOW_S + 200_000)
    await scene.verifier.verify(token)
    scene.keys.is_up = False

    scene.clock.pass_s(21_600)
    await scene.verifier.verify(token)
    await scene.verifier.verify(token)
    assert scene.keys.asked == 2  # and the next try only after a pause

    scene.clock.pass_s(86_399)
    await scene.verifier.verify(token)
    scene.clock.pass_s(1)
    await scene.has_no_keys(token)
    assert scene.counted("keys_unavailable") == 1

    scene.keys.is_up = True
    scene.clock.pass_s(5)
    await scene.verifier.verify(token)


async def test_without_any_keys_nobody_gets_in(scene: Scene) -> None:
    scene.keys.is_up = False
    await scene.has_no_keys(a_token())
    await scene.has_no_keys(a_token())
    assert scene.keys.asked == 1

    scene.keys.is_up = True
    scene.clock.pass_s(5)
    await scene.verifier.verify(a_token())


async def test_unmet_key_is_unknown_while_the_server_is_down(scene: Scene) -> None:
    """It may be the new one: that cannot be told from a forged one now."""
    await scene.verifier.verify(a_token())
    scene.keys.is_up = False

    await scene.has_no_keys(a_token("two"))
    await scene.verifier.verify(a_token())


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, a_jwk_set("one")),
        (404, {}),
        (200, b"<html>"),
        (200, b"[" * 9000),
        (200, []),
        (200, {}),
        (200, {"keys": []}),
        (200, {"one": "no certificate"}),
        (200, a_jwk_set("weak")),
    ],
    ids=["500", "404", "html", "deep", "list", "empty", "no keys", "no pem", "weak"],
)
async def test_unreadable_key_set_is_no_key_set(status: int, content: object) -> None:
    scene = Scene(content)
    scene.keys.status = status

    await scene.has_no_keys(a_token())
