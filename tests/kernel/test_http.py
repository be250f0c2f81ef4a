"""Outgoing HTTP ends in an answer or in Unknown, over sockets and in process alike."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager

import pytest
from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs
from tests.support.web import run_virtual

from kessai.kernel.errors import Unknown
from kessai.kernel.http import AiohttpHttp, Answer, AsgiHttp, NoAnswer, NotSent

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def a_server(serve: Serve) -> AsyncIterator[str]:
    """A socket that answers what `serve` writes."""
    served: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def serve_and_close() -> None:
            await serve(reader, writer)
            writer.close()

        writers.append(writer)
        served.append(asyncio.create_task(serve_and_close()))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        # A connection that was made but not yet served; its task comes with the next turn.
        await asyncio.sleep(0)
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)
        for writer in writers:
            writer.close()


def says(answer: bytes, *, then_wait_s: float = 0) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(then_wait_s)

    return serve


@asynccontextmanager
async def a_http(*, connect_s: float = 4.0, **limits: int) -> AsyncIterator[AiohttpHttp]:
    http = AiohttpHttp(connect_s=connect_s, **limits)
    try:
        yield http
    finally:
        await http.close()


@pytest.mark.network
class TestAiohttp:
    async def test_an_answer(self) -> None:
        seen: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            seen.append(await reader.readexactly(5))
            writer.write(b"HTTP/1.1 409 Conflict\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nno")

        async with a_server(serve) as url, a_http() as http:
            answer = await http.send(
                "POST", f"{url}/v2/codes?a=b", headers={"X-A": "1"}, body=b"hello", timeout_s=2
            )
        assert (answer.status, answer.body) == (409, b"no")
        assert answer.headers["retry-after"] == answer.headers["Retry-After"] == "3"
        assert seen[0].startswith(b"POST /v2/codes?a=b HTTP/1.1\r\n")
        assert b"X-A: 1\r\n" in seen[0]
        assert seen[1] == b"hello"

    async def test_a_refused_connection_was_not_sent(self) -> None:
        async with a_server(says(b"")) as url:
            pass
        async with a_http() as http:
            with pytest.raises(NotSent) as error:
                await http.send("GET", url, timeout_s=2)
        assert error.value.code == "NOT_SENT"

    async def test_an_unknown_host_was_not_sent(self) -> None:
        async with a_http() as http:
            with pytest.raises(NotSent):
                await http.send("GET", "http://no-such-host.invalid/", timeout_s=5)

    async def test_a_host_that_takes_no_connection_was_not_sent_anything(self) -> None:
        """A full queue of connections is as silent as a machine that is gone."""
        with socket.socket() as full, ExitStack() as waiting:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            address = full.getsockname()
            for _ in range(3):
                one = waiting.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(address)
            async with a_http(connect_s=0.1) as http:
                with pytest.raises(NotSent):
                    await http.send("POST", f"http://127.0.0.1:{address[1]}", timeout_s=20)

    async def test_silence_is_no_answer_at_the_deadline(self) -> None:
        async with a_server(says(b"", then_wait_s=1)) as url, a_http() as http:
            started = asyncio.get_running_loop().time()
            with pytest.raises(NoAnswer, match=r"no answer within 0\.05 s"):
                await http.send("POST", url, body=b"{}", timeout_s=0.05)
            assert asyncio.get_running_loop().time() - started < 0.5

    @pytest.mark.parametrize(
        "half",
        [
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Le",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"SSH-2.0-OpenSSH\r\n\r\n",
        ],
    )
    async def test_a_broken_answer_is_no_answer(self, half: bytes) -> None:
        async with a_server(says(half)) as url, a_http() as http:
            with pytest.raises(NoAnswer):
                await http.send("POST", url, body=b"{}", timeout_s=2)

    async def test_an_endless_answer_is_cut_off(self) -> None:
        long = b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001
        async with a_server(says(long)) as url:
            async with a_http(max_answer_bytes=1000) as http:
                with pytest.raises(NoAnswer, match="longer than 1000 bytes"):
                    await http.send("GET", url, timeout_s=2)
            async with a_http(max_answer_bytes=1001) as http:
                assert len((await http.send("GET", url, timeout_s=2)).body) == 1001

    async def test_a_redirect_is_an_answer(self) -> None:
        moved = (
            b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
        )
        async with a_server(says(moved)) as url, a_http() as http:
            answer = await http.send("GET", url, timeout_s=2)
        assert (answer.status, answer.headers["Location"]) == (302, "http://169.254.169.254/")

    async def test_the_wait_for_a_free_connection_is_within_the_timeout(self) -> None:
        async with a_server(says(b"", then_wait_s=1)) as url, a_http(connections=1) as http:
            calls = [http.send("GET", url, timeout_s=0.1) for _ in range(3)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(answer) for answer in answers] == [NoAnswer] * 3

    async def test_close_twice_and_before_any_call(self) -> None:
        http = AiohttpHttp()
        await http.close()
        await http.close()


class Provider:
    """An app that takes three seconds, and has its effect whoever waits."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.effects: list[str] = []
        self.app.post("/slow")(self.slow)
        self.app.post("/echo/{name}")(self.echo)
        self.app.get("/away")(self.away)

    async def slow(self) -> str:
        await asyncio.sleep(3)
        self.effects.append("paid")
        return "paid"

    async def echo(self, name: str, request: Request) -> Response:
        headers = {"X-Name": name.encode("unicode_escape").decode(), "X-Q": request.url.query}
        return Response(await request.body(), 201, headers, request.headers["content-type"])

    async def away(self) -> Response:
        return RedirectResponse("http://elsewhere.test/")


