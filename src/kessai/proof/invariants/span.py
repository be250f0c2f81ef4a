"""A stretch of the orders, by their ids; whoever looks at one looks at all that is named by it."""

from __future__ import annotations

from typing import NamedTuple

# Behind every id, and behind everything that begins with an id: ids are base 36.
END = "~"
_LAST_CHARACTER = "\U0010ffff"


class Span(NamedTuple):
    """Ids and names from `low` on and below `high`."""

    low: str
    high: str

    @classmethod
    def of(cls, order_id: str) -> Span:
        return cls(order_id, f"{order_id}{END}")

    @property
    def before(self) -> str:
        """What nothing can lie between and `low`, for who leaves the ends out."""
        if not self.low:
            return ""
        return f"{self.low[:-1]}{chr(ord(self.low[-1]) - 1)}{_LAST_CHARACTER}"


FIRST = Span("", f"{END}{END}")
