"""A saga with its sub machines as data: rows of the log that cross the border to Temporal."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kessai.saga.log.rows import EVENT_VALUES, MACHINE_VALUES, EventRow, MachineRow

Json: TypeAlias = dict[str, Any]

# Temporal takes 2 MB in one payload; rows of one saga resemble each other, so they pack well.
_PLAIN_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Tree:
    """The root first, then its sub machines; the events of each in their order."""

    machines: Sequence[MachineRow]
    events: Mapping[str, Sequence[EventRow]]

    def to_json(self) -> Json:
        return pack(
            {
                "machines": [MACHINE_VALUES(one) for one in self.machines],
                "events": [EVENT_VALUES(one) for rows in self.events.values() for one in rows],
            }
        )

    @staticmethod
    def from_json(given: Json) -> Tree:
        content = unpack(given)
        events: dict[str, list[EventRow]] = {}
        for values in content["events"]:
            row = EventRow(*values)
            events.setdefault(row.machine_id, []).append(row)
        return Tree([MachineRow(*values) for values in content["machines"]], events)


def pack(content: Json) -> Json:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    if len(text) < _PLAIN_BYTES:
        return content
    return {"packed": base64.b64encode(zlib.compress(text, 6)).decode()}


def unpack(given: Json) -> Json:
    packed = given.get("packed")
    if packed is None:
        return given
    content: Json = json.loads(zlib.decompress(base64.b64decode(packed)))
    return content
