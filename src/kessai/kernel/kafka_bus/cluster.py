"""Where a cluster is and how it is spoken to: the URL, checked once, as librdkafka's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

Value: TypeAlias = str | int | float | bool
SCHEME = "kafka"
# What a team needs beyond hosts and a login; anything else would bend the promises of the bus.
OPTIONS = frozenset(
    {
        "security.protocol",
        "sasl.mechanism",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.endpoint.identification.algorithm",
        "client.rack",
    }
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """`hosts` as host:port, joined by commas. `options` hold the login and are never printed."""

    hosts: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def config(self, **more: Value) -> dict[str, Value]:
        """With Kafka's own names, dots written as underscores in `more`."""
        named: dict[str, Value] = {name.replace("_", "."): value for name, value in more.items()}
        return {
            "bootstrap.servers": self.hosts,
            **self.options,
            # A broker that is away is tried again soon: what waits for it is somebody's payment.
            "reconnect.backoff.ms": 100,
            "reconnect.backoff.max.ms": 2000,
            # A broker that is being restarted may name no broker at all; then the client has none
            # left to ask (librdkafka's issue 5301) until it begins with `hosts` again, which takes
            # it five minutes by itself, or for ever.
            "metadata.recovery.rebootstrap.trigger.ms": 10_000,
            # Its own lines are no JSON, and what matters of them is told by our events.
            "log_level": 2,
            **named,
        }


def cluster_of(url: str) -> Cluster:
    """`kafka://[user:password@]host:port,...[?security.protocol=...]`. Raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme != SCHEME or not parts.netloc:
        raise ValueError("is not kafka://host:port,...")
    login, _, hosts = parts.netloc.rpartition("@")
    for host in hosts.split(","):
        name, _, port = host.rpartition(":")
        if not name or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"names no host:port at {host!r}")
    if parts.path.strip("/"):
        raise ValueError("has a path, which Kafka knows nothing of")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(set(options) - OPTIONS):
        raise ValueError(f"has unknown options: {', '.join(unknown)}")
    if login:
        user, _, password = login.partition(":")
        options = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            **options,
            "sasl.username": unquote(user),
            "sasl.password": unquote(password),
        }
    return Cluster(hosts, options)
