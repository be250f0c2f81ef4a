"""The door's rules on paper."""

from __future__ import annotations

import pytest

from kessai.bff.domain import (
    Caller,
    Session,
    SessionLimits,
    client_address,
    is_alive,
    is_inside,
    may_change,
    networks,
    origin_of,
    secret_key,
    time_left_ms,
)

SHOP = "https://shop.example"
LIMITS = SessionLimits(idle_ms=1_000, absolute_ms=10_000)


def a_session(*, created_at_ms: int = 0, seen_at_ms: int = 0) -> Session:
    return Session("k", "u", None, None, created_at_ms, seen_at_ms)


@pytest.mark.parametrize(
    ("now_ms", "alive"), [(0, True), (999, True), (1_000, False), (5_000, False)]
)
def test_an_idle_session_ends(now_ms: int, alive: bool) -> None:
    assert is_alive(a_session(), LIMITS, now_ms) is alive


def test_a_busy_session_ends_at_its_absolute_limit() -> None:
    assert is_alive(a_session(seen_at_ms=9_500), LIMITS, 9_999)
    assert not is_alive(a_session(seen_at_ms=9_999), LIMITS, 10_000)
    assert time_left_ms(a_session(), LIMITS, 9_800) == 200


def test_the_store_never_sees_the_session_id() -> None:
    key = secret_key("the-id")
    assert "the-id" not in key
    assert len(key) == 64
    assert key == secret_key("the-id") != secret_key("the-ie")


@pytest.mark.parametrize(
    ("caller", "allowed"),
    [
        (Caller("GET", "https://evil.example", "cross-site", None), True),
        (Caller("POST", SHOP, "same-origin", "application/json"), True),
        (Caller("POST", "https://evil.example", "cross-site", "application/json"), False),
        (Caller("POST", "https://shop.example.evil", None, "application/json"), False),
        (Caller("POST", "http://shop.example", None, "application/json"), False),
        (Caller("POST", "null", "cross-site", "text/plain"), False),
        (Caller("POST", None, "cross-site", "application/json"), False),
        (Caller("POST", None, "same-site", "application/json"), False),
        (Caller("POST", None, None, "text/plain"), False),
        (Caller("POST", None, None, "application/x-www-form-urlencoded"), False),
        (Caller("POST", None, None, "multipart/form-data; boundary=x"), False),
        (Caller("POST", None, None, "application/json; charset=utf-8"), True),
        (Caller("POST", None, None, None), True),
        (Caller("DELETE", "https://evil.example", None, None), False),
    ],
)
def test_only_the_shop_itself_changes_things(caller: Caller, allowed: bool) -> None:
    assert may_change(caller, SHOP) is allowed


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://shop.example/x?y", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_origin_of_an_address(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # a stranger's header counts for nothing
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),  # the left part is the client's word
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "nonsense"),
    ],
)
def test_only_trusted_proxies_vouch_for_an_address(
    peer: str, forwarded: str | None, expected: str
) -> None:
    assert client_address(peer, forwarded, networks(["10.0.0.0/8"])) == expected


def test_the_allow_list_fails_closed() -> None:
    allowed = networks(["127.0.0.1/32", "::1/128"])
    assert is_inside("127.0.0.1", allowed)
    assert is_inside("::ffff:127.0.0.1", allowed)
    assert is_inside("::1", allowed)
    assert not is_inside("127.0.0.2", allowed)
    assert not is_inside("", allowed)
    assert not is_inside("localhost", allowed)
    assert not is_inside("127.0.0.1", ())
