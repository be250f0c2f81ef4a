"""What a notice of a file tells, which links are followed, and when a file is tried again."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from kessai.kernel.settings import Settings
from kessai.payment.domain.file_notice import (
    LinkRules,
    host_of,
    next_try_ms,
    read_notice,
    without_secrets,
)
from kessai.payment.domain.webhook import read_webhook

HOURS_MS = 3_600_000
NOW_MS = 1_768_446_000_000
PRODUCTION = LinkRules(frozenset(("files.example", "api.example", "2001:db8::1")))
LOCAL = LinkRules(frozenset(("127.0.0.1",)), local=True)


@pytest.mark.parametrize(
    "link",
    [
        "https://files.example/a.csv?token=x%2Fy&sig=a+b=",
        "HTTPS://FILES.EXAMPLE/a",
        "https://api.example:443/a",
        "https://[2001:db8::1]/a",
        "https://files.example",
    ],
)
def test_links_that_are_followed(link: str) -> None:
    assert PRODUCTION.why_not(link) is None


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("http://files.example/a", "SCHEME"),
        ("ftp://files.example/a", "SCHEME"),
        ("//files.example/a", "SCHEME"),
        ("file:///etc/passwd", "NO_URL"),
        ("https:files.example/a", "NO_URL"),
        ("https:///a", "NO_URL"),
        ("a.csv", "NO_URL"),
        ("https://files.example:99999/a", "NO_URL"),
        ("https://files.example:x/a", "NO_URL"),
        ("https://[files.example/a", "NO_URL"),
        ("https://files.example/a b", "NO_URL"),
        ("https://evil.example\\@files.example/a", "NO_URL"),
        ("https://files.example\t.evil.example/a", "NO_URL"),
        ("https://ｆiles.example/a", "NO_URL"),
        ("https://files.example@evil.example/a", "USERINFO"),
        ("https://me:pw@files.example/a", "USERINFO"),
        ("https://@files.example/a", "USERINFO"),
        ("https://evil.example/files.example", "UNKNOWN_HOST"),
        ("https://files.example.evil.example/a", "UNKNOWN_HOST"),
        ("https://sub.files.example/a", "UNKNOWN_HOST"),
        ("https://files.example./a", "UNKNOWN_HOST"),
        ("https://files%2Eexample/a", "UNKNOWN_HOST"),
        ("https://169.254.169.254/latest/meta-data", "UNKNOWN_HOST"),
        ("https://files.example:8443/a", "PORT"),
        ("https://files.example:80/a", "PORT"),
    ],
)
def test_links_that_are_refused(link: str, why: str) -> None:
    assert PRODUCTION.why_not(link) == why


def test_http_and_any_port_only_where_everything_is_local() -> None:
    assert LOCAL.why_not("http://127.0.0.1:8090/sim/settlement/files/a.csv?token=1") is None
    assert LOCAL.why_not("https://127.0.0.1:18443/a") is None
    assert LOCAL.why_not("http://localhost:8090/a") == "UNKNOWN_HOST"
    assert LOCAL.why_not("http://127.0.0.1:8090@evil.example/a") == "USERINFO"


def test_what_is_shown_of_a_link_has_no_secret() -> None:
    link = "https://me:pw@files.example:8443/day/a.csv?X-Amz-Signature=secret#x"
    assert without_secrets(link) == "https://files.example:8443/day/a.csv"
    assert without_secrets("no link: secret") == ""
    assert host_of("https://APIGW.example/v2") == "apigw.example"
    assert host_of("sqlite:") == ""


def notice(**fields: object) -> dict[str, object]:
    named = {"notification_id": "n-1", "path": "https://files.example/a", "requestedAt": "1"}
    return named | fields


@pytest.mark.parametrize(
    "written",
    [
        NOW_MS // 1000,
        str(NOW_MS // 1000),
        NOW_MS,
        str(NOW_MS),
        "2026-01-15T03:00:00Z",
        "2026-01-15T12:00:00+09:00",
        "2026-01-15T03:00:00.000Z",
        "2026/01/15 12:00:00",
    ],
)
def test_the_link_ends_two_hours_after_the_request(written: object) -> None:
    read = read_notice(notice(requestedAt=written))
    assert read is not None
    assert read.ends_at_ms(NOW_MS + 5) == NOW_MS + 2 * HOURS_MS


@pytest.mark.parametrize(
    "written", [None, "", "soon", True, 1.5, [], "9" * 400, "2026-13-01T00:00:00Z", "0", NOW_MS * 2]
)
def test_a_time_that_cannot_be_right_counts_from_the_receipt(written: object) -> None:
    read = read_notice(notice(requestedAt=written))
    assert read is not None
    assert read.ends_at_ms(NOW_MS) == NOW_MS + 2 * HOURS_MS


@pytest.mark.parametrize(
    "fields",
    [
        {"notification_id": None},
        {"notification_id": ""},
        {"notification_id": 7},
        {"notification_id": "x" * 201},
        {"path": None},
        {"path": ["https://files.example"]},
        {"path": "https://files.example/" + "a" * 2000},
        {"path": "https://files.example/\x00"},
    ],
)
def test_a_notice_without_an_id_or_a_link_is_none(fields: dict[str, object]) -> None:
    assert read_notice(notice(**fields)) is None
    body = json.dumps(notice(notification_type="file.created", **fields)).encode()
    delivery = read_webhook(body, "m", 10_000)
    assert (delivery.parked, delivery.file) == ("UNREADABLE_FIELDS", None)


def test_only_a_notice_of_a_file_announces_one() -> None:
    def read(**fields: object) -> tuple[str | None, bool]:
        delivery = read_webhook(json.dumps(notice(**fields)).encode(), "m", 10_000)
        return delivery.parked, delivery.file is not None

    assert read(notification_type="file.created") == ("FILE_ANNOUNCED", True)
    assert read(notification_type="file.created", merchant_id="m") == ("FILE_ANNOUNCED", True)
    assert read(notification_type="file.created", merchant_id="o") == ("FOREIGN_MERCHANT", False)
    assert read(notification_type="file.deleted") == ("NO_TRANSACTION", False)
    assert read(notification_type="Transaction", merchant_id="m") == ("UNREADABLE_FIELDS", False)


def test_the_pauses_grow_and_the_last_try_is_shortly_before_the_end() -> None:
    ends_ms, now_ms, tries, waits = 2 * HOURS_MS, 0, 0, []
    while True:
        tries += 1
        next_ms = next_try_ms(tries, now_ms, ends_ms)
        if next_ms is None:
            break
        waits.append(next_ms - now_ms)
        now_ms = next_ms
    assert waits[:-1] == sorted(waits[:-1])
    assert (waits[0], max(waits)) == (5_000, 600_000)
    assert now_ms == ends_ms - 60_000
    assert tries < 25
    assert next_try_ms(1, ends_ms + 1, ends_ms) is None


def test_hosts_in_the_settings_are_hosts() -> None:
    def hosts(text: str) -> tuple[str, ...]:
        return Settings(_env_file=None, paypay_file_hosts=text).paypay_file_hosts  # type: ignore[arg-type]

    assert hosts("") == ()
    assert hosts("Files.example, 10.0.0.1 ,[2001:db8::1]") == (
        "files.example",
        "10.0.0.1",
        "2001:db8::1",
    )
    for wrong in ("https://files.example", "files.example:443", "files.example/a", "*.example"):
        with pytest.raises(ValidationError, match="host names without scheme and port"):
            hosts(wrong)
