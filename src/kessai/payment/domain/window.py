"""Cancel or refund: the provider cancels a payment until a quarter past midnight in Japan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, auto

# The provider's business day; Japan has no summer time.
_JST = timezone(timedelta(hours=9))
# Until 00:14:59 of the next day, so from 00:15:00 on no more.
_CANCEL_ENDS = timedelta(days=1, minutes=15)


class WayBack(Enum):
    """How the money of a captured payment may go back."""

    CANCEL = auto()
    REFUND = auto()


def ways_back(captured_at_ms: int, now_ms: int) -> tuple[WayBack, ...]:
    """The ways that are open. A refund always is; a cancel is for what we never got to see."""
    if now_ms < cancel_ends_ms(captured_at_ms):
        return (WayBack.CANCEL, WayBack.REFUND)
    return (WayBack.REFUND,)


def cancel_ends_ms(captured_at_ms: int) -> int:
    """The first moment at which a payment of that time is not cancelled any more."""
    day = datetime.fromtimestamp(captured_at_ms // 1000, UTC).astimezone(_JST)
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return int((midnight + _CANCEL_ENDS).timestamp()) * 1000
