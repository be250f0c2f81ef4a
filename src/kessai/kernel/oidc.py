"""ID tokens of one issuer: RS256 by its published keys, and every claim by the injected clock."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import jwt
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from kessai.kernel.clock import Clock
from kessai.kernel.errors import KessaiError, Kind, Refused, Unknown
from kessai.kernel.http import Answer, Http
from kessai.kernel.metrics import Metrics
from kessai.kernel.telemetry import get_log

ALGORITHM: Final = "RS256"
MAX_TOKEN_CHARACTERS: Final = 8192
MAX_SUBJECT_CHARACTERS: Final = 128
_MIN_KEY_BITS: Final = 2048
_MAX_TIME_S: Final = 253_402_300_799  # the last second of the year 9999
# A token that brings its own key, or rules that we do not know, is not from this issuer.
_REFUSED_HEADERS: Final = ("jku", "jwk", "x5u", "x5c", "crit")
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_NO_CACHE: Final = re.compile(r"(?:^|[\s,])no-(?:store|cache)", re.IGNORECASE)
_JWS: Final = jwt.PyJWS(algorithms=[ALGORITHM])
_log: Final = get_log("kessai.oidc")


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom a verified token speaks of. `name` and `email` are the issuer's words, unbounded."""

    subject: str
    email: str | None
    name: str | None
    email_verified: bool
    auth_time: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """How published keys are kept. `fresh` is the server's max-age within these bounds."""

    timeout_s: float = 3.0
    default_fresh_s: float = 300.0
    min_fresh_s: float = 5.0
    max_fresh_s: float = 86_400.0
    stale_s: float = 86_400.0  # keys serve so long past `fresh` while the server does not answer
    retry_s: float = 5.0  # pause after a fetch that failed
    unknown_kid_pause_s: float = 60.0  # forged key ids cause one fetch in this time
    max_keys: int = 32


