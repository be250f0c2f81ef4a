"""Taking what a customer has authorised: once, whatever becomes of the answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from kessai.kernel.clock import Clock
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.ids import content_id
from kessai.payment.application.ports import (
    NOT_SENT,
    USER_CONFIRMATION_REQUIRED,
    CaptureRequest,
    Provider,
    Sighting,
)
from kessai.payment.domain.evidence import Word

# Between an unknown answer and the question what became of it.
PAUSES_S = (1.0, 3.0, 10.0)
_CAPTURED = (Word.COMPLETED, Word.REFUNDED)


@dataclass(frozen=True, slots=True)
class CaptureWish:
    merchant_payment_id: str
    amount_yen: int
    description: str


class Captures:
    """After a lost answer it asks first, and then tries under another id (paypay.md, 1.4)."""

    def __init__(self, provider: Provider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock

    async def take(self, wish: CaptureWish) -> Sighting:
        """Raises `Refused`, or `Unknown`: USER_CONFIRMATION_REQUIRED, or nobody could tell."""
        for pause_s in PAUSES_S:
            try:
                return await self._provider.capture(self._request(wish))
            except Refused:
                # An earlier try may have been late instead of lost.
                if taken := await self._taken(wish):
                    return taken
                raise
            except Unknown as unknown:
                if unknown.code in (NOT_SENT, USER_CONFIRMATION_REQUIRED):
                    raise
            await asyncio.sleep(pause_s)
            if taken := await self._taken(wish):
                return taken
        raise Unknown("NO_ANSWER", "the provider did not say what became of the capture")

    async def _taken(self, wish: CaptureWish) -> Sighting | None:
        seen = await self._provider.get_payment(wish.merchant_payment_id)
        if seen.capture_waits:
            raise Unknown(USER_CONFIRMATION_REQUIRED, "the customer has not agreed yet")
        return seen if seen.word in _CAPTURED else None

    def _request(self, wish: CaptureWish) -> CaptureRequest:
        now_ms = self._clock.now_ms()
        return CaptureRequest(
            content_id("capture", wish.merchant_payment_id, str(now_ms)),
            wish.merchant_payment_id,
            wish.amount_yen,
            wish.description,
            now_ms,
        )
