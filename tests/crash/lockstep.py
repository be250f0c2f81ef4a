"""Several processes on one virtual clock: one runs at a time, and nobody sleeps.

The outside world (customers, provider) lives in the leading process, each shop in a child. A child
tells when it would sleep and until when; the leader lets the earliest go on. So a child can really
be killed or stopped at any instruction, and the rest of the world still has the same time.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, Pipe
from typing import Any, NamedTuple

from multidict import CIMultiDict

from kessai.kernel.http import Answer, AsgiHttp, NoAnswer, NotSent, Sink
from kessai.proof.virtual_time import Stuck, VirtualLoop, _JumpingSelector

STOPPED_S = 8.0


class Request(NamedTuple):
    number: int
    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    timeout_s: float


class Reply(NamedTuple):
    """`status` 0: the connection was refused; -1: it broke."""

    number: int
    status: int
    headers: dict[str, str]
    body: bytes


class Idle(NamedTuple):
    """What a child has to say before it sleeps until `wake_s`."""

    wake_s: float
    out: list[Request | Reply | str]


class GoOn(NamedTuple):
    now_s: float
    inbox: list[Request | Reply]


class PipeHttp:
    """Requests leave by `send_off`; the answers come by `settle`."""

    def __init__(self, send_off: Callable[[Request], None]) -> None:
        self._send_off = send_off
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Answer:
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._send_off(Request(number, method, url, dict(headers or {}), body, timeout_s))
        try:
            async with asyncio.timeout(timeout_s):
                reply: Reply = await answer
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {timeout_s} s") from error
        finally:
            self._waiting.pop(number, None)
        if reply.status == 0:
            raise NotSent("the connection was refused")
        if reply.status < 0:
            raise NoAnswer("the connection broke")
        return Answer(reply.status, CIMultiDict(reply.headers), reply.body)

    def settle(self, reply: Reply) -> None:
        waiting = self._waiting.get(reply.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def break_off(self) -> None:
        for number in self._waiting:
            self.settle(Reply(number, -1, {}, b""))

    async def download(self, url: str, to: Sink, *, limit_bytes: int, timeout_s: float) -> Answer:
        raise NotSent("nobody offers files here")

    async def close(self) -> None:
        return


async def answer(http: AsgiHttp, request: Request) -> Reply:
    """As a server of this process would; what the asker gives up goes on all the same."""
    try:
        found = await http.send(
            request.method,
            request.url,
            headers=request.headers,
            body=request.body,
            timeout_s=request.timeout_s,
        )
    except NotSent:
        return Reply(request.number, 0, {}, b"")
    except NoAnswer:
        return Reply(request.number, -1, {}, b"")
    return Reply(request.number, found.status, dict(found.headers), found.body)


class _Follower(_JumpingSelector):
    """Sleeps by asking the leader, and wakes with what came meanwhile."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__()
        self.pipe = pipe
        self.out: list[Request | Reply | str] = []
        # What came before anybody listens.
        self.early: list[Request | Reply] = []
        self.deliver: Callable[[Request | Reply], None] = self.early.append

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout <= 0 and not self.out:
            return []
        wake_s = math.inf if timeout is None else self.now_s + max(0.0, timeout)
        out, self.out = self.out, []
        self.pipe.send(Idle(wake_s, out))
        self.wait_turn()
        return []

    def wait_turn(self) -> None:
        turn: GoOn = self.pipe.recv()
        self.now_s = max(self.now_s, turn.now_s)
        for message in turn.inbox:
            self.deliver(message)


class FollowerLoop(VirtualLoop):
    """The loop of a child."""

    def __init__(self, pipe: Connection) -> None:
        self._virtual = self._turns = _Follower(pipe)
        asyncio.SelectorEventLoop.__init__(self, self._turns)

    def follow(self, http: PipeHttp, local: AsgiHttp) -> None:
        """Requests that come in are answered by `local`, replies settle those of `http`."""
        tasks: dict[asyncio.Task[None], None] = {}

        async def serve(request: Request) -> None:
            reply = await answer(local, request)
            self._turns.out.append(reply)

        def deliver(message: Request | Reply) -> None:
            if isinstance(message, Reply):
                http.settle(message)
            else:
                task = self.create_task(serve(message))
                tasks[task] = None
                task.add_done_callback(tasks.pop)

        self._turns.deliver = deliver
        for message in self._turns.early:
            deliver(message)

    def wait_turn(self) -> None:
        """The first turn, before anything runs: from here on the time is the leader's."""
        self._turns.wait_turn()

    def say(self, word: str) -> None:
        self._turns.out.append(word)

    def send_off(self, request: Request) -> None:
        self._turns.out.append(request)

    def stop_here(self) -> None:
        """As SIGSTOP would at any moment: until SIGCONT nothing moves, then time has passed."""
        self._turns.pipe.send("stopped")
        os.kill(os.getpid(), signal.SIGSTOP)
        self._turns.wait_turn()


