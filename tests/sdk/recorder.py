"""Between an SDK and the simulator: keeps each request as the bytes that it was."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from kessai.contracts.paypay import Signed


@dataclass(frozen=True, slots=True)
class Sent:
    """One request. Header names are lower case; nothing else was touched."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def signed(self) -> Signed:
        path = self.target.split("?")[0]
        return Signed(self.method, path, self.headers.get("content-type", ""), self.body)

    @property
    def authorization(self) -> str:
        return self.headers["authorization"]


@dataclass
class Recorder:
    """One connection at a time, as the SDKs make them."""

    listener: socket.socket
    upstream: tuple[str, int]
    tls: ssl.SSLContext | None
    sent: list[Sent] = field(default_factory=list)

    @property
    def url(self) -> str:
        port = self.listener.getsockname()[1]
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"

    def serve(self) -> None:
        # The listener's end ends the loop.
        with suppress(OSError):
            while True:
                plain, _ = self.listener.accept()
                with suppress(OSError):
                    self._client(plain)

    def _client(self, plain: socket.socket) -> None:
        client = self.tls.wrap_socket(plain, server_side=True) if self.tls else plain
        with client, socket.create_connection(self.upstream, timeout=20) as up:
            client.settimeout(20)
            while message := _message(client):
                self.sent.append(_read(*message))
                up.sendall(message[0] + message[1])
                answer = _message(up)
                client.sendall(answer[0] + answer[1] if answer else b"")


def _message(source: socket.socket) -> tuple[bytes, bytes] | None:
    """Head and body; None when the other side has ended."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = source.recv(1 << 16)
        if not more:
            return None
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(_headers(head).get("content-length", "0"))
    while len(body) < length:
        body += source.recv(1 << 16)
    return head + b"\r\n\r\n", body


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.lower(): value.strip() for name, _, value in pairs}


def _read(head: bytes, body: bytes) -> Sent:
    method, target, _ = head.split(b"\r\n")[0].decode("ascii").split(" ")
    return Sent(method, target, _headers(head), body)


@contextmanager
def recording(upstream_url: str, certificate: Path | None) -> Iterator[Recorder]:
    """With a `certificate` over TLS; its key lies beside it."""
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, certificate.with_name("key.pem"))
    url = urlsplit(upstream_url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Recorder(listener, (str(url.hostname), int(url.port or 0)), tls)
        serving = threading.Thread(target=made.serve, daemon=True)
        serving.start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)
    serving.join(10)
