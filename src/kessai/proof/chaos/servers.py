"""The real servers below the shop, as far as a campaign needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

# Those that every service needs; the audit trail and pictures have outages of their own.
KILLED: Final = ("mariadb", "kafka", "redis")


class Servers(Protocol):
    """Private ones, which live as long as the campaign."""

    async def up(self, *names: str) -> Mapping[str, str]:
        """Starts those (or all) that do not run, and waits; the settings that lead to them.

        Raises `CannotStart`.
        """
        ...

    async def kill(self, name: str) -> bool:
        """kill -9; it stays down until `up`. False where nothing ran."""
        ...

    async def end(self) -> None:
        """Everything that was started is ended."""
        ...
