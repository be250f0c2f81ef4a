"""Many ASGI apps on many ports in one process, started together and stopped gracefully."""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import uvicorn
import uvloop
from starlette.types import ASGIApp

from kessai.kernel.errors import KessaiError
from kessai.kernel.telemetry import get_log
from kessai.kernel.tls import KeyPair

T = TypeVar("T")
BACKLOG: Final = 2048
# Longer than any client of ours keeps an idle connection, so that it is the client who closes.
KEEP_ALIVE_S: Final = 75
WEBSOCKET_MESSAGE_BYTES: Final = 64 * 1024
_DATE_S: Final = 1.0
_FORCED_S: Final = 1.0
_log: Final = get_log("kessai.server")


class PortTaken(KessaiError):
    """Nothing was started: this service's port belongs to another process."""

    def __init__(self, port: int, service: str) -> None:
        super().__init__(f"port {port} of {service} is taken by another process")
        self.port = port
        self.service = service


class CannotListen(KessaiError):
    """Nothing was started: the address is not of this machine, or the port is not ours to take."""


class StartFailed(KessaiError):
    """An app's own start raised; the log has why. The others were stopped again."""

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} did not start")
        self.service = service


@dataclass(frozen=True, slots=True)
class Binding:
    """One app on one port; port 0 takes a free one (`on_ready` is told which).

    `also` marks a further door of an app: its start and end belong to the first one.
    """

    service: str
    app: ASGIApp
    port: int
    host: str = "127.0.0.1"
    tls: KeyPair | None = None
    also: bool = False

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def url_on_this_machine(host: str, port: int) -> str:
    """Where a door on this machine is reached from it; every address means loopback as well."""
    at = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared only
    return f"http://[{at}]:{port}" if ":" in at else f"http://{at}:{port}"


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def serve_all(
    bindings: Sequence[Binding],
    stop: asyncio.Event | None = None,
    *,
    stop_timeout_s: float = 8.0,
    on_ready: Callable[[Mapping[str, int]], None] | None = None,
) -> None:
    """Serves until `stop` is set or SIGTERM or SIGINT comes; requests in flight are finished.

    Takes at most `stop_timeout_s` + 1 s to stop; a second signal does not wait at all.
    Raises `PortTaken` or `CannotListen` before anything was started, `StartFailed` after all was
    stopped again.
    """
    stop = stop or asyncio.Event()
    sockets = _bind(bindings)
    ports = _ports(bindings, sockets)
    servers = [_Server(binding, stop, stop_timeout_s) for binding in bindings]
    tasks = [
        asyncio.create_task(server.serve([bound]), name=f"serve:{server.service}")
        for server, bound in zip(servers, sockets, strict=True)
    ]
    with _signals(stop, servers):
        try:
            if await _all_started(servers, tasks):
                settle_memory()
                if on_ready and not stop.is_set():
                    on_ready(ports)
                await _until(stop, tasks)
        finally:
            stop.set()
            await _finish(servers, tasks, stop_timeout_s)
            for bound in sockets:
                bound.close()
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()):
            raise error


class _Server(uvicorn.Server):
    """uvicorn without its signals: the last of several would re-raise and kill the others."""

    def __init__(self, binding: Binding, stop: asyncio.Event, stop_timeout_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                binding.app,
                loop="none",
                http="httptools",
                ws="websockets-sansio",
                ws_max_size=WEBSOCKET_MESSAGE_BYTES,
                ws_per_message_deflate=False,
                lifespan="off" if binding.also else "on",
                ssl_certfile=binding.tls.certificate if binding.tls else None,
                ssl_keyfile=binding.tls.key if binding.tls else None,
                log_config=None,
                access_log=False,
                server_header=False,
                # The bff reads X-Forwarded-For itself, from the proxies that it was told to trust.
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=max(1, int(stop_timeout_s)),
            )
        )
        self.service = binding.service
        # An app whose streams have no end of their own says how to end them.
        state = getattr(binding.app, "state", None)
        self._end_streams: Callable[[], None] | None = getattr(state, "closing", None)
        self._stop = stop
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit as failed:
            raise StartFailed(self.service) from failed
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._end_streams is not None:
            self._end_streams()
        await super().shutdown(sockets)

    async def main_loop(self) -> None:
        # uvicorn looks ten times a second; with nine servers that alone is 90 wake-ups.
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(_DATE_S):
                    await self._stop.wait()
                    self.should_exit = True


def check_ports(bindings: Sequence[Binding]) -> None:
    """Raises what `serve_all` would for the first port: ask before anything else is begun."""
    for bound in _bind(bindings):
        bound.close()


def _bind(bindings: Sequence[Binding]) -> list[socket.socket]:
    bound: list[socket.socket] = []
    try:
        for binding in bindings:
            bound.append(_listen_on(binding))
    except BaseException:
        for other in bound:
            other.close()
        raise
    return bound


def _listen_on(binding: Binding) -> socket.socket:
    family = socket.AF_INET6 if ":" in binding.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((binding.host, binding.port))
        # Binding alone does not conflict with another socket that is not listening yet.
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(binding.port, binding.service) from error
        why = error.strerror or type(error).__name__
        raise CannotListen(f"{binding.service} cannot listen on {binding.url}: {why}") from error
    bound.setblocking(False)
    return bound


def _ports(bindings: Sequence[Binding], sockets: Sequence[socket.socket]) -> dict[str, int]:
    return {
        binding.service: bound.getsockname()[1]
        for binding, bound in zip(bindings, sockets, strict=True)
    }


async def _all_started(servers: Sequence[_Server], tasks: Sequence[asyncio.Task[None]]) -> bool:
    """False as soon as one of them ended instead."""

    async def all_ready() -> None:
        for server in servers:
            await server.ready.wait()

    ready = asyncio.create_task(all_ready())
    await asyncio.wait([ready, *tasks], return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    return all(server.ready.is_set() for server in servers)


async def _until(stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Until a stop is asked for, or a server ends by itself."""

    async def asked_to_stop() -> None:
        await stop.wait()

    asked = asyncio.create_task(asked_to_stop())
    try:
        await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()


async def _finish(
    servers: Sequence[_Server], tasks: Sequence[asyncio.Task[None]], stop_timeout_s: float
) -> None:
    for server in servers:
        server.should_exit = True
    _, late = await asyncio.wait(tasks, timeout=stop_timeout_s + _FORCED_S)
    for task in sorted(late, key=lambda task: task.get_name()):
        _log.error("server.stop_forced", task=task.get_name(), waited_s=stop_timeout_s + _FORCED_S)
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=_FORCED_S)


@contextmanager
def _signals(stop: asyncio.Event, servers: Sequence[_Server]) -> Iterator[None]:
    """The first signal asks, the second insists. Only the main thread may listen to them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def on_signal(name: str) -> None:
        _log.info("server.signal", signal=name)
        if stop.is_set():
            for server in servers:
                server.force_exit = True
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number.name)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def settle_memory() -> None:
    """Imports and apps live for ever: full collections need not walk them (p99 100 -> 30 ms)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
