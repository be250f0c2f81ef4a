"""Real cryptography behind the ports: scrypt hashes, RSA keys in certificates, signed tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from jwt.algorithms import RSAAlgorithm

from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock, from_ms
from kessai.kernel.errors import JsonValue
from kessai.sim.firebase.domain import (
    Account,
    IdGrant,
    Limits,
    RefreshGrant,
    SigningKey,
    id_claims,
    issuer,
    no,
)

_COMMON_NAME: Final = "securetoken.system.gserviceaccount.com"
_ALGORITHM: Final = "RS256"
_DAY: Final = timedelta(days=1)
_JWS: Final = jwt.PyJWS(algorithms=[_ALGORITHM])


class ScryptPasswords:
    """4 MiB and about 10 ms each: bounded, because the event loop waits for it."""

    _COST, _BLOCK, _LANES = 4096, 8, 1

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def hash(self, password: str) -> str:
        return self._hash(password, self._chance.token_bytes(16))

    def matches(self, password: str, password_hash: str) -> bool:
        salt = base64.b64decode(password_hash.split("$")[1])
        return hmac.compare_digest(self._hash(password, salt), password_hash)

    def _hash(self, password: str, salt: bytes) -> str:
        key = hashlib.scrypt(
            password.encode(), salt=salt, n=self._COST, r=self._BLOCK, p=self._LANES, dklen=32
        )
        return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def new_rsa_key() -> RSAPrivateKey:
    """20 to 70 ms. OpenSSL takes its own chance here: a seed must not give a private key."""
    return generate_private_key(public_exponent=65537, key_size=2048)


class CertificateForge:
    def __init__(
        self, chance: Chance, limits: Limits, new_key: Callable[[], RSAPrivateKey] = new_rsa_key
    ) -> None:
        self._chance = chance
        self._limits = limits
        self._new_key = new_key

    def new_key(self, now_ms: int) -> SigningKey:
        key = self._new_key()
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        # Of key and time: a key that is given to the forge twice still gets two ids.
        kid = hashlib.sha256(public + str(now_ms).encode() + self._chance.token_bytes(8))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return SigningKey(
            kid=kid.hexdigest()[:40],
            private_pem=private.decode(),
            certificate_pem=self._certificate(key, now_ms),
            created_at_ms=now_ms,
        )

    def _certificate(self, key: RSAPrivateKey, now_ms: int) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _COMMON_NAME)])
        now = from_ms(now_ms)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(int.from_bytes(self._chance.token_bytes(8), "big") + 1)
            .not_valid_before(now - _DAY)
            .not_valid_after(now + timedelta(seconds=self._limits.certificate_s))
            .sign(key, hashes.SHA256())
        )
        return certificate.public_bytes(Encoding.PEM).decode()


class SignedTokens:
    """ID tokens as Firebase signs them; refresh tokens that need no table."""

    def __init__(self, clock: Clock, secret: bytes, *, project: str, limits: Limits) -> None:
        self._clock = clock
        self._secret = secret
        self._project = project
        self._limits = limits
        self._kid = ""
        self._keys: Mapping[str, RSAPrivateKey] = {}
        self._certificates: Mapping[str, str] = {}

    def use_keys(self, keys: Sequence[SigningKey]) -> None:
        self._kid = keys[0].kid
        self._keys = {
            key.kid: self._keys.get(key.kid) or _private_key(key.private_pem) for key in keys
        }
        self._certificates = {key.kid: key.certificate_pem for key in keys}

    def certificates(self) -> Mapping[str, str]:
        """PEM certificates by key id, the form that Firebase's own libraries read."""
        return self._certificates

    def jwks(self) -> list[JsonValue]:
        return [
            {
                **RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
                "kid": kid,
                "use": "sig",
                "alg": _ALGORITHM,
            }
            for kid, key in self._keys.items()
        ]

    def id_token(self, account: Account, auth_time_s: int) -> str:
        claims = id_claims(
            account,
            project=self._project,
            auth_time_s=auth_time_s,
            now_s=self._now_s(),
            lifetime_s=self._limits.id_token_s,
        )
        payload = json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode()
        return _JWS.encode(payload, self._keys[self._kid], _ALGORITHM, {"kid": self._kid})

    def read_id_token(self, token: str) -> IdGrant:
        claims = self._verified(token)
        if claims["aud"] != self._project or claims["iss"] != issuer(self._project):
            raise no("INVALID_ID_TOKEN")
        if claims["exp"] <= self._now_s():
            raise no("TOKEN_EXPIRED")
        return IdGrant(claims["sub"], claims["auth_time"], claims["iat"])

    def refresh_token(self, account: Account, auth_time_s: int) -> str:
        grant = json.dumps([account.local_id, account.refresh_mark, auth_time_s]).encode()
        return _base64url(grant + self._seal(grant))

    def read_refresh_token(self, token: str) -> RefreshGrant:
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError as error:
            raise no("INVALID_REFRESH_TOKEN") from error
        grant, seal = raw[:-32], raw[-32:]
        if not hmac.compare_digest(self._seal(grant), seal):
            raise no("INVALID_REFRESH_TOKEN")
        return RefreshGrant(*json.loads(grant))

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            kid = _JWS.get_unverified_header(token).get("kid", "")
            key = self._keys.get(kid)
            if key is None:
                raise no("INVALID_ID_TOKEN")
            payload = _JWS.decode(token, key.public_key(), algorithms=[_ALGORITHM])
        except (jwt.PyJWTError, ValueError) as error:
            raise no("INVALID_ID_TOKEN") from error
        claims = json.loads(payload)
        assert isinstance(claims, dict)
        return claims

    def _seal(self, grant: bytes) -> bytes:
        return hmac.digest(self._secret, grant, "sha256")

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000


@lru_cache(maxsize=16)
def _private_key(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
