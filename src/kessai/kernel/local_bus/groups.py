"""Groups: who is a member, who works which partition, how far each partition is handled.

A member is alive while its heartbeat is; a claim belongs to its member under a fence that grows
with every change of hands. Every function runs in the caller's write transaction.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import and_, bindparam, func, select, update

from kessai.kernel.db import Tx, insert_ignore
from kessai.kernel.errors import Fenced
from kessai.kernel.local_bus.log import Place
from kessai.kernel.local_bus.tables import CLAIM, HEAD, MEMBER

Start = Literal["earliest", "latest"]
NOBODY = ""


@dataclass(frozen=True, slots=True)
class Seat:
    """A member's place in its group for one start of its process."""

    group: str
    member: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A partition that a member works, from `position` on."""

    place: Place
    position: int
    fence: int


@dataclass(frozen=True, slots=True)
class Share:
    """What was newly taken, what may be kept, and what somebody else has taken over."""

    taken: tuple[Claim, ...]
    keep: frozenset[Place]
    lost: frozenset[Place]


_THIS_MEMBER = and_(
    MEMBER.c.consumer_group == bindparam("of_group"), MEMBER.c.member == bindparam("of_member")
)
_THIS_SEAT = and_(_THIS_MEMBER, MEMBER.c.epoch == bindparam("of_epoch"))
_THIS_PLACE = and_(
    CLAIM.c.consumer_group == bindparam("of_group"),
    CLAIM.c.topic == bindparam("of_topic"),
    CLAIM.c.partition == bindparam("of_partition"),
)
_MINE = and_(
    _THIS_PLACE, CLAIM.c.member == bindparam("of_member"), CLAIM.c.fence == bindparam("of_fence")
)

_NEW_MEMBER = insert_ignore(MEMBER)
_SIT = (
    update(MEMBER).where(_THIS_MEMBER).values(epoch=MEMBER.c.epoch + 1, until_ms=bindparam("until"))
)
_EPOCH = select(MEMBER.c.epoch).where(_THIS_MEMBER)
_BEAT = update(MEMBER).where(_THIS_SEAT).values(until_ms=bindparam("until"))
_ALIVE = (
    select(MEMBER.c.member)
    .where(MEMBER.c.consumer_group == bindparam("of_group"), MEMBER.c.until_ms > bindparam("now"))
    .order_by(MEMBER.c.member)
)
_CLAIMS = select(CLAIM).where(CLAIM.c.consumer_group == bindparam("of_group"))
_HEADS = select(HEAD)
_NEW_CLAIM = insert_ignore(CLAIM)
_TAKE = (
    update(CLAIM)
    .where(_THIS_PLACE)
    .values(member=bindparam("by"), fence=CLAIM.c.fence + 1, touched_at_ms=bindparam("now"))
)
_COMMIT = (
    update(CLAIM)
    .where(_MINE)
    .values(position=bindparam("next"), member=bindparam("by"), touched_at_ms=bindparam("now"))
)
_POSITION = select(CLAIM.c.position).where(_THIS_PLACE)
_MOVE = (
    update(CLAIM)
    .where(_THIS_PLACE)
    .values(position=bindparam("next"), touched_at_ms=bindparam("now"))
)
_BEHIND = func.max(0, HEAD.c.next_position - func.max(CLAIM.c.position, HEAD.c.first_position))
_LAG = (
    select(CLAIM.c.topic, func.sum(func.coalesce(_BEHIND, 0)).label("records"))
    .select_from(
        CLAIM.outerjoin(
            HEAD, and_(HEAD.c.topic == CLAIM.c.topic, HEAD.c.partition == CLAIM.c.partition)
        )
    )
    .where(CLAIM.c.consumer_group == bindparam("of_group"))
    .group_by(CLAIM.c.topic)
    .order_by(CLAIM.c.topic)
)


async def join(tx: Tx, group: str, member: str, until_ms: int) -> Seat:
    """Takes the member's seat, also from an earlier process of the same name, which then ends."""
    of = {"of_group": group, "of_member": member}
    fresh = {"consumer_group": group, "member": member, "epoch": 0, "until_ms": 0}
    await tx.run(_NEW_MEMBER, fresh)
    await tx.run(_SIT, {**of, "until": until_ms})
    return Seat(group, member, cast(int, (await tx.run(_EPOCH, of)).scalar()))