async def post(http: AsgiHttp, url: str, timeout_s: float = 5) -> Answer:
    headers = {"Content-Type": "text/x"}
    return await http.send("post", url, headers=headers, body=b"hello", timeout_s=timeout_s)


class TestAsgi:
    async def test_an_answer(self) -> None:
        http = AsgiHttp({"http://provider.test:80/": Provider().app})
        answer = await post(http, "http://provider.test:80/echo/%E6%B1%BA?a=b")
        assert (answer.status, answer.body) == (201, b"hello")
        assert answer.headers["x-name"] == "\\u6c7a"
        assert answer.headers["X-Q"] == "a=b"
        assert answer.headers["content-type"].startswith("text/x")

    async def test_redirects_are_not_followed(self) -> None:
        http = AsgiHttp({"http://provider.test": Provider().app})
        answer = await http.send("GET", "http://provider.test/away", timeout_s=1)
        assert (answer.status, answer.headers["location"]) == (307, "http://elsewhere.test/")

    def test_a_late_effect_takes_place_though_the_caller_gave_up(self) -> None:
        async def story() -> None:
            provider = Provider()
            http = AsgiHttp({"http://provider.test": provider.app})
            with pytest.raises(NoAnswer, match="no answer within 1 s"):
                await post(http, "http://provider.test/slow", timeout_s=1)
            assert asyncio.get_running_loop().time() == pytest.approx(1)
            assert provider.effects == []
            await asyncio.sleep(2.5)
            assert provider.effects == ["paid"]
            await http.close()

        run_virtual(story())

    def test_close_ends_what_still_runs(self) -> None:
        async def story() -> None:
            provider = Provider()
            http = AsgiHttp({"http://provider.test": provider.app})
            with pytest.raises(NoAnswer):
                await post(http, "http://provider.test/slow", timeout_s=1)
            await http.close()
            await asyncio.sleep(5)
            assert provider.effects == []

        run_virtual(story())

    async def test_a_process_that_is_gone_refuses(self) -> None:
        http = AsgiHttp({"http://provider.test": Provider().app})
        http.unroute("http://provider.test")
        with pytest.raises(NotSent):
            await post(http, "http://provider.test/slow")

    @pytest.mark.parametrize("fault", [ConnectionResetError(), BrokenPipeError(), EOFError()])
    async def test_a_connection_fault_of_the_app_is_unknown(self, fault: Exception) -> None:
        async def resets(scope: Scope, receive: Receive, send: Send) -> None:
            raise fault

        with pytest.raises(NoAnswer) as error, capture_logs() as lines:
            await post(AsgiHttp({"http://provider.test": resets}), "http://provider.test/")
        assert isinstance(error.value, Unknown)
        assert error.value.message == type(fault).__name__
        assert lines == []

    async def test_a_bug_of_the_app_is_unknown_and_logged(self) -> None:
        async def buggy(scope: Scope, receive: Receive, send: Send) -> None:
            raise KeyError("bug")

        with pytest.raises(NoAnswer), capture_logs() as lines:
            await post(AsgiHttp({"http://provider.test": buggy}), "http://provider.test/a")
        assert [(line["event"], line["path"]) for line in lines] == [("http.app_failed", "/a")]

    async def test_half_an_answer_is_unknown(self) -> None:
        async def stops(scope: Scope, receive: Receive, send: Send) -> None:
            start: Message = {"type": "http.response.start", "status": 200, "headers": []}
            await send(start)
            await send({"type": "http.response.body", "body": b"{", "more_body": True})

        with pytest.raises(NoAnswer, match="ended without an answer"):
            await post(AsgiHttp({"http://provider.test": stops}), "http://provider.test/")

    async def test_the_app_sees_the_end_of_the_call(self) -> None:
        seen: list[Message] = []

        async def listens(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(await receive())
            seen.append(await receive())

        http = AsgiHttp({"http://provider.test": listens})
        with pytest.raises(NoAnswer):
            await post(http, "http://provider.test/", timeout_s=0.01)
        await asyncio.sleep(0)
        assert seen == [
            {"type": "http.request", "body": b"hello", "more_body": False},
            {"type": "http.disconnect"},
        ]