class TokenVerifier:
    """Says who a token is, or refuses without telling why; the reason is in log and metric."""

    def __init__(
        self,
        http: Http,
        clock: Clock,
        *,
        issuer: str,
        audience: str,
        keys_url: str,
        leeway_s: float = 5.0,
        limits: KeyLimits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self._leeway_s = leeway_s
        self._keys = PublishedKeys(http, clock, keys_url, limits or KeyLimits())
        self._outcomes = metrics and metrics.counter(
            "token_verifications", "ID tokens by outcome", labels=("outcome",)
        )

    async def verify(self, token: str) -> Claims:
        """Raises `Refused` TOKEN_INVALID, and `Unknown` when the issuer's keys cannot be had."""
        try:
            key = await self._keys.find(_key_id(token))
            claims = self._check(_payload(token, key))
        except _Doubt as doubt:
            self._count(doubt.reason)
            _log.info("token.refused", reason=doubt.reason)
            raise Refused(
                "TOKEN_INVALID", "the token is not valid", kind=Kind.UNAUTHENTICATED
            ) from doubt
        except Unknown:
            self._count("keys_unavailable")
            raise
        self._count("accepted")
        return claims

    def _check(self, payload: Mapping[str, object]) -> Claims:
        now = self._clock.now().timestamp()
        latest = now + self._leeway_s
        expires_at = _seconds(payload, "exp")
        auth_time = _seconds(payload, "auth_time")
        if expires_at <= now - self._leeway_s:
            raise _Doubt("expired")
        if _seconds(payload, "iat") > latest:
            raise _Doubt("iat_in_future")
        if "nbf" in payload and _seconds(payload, "nbf") > latest:
            raise _Doubt("nbf_in_future")
        if auth_time > latest:
            raise _Doubt("auth_time_in_future")
        if payload.get("iss") != self._issuer:
            raise _Doubt("iss")
        if payload.get("aud") not in (self._audience, [self._audience]):
            raise _Doubt("aud")
        subject = payload.get("sub")
        if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT_CHARACTERS:
            raise _Doubt("sub")
        return Claims(
            subject=subject,
            email=_text(payload, "email"),
            name=_text(payload, "name"),
            email_verified=payload.get("email_verified") is True,
            auth_time=datetime.fromtimestamp(auth_time, UTC),
            expires_at=datetime.fromtimestamp(expires_at, UTC),
        )

    def _count(self, outcome: str) -> None:
        if self._outcomes:
            self._outcomes.labels(outcome).inc()


class _Doubt(KessaiError):
    """Why a token is not believed; stays inside."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _key_id(token: str) -> str:
    """The key that the token claims, after all that can be refused without a key."""
    if not token.isascii() or len(token) > MAX_TOKEN_CHARACTERS:
        raise _Doubt("malformed")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise _Doubt("malformed") from error
    if header.get("alg") != ALGORITHM:
        raise _Doubt("alg")
    if any(name in header for name in _REFUSED_HEADERS):
        raise _Doubt("header")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise _Doubt("kid_missing")
    return kid


def _payload(token: str, key: RSAPublicKey) -> Mapping[str, object]:
    try:
        # Of PyJWT only the signature: its checks of time ask the machine's own clock.
        signed = _JWS.decode(token, key, algorithms=[ALGORITHM])
    except jwt.InvalidTokenError as error:
        raise _Doubt("signature") from error
    try:
        payload = json.loads(signed)
    except (ValueError, RecursionError) as error:
        raise _Doubt("malformed") from error
    if not isinstance(payload, dict):
        raise _Doubt("malformed")
    return payload


def _seconds(payload: Mapping[str, object], name: str) -> float:
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Doubt(f"{name}_missing")
    # NaN fails this comparison as well.
    if not 0 <= value <= _MAX_TIME_S:
        raise _Doubt(f"{name}_missing")
    return value


def _text(payload: Mapping[str, object], name: str) -> str | None:
    value = payload.get(name)
    return value if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True)
class _PublicKey:
    key: RSAPublicKey
    expires_at: datetime | None = None  # of its certificate, where it came in one


class PublishedKeys:
    """An issuer's keys by their id, from a JWK set or from Google's map of X.509 certificates.

    One fetch at a time; who asks for a known key meanwhile is answered from the old set.
    """

    def __init__(self, http: Http, clock: Clock, url: str, limits: KeyLimits) -> None:
        self._http = http
        self._clock = clock
        self._url = url
        self._limits = limits
        self._keys: Mapping[str, _PublicKey] = {}
        self._fetching = asyncio.Lock()
        self._failed = False
        now = clock.monotonic()
        self._fresh_until = now
        self._retry_at = now
        self._unknown_kid_at = now

    async def find(self, kid: str) -> RSAPublicKey:
        """Raises `Unknown` when the keys cannot be had; a `_Doubt` when there is no such key."""
        key = self._usable(kid)
        if key and (self._is_fresh() or self._fetching.locked()):
            return key
        async with self._fetching:
            if self._is_due(kid):
                await self._fetch()
        key = self._usable(kid)
        if key:
            return key
        if self._failed:
            raise Unknown("TOKEN_KEYS_UNAVAILABLE", "the keys of the issuer cannot be had")
        raise _Doubt("kid_unknown")

    def _usable(self, kid: str) -> RSAPublicKey | None:
        if self._clock.monotonic() >= self._fresh_until + self._limits.stale_s:
            return None
        found = self._keys.get(kid)
        if found is None or (found.expires_at and found.expires_at <= self._clock.now()):
            return None
        return found.key

    def _is_fresh(self) -> bool:
        return self._clock.monotonic() < self._fresh_until

    def _is_due(self, kid: str) -> bool:
        now = self._clock.monotonic()
        if now < self._retry_at:
            return False
        if not self._is_fresh():
            return True
        return self._usable(kid) is None and now >= self._unknown_kid_at

    async def _fetch(self) -> None:
        for_unknown_kid = self._is_fresh()
        try:
            answer = await self._http.send("GET", self._url, timeout_s=self._limits.timeout_s)
            keys = _read_keys(answer, self._limits.max_keys)
        except (Unknown, _Unreadable) as error:
            self._failed = True
            self._retry_at = self._clock.monotonic() + self._limits.retry_s
            _log.warning("token_keys.fetch_failed", reason=str(error), kept=len(self._keys))
        else:
            self._failed = False
            self._keys = keys
            self._fresh_until = self._clock.monotonic() + self._fresh_s(answer)
            _log.info("token_keys.fetched", keys=len(keys))
        if for_unknown_kid:
            self._unknown_kid_at = self._clock.monotonic() + self._limits.unknown_kid_pause_s

    def _fresh_s(self, answer: Answer) -> float:
        limits = self._limits
        fresh_s = _max_age_s(answer.headers, limits.default_fresh_s)
        return min(max(fresh_s, limits.min_fresh_s), limits.max_fresh_s)


class _Unreadable(KessaiError):
    """An answer without one usable key."""


def _max_age_s(headers: Mapping[str, str], default_s: float) -> float:
    """What is left of max-age: caches on the way tell by `Age` how old their copy is."""
    rule = headers.get("Cache-Control", "")
    if _NO_CACHE.search(rule):
        return 0.0
    found = _MAX_AGE.search(rule)
    if not found:
        return default_s
    age = headers.get("Age", "0")
    return float(found[1]) - (float(age) if age.isdecimal() else 0.0)


def _read_keys(answer: Answer, max_keys: int) -> Mapping[str, _PublicKey]:
    """By content: `{"keys": [JWK]}` or `{kid: PEM certificate}`. Keys that do not fit are left."""
    if answer.status != 200:
        raise _Unreadable(f"status {answer.status}")
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise _Unreadable("not JSON") from error
    if not isinstance(content, dict):
        raise _Unreadable("not a key set")
    listed = content.get("keys")
    found = _from_jwks(listed) if isinstance(listed, list) else _from_certificates(content)
    keys = {
        kid: public
        for kid, public in list(found.items())[:max_keys]
        if public.key.key_size >= _MIN_KEY_BITS
    }
    if not keys:
        raise _Unreadable("no usable key")
    return keys


def _from_jwks(listed: list[object]) -> dict[str, _PublicKey]:
    keys = {}
    for item in listed:
        if not isinstance(item, dict) or item.get("kty") != "RSA":
            continue
        kid = item.get("kid")
        fits = item.get("use", "sig") == "sig" and item.get("alg", ALGORITHM) == ALGORITHM
        if not isinstance(kid, str) or not fits:
            continue
        try:
            key = RSAAlgorithm.from_jwk(item)
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            _log.warning("token_keys.unreadable", kid=kid, reason=type(error).__name__)
            continue
        if isinstance(key, RSAPublicKey):
            keys[kid] = _PublicKey(key)
    return keys


def _from_certificates(content: Mapping[str, object]) -> dict[str, _PublicKey]:
    keys = {}
    for kid, pem in content.items():
        if not isinstance(pem, str):
            continue
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            key = certificate.public_key()
        except (ValueError, UnsupportedAlgorithm) as error:
            _log.warning("token_keys.unreadable", kid=kid, reason=type(error).__name__)
            continue
        if isinstance(key, RSAPublicKey):
            keys[kid] = _PublicKey(key, certificate.not_valid_after_utc)
    return keys
