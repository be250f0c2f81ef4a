"""`kessai stack`'s servers as a campaign uses them."""

from __future__ import annotations

from collections.abc import Mapping

from kessai.proof.chaos.fleet import CannotStart
from kessai.proof.chaos.servers import KILLED
from kessai.stack.application import Stack, StackError
from kessai.stack.domain.reports import State
from kessai.stack.domain.server import chosen


class StackServers:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._cards = chosen(KILLED)

    async def up(self, *names: str) -> Mapping[str, str]:
        try:
            reports = await self._stack.up(chosen(names or KILLED), lambda _: None)
        except StackError as error:
            raise CannotStart(str(error)) from error
        for report in reports:
            if report.state is not State.READY:
                raise CannotStart(f"{report.server}: {report.why}")
        return self._stack.settings(reports)

    async def kill(self, name: str) -> bool:
        (card,) = chosen([name])
        return await self._stack.kill(card)

    async def end(self) -> None:
        await self._stack.down(self._cards)
