"""The faults that are set now, how often each fired, and the blackout."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue, ValidationError

from kessai.kernel.clock import Clock
from kessai.kernel.errors import JsonValue as Fact
from kessai.kernel.errors import Kind, Refused
from kessai.sim.paypay.application.happenings import Happenings
from kessai.sim.paypay.application.ports import Store
from kessai.sim.paypay.domain.faults import Faults
from kessai.sim.paypay.domain.operations import Operation
from kessai.sim.paypay.domain.plans import QUIET, ApiPlan, WebhookPlan, plan_call, plan_webhook

_KEPT_AS: Final = "faults"
MAX_COUNTED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Fired:
    """`place` is an operation or another part of the faults, `answers:` and an operation for the
    published errors that were answered, whatever made them.
    """

    place: str
    fault: str
    times: int


class FaultBox:
    def __init__(self, store: Store, clock: Clock, happenings: Happenings) -> None:
        self._store = store
        self._clock = clock
        self._happenings = happenings
        self.faults = Faults()
        self._blackout_set_ms = 0
        self._flapping_set_ms = 0
        self._nth: Counter[tuple[str, str]] = Counter()
        self._fired: Counter[tuple[str, str]] = Counter()

    async def open(self) -> None:
        kept = await self._store.kept(_KEPT_AS)
        if kept is not None:
            content = json.loads(kept)
            self.faults = Faults.model_validate(content["faults"])
            self._blackout_set_ms = content["blackoutSetMs"]
            self._flapping_set_ms = content.get("flappingSetMs", 0)

    async def change(self, patch: Mapping[str, JsonValue]) -> Faults:
        """Merges; null takes an entry back to its default. Raises `Refused` VALIDATION."""
        now = _plain(self.faults)
        faults = _checked(_merged(now, {key: patch[key] for key in patch if key != "fired"}))
        if "blackout" in patch:
            self._blackout_set_ms = self._clock.now_ms()
        if "flapping" in patch:
            self._flapping_set_ms = self._clock.now_ms()
        if faults.seed != self.faults.seed:
            self._nth.clear()
        self.faults = faults
        kept = {
            "faults": _plain(faults),
            "blackoutSetMs": self._blackout_set_ms,
            "flappingSetMs": self._flapping_set_ms,
        }
        await self._store.keep(_KEPT_AS, json.dumps(kept))
        return faults

    def clear(self) -> None:
        self.faults = Faults()
        self._nth.clear()
        self._fired.clear()

    def fired(self) -> list[Fired]:
        return [Fired(place, fault, times) for (place, fault), times in self._fired.items()]

    def has_blackout(self) -> bool:
        blackout = self.faults.blackout
        if not blackout.for_ms:
            return False
        since_ms = self._clock.now_ms() - self._blackout_set_ms - blackout.from_ms
        return 0 <= since_ms < blackout.for_ms

    def is_down(self, subject: str) -> bool:
        """Whether the flapping line is down for this payment."""
        flapping = self.faults.flapping
        if not flapping.down_ms or not self.faults.covers(subject):
            return False
        since_ms = self._clock.now_ms() - self._flapping_set_ms
        return since_ms % (flapping.down_ms + flapping.up_ms) < flapping.down_ms

    def call(self, operation: Operation, subject: str) -> ApiPlan:
        """Counts the call: the same payment's next call is another throw."""
        if self.faults.of(operation) is None:
            return QUIET
        plan = plan_call(self.faults, operation, subject, self._next(operation, subject))
        if plan.delay_ms:
            self.note(operation, "delayMs", subject, f"{plan.delay_ms} ms")
        if plan.kind is not None:
            self.note(operation, "error", subject, plan.kind)
        if plan.refusal is not None:
            self.note(operation, "refuse", subject, plan.refusal.code)
        if plan.lost is not None:
            self.note(operation, "lostAnswer", subject, plan.lost)
        return plan

    def webhook(self, subject: str, told: str, request_id: str | None = None) -> WebhookPlan:
        state = told if request_id is None else f"{told}.{request_id}"
        plan = plan_webhook(self.faults, subject, state, 0)
        for fault in plan.fired:
            self.note("webhooks", fault, subject, told)
        return plan

    def answered(self, operation: Operation, code: str) -> None:
        """Counts a published error that is answered, by the book's word or a fault's."""
        self._fired[f"answers:{operation}", code] += 1

    def note(self, place: str, fault: str, subject: str, detail: str) -> None:
        self._fired[place, fault] += 1
        self._happenings.tell(f"fault.{fault}", subject, f"{place} {detail}".strip())

    def _next(self, operation: str, subject: str) -> int:
        if len(self._nth) >= MAX_COUNTED:
            self._nth.clear()
        nth = self._nth[operation, subject]
        self._nth[operation, subject] = nth + 1
        return nth


def _plain(faults: Faults) -> dict[str, JsonValue]:
    content: dict[str, JsonValue] = faults.model_dump(mode="json", by_alias=True)
    return content


def _merged(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(before, dict):
            merged[key] = _merged(before, value)
        else:
            merged[key] = value
    return merged


def _checked(content: Mapping[str, JsonValue]) -> Faults:
    try:
        return Faults.model_validate(content)
    except ValidationError as error:
        raise _refusal(error) from error


def _refusal(error: ValidationError) -> Refused:
    found: dict[str, str] = {}
    for problem in error.errors():
        # Pydantic names the branches of a union in the location; people know none of them.
        known = [str(part) for part in problem["loc"] if "[" not in str(part)]
        found.setdefault(".".join(known), problem["type"].upper())
    errors: list[Fact] = [{"field": field, "code": code} for field, code in found.items()]
    fields = ", ".join(found)
    return Refused(
        "VALIDATION", f"not a fault setting: {fields}", kind=Kind.INVALID, facts={"errors": errors}
    )
