"""A saga as one Temporal workflow: its steps are activities, operators' orders are updates."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from kessai.kernel.errors import Fenced, Refused
from kessai.saga.history import Operation, Thrown
from kessai.saga.interpreter import Value
from kessai.saga.language import Machine, load
from kessai.saga.limits import EngineLimits
from kessai.saga.outcome import Outcome
from kessai.saga.steering import NO_ORDER, Order
from kessai.saga.temporal.asking import Question, result_of
from kessai.saga.temporal.player import Player, Renewed
from kessai.saga.temporal.trees import Json, Tree, pack, unpack

WORKFLOW = "KessaiSaga"
STEER = "steer"
TREE = "tree"
SAVE = "kessai.save"
LOAD = "kessai.load"
FENCED = "Fenced"
DUPLICATE = "Duplicate"
# Beyond what a step's own limit says, for a busy worker.
_MARGIN_S = 10.0
_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=0.2),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=5),
)


@dataclass(frozen=True, slots=True)
class Given:
    """What a workflow begins with; a definition comes along, so that a deploy cannot change it.

    Without a `tree` it loads one from the database, for an order that comes with the start or
    because its history was lost.
    """

    instance_id: str
    owner: str
    definitions: list[str]
    limits: Json
    lease_s: float
    trail: Json
    tree: Json | None = None
    saved: dict[str, int] | None = None
    ordered: bool = False

    def to_json(self) -> Json:
        return asdict(self)


@lru_cache(maxsize=256)
def machine_of(definition: str) -> Machine:
    return load(json.loads(definition))


@workflow.defn(name=WORKFLOW)
class SagaWorkflow:
    def __init__(self) -> None:
        self._player: Player | None = None

    @workflow.run
    async def run(self, given_json: dict[str, Any]) -> dict[str, Any]:
        given = Given(**given_json)
        world = TemporalWorld(given)
        tree = Tree.from_json(given.tree if given.tree is not None else await world.load())
        machines = [machine_of(one) for one in given.definitions]
        limits = EngineLimits(**given.limits)
        player = Player(machines, given.owner, given.instance_id, world, limits)
        saved = given.saved
        if saved is None:
            saved = {one: len(rows) for one, rows in tree.events.items()}
        try:
            await player.take_up(tree, saved, recover=given.tree is None)
            self._player = player
            outcome = await player.play(ordered=given.ordered)
            while not workflow.all_handlers_finished():
                # An order that came at the last moment has set it in motion again.
                await workflow.wait_condition(workflow.all_handlers_finished)
                outcome = await player.play()
        except Renewed:
            await workflow.wait_condition(workflow.all_handlers_finished)
            rest = player.tree().to_json()
            following = {**given_json, "tree": rest, "saved": player.saved, "ordered": False}
            workflow.continue_as_new(following)
        except Fenced as error:
            self._player = player
            raise ApplicationError(str(error), type=FENCED, non_retryable=True) from error
        return _shown(outcome)

    @workflow.update(name=STEER)
    async def steer(self, order: dict[str, Any]) -> dict[str, Any]:
        await workflow.wait_condition(lambda: self._player is not None)
        assert self._player is not None
        by = order["by"]
        placed = NO_ORDER if by is None else Order(**by)
        try:
            operation = Operation(order["operation"])
            changed = await self._player.steer(operation, order["params"], placed)
        except Refused as refused:
            return {"refused": refused.code, "message": str(refused), "kind": refused.kind.value}
        except Fenced as error:
            return {"refused": "SAGA_RUNNING", "message": str(error), "kind": "CONFLICT"}
        return {"changed": changed}

    @workflow.query(name=TREE)
    def tree(self) -> dict[str, Any]:
        if self._player is None:
            return Tree([], {}).to_json()
        return self._player.tree().to_json()


class TemporalWorld:
    """See `player.World`."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._heartbeat = timedelta(seconds=given.lease_s)

    def now_ms(self) -> int:
        return round(workflow.now().timestamp() * 1000)

    def random(self) -> float:
        return workflow.random().random()

    async def ask(self, question: Question) -> Value | Thrown:
        answer = await workflow.execute_activity(
            question.name,
            pack({**question.to_json(), "trail": self._given.trail}),
            start_to_close_timeout=timedelta(seconds=question.timeout_s + _MARGIN_S),
            # A worker that died is noticed, and the step is asked again with the same token.
            heartbeat_timeout=self._heartbeat,
            retry_policy=_RETRY,
            summary=question.context.state,
        )
        return result_of(unpack(answer))

    async def save(self, tree: Tree) -> None:
        try:
            await workflow.execute_activity(
                SAVE,
                tree.to_json(),
                start_to_close_timeout=timedelta(seconds=_MARGIN_S),
                retry_policy=_RETRY,
            )
        except ActivityError as error:
            cause = error.cause
            kind = cause.type if isinstance(cause, ApplicationError) else None
            if kind == FENCED:
                raise Fenced(str(cause)) from error
            if kind == DUPLICATE:
                raise Refused("SAGA_DUPLICATE", str(cause)) from error
            raise

    async def load(self) -> Json:
        tree: Json = await workflow.execute_activity(
            LOAD,
            self._given.instance_id,
            start_to_close_timeout=timedelta(seconds=_MARGIN_S),
            retry_policy=_RETRY,
        )
        return tree

    async def until(self, holds: Callable[[], bool], due_ms: int | None) -> None:
        pause_s = None if due_ms is None else max(0.0, (due_ms - self.now_ms()) / 1000)
        if pause_s == 0.0:
            return
        try:
            await workflow.wait_condition(holds, timeout=pause_s)
        except TimeoutError:
            return

    def is_long(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()


def _shown(outcome: Outcome) -> dict[str, Any]:
    """For people who look at the closed workflow; the truth is in the service's database."""
    return {
        "status": outcome.status,
        "compensation": outcome.compensation,
        "error": outcome.error.code if outcome.error else None,
    }
