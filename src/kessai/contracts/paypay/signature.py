"""PayPay's HMAC signature over the exact bytes of a request."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

# A request whose time differs by this much or more is refused.
MAX_SKEW_S: Final = 120

_SCHEME: Final = "hmac OPA-Auth"
_EMPTY: Final = "empty"


class WrongSignature(Exception):
    """A request that is not proved to come from the merchant; the text says what is wrong."""


class WrongTime(WrongSignature):
    """Two clocks differ by two minutes or more."""


@dataclass(frozen=True, slots=True)
class Credentials:
    api_key: str
    api_secret: str = field(repr=False)
    merchant_id: str


@dataclass(frozen=True, slots=True)
class Signed:
    """What the signature covers: the path without its query, as it is sent, and the exact body.

    `content_type` is the header's value, of no meaning while the body is empty.
    """

    method: str
    path: str
    content_type: str = ""
    body: bytes = b""

    def body_hash(self) -> str:
        if not self.body:
            return _EMPTY
        return _base64(_md5(self.content_type.encode() + self.body))

    def text(self, nonce: str, epoch_s: str) -> bytes:
        # "Empty" goes by the body: some SDKs send a content type with no body and sign "empty".
        content_type = self.content_type if self.body else _EMPTY
        parts = (
            self.path,
            self.method.upper(),
            nonce,
            epoch_s,
            content_type,
            self.body_hash(),
        )
        return "\n".join(parts).encode()


def authorization(credentials: Credentials, signed: Signed, *, nonce: str, epoch_s: int) -> str:
    """The value of the header `Authorization`."""
    mac = _mac(credentials.api_secret, signed.text(nonce, str(epoch_s)))
    return f"{_SCHEME}:{credentials.api_key}:{mac}:{nonce}:{epoch_s}:{signed.body_hash()}"


def verify(header: str, credentials: Credentials, signed: Signed, *, now_s: float) -> None:
    """Raises `WrongSignature` unless the header was made for exactly this request, and now."""
    scheme, separator, rest = header.partition(":")
    parts = rest.split(":")
    if not separator or scheme != _SCHEME or len(parts) != 5:
        raise WrongSignature("the header is not of the form hmac OPA-Auth:...")
    api_key, mac, nonce, epoch_s, body_hash = parts
    if not _same(api_key, credentials.api_key):
        raise WrongSignature("unknown API key")
    if not (epoch_s.isascii() and epoch_s.isdigit() and len(epoch_s) <= 12):
        raise WrongSignature("the time is not in whole seconds")
    if abs(now_s - int(epoch_s)) >= MAX_SKEW_S:
        raise WrongTime("the time is off by two minutes or more")
    if not _same(body_hash, signed.body_hash()):
        raise WrongSignature("the hash is of another body or content type")
    if not _same(mac, _mac(credentials.api_secret, signed.text(nonce, epoch_s))):
        raise WrongSignature("the signature is wrong")


def _mac(api_secret: str, text: bytes) -> str:
    return _base64(hmac.digest(api_secret.encode(), text, "sha256"))


def _md5(content: bytes) -> bytes:
    # PayPay's choice; what protects the request is the HMAC around it.
    return hashlib.md5(content, usedforsecurity=False).digest()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
