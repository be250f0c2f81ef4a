"""A shop for a command that needs one: the one that answers, or one of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from kessai.embedded import System, build_system, open_runtime
from kessai.kernel.errors import Unknown
from kessai.kernel.folder_lock import FolderTaken, folder_held
from kessai.kernel.http import AiohttpHttp
from kessai.kernel.server import check_ports, serve_all
from kessai.kernel.settings import Settings

# One that begins is there after three; a slow machine takes its time.
START_S = 30.0
_LOOK_S = 0.3


@asynccontextmanager
async def running(settings: Settings, *, start_s: float = START_S) -> AsyncIterator[bool]:
    """A shop while the block runs: the one that answers at `KESSAI_PUBLIC_URL`, or a new one.

    Yields whether a new one was started. Raises `FolderTaken` where somebody has the folder and
    does not answer within `start_s`.
    """
    with ExitStack() as held:
        if not await _is_for_us(settings, held, start_s):
            yield False
            return
        system = await build_system(await open_runtime(settings))
        try:
            check_ports(system.bindings())
            await system.start()
            async with _served(system, settings.stop_timeout_s):
                yield True
        finally:
            await system.stop()


async def _is_for_us(settings: Settings, held: ExitStack, start_s: float) -> bool:
    """False as soon as a shop answers, which may just be starting; true once the folder is ours."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + start_s
    while not await _answers(settings.public_url):
        taken = _hold(settings, held)
        if taken is None:
            return True
        if loop.time() > until_s:
            raise taken
        await asyncio.sleep(_LOOK_S)
    return False


def _hold(settings: Settings, held: ExitStack) -> FolderTaken | None:
    folder = Path(settings.data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        held.enter_context(folder_held(folder, settings.instance))
    except FolderTaken as taken:
        return taken
    return None


@asynccontextmanager
async def _served(system: System, stop_timeout_s: float) -> AsyncIterator[None]:
    ready, stop = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve_all(
            system.bindings(),
            stop,
            stop_timeout_s=stop_timeout_s,
            on_ready=lambda _: ready.set(),
        )
    )
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        yield
    finally:
        waiting.cancel()
        stop.set()
        await asyncio.gather(serving, return_exceptions=True)


async def _answers(url: str) -> bool:
    client = AiohttpHttp()
    try:
        answer = await client.send("GET", f"{url}/actuator/health", timeout_s=2)
    except Unknown:
        return False
    finally:
        await client.close()
    return answer.status == 200
