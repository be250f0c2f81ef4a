"""Runs seeds: each alone in its world, over a scene that the process keeps."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from kessai.kernel.telemetry import overheard
from kessai.proof.simulation.complaints import Complaints
from kessai.proof.simulation.dice import Dice
from kessai.proof.simulation.loop import SimLoop, Stuck
from kessai.proof.simulation.mix import Mix, draw
from kessai.proof.simulation.play import Outcome, Play
from kessai.proof.simulation.scene import Scene, scene
from kessai.proof.simulation.trace import Happening, Trace
from kessai.proof.simulation.world import START, World

_COLLECT_EVERY = 50


@dataclass(frozen=True, slots=True)
class Limit:
    """A prefix of a seed: the first customers only, and faults until a virtual second."""

    customers: int | None = None
    faults_until_s: float | None = None

    def of(self, mix: Mix) -> Mix:
        if self.customers is not None:
            mix = replace(mix, plans=mix.plans[: self.customers])
        if self.faults_until_s is not None:
            mix = replace(mix, heal_s=min(mix.heal_s, self.faults_until_s))
        return mix


@dataclass(frozen=True, slots=True)
class SeedResult:
    """`digest` is the same wherever the seed runs; `violations` is empty when all is well."""

    seed: int
    digest: str
    violations: tuple[str, ...]
    orders: int
    ends: Counter[str]
    fired: Counter[str]
    checked: Counter[str]
    steps: int
    virtual_s: float
    final_after_s: float
    # Order id and end, in the order of their ids, which is that of time.
    orders_by_id: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    happenings: tuple[Happening, ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        return not self.violations

    @property
    def order_ids(self) -> tuple[str, ...]:
        return tuple(order_id for order_id, _ in self.orders_by_id)


def run_seed(seed: int, *, limit: Limit | None = None, keep: bool = False) -> SeedResult:
    """The whole seed, or a prefix of it; `keep` remembers what happened."""
    mix = draw(seed)
    return run_mix(limit.of(mix) if limit else mix, keep=keep)


def run_mix(mix: Mix, *, keep: bool = False) -> SeedResult:
    complaints = Complaints()
    with overheard(complaints.hear):
        the_scene = scene()
        the_scene.set_up(unordered=mix.unordered)
        loop = SimLoop(Dice("loop", mix.seed), mix.shuffle)
        trace = Trace(loop.time, keep=keep)
        world = World(the_scene.stage, mix, loop, trace, START)
        complaints.begin(world.findings)
        _listen(loop, world)
        try:
            outcome = _play(loop, world, the_scene)
        finally:
            complaints.end()
            world.end()
            loop.close()
    return _result(mix, outcome, loop, the_scene, trace)


def _play(loop: SimLoop, world: World, the_scene: Scene) -> Outcome:
    play = Play(world, the_scene)
    task = loop.create_task(play.run(), context=world.director.context())
    try:
        return loop.run_until_complete(task)
    except Stuck as stuck:
        world.findings.append(f"the simulation is stuck: {stuck}")
        return Outcome(wrong=world.findings, virtual_s=loop.time())


def _listen(loop: SimLoop, world: World) -> None:
    def on_problem(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "never retrieved" not in context["message"] and "destroyed" not in context["message"]:
            error = context.get("exception")
            world.findings.append(f"in the loop: {context['message']} {error!r}")

    loop.set_exception_handler(on_problem)


def _result(
    mix: Mix, outcome: Outcome, loop: SimLoop, the_scene: Scene, trace: Trace
) -> SeedResult:
    trace.absorb(loop.choices)
    for disk in the_scene.stage.disks().values():
        for row in disk.content():
            trace.absorb(row)
    return SeedResult(
        seed=mix.seed,
        digest=trace.digest(),
        violations=tuple(dict.fromkeys(outcome.wrong)),
        orders=len(outcome.orders),
        ends=Counter(end for _, end in outcome.orders),
        orders_by_id=tuple(outcome.orders),
        fired=trace.fired,
        checked=outcome.checked,
        steps=loop.steps,
        virtual_s=outcome.virtual_s,
        final_after_s=outcome.final_after_s,
        happenings=tuple(sorted([*trace.happenings, *outcome.moves], key=lambda one: one.at_s)),
    )


@contextmanager
def many_seeds() -> Iterator[Any]:
    """The garbage search takes a tenth of the time: it is done between seeds, now and then.

    What is there after the first seed stays, and so need not be searched.
    """
    was_on, count = gc.isenabled(), 0
    gc.disable()

    def between() -> None:
        nonlocal count
        count += 1
        if count == 1:
            gc.collect()
            gc.freeze()
        elif count % _COLLECT_EVERY == 0:
            gc.collect()

    try:
        yield between
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()
