"""Lines are JSON, say who and why, and never carry a secret."""

from __future__ import annotations

import errno
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.web import StillClock

from kessai.kernel import telemetry
from kessai.kernel.telemetry import configure, correlated, get_log, in_service, outgoing_headers

log = get_log("kessai.test")


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("INFO", clock=StillClock(), stream=stream)
    yield stream
    configure()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_says_when_what_who_and_why(out: io.StringIO) -> None:
    with in_service("payment-service"), correlated("c-1234567"):
        log.info("payment.settled", payment_id="p1", amount_yen=1200)
    assert out.getvalue() == (
        '{"at": "2027-01-15T08:00:00.000Z", "level": "info", "event": "payment.settled", '
        '"service": "payment-service", "correlation_id": "c-1234567", "logger": "kessai.test", '
        '"payment_id": "p1", "amount_yen": 1200}\n'
    )


def test_text_is_readable_and_stays_on_its_line(out: io.StringIO) -> None:
    log.info("order.noted", note="決済\r\n2027 forged line")
    assert "決済" in out.getvalue()
    assert out.getvalue().count("\n") == 1


def test_half_a_surrogate_is_written_as_an_escape(out: io.StringIO) -> None:
    raw = io.BytesIO()
    configure(stream=io.TextIOWrapper(raw, encoding="utf-8", write_through=True))
    log.info("order.noted", note="\ud800")
    assert json.loads(raw.getvalue())["note"] == "\ud800"


class FullDisk(io.StringIO):
    """Takes nothing while it is full."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_full_disk_under_the_log_stops_nobody_and_is_told_afterwards(out: io.StringIO) -> None:
    disk = FullDisk()
    configure("INFO", clock=StillClock(), stream=disk)
    log.info("order.noted")
    try:
        raise RuntimeError("told to nobody")
    except RuntimeError:
        log.exception("order.failed")
    logging.getLogger("library").warning("nor is this")
    disk.full = False
    log.info("order.noted", order_id="o4")
    log.info("order.noted", order_id="o5")
    told = [(line["event"], line.get("order_id"), line.get("lines")) for line in lines(disk)]
    assert told == [
        ("order.noted", "o4", None),
        ("log.lines_lost", None, 3),
        ("order.noted", "o5", None),
    ]


def test_a_log_whose_reader_left_stops_nobody(out: io.StringIO) -> None:
    class Gone(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    configure("INFO", clock=StillClock(), stream=Gone())
    log.info("order.noted")


@pytest.mark.parametrize(
    "key",
    [
        "token",
        "sid",
        "secret",
        "authorization",
        "Authorization",
        "cookie",
        "Set-Cookie",
        "password",
        "idToken",
        "id_token",
        "channelToken",
        "service_token",
        "paypay_api_secret",
        "X-API-KEY",
        "email",
        "customerEmail",
        "phone",
        "paymentUrl",
        "payment_url",
        "deeplink",
        "customerName",
        "lastNameKana",
        "shippingAddress",
    ],
)
def test_secrets_are_masked_wherever_they_are(out: io.StringIO, key: str) -> None:
    log.info("call.made", **{key: "canary"}, deep={"list": [{key: ["canary", 1]}]})
    assert "canary" not in out.getvalue()
    (line,) = lines(out)
    assert line[key] == "***"
    assert line["deep"] == {"list": [{key: "***"}]}


def test_what_only_looks_like_a_secret_is_kept(out: io.StringIO) -> None:
    log.info("call.made", inside="a", tokenizer="b", order_id="c", name="d", sidecar="e")
    kept = {"inside": "a", "tokenizer": "b", "order_id": "c", "name": "d", "sidecar": "e"}
    assert kept.items() <= lines(out)[0].items()


def test_tokens_and_addresses_inside_of_text_are_masked(out: io.StringIO) -> None:
    log.info(
        "call.failed",
        message="Bearer abcdef123456 for taro@example.com with eyJhbGciOi.eyJzdWIiOi.c2ln",
    )
    assert lines(out)[0]["message"] == "*** for *** with ***"


def test_a_traceback_has_no_local_values_and_no_secrets(out: io.StringIO) -> None:
    password = "canary-local"  # noqa: F841 - must not be shown
    try:
        raise ValueError("no such user taro@example.com")
    except ValueError:
        log.exception("user.failed")
    (line,) = lines(out)
    assert line["level"] == "error"
    assert "ValueError: no such user ***" in line["exception"]
    assert "canary-local\n" not in line["exception"].replace('"canary-local"', "")
    assert "taro" not in out.getvalue()


def test_lines_of_libraries_have_our_format(out: io.StringIO) -> None:
    with correlated("c-1234567"):
        logging.getLogger("alembic.runtime").warning("running %s", "upgrade")
    assert lines(out) == [
        {
            "at": "2027-01-15T08:00:00.000Z",
            "level": "warning",
            "event": "alembic.runtime",
            "service": "",
            "correlation_id": "c-1234567",
            "logger": "alembic.runtime",
            "message": "running upgrade",
        }
    ]


@pytest.mark.parametrize("name", ["httpx", "httpx2", "uvicorn.access", "aiohttp.access"])
def test_clients_and_servers_are_quiet(out: io.StringIO, name: str) -> None:
    logging.getLogger(name).info("GET /secret?token=canary")
    assert out.getvalue() == ""


def test_one_logger_can_be_turned_up_and_down(out: io.StringIO) -> None:
    log.debug("a.detail")
    logging.getLogger("kessai.test").setLevel(logging.DEBUG)
    log.debug("a.detail")
    logging.getLogger("kessai.test").setLevel(logging.ERROR)
    log.warning("a.warning")
    logging.getLogger("kessai.test").setLevel(logging.NOTSET)
    assert [line["event"] for line in lines(out)] == ["a.detail"]


def test_a_bound_logger_follows_a_later_configuration(out: io.StringIO) -> None:
    log.info("first.line")
    second = io.StringIO()
    configure("INFO", json=False, clock=StillClock(), stream=second)
    log.info("second.line", order_id="o1")
    assert [line["event"] for line in lines(out)] == ["first.line"]
    assert "second.line" in second.getvalue()
    assert "order_id=o1" in second.getvalue()


def test_the_trail_is_handed_on() -> None:
    assert outgoing_headers() == {}
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with correlated("c-1234567", traceparent=parent):
        assert outgoing_headers() == {"X-Correlation-ID": "c-1234567", "traceparent": parent}
        assert telemetry.correlation_id() == "c-1234567"
    assert telemetry.correlation_id() == ""
