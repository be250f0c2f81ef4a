"""Outgoing HTTP as a port: an answer, or `Unknown`. Redirects are answers, not followed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from starlette.types import ASGIApp, Message, Scope
from yarl import URL

from kessai.kernel.errors import Unknown
from kessai.kernel.telemetry import get_log

MAX_ANSWER_BYTES: Final = 1024 * 1024
# Of a download; writing so much to a disk keeps nobody waiting.
CHUNK_BYTES: Final = 64 * 1024
_log: Final = get_log("kessai.http")


@dataclass(frozen=True, slots=True)
class Answer:
    """Any status counts as an answer. `headers` are looked up without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotSent(Unknown):
    """The request certainly did not leave: refused connection, no such host, bad certificate."""

    def __init__(self, message: str = "") -> None:
        super().__init__("NOT_SENT", message)


class NoAnswer(Unknown):
    """Sent or half sent, and no readable answer in time: it may have taken effect."""

    def __init__(self, message: str = "") -> None:
        super().__init__("NO_ANSWER", message)


class TooLong(Unknown):
    """A download with more bytes than its limit; what was written so far is no use."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__("TOO_LONG", f"the answer is longer than {limit_bytes} bytes")


class Sink(Protocol):
    """Where a download goes; what `write` raises ends it and reaches the caller as it is."""

    def write(self, chunk: bytes, /) -> object: ...


class Http(Protocol):
    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Answer:
        """The answer within `timeout_s`. Raises `NotSent` or `NoAnswer`, both `Unknown`."""
        ...

    async def close(self) -> None: ...


class Downloads(Protocol):
    async def download(self, url: str, to: Sink, *, limit_bytes: int, timeout_s: float) -> Answer:
        """GETs the URL exactly as it is written; the body of a 200 goes to `to`, chunk by chunk.

        The answer has no body; of any other status nothing is written. Raises `TooLong` as well.
        """
        ...


class HttpClient(Http, Downloads, Protocol):
    """Both ways, as the adapters have them."""


class AiohttpHttp:
    """One session for the process, made in the running loop at the first call.

    `connections` bounds all hosts together; a call waits for a free one within its own timeout.
    `connect_s` is for a host that is gone: its connection is not even refused.
    """

    def __init__(
        self,
        *,
        connections: int = 200,
        connections_per_host: int = 100,
        idle_s: float = 15.0,
        connect_s: float = 4.0,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._connections = connections
        self._connections_per_host = connections_per_host
        self._idle_s = idle_s
        self._connect_s = connect_s
        self._max_answer_bytes = max_answer_bytes
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Answer:
        with _as_unknown(timeout_s):
            async with (
                asyncio.timeout(timeout_s),
                self._running_session().request(
                    method, url, headers=headers, data=body, allow_redirects=False
                ) as response,
            ):
                content = await self._read(response)
                return Answer(response.status, response.headers, content)

    async def download(self, url: str, to: Sink, *, limit_bytes: int, timeout_s: float) -> Answer:
        pouring = _Pouring(to, limit_bytes)
        with _as_unknown(timeout_s):
            async with (
                asyncio.timeout(timeout_s),
                self._running_session().get(_exactly(url), allow_redirects=False) as response,
            ):
                if response.status == 200:
                    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                        if not pouring.take(chunk):
                            break
                    else:
                        return Answer(response.status, response.headers, b"")
                # The rest of the body is not read: this connection is of no more use.
                response.close()
        pouring.check()
        return Answer(response.status, response.headers, b"")

    async def close(self) -> None:
        """Idempotent. A later call would open a new session."""
        session, self._session = self._session, None
        if session:
            await session.close()

    def _running_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._connections,
                limit_per_host=self._connections_per_host,
                keepalive_timeout=self._idle_s,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                # Beside it `timeout_s` limits the whole, the wait for a free connection as well.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_s),
                headers={"Accept-Encoding": "identity"},
                trust_env=False,
            )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        chunks = bytearray()
        async for chunk in response.content.iter_any():
            chunks += chunk
            if len(chunks) > self._max_answer_bytes:
                response.close()
                raise NoAnswer(f"the answer is longer than {self._max_answer_bytes} bytes")
        return bytes(chunks)


@contextmanager
def _as_unknown(timeout_s: float) -> Iterator[None]:
    try:
        yield
    except (
        aiohttp.ClientConnectorError,
        aiohttp.ConnectionTimeoutError,
        ssl.SSLCertVerificationError,
    ) as error:
        raise NotSent(_reason(error)) from error
    except aiohttp.InvalidURL as error:
        raise NotSent("the URL is invalid") from error
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {timeout_s} s") from error
    except (aiohttp.ClientError, OSError, EOFError) as error:
        raise NoAnswer(_reason(error)) from error


def _exactly(url: str) -> URL:
    """Not one escape is rewritten: the signature of a link may be over its very text."""
    try:
        return URL(url, encoded=True)
    except ValueError as error:
        raise NotSent("the URL is invalid") from error


class _Pouring:
    """Chunks on their way into a sink; what ended it is kept for `check`."""

    def __init__(self, to: Sink, limit_bytes: int) -> None:
        self._to = to
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._error: Exception | None = None

    def take(self, chunk: bytes) -> bool:
        """False when no more is wanted."""
        self._bytes += len(chunk)
        try:
            if self._bytes > self._limit_bytes:
                raise TooLong(self._limit_bytes)
            self._to.write(chunk)
        except Exception as error:
            self._keep(error)
            return False
        return True

    def _keep(self, error: Exception) -> None:
        self._error = error

    def check(self) -> None:
        """Raises what ended it, outside of what turns errors of the connection into `Unknown`."""
        if self._error is not None:
            raise self._error


def _reason(error: BaseException) -> str:
    """The class only: messages of clients name hosts and URLs."""
    return type(error).__name__


class AsgiHttp:
    """Base URLs answered by ASGI apps in this process: stories and tests, on virtual time.

    As over a socket, the app does not end when the caller gives up: what it does takes effect.
    """

    def __init__(self, apps: Mapping[str, ASGIApp] | None = None) -> None:
        self._apps: dict[str, ASGIApp] = {}
        # A dict, not a set: cancelled in the order of their start.
        self._running: dict[asyncio.Task[None], None] = {}
        for base_url, app in (apps or {}).items():
            self.route(base_url, app)

    def route(self, base_url: str, app: ASGIApp) -> None:
        """Calls to `base_url` (scheme, host, port) go to `app` from now on."""
        self._apps[_origin(base_url)] = app

    def unroute(self, base_url: str) -> None:
        """From now on the connection is refused, as by a process that is gone."""
        self._apps.pop(_origin(base_url), None)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Answer:
        exchange = _Exchange(body or b"")
        scope = _scope(method, url, CIMultiDict(headers or {}), len(body or b""))
        return await self._run(url, exchange, scope, timeout_s)

    async def download(self, url: str, to: Sink, *, limit_bytes: int, timeout_s: float) -> Answer:
        pouring = _Pouring(to, limit_bytes)
        scope = _scope("GET", str(_exactly(url)), CIMultiDict(), 0)
        answer = await self._run(url, _Exchange(b"", pouring), scope, timeout_s)
        pouring.check()
        return Answer(answer.status, answer.headers, b"")

    async def _run(self, url: str, exchange: _Exchange, scope: Scope, timeout_s: float) -> Answer:
        origin = _origin(url)
        app = self._apps.get(origin)
        if app is None:
            raise NotSent("the connection was refused")
        task = self._begin(origin, exchange.run(app, scope))
        self._running[task] = None
        task.add_done_callback(self._running.pop)
        try:
            async with asyncio.timeout(timeout_s):
                return await exchange.answer
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {timeout_s} s") from error

    def _begin(self, _origin: str, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Whose task the request is, where that matters: a simulation kills its owner."""
        return asyncio.get_running_loop().create_task(work)

    async def close(self) -> None:
        """Ends what still runs on behalf of callers that gave up."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class _Exchange:
    """One request as an ASGI server would carry it: answered when the body is complete."""

    def __init__(self, body: bytes, pouring: _Pouring | None = None) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._body: bytes | None = body
        self._pouring = pouring
        self._status = 0
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._chunks = bytearray()
        self._gone = asyncio.Event()
        self.answer.add_done_callback(lambda _: self._gone.set())

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
            self._fail(NoAnswer("the app ended without an answer"))
        except asyncio.CancelledError:
            self._fail(NoAnswer("the app was stopped"))
            raise
        except (OSError, EOFError) as error:
            self._fail(NoAnswer(_reason(error)))
        except Exception as error:
            _log.exception("http.app_failed", path=scope["path"])
            self._fail(NoAnswer(_reason(error)))

    def _fail(self, error: NoAnswer) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            for name, value in message.get("headers", ()):
                self._headers.add(name.decode("latin-1"), value.decode("latin-1"))
        elif message["type"] == "http.response.body":
            goes_on = self._take(message.get("body", b"")) and message.get("more_body", False)
            if not goes_on and not self.answer.done():
                headers = CIMultiDictProxy(self._headers)
                self.answer.set_result(Answer(self._status, headers, bytes(self._chunks)))

    def _take(self, chunk: bytes) -> bool:
        """False when the caller wants no more."""
        if self._pouring is None:
            self._chunks += chunk
            return True
        # Nobody writes for a caller that gave up.
        return self._status != 200 or self.answer.done() or self._pouring.take(chunk)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _scope(method: str, url: str, headers: CIMultiDict[str], length: int) -> Scope:
    parts = urlsplit(url)
    headers.setdefault("Host", parts.netloc)
    if length:
        headers.setdefault("Content-Length", str(length))
    path = parts.path or "/"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": parts.scheme,
        "path": unquote(path),
        "raw_path": path.encode("ascii", "replace"),
        "root_path": "",
        "query_string": parts.query.encode("ascii", "replace"),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.items()
        ],
        "client": ("127.0.0.1", 1),
        "server": (parts.hostname or "localhost", parts.port or 80),
        "state": {},
    }
