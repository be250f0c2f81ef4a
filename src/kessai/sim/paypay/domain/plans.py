"""How the faults fall: pure decisions that a seed replays.

A decision is a function of (seed, fault, merchantPaymentId, n-th time), so the order in which
different payments arrive does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kessai.kernel.chance import SeededChance
from kessai.sim.paypay.domain.faults import Faults, Kind, LostBy, WebhookFaults
from kessai.sim.paypay.domain.operations import Operation
from kessai.sim.paypay.domain.results import PUBLISHED, Result


@dataclass(frozen=True, slots=True)
class ApiPlan:
    """What will go wrong with one call. `kind` is set for an error, `lost` for no answer."""

    delay_ms: int = 0
    kind: Kind | None = None
    takes_effect: bool = True
    lost: LostBy | None = None
    refusal: Result | None = None
    stale_ms: int = 0
    retry_after_s: int = 0


@dataclass(frozen=True, slots=True)
class WebhookPlan:
    """`delays_ms` has one entry for each copy. The flags after `held_back` change what is sent."""

    dropped: bool = False
    delays_ms: tuple[int, ...] = (0,)
    held_back: bool = False
    corrupt: bool = False
    wrong_amount: bool = False
    oversized: bool = False
    not_utf8: bool = False
    unknown_state: bool = False
    extra_fields: bool = False
    wrong_merchant: bool = False
    cut_mid_body: bool = False
    replay: bool = False
    fired: tuple[str, ...] = ()


QUIET: Final = ApiPlan()


def plan_call(faults: Faults, operation: Operation, subject: str, nth: int) -> ApiPlan:
    part = faults.of(operation)
    if part is None or not faults.covers(subject):
        return QUIET
    dice = Dice(faults.seed, operation, subject, nth)
    kind: Kind | None = (
        part.kinds[dice.below(len(part.kinds), "kind")] if dice.hits(part.error, "error") else None
    )
    refusal: Result | None = None
    if kind is None and dice.hits(part.refuse, "refuse"):
        code = part.refusals[dice.below(len(part.refusals), "refusal")]
        refusal = PUBLISHED[operation][code]
    lost = kind is None and dice.hits(part.lost_answer, "lostAnswer")
    return ApiPlan(
        delay_ms=dice.between(part.delay_ms, "delayMs"),
        kind=kind,
        takes_effect=refusal is None and (kind is None or dice.hits(part.effect, "effect")),
        lost=part.lost_by if lost else None,
        refusal=refusal,
        stale_ms=part.stale_ms if part.stale_ms and dice.hits(part.stale, "stale") else 0,
        retry_after_s=part.retry_after_s,
    )


def plan_webhook(faults: Faults, subject: str, state: str, nth: int) -> WebhookPlan:
    part = faults.webhooks
    if not faults.covers(subject):
        return WebhookPlan()
    dice = Dice(faults.seed, f"webhook.{state}", subject, nth)
    if state == "FAILED" and dice.hits(part.silent_failed, "silentFailed"):
        return WebhookPlan(dropped=True, fired=("silentFailed",))
    if dice.hits(part.drop, "drop"):
        return WebhookPlan(dropped=True, fired=("drop",))
    hit = {name: dice.hits(percent, name) for name, percent in _shares(part)}
    delays_ms = _delays(part, dice, hit["duplicate"], hit["burst"])
    fired = [name for name, was_hit in hit.items() if was_hit]
    if part.delay_ms[1] and any(delays_ms):
        fired.append("delayMs")
    if part.copy_delay_ms[1] and hit["duplicate"]:
        fired.append("copyDelayMs")
    return WebhookPlan(
        delays_ms=delays_ms,
        held_back=hit["reorder"],
        corrupt=hit["corrupt"],
        wrong_amount=hit["wrongAmount"],
        oversized=hit["oversized"],
        not_utf8=hit["notUtf8"],
        unknown_state=hit["unknownState"],
        extra_fields=hit["extraFields"],
        wrong_merchant=hit["wrongMerchant"],
        cut_mid_body=hit["cutMidBody"],
        replay=hit["replay"],
        fired=tuple(fired),
    )


def _shares(part: WebhookFaults) -> tuple[tuple[str, float], ...]:
    return (
        ("duplicate", part.duplicate),
        ("burst", part.burst),
        ("reorder", part.reorder),
        ("corrupt", part.corrupt),
        ("wrongAmount", part.wrong_amount),
        ("oversized", part.oversized),
        ("notUtf8", part.not_utf8),
        ("unknownState", part.unknown_state),
        ("extraFields", part.extra_fields),
        ("wrongMerchant", part.wrong_merchant),
        ("cutMidBody", part.cut_mid_body),
        ("replay", part.replay),
    )


def _delays(part: WebhookFaults, dice: Dice, doubled: bool, in_burst: bool) -> tuple[int, ...]:
    """The first one's, then the copies', then the burst's, which is spread evenly."""
    copies = part.duplicates if doubled else 0
    waits = [dice.between(part.delay_ms, f"delayMs.{copy}") for copy in range(1 + copies)]
    for copy in range(1, 1 + copies):
        waits[copy] += dice.between(part.copy_delay_ms, f"copyDelayMs.{copy}")
    if in_burst:
        more = part.burst_size - 1
        waits += [waits[0] + part.burst_ms * number // part.burst_size for number in range(more)]
    return tuple(waits)


def hits(faults: Faults, percent: float, fault: str, subject: str, place: str = "once") -> bool:
    """One throw for what can happen to a payment only once."""
    return faults.covers(subject) and Dice(faults.seed, place, subject, 0).hits(percent, fault)


@dataclass(frozen=True, slots=True)
class Dice:
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
