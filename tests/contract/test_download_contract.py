"""A download as every adapter of the HTTP port must do it: over sockets and in process alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from starlette.types import Receive, Scope, Send
from tests.support.web import a_runtime

from kessai.kernel.app import create_app
from kessai.kernel.errors import Unknown
from kessai.kernel.http import (
    CHUNK_BYTES,
    AiohttpHttp,
    Answer,
    AsgiHttp,
    HttpClient,
    NoAnswer,
    NotSent,
    TooLong,
)
from kessai.kernel.server import Binding, serve_all


@dataclass
class Host:
    """Answers what a test wants, chunk by chunk, and remembers the URL as it came."""

    chunks: list[bytes] = field(default_factory=lambda: [b"one", b"two"])
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    pause_s: float = 0.0
    breaks_off: bool = False
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(f"{scope['raw_path'].decode()}?{scope['query_string'].decode()}")
        length = (b"content-length", str(sum(map(len, self.chunks))).encode())
        start = {"type": "http.response.start", "status": self.status}
        await send({**start, "headers": [length, *self.headers]})
        for chunk in self.chunks[:-1] if self.breaks_off else self.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(self.pause_s)
        if self.breaks_off:
            raise ConnectionResetError
        await send({"type": "http.response.body", "body": b""})


class Sheet:
    """What was written, and trouble at the `fails_at`-th chunk."""

    def __init__(self, fails_at: int = 0) -> None:
        self.chunks: list[bytes] = []
        self._fails_at = fails_at

    def write(self, chunk: bytes, /) -> None:
        if len(self.chunks) + 1 == self._fails_at:
            raise Unknown("DISK", "no room")
        self.chunks.append(chunk)

    @property
    def content(self) -> bytes:
        return b"".join(self.chunks)


@dataclass
class Line:
    http: HttpClient
    url: str
    host: Host

    async def get(
        self,
        to: Sheet,
        path: str = "/files/a.csv",
        *,
        limit_bytes: int = 10_000_000,
        timeout_s: float = 5,
    ) -> Answer:
        url = self.url + path
        return await self.http.download(url, to, limit_bytes=limit_bytes, timeout_s=timeout_s)


@asynccontextmanager
async def a_socket(host: Host) -> AsyncIterator[str]:
    app = create_app(title="host", runtime=a_runtime())
    app.mount("/files", host)
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()

    def is_ready(ports: Mapping[str, int]) -> None:
        ready.set_result(ports["host"])

    serving = asyncio.create_task(
        serve_all([Binding("host", app, 0)], stop, stop_timeout_s=5, on_ready=is_ready)
    )
    try:
        yield f"http://127.0.0.1:{await asyncio.wait_for(ready, 5)}"
    finally:
        stop.set()
        await serving


@pytest.fixture(params=["asgi", pytest.param("aiohttp", marks=pytest.mark.network)])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    host = Host()
    if request.param == "asgi":
        asgi = AsgiHttp({"http://host.test": host})
        yield Line(asgi, "http://host.test", host)
        await asgi.close()
        return
    http = AiohttpHttp()
    async with a_socket(host) as url:
        try:
            yield Line(http, url, host)
        finally:
            await http.close()


async def test_the_body_goes_to_the_sink_and_the_answer_has_none(line: Line) -> None:
    line.host.headers = [(b"content-disposition", b'attachment; filename="a.csv"')]
    sheet = Sheet()
    answer = await line.get(sheet)
    assert (answer.status, answer.body, sheet.content) == (200, b"", b"onetwo")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a.csv"'


async def test_chunks_are_small_though_the_body_is_not(line: Line) -> None:
    line.host.chunks = [bytes([n]) * CHUNK_BYTES for n in range(20)]
    sheet = Sheet()
    await line.get(sheet)
    assert sheet.content == b"".join(line.host.chunks)
    assert max(map(len, sheet.chunks)) <= CHUNK_BYTES


async def test_an_empty_body_is_a_body(line: Line) -> None:
    line.host.chunks = []
    sheet = Sheet()
    assert (await line.get(sheet)).status == 200
    assert sheet.content == b""


async def test_up_to_the_limit_and_not_one_byte_more(line: Line) -> None:
    await line.get(Sheet(), limit_bytes=6)
    line.host.chunks = [b"onetwo!", *[b"x" * CHUNK_BYTES] * 200]
    sheet = Sheet()
    with pytest.raises(TooLong, match="longer than 6 bytes"):
        await line.get(sheet, limit_bytes=6)
    assert len(sheet.content) <= 6


@pytest.mark.parametrize("status", [204, 206, 302, 403, 404, 500])
async def test_of_any_other_status_nothing_is_written(line: Line, status: int) -> None:
    line.host.status = status
    line.host.headers = [(b"location", b"http://169.254.169.254/")]
    line.host.chunks = [] if status == 204 else [b"moved"]
    sheet = Sheet()
    answer = await line.get(sheet)
    assert (answer.status, answer.body, sheet.content) == (status, b"", b"")
    assert len(line.host.asked) == 1


async def test_the_url_is_asked_for_as_it_is_written(line: Line) -> None:
    """A signature may be over the text of the link: no escape may come or go."""
    link = "/files/%E6%B1%BA%2Fa%2bb.csv?X-Amz-Credential=AK%2F2026%2fs3&sig=a%2Bb%3D%3D&c=a+b~"
    await line.get(Sheet(), link)
    assert line.host.asked == [link]


async def test_half_a_file_is_no_answer(line: Line) -> None:
    line.host.breaks_off = True
    with pytest.raises(NoAnswer):
        await line.get(Sheet())


async def test_the_time_is_that_of_the_whole_download(line: Line) -> None:
    line.host.chunks = [b"x"] * 100
    line.host.pause_s = 0.05
    sheet = Sheet()
    with pytest.raises(NoAnswer, match=r"no answer within 0\.2 s"):
        await line.get(sheet, timeout_s=0.2)
    written = len(sheet.chunks)
    await asyncio.sleep(0.2)
    assert len(sheet.chunks) == written < 100


async def test_what_the_sink_raises_reaches_the_caller(line: Line) -> None:
    line.host.chunks = [b"x" * CHUNK_BYTES] * 4
    with pytest.raises(Unknown) as error:
        await line.get(Sheet(fails_at=2))
    assert (error.value.code, error.value.message) == ("DISK", "no room")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a", "http://", "http://[::1/a"])
async def test_what_cannot_be_asked_was_not_sent(line: Line, url: str) -> None:
    with pytest.raises(NotSent):
        await line.http.download(url, Sheet(), limit_bytes=10, timeout_s=5)
