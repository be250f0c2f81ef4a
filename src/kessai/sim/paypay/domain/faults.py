"""Faults on demand: what may be set. All is off at first; how it falls is in `plans`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from kessai.sim.paypay.domain.behaviour import Behaviour
from kessai.sim.paypay.domain.knobs import Part, Percent, Span, TwoDaySpan, Wait, WeekSpan
from kessai.sim.paypay.domain.operations import EVERY, Operation
from kessai.sim.paypay.domain.results import EVERYWHERE, PUBLISHED

Kind = Literal["500", "502", "503", "504", "429", "401", "badJson", "reset"]
# A caller sees a broken connection, or one that hangs until it gives up.
LostBy = Literal["drop", "hang"]


class WebhookFaults(Part):
    """`duplicates` are the copies sent beside the first one when `duplicate` fires.

    They go at the same time, or `copyDelayMs` later; the span `delayMs` is for each of them too.
    """

    drop: Percent = 0
    duplicate: Percent = 0
    duplicates: Annotated[int, Field(ge=1, le=49)] = 2
    copy_delay_ms: WeekSpan = (0, 0)
    reorder: Percent = 0
    delay_ms: TwoDaySpan = (0, 0)
    corrupt: Percent = 0
    wrong_amount: Percent = 0
    early: Percent = 0
    silent_failed: Percent = 0
    oversized: Percent = 0
    not_utf8: Percent = Field(0, alias="notUtf8")
    unknown_state: Percent = 0
    extra_fields: Percent = 0
    wrong_merchant: Percent = 0
    cut_mid_body: Percent = 0
    replay: Percent = 0
    forged: Percent = 0
    burst: Percent = 0
    burst_size: Annotated[int, Field(ge=2, le=5000)] = 1000
    burst_ms: Wait = 1000


def _published(codes: tuple[str, ...]) -> tuple[str, ...]:
    known = {code for results in PUBLISHED.values() for code in results}
    if wrong := [code for code in codes if code not in known]:
        raise ValueError(f"not published: {', '.join(wrong)}")
    return codes


class ApiFaults(Part):
    """`effect` is the share of errors that take effect all the same, as PayPay's own 500 may.

    `refuse` answers one of `refusals`, published errors of the operation, and has no effect.
    `stale` is the share of look-ups that tell what was true `staleMs` ago.
    """

    error: Percent = 0
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("500",)
    effect: Percent = 0
    retry_after_s: Annotated[int, Field(ge=0, le=86_400)] = 0
    refuse: Percent = 0
    refusals: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_published)] = (
        "SERVICE_ERROR",
    )
    delay_ms: Span = (0, 0)
    lost_answer: Percent = 0
    lost_by: LostBy = "drop"
    stale: Percent = 100
    stale_ms: Wait = 0


class Blackout(Part):
    """No answers and no webhooks, from `from_ms` after it was set, for `for_ms`."""

    from_ms: Wait = 0
    for_ms: Wait = 0
    by: LostBy = "drop"


class Flapping(Part):
    """No answers for `down_ms`, then answers for `up_ms`, and again, since it was set."""

    down_ms: Wait = 0
    up_ms: Annotated[int, Field(ge=1, le=600_000)] = 1000
    by: LostBy = "drop"


class SettlementFaults(Part):
    """Of the rows of a day's file; `unknown` adds one after as many rows of the book."""

    omit: Percent = 0
    wrong_amount: Percent = 0
    unknown: Percent = 0
    broken: Percent = 0
    refund_id: Literal["payment", "refund"] = "payment"


class Faults(Part):
    """All that `/sim/faults` holds. Times in milliseconds, chances in per cent."""

    seed: Annotated[int, Field(ge=0, le=2**53)] = 7
    scope: Annotated[str, Field(min_length=1, max_length=64)] = EVERY
    webhooks: WebhookFaults = WebhookFaults()
    api: dict[Operation | Literal["*"], ApiFaults] = Field(default_factory=dict)
    blackout: Blackout = Blackout()
    flapping: Flapping = Flapping()
    settlement: SettlementFaults = SettlementFaults()
    behaviour: Behaviour = Behaviour()
    code_lifetime_s: Annotated[int, Field(ge=1, le=86_400)] = 300

    @model_validator(mode="after")
    def refusals_belong_to_their_operation(self) -> Self:
        everywhere = {result.code for result in EVERYWHERE}
        for operation, part in self.api.items():
            known = everywhere if operation == EVERY else PUBLISHED[operation].keys()
            if wrong := [code for code in part.refusals if code not in known]:
                raise ValueError(f"{operation} never answers {', '.join(wrong)}")
        return self

    def covers(self, subject: str) -> bool:
        return self.scope == EVERY or subject.startswith(self.scope)

    def of(self, operation: Operation) -> ApiFaults | None:
        """The entry of the operation, else the one of all; the two are not mixed."""
        return self.api.get(operation) or self.api.get(EVERY)
