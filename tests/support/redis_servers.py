"""Redis servers and Sentinels of a test: their own folders and ports, ended with the block."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.support.servers import private_url

from kessai.kernel.tls import LOCAL_NAMES, KeyPair, self_signed
from kessai.stack.main import cache_folder

PASSWORD = "p@ss/w%rd"
ESCAPED = "p%40ss%2Fw%25rd"
MASTER = "shop"
READY_S = 20.0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def program() -> str:
    """What `kessai stack up redis` starts."""
    private_url("KESSAI_REDIS_URL")
    linked = cache_folder(os.environ) / "redis-server"
    return shutil.which("redis-server") or str(linked)


@dataclass
class Servers:
    """`tls` is the certificate that all of them show; its file is also who signed it."""

    folder: Path
    tls: KeyPair | None = None
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, *options: str) -> int:
        port = free_port()
        self._run(port, [*self._options(port), "--requirepass", PASSWORD, *options])
        return port

    def start_replica(self, master: int) -> int:
        return self.start("--replicaof", "127.0.0.1", str(master), "--masterauth", PASSWORD)

    def start_sentinel(self, master: int, quorum: int) -> int:
        port = free_port()
        conf = self.folder / f"sentinel-{port}.conf"
        lines = (
            f"sentinel monitor {MASTER} 127.0.0.1 {master} {quorum}",
            f'sentinel auth-pass {MASTER} "{PASSWORD}"',
            f"sentinel down-after-milliseconds {MASTER} 1000",
            f"sentinel failover-timeout {MASTER} 3000",
            "",
        )
        conf.write_text("\n".join(lines))
        self._run(port, [str(conf), *self._options(port), "--sentinel"])
        return port

    def kill(self, port: int) -> None:
        process = self.running.pop(port)
        process.kill()
        process.wait(10)

    def _options(self, port: int) -> list[str]:
        options = ["--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        if self.tls is None:
            return [*options, "--port", str(port)]
        return [
            *options,
            *("--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"),
            *("--tls-cert-file", str(self.tls.certificate), "--tls-key-file", str(self.tls.key)),
            *("--tls-ca-cert-file", str(self.tls.certificate), "--tls-replication", "yes"),
        ]

    def _run(self, port: int, options: list[str]) -> None:
        with (self.folder / f"{port}.log").open("ab") as log:
            # They end with this process, whatever becomes of it.
            command = ["setpriv", "--pdeathsig", "KILL", program(), *options]
            self.running[port] = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + READY_S
        while not _listens(port):
            assert self.running[port].poll() is None, (self.folder / f"{port}.log").read_text()
            assert time.monotonic() < end, f"redis-server on {port} is not ready"
            time.sleep(0.02)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def redis_servers(folder: Path, *, tls: bool = False) -> Iterator[Servers]:
    pair = self_signed(folder / "tls", LOCAL_NAMES, datetime.now(UTC)) if tls else None
    made = Servers(folder, pair)
    try:
        yield made
    finally:
        for port in list(made.running):
            made.kill(port)
