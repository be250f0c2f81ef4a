"""Where Temporal is: `host:port[/namespace][?queue=name]`, with TLS as `tls://host:port/...`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

_DEFAULT_NAMESPACE = "default"
_DEFAULT_QUEUE = "kessai-sagas"
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_QUEUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class Address:
    target: str
    namespace: str = _DEFAULT_NAMESPACE
    queue: str = _DEFAULT_QUEUE
    tls: bool = False


def parse_address(url: str) -> Address:
    """Raises `ValueError` with a line for people."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "temporal", url
    if scheme not in ("temporal", "tls"):
        raise ValueError(f"there is no adapter for {scheme}:, only host:port or tls://host:port")
    parts = urlsplit(f"//{rest}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("the port is no number") from error
    if not host or port is None or "@" in parts.netloc:
        raise ValueError("must be host:port, with /namespace if it is not default")
    namespace = parts.path.strip("/") or _DEFAULT_NAMESPACE
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    queue = options.pop("queue", _DEFAULT_QUEUE)
    if options:
        raise ValueError(f"knows no option {next(iter(options))!r}, only queue")
    if not _NAMESPACE.fullmatch(namespace):
        raise ValueError(f"{namespace!r} is no name of a namespace")
    if not _QUEUE.fullmatch(queue):
        raise ValueError(f"{queue!r} is no name of a task queue")
    shown = f"[{host}]" if ":" in host else host
    return Address(f"{shown}:{port}", namespace, queue, scheme == "tls")
