"""What every service is given from outside: settings, time, chance, bus, HTTP, databases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from kessai.kernel.aside import Aside, at_once
from kessai.kernel.bus import Bus
from kessai.kernel.chance import Chance
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db
from kessai.kernel.http import HttpClient
from kessai.kernel.ids import Ids
from kessai.kernel.objects import MemoryObjects, Objects
from kessai.kernel.settings import Settings


@dataclass(frozen=True, slots=True)
class Runtime:
    """Built once in `embedded` or `cli`; tests build theirs on virtual time and seeds."""

    settings: Settings
    clock: Clock
    ids: Ids
    chance: Chance
    bus: Bus
    http: HttpClient
    open_db: Callable[[str], Awaitable[Db]]
    objects: Objects = field(default_factory=MemoryObjects)
    aside: Aside = at_once

    @property
    def instance(self) -> str:
        return self.settings.instance
