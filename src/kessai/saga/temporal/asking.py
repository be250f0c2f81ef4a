"""A step's question and its answer, as they cross the border to Temporal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from kessai.kernel.errors import JsonValue
from kessai.saga.history import Run, Step, Thrown
from kessai.saga.interpreter import Value
from kessai.saga.language.model import ServiceTask
from kessai.saga.log.tables import ASKED_LENGTH
from kessai.saga.services import StepContext

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """`asked` names this asking of this step: a local step answers it once, however often it is
    sent. `token` may outlive it: it is the same until the effect of the step is known.
    """

    context: StepContext
    service: str
    method: str
    input: Sequence[JsonValue]
    asked: str
    timeout_s: float

    @property
    def name(self) -> str:
        return f"{self.service}.{self.method}"

    def to_json(self) -> Json:
        context = self.context
        return {
            "token": context.token,
            "instance_id": context.instance_id,
            "business_key": context.business_key,
            "machine": context.machine,
            "state": context.state,
            "attempt": context.attempt,
            "cause": context.cause.to_json() if context.cause else None,
            "input": self.input,
            "asked": self.asked,
            "timeout_s": self.timeout_s,
        }


def question(run: Run, step: Step, task: ServiceTask, timeout_s: float) -> Question:
    context = StepContext(
        token=step.token,
        instance_id=run.instance_id,
        business_key=run.business_key,
        machine=run.machine.name,
        state=step.name,
        attempt=step.attempt,
        cause=run.cause,
    )
    # The number alone comes again after a restart where a state left no row.
    asked = f"{run.restarts}.{step.n}.{step.attempt}.{step.name}"[:ASKED_LENGTH]
    timeout_s = task.timeout_s or timeout_s
    return Question(context, task.service, task.method, step.input, asked, timeout_s)


def context_of(given: Json) -> StepContext:
    cause = given["cause"]
    return StepContext(
        token=given["token"],
        instance_id=given["instance_id"],
        business_key=given["business_key"],
        machine=given["machine"],
        state=given["state"],
        attempt=given["attempt"],
        cause=Thrown.from_json(cause) if cause else None,
    )


def answered(result: Value | Thrown) -> Json:
    if isinstance(result, Thrown):
        return {"thrown": result.to_json()}
    return {"value": result.value}


def result_of(answer: Json) -> Value | Thrown:
    if "thrown" in answer:
        return Thrown.from_json(cast("JsonValue", answer["thrown"]))
    return Value(answer["value"])
