"""Rules of the door that hold on paper: sessions, origins, addresses, what a live frame says."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from kessai.contracts.moves import OrderReason, OrderStatus
from kessai.contracts.order import Order

Result = Literal["PENDING", "SUCCESS", "FAILED", "TIMEOUT"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Session:
    """What a session id stands for. The store's key is a hash of the id, never the id."""

    key: str
    user_id: str
    email: str | None
    name: str | None
    created_at_ms: int
    seen_at_ms: int


@dataclass(frozen=True, slots=True)
class SessionLimits:
    idle_ms: int
    absolute_ms: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A one-time pass to the live channel of one order, for one session."""

    session_key: str
    user_id: str
    order_id: str
    expires_at_ms: int


def secret_key(secret: str) -> str:
    """What the store knows of a session id or ticket: a dump of it opens nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_alive(session: Session, limits: SessionLimits, now_ms: int) -> bool:
    return (
        now_ms < session.seen_at_ms + limits.idle_ms
        and now_ms < session.created_at_ms + limits.absolute_ms
    )


def time_left_ms(session: Session, limits: SessionLimits, now_ms: int) -> int:
    """How long the store must keep a session seen now: idle time, capped by the absolute end."""
    return min(limits.idle_ms, session.created_at_ms + limits.absolute_ms - now_ms)


def seen(session: Session, now_ms: int) -> Session:
    return replace(session, seen_at_ms=now_ms)


@dataclass(frozen=True, slots=True)
class Caller:
    """The headers by which a request tells where it comes from."""

    method: str
    origin: str | None
    fetch_site: str | None
    content_type: str | None


def may_change(caller: Caller, public_origin: str) -> bool:
    """Whether a request may change something: the page's own origin, or no browser at all.

    Browsers send Origin with every cross-site POST. A request without it is let through only when
    no browser marked it as cross-site and its body cannot come from a plain form (OWASP CSRF
    cheat sheet: verify origin with standard headers, then content type).
    """
    if caller.method in _SAFE_METHODS:
        return True
    if caller.origin is not None:
        return caller.origin == public_origin
    if caller.fetch_site not in (None, "same-origin", "none"):
        return False
    return caller.content_type is None or caller.content_type.startswith("application/json")


def origin_of(url: str) -> str:
    """`https://shop.example` of any address there; the default port is left out."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port and (parts.scheme, parts.port) not in _DEFAULTS else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


_DEFAULTS = {("http", 80), ("https", 443)}


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Raises `ValueError` for what is no network."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def is_inside(address: str, allowed: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed.version == net.version and parsed in net for net in allowed)


def client_address(peer: str, forwarded_for: str | None, trusted: Sequence[Network]) -> str:
    """The nearest address that no trusted proxy vouches for; a client cannot choose it.

    X-Forwarded-For is read from the right, hop by hop, and only while the hop is a trusted proxy.
    """
    address = peer
    hops = [hop.strip() for hop in (forwarded_for or "").split(",") if hop.strip()]
    while hops and is_inside(address, trusted):
        address = hops.pop()
    return address


def result_of(order: Order) -> Result:
    if order.status in (OrderStatus.PENDING, OrderStatus.WAITING_PAYMENT):
        return "PENDING"
    if order.status is not OrderStatus.FAILED:
        return "SUCCESS"
    return "TIMEOUT" if order.reason is OrderReason.PAYMENT_EXPIRED else "FAILED"


@dataclass(frozen=True, slots=True)
class Asset:
    """One built file: its bytes by content coding (`identity` is always there)."""

    media_type: str
    tag: str
    bodies: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Pages:
    """The front end as it was built; `assets` by file name, which carries a hash of the content."""

    shop: Asset
    console: Asset
    assets: Mapping[str, Asset]


# Smallest first.
_CODINGS = ("br", "gzip")


def pick_encoding(accepted: str, available: Mapping[str, bytes]) -> str:
    """The smallest coding that the client takes (RFC 9110, 12.5.3); `q=0` refuses one."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.strip().partition(";")
        weights[name.strip()] = _weight(parameter)
    for coding in _CODINGS:
        if coding in available and weights.get(coding, weights.get("*", 0.0)) > 0:
            return coding
    return "identity"


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def is_same(if_none_match: str, tag: str) -> bool:
    """Weak comparison, as If-None-Match asks for."""
    tags = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return "*" in tags or tag in tags
