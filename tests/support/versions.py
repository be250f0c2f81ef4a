"""The whole shop with one service a version behind the others, on the wire and on the bus.

What it sends has only what version 1 had. What it gets from the others has fields that it does not
know, events have a schema version of the future, and event types that it does not know come too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from tests.support.samples import PORTS, of_a_later_version, of_version_1, version_1

from kessai.embedded import Ports, System, build_unit
from kessai.kernel.bus import Bus, Consumer, Handle, Message, Record
from kessai.kernel.calls import Serve, local, simulated
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.topology import (
    ACCOUNT,
    ALERT,
    BFF,
    ORDER,
    PAYMENT,
    SEARCH,
    SIMULATORS,
    STORAGE,
    service,
)

P = TypeVar("P")
_FUTURE = 9
_BUILT = (*SIMULATORS, ACCOUNT, STORAGE, PAYMENT, SEARCH, ORDER, ALERT, BFF)
_FIELDS = {
    "order": ORDER,
    "account": ACCOUNT,
    "storage": STORAGE,
    "payment": PAYMENT,
    "search": SEARCH,
    "alert": ALERT,
}


@dataclass
class Wire:
    """The calls of one service to another; the units are there when the first call is made."""

    callee: str
    units: Mapping[str, Unit[object]]
    caller_is_behind: bool
    callee_is_behind: bool

    async def carry(self, operation: str, command: str, serve: Serve) -> str:
        known = version_1()
        name = f"{self.callee}.{operation}"
        sent = self._on_its_way(command, known[f"{name}.command"], self.caller_is_behind)
        # `serve` reads the command as it was sent; what changed on its way is in the operation.
        answer = await _served(self.units[self.callee].port, operation, sent, serve)
        return self._on_its_way(answer, known[f"{name}.answer"], self.callee_is_behind)

    def _on_its_way(self, text: str, known: Any, sender_is_behind: bool) -> str:
        content = json.loads(text)
        if sender_is_behind:
            return json.dumps(of_version_1(content, known))
        if self.caller_is_behind or self.callee_is_behind:
            return json.dumps(of_a_later_version(content, known))
        return text


async def _served(target: object, operation: str, command: str, serve: Serve) -> str:
    class Changed:
        """The callee, to whom the command comes as it was changed on its way."""

    async def ask(given: Any) -> Any:
        return await getattr(target, operation)(type(given).model_validate_json(command))

    changed = Changed()
    setattr(changed, operation, ask)
    return await serve(changed)


class MixedBus:
    """The bus as one service sees it."""

    def __init__(self, bus: Bus, *, behind: bool) -> None:
        self._bus = bus
        self._behind = behind

    async def publish(self, messages: Sequence[Message]) -> None:
        await self._bus.publish([self._sent(message) for message in messages])

    def _sent(self, message: Message) -> Message:
        known = version_1()
        content = json.loads(message.value)
        example = known[f"events.{content['eventType']}"]
        if not self._behind:
            later = of_a_later_version(content, example)
            return replace(message, value=_encoded({**later, "schemaVersion": _FUTURE}))
        return replace(message, value=_encoded(of_version_1(content, example)))

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        handle: Handle,
        *,
        start: Literal["earliest", "latest"] = "earliest",
        at_once: int = 1,
    ) -> Consumer:
        async def with_what_nobody_knows(record: Record) -> None:
            future = {"eventType": "OfTheFuture", "schemaVersion": _FUTURE, "facts": [1]}
            await handle(replace(record, value=_encoded(future)))
            await handle(record)

        return self._bus.consumer(
            group, topics, with_what_nobody_knows, start=start, at_once=at_once
        )

    async def lag(self, group: str) -> Mapping[str, int]:
        return await self._bus.lag(group)

    async def redrive(self, topic: str, *, limit: int = 1000) -> int:
        return await self._bus.redrive(topic, limit=limit)

    async def close(self) -> None:
        await self._bus.close()


def _encoded(content: object) -> bytes:
    return json.dumps(content).encode()


async def mixed_system(runtime: Runtime, behind: str) -> System:
    """`behind` is a service's name. The ports of the system itself are direct ones."""
    name = service(behind).name
    units: dict[str, Unit[object]] = {}
    timeout_s = runtime.settings.call_timeout_s

    def wires(caller: str) -> Ports:
        def call(callee: str) -> Any:
            wire = Wire(callee, units, caller == name, callee == name)
            return simulated(PORTS[callee], wire, service=callee, timeout_s=timeout_s)

        return Ports(**{field: call(card.name) for field, card in _FIELDS.items()})

    for card in _BUILT:
        mixed = MixedBus(runtime.bus, behind=card.name == name)
        # The rules read the local bus's own files, which no other bus can stand in front of.
        seen = runtime if card == ALERT else replace(runtime, bus=mixed)
        units[card.name] = await build_unit(seen, card, wires(card.name))

    def direct(callee: str) -> Any:
        unit = units[callee]
        return local(PORTS[callee], unit.port, service=callee, timeout_s=timeout_s)

    ports = Ports(**{field: direct(card.name) for field, card in _FIELDS.items()})
    return System(runtime, list(units.values()), ports)
