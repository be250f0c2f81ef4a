"""Faults on demand: what may be set, and the pure decisions that a seed replays.

A decision is a function of (seed, fault, merchantPaymentId, n-th time), so the order in which
different payments arrive does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from kessai.kernel.chance import SeededChance

MAX_WAIT_MS: Final = 600_000


Operation = Literal[
    "createCode",
    "deleteCode",
    "getCodePayment",
    "getPayment",
    "cancel",
    "refund",
    "getRefund",
    "capture",
    "revert",
]
EVERY: Final = "*"
Kind = Literal["500", "502", "503", "429", "401", "badJson", "reset"]


def _ordered(span: tuple[int, int]) -> tuple[int, int]:
    if span[0] > span[1]:
        raise ValueError("the first number may not be larger than the second")
    return span


Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Wait = Annotated[int, Field(ge=0, le=MAX_WAIT_MS)]
Span = Annotated[tuple[Wait, Wait], AfterValidator(_ordered)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class WebhookFaults(_Part):
    """`duplicates` are the copies sent beside the first one when `duplicate` fires."""

    drop: Percent = 0
    duplicate: Percent = 0
    duplicates: Annotated[int, Field(ge=1, le=20)] = 2
    reorder: Percent = 0
    delay_ms: Span = (0, 0)
    corrupt: Percent = 0
    wrong_amount: Percent = 0


class ApiFaults(_Part):
    """`effect` is the share of errors that take effect all the same, as PayPay's own 500 may.

    A lost answer is a dropped connection, or one that hangs until the caller gives up.
    """

    error: Percent = 0
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("500",)
    effect: Percent = 0
    delay_ms: Span = (0, 0)
    lost_answer: Percent = 0
    lost_by: Literal["drop", "hang"] = "drop"
    stale_ms: Wait = 0


class Blackout(_Part):
    """No answers and no webhooks, from `from_ms` after it was set, for `for_ms`."""

    from_ms: Wait = 0
    for_ms: Wait = 0


class Behaviour(_Part):
    """Where PayPay's documents leave a choice or contradict each other."""

    expired_code: Literal["created", "notFound"] = "created"
    duplicate_id: Literal["error", "previous"] = "error"
    webhook_retries: Literal["3x100", "10x500"] = "3x100"
    multiple_refunds: bool = True
    refund_delay_ms: Wait = 1000
    cancel_delay_ms: Wait = 500


class Faults(_Part):
    """All that `/sim/faults` holds. Times in milliseconds, chances in per cent."""

    seed: Annotated[int, Field(ge=0, le=2**53)] = 7
    scope: Annotated[str, Field(min_length=1, max_length=64)] = EVERY
    webhooks: WebhookFaults = WebhookFaults()
    api: dict[Operation | Literal["*"], ApiFaults] = Field(default_factory=dict)
    blackout: Blackout = Blackout()
    behaviour: Behaviour = Behaviour()
    code_lifetime_s: Annotated[int, Field(ge=1, le=86_400)] = 300

    def covers(self, subject: str) -> bool:
        return self.scope == EVERY or subject.startswith(self.scope)

    def of(self, operation: Operation) -> ApiFaults | None:
        """The entry of the operation, else the one of all; the two are not mixed."""
        return self.api.get(operation) or self.api.get(EVERY)


@dataclass(frozen=True, slots=True)
class ApiPlan:
    """What will go wrong with one call. `kind` is set for an error, `lost` for no answer."""

    delay_ms: int = 0
    kind: Kind | None = None
    takes_effect: bool = True
    lost: Literal["drop", "hang"] | None = None
    stale_ms: int = 0


@dataclass(frozen=True, slots=True)
class WebhookPlan:
    """`delays_ms` has one entry for each copy."""

    dropped: bool = False
    delays_ms: tuple[int, ...] = (0,)
    held_back: bool = False
    corrupt: bool = False
    wrong_amount: bool = False


QUIET: Final = ApiPlan()


def plan_call(faults: Faults, operation: Operation, subject: str, nth: int) -> ApiPlan:
    part = faults.of(operation)
    if part is None or not faults.covers(subject):
        return QUIET
    dice = _Dice(faults.seed, operation, subject, nth)
    kind: Kind | None = (
        part.kinds[dice.below(len(part.kinds), "kind")] if dice.hits(part.error, "error") else None
    )
    lost = kind is None and dice.hits(part.lost_answer, "lostAnswer")
    return ApiPlan(
        delay_ms=dice.between(part.delay_ms, "delayMs"),
        kind=kind,
        takes_effect=kind is None or dice.hits(part.effect, "effect"),
        lost=part.lost_by if lost else None,
        stale_ms=part.stale_ms,
    )


def plan_webhook(faults: Faults, subject: str, state: str, nth: int) -> WebhookPlan:
    part = faults.webhooks
    if not faults.covers(subject):
        return WebhookPlan()
    dice = _Dice(faults.seed, f"webhook.{state}", subject, nth)
    copies = 1 + (part.duplicates if dice.hits(part.duplicate, "duplicate") else 0)
    return WebhookPlan(
        dropped=dice.hits(part.drop, "drop"),
        delays_ms=tuple(dice.between(part.delay_ms, f"delayMs.{copy}") for copy in range(copies)),
        held_back=dice.hits(part.reorder, "reorder"),
        corrupt=dice.hits(part.corrupt, "corrupt"),
        wrong_amount=dice.hits(part.wrong_amount, "wrongAmount"),
    )


@dataclass(frozen=True, slots=True)
class _Dice:
    """One throw for each question, so that changing one fault leaves the others as they fell."""

    seed: int
    place: str
    subject: str
    nth: int

    def hits(self, percent: float, question: str) -> bool:
        return percent > 0 and self._throw(question) * 100 < percent

    def between(self, span: tuple[int, int], question: str) -> int:
        low, high = span
        return low if low == high else low + int(self._throw(question) * (high - low + 1))

    def below(self, count: int, question: str) -> int:
        return 0 if count == 1 else int(self._throw(question) * count)

    def _throw(self, question: str) -> float:
        key = f"{self.seed}/{self.place}/{question}/{self.subject}/{self.nth}"
        return SeededChance(key).random()
