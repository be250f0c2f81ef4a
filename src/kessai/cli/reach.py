"""How a command reaches one service: over its internal calls when it runs, else its database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from kessai.kernel.calls import http
from kessai.kernel.http import NotSent
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.topology import ServiceCard

P = TypeVar("P")
UNAVAILABLE = 3
_PING_TIMEOUT_S = 2.0


@asynccontextmanager
async def reach(
    settings: Settings,
    card: ServiceCard,
    port: type[P],
    build: Callable[[Runtime], Awaitable[Unit[P]]],
) -> AsyncIterator[tuple[P, str]]:
    """The service and, in words, how it was reached.

    Raises `NotSent` or `NoAnswer` when an address was given by KESSAI_SERVICE_URLS and nobody
    answers there: then the database is elsewhere too.
    """
    from kessai.embedded import open_runtime, service_urls

    given = service_urls(settings).get(card.name)
    url = given or _own_url(settings, card)
    runtime = await open_runtime(settings, part=f"cli-{card.package}")
    try:
        if given or await _runs(runtime, url):
            yield _remote(runtime, card, port, url), f"{card.name} at {url}"
            return
        unit = await build(runtime)
        try:
            yield unit.port, f"the database in {settings.data_dir} ({card.name} does not run)"
        finally:
            await unit.stop()
    finally:
        await runtime.bus.close()
        await runtime.http.close()


@asynccontextmanager
async def running(
    settings: Settings, card: ServiceCard, port: type[P]
) -> AsyncIterator[tuple[P, str]]:
    """The running service and where it is. Raises `NotSent` or `NoAnswer` when it does not run."""
    from kessai.embedded import open_runtime, service_urls

    url = service_urls(settings).get(card.name) or _own_url(settings, card)
    runtime = await open_runtime(settings, part=f"cli-{card.package}")
    try:
        await runtime.http.send("GET", f"{url}/actuator/health", timeout_s=_PING_TIMEOUT_S)
        yield _remote(runtime, card, port, url), f"{card.name} at {url}"
    finally:
        await runtime.bus.close()
        await runtime.http.close()


def _own_url(settings: Settings, card: ServiceCard) -> str:
    return f"http://127.0.0.1:{card.port + settings.port_offset}"


async def _runs(runtime: Runtime, url: str) -> bool:
    try:
        await runtime.http.send("GET", f"{url}/actuator/health", timeout_s=_PING_TIMEOUT_S)
    except NotSent:
        return False
    return True


def _remote(runtime: Runtime, card: ServiceCard, port: type[P], url: str) -> P:
    from kessai.kernel.breaker import CircuitBreaker

    return http(
        port,
        url,
        service=card.name,
        token=runtime.settings.service_token.get_secret_value(),
        client=runtime.http,
        timeout_s=runtime.settings.call_timeout_s,
        breaker=CircuitBreaker(runtime.clock, name=card.name),
    )