async def beat(tx: Tx, seat: Seat, until_ms: int) -> None:
    """Stays alive. Raises `Fenced` when a newer process has the seat."""
    of = {"of_group": seat.group, "of_member": seat.member, "of_epoch": seat.epoch}
    if (await tx.run(_BEAT, {**of, "until": until_ms})).rowcount != 1:
        raise Fenced(f"another process is {seat.member!r} of {seat.group!r} now")


async def leave(tx: Tx, seat: Seat) -> None:
    """Lets the others have the member's share at once."""
    of = {"of_group": seat.group, "of_member": seat.member, "of_epoch": seat.epoch}
    await tx.run(_BEAT, {**of, "until": 0})


async def open_claims(
    tx: Tx, group: str, places: Sequence[Place], start: Start, now_ms: int
) -> None:
    """Makes the group known at each place; `start` counts where it was not known before."""
    heads = {(row["topic"], row["partition"]): row for row in (await tx.run(_HEADS)).all()}
    column = "first_position" if start == "earliest" else "next_position"
    rows = [
        {
            "consumer_group": group,
            "topic": place[0],
            "partition": place[1],
            "position": heads[place][column] if place in heads else 0,
            "member": NOBODY,
            "fence": 0,
            "touched_at_ms": now_ms,
        }
        for place in places
    ]
    await tx.run(_NEW_CLAIM, rows)


async def take_share(
    tx: Tx,
    seat: Seat,
    places: Sequence[Place],
    held: Mapping[Place, int],
    barred: Container[Place],
    now_ms: int,
) -> Share:
    """Deals `places` out among the living members and takes what is free of this one's share.

    `held` are the fences of what it works now. What a living member still works is left to it:
    its own next look tells it to let go.
    """
    alive = [row["member"] for row in (await tx.run(_ALIVE, _group(seat.group, now=now_ms))).all()]
    claims = (await tx.run(_CLAIMS, _group(seat.group))).all()
    found = {(row["topic"], row["partition"]): row for row in claims}
    mine = {place for i, place in enumerate(places) if alive[i % len(alive)] == seat.member}
    taken = []
    for place in places:
        row = found[place]
        free = row["member"] == seat.member or row["member"] not in alive
        if place in mine and place not in held and place not in barred and free:
            await tx.run(_TAKE, {**_place(seat.group, place), "by": seat.member, "now": now_ms})
            taken.append(Claim(place, row["position"], row["fence"] + 1))
    still = {
        place
        for place, fence in held.items()
        if found[place]["member"] == seat.member and found[place]["fence"] == fence
    }
    return Share(tuple(taken), keep=frozenset(still & mine), lost=frozenset(held.keys() - still))


async def commit(tx: Tx, seat: Seat, claim: Claim, position: int, now_ms: int) -> bool:
    """Writes how far the partition is handled; False when somebody else has it now."""
    return await _commit(tx, seat, claim, position, seat.member, now_ms)


async def let_go(tx: Tx, seat: Seat, claim: Claim, position: int, now_ms: int) -> bool:
    """The last commit of a partition: it is free for the next member."""
    return await _commit(tx, seat, claim, position, NOBODY, now_ms)


async def _commit(
    tx: Tx, seat: Seat, claim: Claim, position: int, member: str, now_ms: int
) -> bool:
    mine = {**_place(seat.group, claim.place), "of_member": seat.member, "of_fence": claim.fence}
    values = {"next": position, "by": member, "now": now_ms}
    return (await tx.run(_COMMIT, {**mine, **values})).rowcount == 1


async def position(tx: Tx, group: str, place: Place) -> int:
    return cast(int, (await tx.run(_POSITION, _place(group, place))).scalar())


async def move(tx: Tx, group: str, place: Place, position: int, now_ms: int) -> None:
    """For a group without members, whose reading and effect are one transaction."""
    await tx.run(_MOVE, {**_place(group, place), "next": position, "now": now_ms})


async def lag(tx: Tx, group: str) -> dict[str, int]:
    rows = (await tx.run(_LAG, _group(group))).all()
    return {row["topic"]: cast(int, row["records"]) for row in rows}


def _group(group: str, **more: object) -> dict[str, object]:
    return {"of_group": group, **more}


def _place(group: str, place: Place) -> dict[str, object]:
    return {"of_group": group, "of_topic": place[0], "of_partition": place[1]}
