"""What must never be in a line of a log: secrets and personal fields, by their key or look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from structlog.typing import EventDict

MASK: Final = "***"
_MAX_DEPTH: Final = 6  # nested facts deeper than this are written as text
# A key is secret when one of its words is, or some of them together: `idToken`, `channel_token`
# and `X-Api-Key` are, `inside` and `tokenizer` are not.
_SECRET_WORDS: Final = frozenset((
    "token", "tokens", "sid", "secret", "secrets", "authorization", "cookie", "cookies",
    "password", "passwd", "email", "mail", "phone", "signature", "credential", "credentials",
    "deeplink",
))  # fmt: skip
_SECRET_KEYS: Final = (
    "paymenturl", "paymentlink", "apikey", "customername", "firstname", "lastname",
    "firstnamekana", "lastnamekana", "birthdate", "postalcode", "address", "shippingaddress",
    "redirecturl",
)  # fmt: skip
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Secrets inside of free text (a message, a traceback): bearer tokens, JWTs, e-mail addresses.
_SECRET_TEXT: Final = re.compile(
    r"(?i:bearer)\s+[\w.~+/=-]{6,}"
    r"|eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"
    r"|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
)


# As constants: a line has ten values, and `int | float` would be built for each.
_PLAIN: Final = (int, float)
_LISTS: Final = (list, tuple)


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Masks secrets and personal fields by their key, at any depth, and tokens in text."""
    return {key: _masked(key, value, 0) for key, value in event.items()}


@lru_cache(maxsize=4096)
def _is_secret(key: str) -> bool:
    words = [word.lower() for word in _WORD.findall(key)]
    joined = "".join(words)
    return any(map(_SECRET_WORDS.__contains__, words)) or any(k in joined for k in _SECRET_KEYS)


def _masked(key: str, value: object, depth: int) -> object:
    if _is_secret(key):
        return value if value is None else MASK
    if isinstance(value, str):
        return _without_secrets(value)
    if value is None or isinstance(value, _PLAIN):
        return value
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {str(k): _masked(str(k), v, depth + 1) for k, v in value.items()}
    if depth < _MAX_DEPTH and isinstance(value, _LISTS):
        return [_masked("", item, depth + 1) for item in value]
    return _without_secrets(str(value))


def _without_secrets(text: str) -> str:
    # Most values have none of these; three look-ups are cheaper than the pattern.
    if "@" in text or "eyJ" in text or "earer " in text:
        return _SECRET_TEXT.sub(MASK, text)
    return text
