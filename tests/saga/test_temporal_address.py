"""Where Temporal is, and what a user is told who has not got it: no server needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kessai.saga.temporal import Address, parse_address

WITHOUT_THE_EXTRA = (
    "import sys; sys.modules['temporalio'] = None; from kessai.__main__ import main; main()"
)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("127.0.0.1:7233", Address("127.0.0.1:7233")),
        ("temporal.internal:7233/shop", Address("temporal.internal:7233", "shop")),
        ("[::1]:7233/shop", Address("[::1]:7233", "shop")),
        (
            "tls://shop.a1b2c.tmprl.cloud:7233/shop.a1b2c?queue=order-saga",
            Address("shop.a1b2c.tmprl.cloud:7233", "shop.a1b2c", "order-saga", True),
        ),
    ],
)
def test_an_address(url: str, address: Address) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "temporal",
        "host:port",
        "host:99999999",
        "http://host:7233",
        "user:pw@host:7233",
        "host:7233/a/b",
        "host:7233/a b",
        "host:7233?queue=",
        "host:7233?task=x",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError):
        parse_address(url)


def serve(folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command, "serve", "order-service"],
        env={**os.environ, "KESSAI_DATA_DIR": str(folder), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.network
@pytest.mark.parametrize(
    ("env", "command", "words"),
    [
        ({}, ("-c", WITHOUT_THE_EXTRA), "pip install 'kessai[temporal]'"),
        ({"KESSAI_TEMPORAL_URL": "nowhere"}, ("-m", "kessai"), "KESSAI_TEMPORAL_URL: must be host"),
        (
            # Port 9 (discard) is nobody's.
            {"KESSAI_TEMPORAL_URL": "127.0.0.1:9"},
            ("-m", "kessai"),
            "KESSAI_TEMPORAL_URL: no Temporal answers at 127.0.0.1:9",
        ),
        ({"KESSAI_SAGA_ENGINE": "zeebe"}, ("-m", "kessai"), "KESSAI_SAGA_ENGINE"),
    ],
)
def test_one_line_says_what_is_missing(
    tmp_path: Path, env: dict[str, str], command: tuple[str, ...], words: str
) -> None:
    ended = serve(tmp_path, *command, **{"KESSAI_SAGA_ENGINE": "temporal", **env})
    assert ended.returncode == 2, ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert words in line
    assert line.startswith("kessai: ")