@dataclass(eq=False)
class Child:
    pid: int
    pipe: Connection
    wake_s: float = 0.0
    stopped_until_s: float | None = None
    alive: bool = True
    inbox: list[Request | Reply] = field(default_factory=list)
    http: PipeHttp = field(init=False)

    def __post_init__(self) -> None:
        self.http = PipeHttp(self.inbox.append)

    @property
    def next_s(self) -> float:
        if self.stopped_until_s is not None:
            return self.stopped_until_s
        return 0.0 if self.inbox else self.wake_s


class _Leader(_JumpingSelector):
    """Where the leading loop would sleep, the children go on first."""

    def __init__(self) -> None:
        super().__init__()
        self.children: list[Child] = []
        self.events: list[Callable[[], None]] = []
        # What happened to children: killed, stopped, full.
        self.said: list[str] = []
        self.heard: Callable[[Child, Request | Reply], None] | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        own_s = math.inf if timeout is None else self.now_s + max(0.0, timeout)
        while not self.events:
            living = [child for child in self.children if child.alive]
            first = min(living, key=lambda child: child.next_s, default=None)
            if first is None or own_s <= max(first.next_s, self.now_s):
                if own_s == math.inf:
                    raise Stuck("everybody sleeps for ever")
                self.now_s = own_s
                return []
            self.now_s = max(self.now_s, first.next_s)
            self._let_run(first)
        events, self.events = self.events, []
        for event in events:
            event()
        return []

    def _let_run(self, child: Child) -> None:
        if child.stopped_until_s is not None:
            child.stopped_until_s = None
            os.kill(child.pid, signal.SIGCONT)
        inbox, child.inbox[:] = list(child.inbox), []
        try:
            child.pipe.send(GoOn(self.now_s, inbox))
            said: Idle | str = child.pipe.recv()
        except (EOFError, OSError):
            self._bury(child)
            return
        if isinstance(said, str):
            self.said.append(said)
            child.stopped_until_s = self.now_s + STOPPED_S
            return
        child.wake_s = said.wake_s
        for message in said.out:
            if isinstance(message, str):
                self.said.append(message)
            else:
                self.events.append(partial(self._hear, child, message))

    def _hear(self, child: Child, message: Request | Reply) -> None:
        assert self.heard is not None
        self.heard(child, message)

    def _bury(self, child: Child) -> None:
        """Its connections break: whoever waits for an answer is told so."""
        child.alive = False
        self.said.append("killed")
        os.waitpid(child.pid, 0)
        child.pipe.close()
        self.events.append(child.http.break_off)


class LeaderLoop(VirtualLoop):
    def __init__(self) -> None:
        self._virtual = self._turns = _Leader()
        asyncio.SelectorEventLoop.__init__(self, self._turns)

    @property
    def children(self) -> list[Child]:
        return self._turns.children

    @property
    def said(self) -> list[str]:
        return self._turns.said

    def end_children(self, but: Child | None = None) -> None:
        for child in self.children:
            if child.alive and child is not but:
                child.alive = False
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                child.pipe.close()

    def lead(self, world: AsgiHttp) -> None:
        """What the children ask for is answered by `world`."""
        tasks: dict[asyncio.Task[None], None] = {}

        async def serve(child: Child, request: Request) -> None:
            reply = await answer(world, request)
            child.inbox.append(reply)

        def hear(child: Child, message: Request | Reply) -> None:
            if isinstance(message, Reply):
                child.http.settle(message)
                return
            task = self.create_task(serve(child, message))
            tasks[task] = None
            task.add_done_callback(tasks.pop)

        self._turns.heard = hear

    def fork(self, live: Callable[[Connection], None]) -> Child:
        """`live` runs in a process of its own, which ends with it."""
        here, there = Pipe()
        pid = os.fork()
        if pid == 0:
            here.close()
            try:
                live(there)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        there.close()
        child = Child(pid, here)
        self.children.append(child)
        return child
