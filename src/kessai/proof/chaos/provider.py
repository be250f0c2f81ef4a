"""The simulator's remote control: sets its faults, and adds up how often each fired."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from kessai.kernel.errors import Unknown
from kessai.kernel.http import Http
from kessai.proof.chaos.weather import CALM, CALM_BEHAVIOUR

_TIMEOUT_S: Final = 5.0


class Provider:
    """Counters begin anew with each start of the simulator, so they are read before its end."""

    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._url = f"{url}/sim/faults"
        self._before: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    async def replace(self, knobs: Mapping[str, JsonValue]) -> bool:
        """Nothing of an earlier weather stays: what is set merges, so that is cleared first."""
        calm = await self.set({**CALM, **CALM_BEHAVIOUR})
        return calm and (not knobs or await self.set(knobs))

    async def set(self, knobs: Mapping[str, JsonValue]) -> bool:
        """Whether it was taken; a simulator that is down takes nothing."""
        try:
            answer = await self._http.send(
                "PUT",
                self._url,
                headers={"Content-Type": "application/json"},
                body=json.dumps(knobs).encode(),
                timeout_s=_TIMEOUT_S,
            )
        except Unknown:
            return False
        if answer.status >= 400:
            raise ValueError(f"the simulator refused {knobs}: {answer.body[:300]!r}")
        return True

    async def look(self) -> None:
        try:
            answer = await self._http.send("GET", self._url, timeout_s=_TIMEOUT_S)
        except Unknown:
            return
        self._now = _flat(json.loads(answer.body)["fired"])

    async def will_end(self) -> None:
        await self.look()
        self._before += self._now
        self._now = Counter()

    @property
    def fired(self) -> Counter[str]:
        return self._before + self._now


def _flat(fired: Mapping[str, JsonValue]) -> Counter[str]:
    """`webhooks.drop`, `api.createCode.lostAnswer`, `blackout`, ..."""
    found: Counter[str] = Counter()
    for place, part in fired.items():
        if place == "answers":
            # What the book's own word answered is no fault.
            continue
        if isinstance(part, dict):
            for name, times in _flat(part).items():
                found[f"{place}.{name}"] += times
        elif isinstance(part, int):
            found[place] += part
    return found
