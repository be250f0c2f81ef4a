"""Where a machine goes next: a state's name, None for no Next, or nowhere in this event."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias


class Halt(Enum):
    HALT = "a step has begun, or the machine has ended"


HALT = Halt.HALT
Target: TypeAlias = str | Halt | None
