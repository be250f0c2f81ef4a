"""A certificate of our own: kept while it serves, made anew when it would not; checked if given."""

from __future__ import annotations

import asyncio
import ssl
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from fastapi import FastAPI
from pydantic import ValidationError

from kessai.kernel.server import Binding, serve_all
from kessai.kernel.settings import Settings
from kessai.kernel.tls import (
    LOCAL_NAMES,
    RENEWED_BEFORE_END,
    VALID_FOR,
    KeyPair,
    check,
    self_signed,
)

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
Harm = Callable[[KeyPair], object]


def test_it_is_kept_from_start_to_start(tmp_path: Path) -> None:
    first = self_signed(tmp_path / "tls", LOCAL_NAMES, NOW)
    made = first.certificate.read_bytes()
    almost_over = NOW + VALID_FOR - RENEWED_BEFORE_END - timedelta(seconds=1)
    assert self_signed(tmp_path / "tls", LOCAL_NAMES, almost_over) == first
    assert first.certificate.read_bytes() == made
    assert sorted(path.name for path in (tmp_path / "tls").iterdir()) == [
        "certificate.pem",
        "key.pem",
    ]


def test_nobody_else_reads_the_key(tmp_path: Path) -> None:
    pair = self_signed(tmp_path, LOCAL_NAMES, NOW)
    assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("names", "later"),
    [
        (LOCAL_NAMES, VALID_FOR - RENEWED_BEFORE_END),
        (LOCAL_NAMES, timedelta(days=-30)),
        ((*LOCAL_NAMES, "paypay.test"), timedelta(0)),
    ],
    ids=["it soon ends", "it has not begun", "it is for other names"],
)
def test_it_is_made_anew_when(tmp_path: Path, names: tuple[str, ...], later: timedelta) -> None:
    pair = self_signed(tmp_path, LOCAL_NAMES, NOW)
    made = pair.certificate.read_bytes()
    self_signed(tmp_path, names, NOW + later)
    assert pair.certificate.read_bytes() != made
    check(pair)


@pytest.mark.parametrize(
    "harm",
    [
        lambda pair: pair.key.unlink(),
        lambda pair: pair.certificate.unlink(),
        lambda pair: pair.certificate.write_bytes(b"no certificate"),
        lambda pair: pair.key.write_bytes(pair.certificate.read_bytes()),
    ],
    ids=["no key", "no certificate", "garbage", "not its key"],
)
def test_a_pair_that_serves_nobody_is_refused_and_replaced(tmp_path: Path, harm: Harm) -> None:
    pair = self_signed(tmp_path, LOCAL_NAMES, NOW)
    harm(pair)
    with pytest.raises(ValueError, match="TLS: "):
        check(pair)
    check(self_signed(tmp_path, LOCAL_NAMES, NOW))


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    pair = self_signed(tmp_path, LOCAL_NAMES, NOW)
    key = ec.generate_private_key(ec.SECP256R1())
    locked = BestAvailableEncryption(b"canary")
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    with pytest.raises(ValueError, match="the key has a password"):
        check(pair)


@pytest.mark.parametrize(
    "given",
    [
        {"sim_tls_port": 8490, "sim_tls_certificate": "c.pem"},
        {"sim_tls_port": 8490, "sim_tls_key": "k.pem"},
        {"sim_tls_certificate": "c.pem", "sim_tls_key": "k.pem"},
    ],
)
def test_half_of_what_tls_needs_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="go together"):
        Settings(_env_file=None, **given)  # type: ignore[arg-type]


@pytest.mark.network
async def test_one_app_answers_over_http_and_tls_and_starts_once(tmp_path: Path) -> None:
    pair = self_signed(tmp_path, LOCAL_NAMES, datetime.now(UTC))
    seen: list[str] = []
    app = FastAPI(on_startup=[lambda: seen.append("+")], on_shutdown=[lambda: seen.append("-")])

    @app.get("/scheme")
    async def scheme() -> str:
        return "here"

    ports: dict[str, int] = {}
    ready, stop = asyncio.Event(), asyncio.Event()

    def on_ready(bound: object) -> None:
        ports.update(bound)  # type: ignore[call-overload]
        ready.set()

    doors = [Binding("sim", app, 0), Binding("sim (TLS)", app, 0, tls=pair, also=True)]
    assert [door.url for door in doors] == ["http://127.0.0.1:0", "https://127.0.0.1:0"]
    serving = asyncio.create_task(serve_all(doors, stop, on_ready=on_ready))
    async with asyncio.timeout(10):
        await ready.wait()
        trusting = ssl.create_default_context(cafile=pair.certificate)
        assert await get(ports["sim"], None) == b"HTTP/1.1 200 OK"
        for name in ("127.0.0.1", "localhost"):
            assert await get(ports["sim (TLS)"], trusting, name) == b"HTTP/1.1 200 OK"
        with pytest.raises(ssl.SSLCertVerificationError):
            await get(ports["sim (TLS)"], ssl.create_default_context())
        stop.set()
        await serving
    assert seen == ["+", "-"]


async def get(port: int, tls: ssl.SSLContext | None, name: str = "127.0.0.1") -> bytes:
    """The status line."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname=name if tls else None
    )
    writer.write(b"GET /scheme HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.split(b"\r\n")[0]
