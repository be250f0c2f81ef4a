"""What a workflow asks its workers for: steps of the saga, and rows of the service's database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from temporalio import activity
from temporalio.exceptions import ApplicationError

from kessai.kernel.clock import Clock
from kessai.kernel.errors import DatabaseUnavailable, Fenced, Refused, Unknown
from kessai.kernel.telemetry import correlated, get_log
from kessai.saga.driver import Classify
from kessai.saga.history import NotStorable, Thrown, Verdict
from kessai.saga.interpreter import Value
from kessai.saga.log import encode
from kessai.saga.services import Bound, Services, StepContext, plain
from kessai.saga.temporal.asking import Json, answered, context_of
from kessai.saga.temporal.book import Book
from kessai.saga.temporal.trees import Tree, pack, unpack
from kessai.saga.temporal.workflow import DUPLICATE, FENCED, LOAD, SAVE

_log = get_log("kessai.saga")


class Activities:
    def __init__(
        self,
        book: Book,
        services: Services,
        clock: Clock,
        classify: Classify,
        lease_s: float,
        on_saved: Callable[[Tree], None],
    ) -> None:
        self._book = book
        self._services = services
        self._clock = clock
        self._classify = classify
        self._beat_s = lease_s / 3
        self._on_saved = on_saved

    def all(self) -> Sequence[Callable[..., Any]]:
        """Each method of a service is an activity of its own: `storage.reserve`."""
        steps = [
            self._step(f"{service}.{method}", bound)
            for (service, method), bound in self._services.all().items()
        ]
        return [*steps, self.save, self.load]

    def _step(self, name: str, bound: Bound) -> Callable[[Json], Awaitable[Json]]:
        async def step(packed: dict[str, Any]) -> dict[str, Any]:
            given = unpack(packed)
            trail = given["trail"]
            with correlated(trail["correlation"], traceparent=trail["traceparent"]):
                async with _beating(self._beat_s):
                    answer = self._local(bound, given) if bound.local else self._ask(bound, given)
                    return pack(await answer)

        return activity.defn(name=name)(step)

    @activity.defn(name=SAVE)
    async def save(self, tree: dict[str, Any]) -> None:
        given = Tree.from_json(tree)
        try:
            await self._book.save(given)
        except Fenced as error:
            raise ApplicationError(str(error), type=FENCED, non_retryable=True) from error
        except Refused as error:
            raise ApplicationError(str(error), type=DUPLICATE, non_retryable=True) from error
        self._on_saved(given)

    @activity.defn(name=LOAD)
    async def load(self, instance_id: str) -> dict[str, Any]:
        return (await self._book.load(instance_id)).to_json()

    async def _ask(self, bound: Bound, given: Json) -> Json:
        """A remote call, outside of any transaction. Silence counts as Unknown."""
        context = context_of(given)
        limit = asyncio.timeout(given["timeout_s"])
        try:
            async with limit:
                value = plain(await bound.call(context, None, given["input"]))
            encode({"value": value})
            return answered(Value(value))
        except BaseException as error:
            if limit.expired():
                text = f"no answer within {given['timeout_s']} s"
                return self._failed(context, Unknown("TIMEOUT", text))
            return self._failed(context, error)

    def _failed(self, context: StepContext, error: BaseException) -> Json:
        """As an answer. What ends this worker is raised: another one is asked."""
        if isinstance(error, asyncio.CancelledError):
            asking = cast("asyncio.Task[object]", asyncio.current_task())
            if asking.cancelling():
                raise error
            # The service gave up by itself, which says nothing about its effect.
            error = Unknown("CANCELLED", "the call was cancelled")
        if isinstance(error, KeyboardInterrupt | GeneratorExit):
            raise error
        if isinstance(error, NotStorable):
            thrown = Thrown(("NotStorable",), str(error), Verdict.UNKNOWN, code="NOT_STORABLE")
            return answered(thrown)
        if not isinstance(error, Refused | Unknown):
            _log.exception("saga.step_failed", instance_id=context.instance_id, state=context.state)
        return answered(self._classify(error))

    async def _local(self, bound: Bound, given: Json) -> Json:
        """The service's changes and the answer that says so, in one transaction.

        The answer of a failure is kept, too: a slow worker that was given up cannot commit later.
        Raises `DatabaseUnavailable`, and Temporal sends the question again.
        """
        context = context_of(given)
        asked: tuple[str, str] = (context.instance_id, given["asked"])
        try:
            async with self._book.db.transaction() as tx:
                known = await self._book.answer(tx, *asked)
                if known is not None:
                    return cast("Json", json.loads(known))
                value = plain(await bound.call(context, tx, given["input"]))
                answer = answered(Value(value))
                data = encode(answer)
                await self._book.keep_answer(tx, *asked, data, self._clock.now_ms())
            return answer
        except DatabaseUnavailable:
            raise
        except BaseException as error:
            return await self._keep(asked, self._failed(context, error))

    async def _keep(self, asked: tuple[str, str], failure: Json) -> Json:
        """The failure, unless this question was answered by another sending meanwhile."""
        async with self._book.db.transaction() as tx:
            known = await self._book.answer(tx, *asked)
            if known is not None:
                return cast("Json", json.loads(known))
            await self._book.keep_answer(tx, *asked, encode(failure), self._clock.now_ms())
        return failure


@asynccontextmanager
async def _beating(every_s: float) -> AsyncIterator[None]:
    async def beat() -> None:
        while True:
            await asyncio.sleep(every_s)
            activity.heartbeat()

    beats = asyncio.get_running_loop().create_task(beat())
    try:
        yield
    finally:
        beats.cancel()
