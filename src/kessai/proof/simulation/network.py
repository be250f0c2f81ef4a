"""The lines between services: calls and HTTP that are late, lost, doubled, or find nobody there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kessai.kernel.calls import Serve, unavailable_code
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.http import Answer, AsgiHttp, NoAnswer, NotSent
from kessai.proof.simulation.dice import Dice
from kessai.proof.simulation.loop import OWNER
from kessai.proof.simulation.mix import LineFaults
from kessai.proof.simulation.trace import Trace

if TYPE_CHECKING:
    from kessai.proof.simulation.house import House

# A machine's own network, in seconds. Most calls take no time at all: the loop's own choice mixes
# what is ready, and each timer costs a step.
_NEAR_S = 0.0003
_SEEN_DELAYS = 0.25


class Line:
    """One direction of one edge."""

    def __init__(
        self, caller: str, callee: str, faults: LineFaults, seed: int, trace: Trace
    ) -> None:
        self.caller = caller
        self.callee = callee
        self._faults = faults
        self._dice = Dice("line", seed, caller, callee)
        self._trace = trace
        self.healed = False

    def hits(self, kind: str, share: float, text: str = "") -> bool:
        if self.healed or not self._dice.hits(share):
            return False
        self._trace.fault(f"{self.kind}.{kind}", self.caller, self.callee, text)
        return True

    @property
    def kind(self) -> str:
        far = "paypay-simulator" in (self.caller, self.callee)
        return "paypay" if far else "browser" if self.caller == "customers" else "call"

    def delay_s(self, text: str) -> float:
        if self.hits("slow", self._faults.slow, text):
            return self._dice.between(0, self._faults.slow_s)
        return self._dice.between(_NEAR_S, 4 * _NEAR_S) if self._dice.hits(_SEEN_DELAYS) else 0.0

    def loses_request(self, text: str) -> bool:
        return self.hits("lost_before", self._faults.lost_before, text)

    def loses_answer(self, text: str) -> bool:
        return self.hits("lost_after", self._faults.lost_after, text)

    def repeats(self, text: str) -> float | None:
        """How long after the first the second one goes."""
        if self.hits("again", self._faults.again, text):
            return self._dice.between(0, 1.0)
        return None

    def refuses(self) -> bool:
        """Whether a caller learns at once that nobody is there, or only by its own time limit."""
        return self._dice.unit() < 0.7


async def _pass(delay_s: float) -> None:
    if delay_s:
        await asyncio.sleep(delay_s)


async def silence() -> str:
    """Until the caller gives up."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return await answer


class Calls:
    """The carrier of `kernel.calls.simulated` for one caller and one callee."""

    def __init__(self, line: Line, callee: House, trace: Trace) -> None:
        self._line = line
        self._callee = callee
        self._trace = trace

    async def carry(self, operation: str, command: str, serve: Serve) -> str:
        line, trace = self._line, self._trace
        trace.note("call", line.caller, line.callee, f"{operation} {command}")
        await _pass(line.delay_s(operation))
        if line.loses_request(operation):
            return await silence()
        again_s = line.repeats(operation)
        answer = await self._ask(operation, serve)
        if again_s is not None:
            # As `http` does: the answer was lost, and an idempotent call is sent once more.
            await asyncio.sleep(again_s)
            answer = await self._ask(operation, serve)
        await _pass(line.delay_s(operation))
        if line.loses_answer(operation):
            return await silence()
        trace.note("answer", line.callee, line.caller, f"{operation} {answer}")
        return answer

    async def _ask(self, operation: str, serve: Serve) -> str:
        house = self._callee
        life = house.life
        if life is None or not house.is_up:
            if self._line.refuses():
                raise Unknown(unavailable_code(house.name), "the connection was refused")
            return await silence()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        context = copy_context()
        context.run(OWNER.set, life)
        work = _serve(serve, house.port, answer, house.tell)
        name = f"{house.name}:{operation}"
        task = loop.create_task(work, name=name, context=context)
        return await house.wait_for(answer, task)


async def _serve(
    serve: Serve, port: object, answer: asyncio.Future[str], tell: Callable[[str], None]
) -> None:
    try:
        text = await serve(port)
    except (Refused, Unknown) as error:
        _end(answer, error)
    except Exception as error:
        tell(f"a call failed: {error!r}")
        _end(answer, error)
    else:
        if not answer.done():
            answer.set_result(text)


def _end(answer: asyncio.Future[str], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


class SimHttp(AsgiHttp):
    """HTTP of one caller to whoever listens; a request is a task of the one who answers it."""

    def __init__(
        self,
        caller: str,
        houses: Mapping[str, House],
        lines: Mapping[str, Line],
        trace: Trace,
        on_answer: Callable[[str, bytes], None],
    ) -> None:
        """`houses` by their origin, `lines` by the callee's name.

        `on_answer` hears of each body that was taken, whether its sender learns of it or not.
        """
        super().__init__()
        self._caller = caller
        self._houses = houses
        self._lines = lines
        self._trace = trace
        self._on_answer = on_answer

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Answer:
        parts = urlsplit(url)
        house = self._houses[f"{parts.scheme}://{parts.netloc}"]
        line = self._lines[house.name]
        what = f"{method} {parts.path}"
        sent = body.decode("utf-8", "backslashreplace") if body else ""
        self._trace.note("http", self._caller, house.name, f"{what} {sent}".strip())
        end_s = asyncio.get_running_loop().time() + timeout_s
        await self._go(line.delay_s(what), end_s)
        if line.loses_request(what):
            return await self._wait_for_nothing(end_s)
        if not house.is_up:
            if line.refuses():
                raise NotSent("the connection was refused")
            return await self._wait_for_nothing(end_s)
        self.route(house.origin, house.app)
        left_s = max(0.0, end_s - asyncio.get_running_loop().time())
        answer = await super().send(method, url, headers=headers, body=body, timeout_s=left_s)
        if answer.status == 200:
            self._on_answer(parts.path, body or b"")
        await self._go(line.delay_s(what), end_s)
        if line.loses_answer(what):
            return await self._wait_for_nothing(end_s)
        told = answer.body[:2000].decode("utf-8", "backslashreplace")
        self._trace.note("reply", house.name, self._caller, f"{what} {answer.status} {told}")
        return answer

    async def _go(self, delay_s: float, end_s: float) -> None:
        if not delay_s:
            return
        now_s = asyncio.get_running_loop().time()
        await asyncio.sleep(min(delay_s, max(0.0, end_s - now_s)))
        if now_s + delay_s > end_s:
            raise NoAnswer("no answer in time")

    async def _wait_for_nothing(self, end_s: float) -> Answer:
        await self._go(float("inf"), end_s)
        raise NoAnswer("no answer in time")

    def _begin(self, origin: str, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        context = self._houses[origin].new_context()
        return asyncio.get_running_loop().create_task(work, context=context)
