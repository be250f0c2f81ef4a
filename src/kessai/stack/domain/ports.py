"""Which port is whose: near the base, free when it was chosen, and the same ever after."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kessai.stack.domain.server import (
    BASE_PORT,
    LAST_PORT,
    SERVERS,
    port_keys,
    wished_port,
)

# The next try when a port is taken; a prime, so that neighbours do not collide again.
_STEP = 7


class NoFreePort(ValueError):
    """All ports that could be chosen are taken."""


def choose_ports(
    remembered: Mapping[str, int], is_free: Callable[[int], bool], base: int = BASE_PORT
) -> dict[str, int]:
    """Every port of every server; what is remembered stays, the rest is free now."""
    ports = dict(remembered)
    for card in SERVERS:
        for key in port_keys(card):
            if key not in ports:
                ports[key] = _free_near(wished_port(key, base), set(ports.values()), is_free)
    return ports


def _free_near(wish: int, taken: set[int], is_free: Callable[[int], bool]) -> int:
    for port in range(wish, LAST_PORT + 1, _STEP):
        if port not in taken and is_free(port):
            return port
    raise NoFreePort(f"no free port from {wish} to {LAST_PORT}")
