"""A private MariaDB for tests: its own folder and port, one for a test process, ended by its pid.

A module that needs it says `pytestmark = MARIADB` and takes the fixture `mysql_url`, a fresh schema
for each module. Without the server the lane is skipped and says so; in CI it must run.
"""

from __future__ import annotations

import asyncio
import atexit
import getpass
import ipaddress
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import URL
from tests.support.kernel import eventually

# SERVER_MORE_RESULTS_EXISTS of the status that an OK packet ends with.
_MORE_RESULTS = 8
# One worker owns the server (`--dist loadgroup`); another would start a second one.
MARIADB = [
    pytest.mark.mariadb,
    pytest.mark.network,
    pytest.mark.xdist_group("mariadb"),
    # Installing and starting the server is not the test's time.
    pytest.mark.timeout(120, func_only=True),
]
INSTALL = ("apt-get", "install", "-y", "--no-install-recommends", "mariadb-server")
READY_S = 60.0
USER = "shopkeeper"
# Everything that a URL, a log or an SQL text could stumble over.
PASSWORD = "s3cret@/:%'"


@dataclass
class MariaDb:
    """The running server; `sql` asks as its administrator."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    _schemas: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def socket(self) -> Path:
        return self.folder / "sock"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    def start(self) -> None:
        # The server ends with this process, whatever becomes of it.
        command = ["setpriv", "--pdeathsig", "KILL", "mariadbd", *self._options()]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + READY_S
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"mariadbd ended: {self.log_tail()}")
            if time.monotonic() > end:
                raise TimeoutError(f"mariadbd is not ready: {self.log_tail()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9: what was not on disk is lost."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def sql(self, statement: str) -> list[list[str]]:
        command = ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root"]
        done = subprocess.run(
            [*command, "--batch", "--skip-column-names", "--execute", statement],
            capture_output=True,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode("utf-8", "replace"))
        return [line.split("\t") for line in done.stdout.decode().splitlines()]

    def fresh_schema(self) -> str:
        name = f"t{os.getpid()}_{next(self._schemas)}"
        self.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        return name

    def url(self, schema: str) -> str:
        address = URL.create("mysql+asyncmy", USER, PASSWORD, "127.0.0.1", self.port, schema)
        return address.render_as_string(hide_password=False)

    def log_tail(self) -> str:
        return "\n".join((self.folder / "log").read_text("utf-8", "replace").splitlines()[-30:])

    def _answers(self) -> bool:
        try:
            return self.sql("SELECT 1") == [["1"]]
        except RuntimeError:
            return False

    def _options(self) -> list[str]:
        return [
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={self.folder}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci",
            "--default-time-zone=+09:00",
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-flush-method=O_DIRECT",
            "--innodb-buffer-pool-size=128M",
            "--max-connections=100",
            f"--ssl-cert={self.certificate}",
            f"--ssl-key={self.folder / 'key.pem'}",
        ]


@cache
def server() -> MariaDb:
    """Starts it at the first call; skips the test where it cannot be had, fails in CI."""
    _require()
    folder = Path(tempfile.mkdtemp(prefix="kessai-mariadb-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(
        [
            "mariadb-install-db",
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={folder / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    made = MariaDb(folder, _free_port())
    _write_certificate(made.certificate, folder / "key.pem")
    atexit.register(made.kill)
    made.start()
    quoted = PASSWORD.replace("'", "''")
    made.sql(f"CREATE USER {USER}@127.0.0.1 IDENTIFIED BY '{quoted}'")
    made.sql(f"GRANT ALL ON `t%`.* TO {USER}@127.0.0.1")
    return made


def _require() -> None:
    in_ci = os.environ.get("CI") == "true"
    if not shutil.which("mariadbd") and in_ci:
        subprocess.run(["apt-get", "update", "-qq"], check=True, timeout=300)
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(INSTALL, check=True, timeout=600, env=env)
    missing = [
        tool
        for tool in ("mariadbd", "mariadb-install-db", "mariadb", "setpriv")
        if not shutil.which(tool)
    ]
    if missing and in_ci:
        pytest.fail(f"the MariaDB lane must run in CI: {', '.join(missing)} not found")
    if missing:
        pytest.skip(f"no MariaDB here ({', '.join(missing)} not found): {' '.join(INSTALL)}")


def _write_certificate(certificate: Path, key_file: Path) -> None:
    """For 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )


