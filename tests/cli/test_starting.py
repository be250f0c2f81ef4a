"""A shop that does not start, or is not whole: a line that names what to change."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import get_args

import pytest
from pydantic import ValidationError
from tests.support.process import free_offset

from kessai.cli.account import LONGEST_NAME, RoleName
from kessai.cli.running import running
from kessai.contracts.account import Role, SetRole
from kessai.kernel.folder_lock import FolderTaken, folder_held
from kessai.kernel.settings import Settings
from kessai.topology import PAYPAY_SIMULATOR

pytestmark = [pytest.mark.network, pytest.mark.timeout(120)]


def run(folder: Path, *words: str, offset: int, **env: str) -> subprocess.CompletedProcess[str]:
    given = {"KESSAI_DATA_DIR": str(folder), "KESSAI_PORT_OFFSET": str(offset), **env}
    return subprocess.run(
        [sys.executable, "-m", "kessai", *words],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def kessai(folder: Path, *words: str, offset: int, **env: str) -> tuple[int, str]:
    done = run(folder, *words, offset=offset, **env)
    return done.returncode, "\n".join(line for line in done.stderr.splitlines() if line[0] != "{")


def test_what_only_asks_for_help_loads_no_library_of_a_service() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys, kessai.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"pydantic", "sqlalchemy", "aiohttp", "kessai.contracts"} & {*said.stdout.split()}
    assert get_args(RoleName) == tuple(role.value for role in Role)
    assert SetRole(user="u" * LONGEST_NAME, role=Role.VIEWER)
    with pytest.raises(ValidationError):
        SetRole(user="u" * (LONGEST_NAME + 1), role=Role.VIEWER)


@pytest.mark.parametrize("words", [("up",), ("demo",), ("shopper", "--orders", "1")])
def test_a_port_that_somebody_else_has_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    offset = free_offset()
    taken = PAYPAY_SIMULATOR.port + offset
    with socket.create_server(("127.0.0.1", taken)):
        code, told = kessai(tmp_path, *words, offset=offset)
    assert code == 2
    assert told == (
        f"kessai: port {taken} is taken by another process, but {PAYPAY_SIMULATOR.name} needs it"
    )


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (
            {"KESSAI_DATA_DIR": "/proc/none"},
            "KESSAI_DATA_DIR: /proc/none: No such file or directory",
        ),
        ({"KESSAI_DATA_DIR": "/etc/passwd"}, "KESSAI_DATA_DIR: /etc/passwd: File exists"),
        ({"KESSAI_OBJECTS_URL": "file:/proc/none"}, "KESSAI_OBJECTS_URL: /proc/none: No such file"),
        ({"KESSAI_SERVICE_URLS": "x"}, "KESSAI_SERVICE_URLS: 'x' is not name=url"),
        ({"KESSAI_TRUSTED_PROXIES": "me"}, "settings: KESSAI_TRUSTED_PROXIES: 'me'"),
        ({"KESSAI_SQL_URL": "sqlite:///orders.db"}, "settings: KESSAI_SQL_URL: nothing follows"),
    ],
)
@pytest.mark.parametrize(
    "words", [("up",), ("demo",), ("account", "role", "u", "viewer"), ("catalog", "check")]
)
def test_a_setting_that_cannot_be_followed_is_named(
    tmp_path: Path, words: tuple[str, ...], env: dict[str, str], expected: str
) -> None:
    code, told = kessai(tmp_path, *words, offset=free_offset(), **env)
    assert (code, told.count("\n")) == (2, 0), told
    assert told.startswith(f"kessai: {expected}")


def test_a_misspelt_setting_is_told_where_one_starts(tmp_path: Path) -> None:
    offset = free_offset()
    misspelt = {"KESSAI_POLL_FRIST_S": "3", "KESSAI_BFF_SERVICE_HOST": "10.0.0.7"}
    with socket.create_server(("127.0.0.1", PAYPAY_SIMULATOR.port + offset)):
        done = run(tmp_path, "up", offset=offset, **misspelt)
    logged = [json.loads(line) for line in done.stderr.splitlines() if line[0] == "{"]
    told = [(row["setting"], row["meant"]) for row in logged if row["event"] == "settings.misspelt"]
    assert told == [("KESSAI_POLL_FRIST_S", "KESSAI_POLL_FIRST_S")]


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing of it belongs on the screen."""


@pytest.fixture
def shop_alone() -> Iterator[str]:
    """Something that is well, without a wallet and without anybody who signs customers in."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("words", [("up",), ("up", "--instances", "1")])
def test_a_second_shop_of_a_folder_is_told_whose_it_is(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with folder_held(tmp_path, "local"):
        code, told = kessai(tmp_path, *words, offset=free_offset())
    mine = f"{tmp_path} is used by process {os.getpid()}, which is 'local' as well"
    assert (code, told) == (2, f"kessai: KESSAI_DATA_DIR or KESSAI_INSTANCE: {mine}")


def test_a_demo_waits_for_the_shop_that_is_just_starting(tmp_path: Path) -> None:
    offset = free_offset()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy, bind_and_activate=False)
    server.server_bind()

    def begin() -> None:
        time.sleep(3)
        server.server_activate()
        server.serve_forever()

    url = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=begin, daemon=True).start()
    with server, folder_held(tmp_path, "local"):
        code, told = kessai(tmp_path, "demo", offset=offset, KESSAI_PUBLIC_URL=url)
        server.shutdown()
    # It went on with that one, which has no simulators.
    assert (code, told[:24]) == (3, "kessai: one of http://12")


async def test_a_shop_that_never_comes_up_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), port_offset=free_offset())
    with folder_held(tmp_path, "local"), pytest.raises(FolderTaken, match=f" {os.getpid()},"):
        async with running(settings, start_s=0.5):
            pass


def test_a_demo_without_its_simulators_says_who_may_be_missing(
    tmp_path: Path, shop_alone: str
) -> None:
    code, told = kessai(tmp_path, "demo", offset=free_offset(), KESSAI_PUBLIC_URL=shop_alone)
    assert code == 3
    assert told.startswith(f"kessai: one of {shop_alone}, http://127.0.0.1:")
    assert told.endswith("does not answer: ClientConnectorError")
    assert told.count("\n") == 0
