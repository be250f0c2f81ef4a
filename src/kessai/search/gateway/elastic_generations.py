"""The indexes of one shop: which is searched, which are being built, and what a crash left."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from elasticsearch import AsyncElasticsearch, BadRequestError

from kessai.kernel.elastic import asking
from kessai.kernel.errors import Unknown
from kessai.kernel.telemetry import get_log
from kessai.search.domain.document import ANALYSIS_VERSION

UNAVAILABLE: Final = "SEARCH_UNAVAILABLE"
# Raised with every change of the mapping or of the settings of an index.
LAYOUT: Final = 1
_EXISTS: Final = "resource_already_exists_exception"
_TRIES: Final = 20
# What another instance has been building for longer is what its crash left.
_LONGEST_REBUILD_MS: Final = 3_600_000
_SEEN: Final = "*.aliases,*.mappings._meta,*.settings.index.creation_date"
_log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Generation:
    name: str
    analysis: int
    number: int
    is_live: bool
    is_building: bool
    layout: int
    builder: str
    created_ms: int

    @property
    def fits(self) -> bool:
        return (self.analysis, self.layout) == (ANALYSIS_VERSION, LAYOUT)

    @property
    def writes(self) -> str:
        return writing_name(self.name)


def writing_name(index: str) -> str:
    """An alias that lives as long as its index. A write that comes late names no index, which
    Elasticsearch would make anew, but an alias, which it refuses."""
    return f"{index}-own"


class Generations:
    def __init__(
        self,
        client: AsyncElasticsearch,
        prefix: str,
        *,
        instance: str,
        index: Mapping[str, Any],
        mapping: Mapping[str, Any],
    ) -> None:
        self.alias = f"{prefix}-products"
        self._building = f"{self.alias}-building"
        self._name = re.compile(rf"{re.escape(self.alias)}-(\d+)-(\d+)")
        self._client = client
        self._instance = instance
        self._index = index
        self._mapping = mapping
        self._mine: list[str] = []

    async def all(self) -> list[Generation]:
        """The one that is searched first."""
        found = await self._client.indices.get(
            index=f"{self.alias}-*", filter_path=_SEEN, expand_wildcards="open"
        )
        made = [one for name, told in found.body.items() if (one := self._read(name, told))]
        return sorted(made, key=lambda one: (not one.is_live, one.number))

    async def written_to(self) -> list[Generation]:
        """By every instance: what is put while a new index is built goes into both.

        Tokens of this analysis are of no use to a newer one; whoever has it takes over.
        """
        every = await self.all()
        live = [one for one in every if one.is_live]
        if any(one.analysis > ANALYSIS_VERSION for one in live):
            raise Unknown(UNAVAILABLE, "the index is of a newer analysis")
        found = live + [one for one in every if one.is_building and one.fits and not one.is_live]
        if not found:
            raise Unknown(UNAVAILABLE, "there is no index yet")
        return found

    async def begin(self) -> Generation:
        """A new index, into which puts go from now on; what crashed rebuilds left goes."""
        name = await self._create(await self.all())
        every = await self.all()
        made = next((one for one in every if one.name == name), None)
        if made is None:
            raise Unknown(UNAVAILABLE, "the new index is not there")
        await self._delete([one for one in every if self._is_left_over(one, made)])
        # From here on it is whoever asked for it that gives it up; before, it is left over.
        self._mine.append(name)
        return made

    async def change_over(self, made: Generation) -> None:
        """Should its answer be lost, the new index stays: it may be the one that is searched."""
        await self._client.indices.refresh(index=made.name)
        self._mine.remove(made.name)
        here = {"index": made.name}
        await self._swap(
            # Whatever it is, also when two change over at once.
            {"remove": {"index": f"{self.alias}-*", "alias": self.alias, "must_exist": False}},
            {"remove": {**here, "alias": self._building}},
            {"add": {**here, "alias": self.alias}},
        )
        every = await self.all()
        for surplus in [one for one in every if one.is_live and one.name != made.name]:
            # Two that changed over in the same moment: the later one is searched, for both of us.
            loser = min(surplus, made, key=lambda one: one.number)
            await self._swap(
                {"remove": {"index": loser.name, "alias": self.alias, "must_exist": False}}
            )
        await self._delete([one for one in every if not one.is_live and not one.is_building])

    async def give_up(self, made: Generation) -> None:
        if made.name in self._mine:
            self._mine.remove(made.name)
            await self._delete([made])

    async def _create(self, known: Sequence[Generation]) -> str:
        number = max((one.number for one in known), default=0)
        for _ in range(_TRIES):
            number += 1
            name = f"{self.alias}-{ANALYSIS_VERSION}-{number}"
            about = {"layout": LAYOUT, "builder": self._instance}
            try:
                await self._client.indices.create(
                    index=name,
                    aliases={self._building: {}, writing_name(name): {}},
                    settings={"index": {**self._index}},
                    mappings={**self._mapping, "_meta": about},
                )
            except BadRequestError as error:
                if error.error != _EXISTS:
                    raise
            else:
                return name
        raise Unknown(UNAVAILABLE, "too many build an index at once")

    def _is_left_over(self, other: Generation, made: Generation) -> bool:
        """Both times are those of Elasticsearch."""
        if other.is_live or other.name in (made.name, *self._mine):
            return False
        if not other.is_building or other.builder == self._instance:
            return True
        return made.created_ms - other.created_ms > _LONGEST_REBUILD_MS

    async def _swap(self, *actions: dict[str, Any]) -> None:
        await self._client.indices.update_aliases(actions=actions)

    async def _delete(self, surplus: Sequence[Generation]) -> None:
        """What cannot be deleted now is deleted by the next rebuild."""
        for one in surplus:
            try:
                async with asking(UNAVAILABLE):
                    await self._client.indices.delete(index=one.name, ignore_unavailable=True)
            except Unknown as error:
                _log.warning("index_not_deleted", index=one.name, why=error.message)

    def _read(self, name: str, told: Mapping[str, Any]) -> Generation | None:
        """None for an index of somebody else whose name begins as ours do."""
        if not (parts := self._name.fullmatch(name)):
            return None
        aliases = told.get("aliases", {})
        about = told.get("mappings", {}).get("_meta", {})
        return Generation(
            name,
            int(parts[1]),
            int(parts[2]),
            is_live=self.alias in aliases,
            is_building=self._building in aliases,
            layout=int(about.get("layout", 0)),
            builder=str(about.get("builder", "")),
            created_ms=int(told["settings"]["index"]["creation_date"]),
        )
