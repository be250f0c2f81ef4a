"""Wrong passwords are counted by address, so that nobody can guess for long."""

from __future__ import annotations

from collections import OrderedDict

from kessai.kernel.clock import Clock
from kessai.sim.firebase.domain import Limits, no


class SignInGuard:
    """A right password is refused as well while an address is locked, as Firebase does."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        # (wrong passwords in a row, when the last one came); the one touched last is at the end.
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def check(self, email: str) -> None:
        if self._count(email) >= self._limits.wrong_passwords:
            raise no(
                "TOO_MANY_ATTEMPTS_TRY_LATER",
                "Access to this account has been temporarily disabled due to many failed login "
                "attempts.",
            )

    def wrong(self, email: str) -> None:
        self._wrong[email] = (self._count(email) + 1, self._clock.monotonic())
        self._wrong.move_to_end(email)
        if len(self._wrong) > self._limits.max_watched_emails:
            self._wrong.popitem(last=False)

    def right(self, email: str) -> None:
        self._wrong.pop(email, None)

    def forget_all(self) -> None:
        self._wrong.clear()

    def _count(self, email: str) -> int:
        count, last_at_s = self._wrong.get(email, (0, 0.0))
        return count if self._clock.monotonic() - last_at_s < self._limits.lock_s else 0
