"""How every seed begins: an open shop with its goods and members, made once and copied."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from kessai.proof.simulation.dice import Dice
from kessai.proof.simulation.loop import SimLoop
from kessai.proof.simulation.mix import BROWSERS, Mix
from kessai.proof.simulation.trace import Trace
from kessai.proof.simulation.world import CUSTOMERS, START, Stage, World
from kessai.topology import FIREBASE_SIMULATOR, STORAGE

SHOP = "http://127.0.0.1:8080"
FIREBASE = f"http://127.0.0.1:{FIREBASE_SIMULATOR.port}"
_IDENTITY = f"{FIREBASE}/identitytoolkit.googleapis.com/v1/accounts"
_SETTLE_S = 30.0
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Member:
    email: str
    id_token: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Goods:
    """Products by what a story needs of them."""

    plenty: int
    more: int
    scarce: int
    sold_out: int


@dataclass(frozen=True, slots=True)
class Scene:
    stage: Stage
    images: dict[str, bytes]
    members: tuple[Member, ...]
    goods: Goods

    def set_up(self, *, unordered: bool) -> None:
        for name, disk in self.stage.disks().items():
            disk.fill(self.images[name])
            disk.reverse(unordered=unordered)


@cache
def scene() -> Scene:
    stage = Stage()
    loop = SimLoop(Dice("scene"), 0.0)
    world = World(stage, Mix(0), loop, Trace(loop.time), START - timedelta(minutes=2))
    try:
        opening = loop.create_task(_open(world), context=world.director.context())
        members = loop.run_until_complete(opening)
    finally:
        world.end()
        loop.close()
    images = {name: disk.image() for name, disk in stage.disks().items()}
    return Scene(stage, images, members, _goods(stage))


async def _open(world: World) -> tuple[Member, ...]:
    await world.open()
    members = [await _join(world, number) for number in range(BROWSERS)]
    # Products are announced and heard of, and nothing is left to do.
    await asyncio.sleep(_SETTLE_S)
    for house in reversed(world.houses.values()):
        await house.close()
    return tuple(members)


async def _join(world: World, number: int) -> Member:
    email = f"member{number}@example.com"
    wish = {"email": email, "password": "kessai-demo", "returnSecureToken": True}
    joined = await _post(world, f"{_IDENTITY}:signUp?key=k", wish)
    id_token = str(joined["idToken"])
    await _post(world, f"{SHOP}/api/auth/session", {"idToken": id_token})
    return Member(email, id_token, str(joined["refreshToken"]))


async def _post(world: World, url: str, body: object) -> dict[str, object]:
    answer = await world.https[CUSTOMERS].send(
        "POST",
        url,
        headers={"Content-Type": "application/json"},
        body=json.dumps(body).encode(),
        timeout_s=_TIMEOUT_S,
    )
    if answer.status >= 300:
        raise RuntimeError(f"{url} answered {answer.status}: {answer.body[:500]!r}")
    content: dict[str, object] = json.loads(answer.body)
    return content


def _goods(stage: Stage) -> Goods:
    rows = stage.shells[STORAGE.name].disk.rows(
        "select product_id, available from stock order by product_id"
    )
    counts = {int(str(row["product_id"])): int(str(row["available"])) for row in rows}
    plenty = [product for product, count in counts.items() if count >= 100]
    return Goods(
        plenty=plenty[0],
        more=plenty[-1],
        scarce=min(product for product, count in counts.items() if count == 3),
        sold_out=min(product for product, count in counts.items() if count == 0),
    )
