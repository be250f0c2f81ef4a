"""How a command reaches one service: over its internal calls when it runs, else its database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from kessai.kernel.http import Http, NoAnswer, NotSent
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
    from kessai.cli.starting import naming_settings
    from kessai.embedded import open_runtime, own_url, remote_port, service_urls

    with naming_settings():
        given = service_urls(settings).get(card.name, [])
        runtime = await open_runtime(settings, part=f"cli-{card.package}")
    urls = given or [own_url(runtime, card)]
    try:
        if given or await _runs(runtime, urls[0]):
            yield remote_port(runtime, port, card, urls), f"{card.name} at {', '.join(urls)}"
            return
        with naming_settings():
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
    from kessai.cli.starting import naming_settings
    from kessai.embedded import open_runtime, own_url, remote_port, service_urls

    with naming_settings():
        given = service_urls(settings).get(card.name, [])
        runtime = await open_runtime(settings, part=f"cli-{card.package}")
    urls = given or [own_url(runtime, card)]
    try:
        await first_running(runtime.http, urls)
        yield remote_port(runtime, port, card, urls), f"{card.name} at {', '.join(urls)}"
    finally:
        await runtime.bus.close()
        await runtime.http.close()


async def first_running(http: Http, urls: Sequence[str]) -> str:
    """The first address at which somebody answers. Raises `NotSent` or `NoAnswer`."""
    *others, last = urls
    for url in others:
        try:
            await http.send("GET", f"{url}/actuator/health", timeout_s=_PING_TIMEOUT_S)
        except (NotSent, NoAnswer):
            continue
        return url
    await http.send("GET", f"{last}/actuator/health", timeout_s=_PING_TIMEOUT_S)
    return last


async def _runs(runtime: Runtime, url: str) -> bool:
    try:
        await runtime.http.send("GET", f"{url}/actuator/health", timeout_s=_PING_TIMEOUT_S)
    except NotSent:
        return False
    return True