def _free_port() -> int:
    """Below 32768, where the kernel lends no ports to clients."""
    start = 23000 + (os.getpid() * 7) % 9000
    for port in itertools.chain(range(start, 32768), range(23000, start)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


@pytest.fixture(scope="module")
def mysql_url() -> str:
    return server().url(server().fresh_schema())


async def until_one_waits() -> None:
    """Until a statement waits for a row's lock; the server is ours, so it is the one expected."""
    waits = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
    await eventually(lambda: server().sql(waits)[0][1] == "1")


async def kill_session(session: int) -> None:
    server().sql(f"KILL CONNECTION {session}")
    gone = f"SELECT count(*) FROM information_schema.processlist WHERE id = {session}"
    await eventually(lambda: server().sql(gone) == [["0"]])
    for _ in range(3):
        # The loop hears that the socket was closed.
        await asyncio.sleep(0)


@dataclass
class Proxy:
    """Between client and server: counts queries, and can lose, garble or hold back answers."""

    port: int = 0
    queries: int = 0
    lose_answers: int = 0
    garble_answers: int = 0
    frozen: bool = False
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _serving: list[asyncio.Task[None]] = field(default_factory=list)

    def url(self, url: str) -> str:
        """The same schema through here."""
        return url.replace(f":{server().port}/", f":{self.port}/")

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", server().port)
        self._writers += [writer, up_writer]
        self._serving += [
            asyncio.create_task(self._requests(reader, up_writer)),
            asyncio.create_task(self._answers(up_reader, writer)),
        ]

    async def _requests(self, reader: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(4)
                body = await reader.readexactly(int.from_bytes(head[:3], "little"))
                if head[3] == 0 and body[:1] == b"\x03":
                    self.queries += 1
                up.write(head + body)
                await up.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            up.close()

    async def _answers(self, up: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while answer := await up.read(1 << 16):
                if self.frozen:
                    continue
                if self.lose_answers:
                    # The server has done what it was told; nobody will know.
                    await _whole(up, answer)
                    self.lose_answers -= 1
                    break
                if self.garble_answers:
                    answer = await _whole(up, answer)
                    self.garble_answers -= 1
                    answer = answer[:3] + b"\x07" + answer[4:]
                writer.write(answer)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


async def _whole(up: asyncio.StreamReader, answer: bytes) -> bytes:
    """With the answers of further statements of the packet: its COMMIT may be the last of them."""
    while not _is_whole(answer) and (more := await up.read(1 << 16)):
        answer += more
    return answer


def _is_whole(answer: bytes) -> bool:
    """Of OK and ERR packets alone, as changes have them (MySQL's protocol, "OK_Packet"): no further
    result follows, and numbers of rows and ids below 251 take a byte each."""
    body = b""
    while len(answer) >= 4:
        length = int.from_bytes(answer[:3], "little")
        body, answer = answer[4 : 4 + length], answer[4 + length :]
        if len(body) < length:
            return False
    is_error, more_results = body[:1] == b"\xff", body[3:4] and body[3] & _MORE_RESULTS
    return not answer and (is_error or not more_results)


@asynccontextmanager
async def proxy() -> AsyncIterator[Proxy]:
    made = Proxy()
    listener = await asyncio.start_server(made._client, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        listener.close()
        for writer in made._writers:
            writer.close()
        await asyncio.gather(*made._serving)
        await listener.wait_closed()
