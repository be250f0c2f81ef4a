"""What `file.created` tells: where the day's file is and until when; and which links we follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from kessai.contracts.paypay.settlement import LINK_LIVES_S, read_at

FILE_CREATED = "file.created"
MAX_LINK = 2000
MAX_NOTIFICATION_ID = 200
LINK_LIVES_MS = LINK_LIVES_S * 1000
# A time of the notice that is further off than this is not believed.
_BELIEVED_MS = 24 * 3_600_000
_PAUSES_MS = (5_000, 15_000, 60_000, 180_000, 600_000)
# The last try begins so long before the link ends.
_LAST_CALL_MS = 60_000

# Anything that two readers of a URL may understand differently: blanks, controls, backslashes.
_PLAIN = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%|{}^-]+")
_HTTPS_PORTS = (None, 443)

NO_URL = "NO_URL"
SCHEME = "SCHEME"
USERINFO = "USERINFO"
UNKNOWN_HOST = "UNKNOWN_HOST"
PORT = "PORT"


@dataclass(frozen=True, slots=True)
class FileNotice:
    notification_id: str
    link: str
    requested_at_ms: int | None

    def ends_at_ms(self, received_at_ms: int) -> int:
        """Two hours after the request; after the receipt where its time cannot be right."""
        requested_ms = self.requested_at_ms
        if requested_ms is None or not 0 <= received_at_ms - requested_ms <= _BELIEVED_MS:
            requested_ms = received_at_ms
        return requested_ms + LINK_LIVES_MS


def read_notice(fields: Mapping[str, object]) -> FileNotice | None:
    """None where it cannot be told apart from others, or has no link that could be one."""
    notification_id = _text(fields.get("notification_id"), MAX_NOTIFICATION_ID)
    link = _text(fields.get("path"), MAX_LINK)
    if notification_id is None or link is None:
        return None
    return FileNotice(notification_id, link, _requested_at_ms(fields.get("requestedAt")))


def next_try_ms(tries: int, now_ms: int, ends_at_ms: int) -> int | None:
    """After so many failed tries; the last one comes shortly before the link ends."""
    pause_ms = _PAUSES_MS[min(tries, len(_PAUSES_MS)) - 1]
    next_ms = min(now_ms + pause_ms, ends_at_ms - _LAST_CALL_MS)
    return next_ms if next_ms > now_ms else None


@dataclass(frozen=True, slots=True)
class LinkRules:
    """`hosts` as they stand in a URL, in lower case. `local`: http and any port as well.

    What a host that is allowed resolves to is not looked at: its owner says so, and we trust him.
    """

    hosts: frozenset[str]
    local: bool = False

    def why_not(self, link: str) -> str | None:
        """None for a link that may be followed."""
        parts = _split(link)
        if parts is None:
            return NO_URL
        if parts.scheme != "https" and not (parts.scheme == "http" and self.local):
            return SCHEME
        if "@" in parts.netloc:
            return USERINFO
        if parts.hostname not in self.hosts:
            return UNKNOWN_HOST
        if not self.local and parts.port not in _HTTPS_PORTS:
            return PORT
        return None


def host_of(url: str) -> str:
    """Empty for what is no URL with a host."""
    parts = _split(url)
    return (parts.hostname or "") if parts else ""


def without_secrets(link: str) -> str:
    """The query of a link is a key to the file, as its userinfo may be: neither is shown."""
    parts = _split(link)
    if parts is None:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _split(url: str) -> SplitResult | None:
    if not _PLAIN.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname else None


def _text(value: object, longest: int) -> str | None:
    if isinstance(value, str) and 0 < len(value) <= longest and value.isprintable():
        return value
    return None


def _requested_at_ms(value: object) -> int | None:
    """PayPay's sample has no format: seconds, milliseconds and written times are read."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    if text.isascii() and text.isdigit() and len(text) <= 13:
        return int(text) if len(text) > 11 else int(text) * 1000
    try:
        return read_at(text)
    except (ValueError, OverflowError):
        return None
