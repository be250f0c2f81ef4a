"""Seeds of the simulation: nothing is wrong, and each tells the same story everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache

import pytest

from kessai.proof.simulation.campaign import run_seeds
from kessai.proof.simulation.mix import draw
from kessai.proof.simulation.run import Limit, run_seed
from kessai.proof.simulation.story import mermaid, orders_in, story_of

FEWEST_ORDERS = 20
SEED = 7
# Too few of its own customers come to an order: others come when all is well.
FEW_BUY = 26

# A seed is run once for all the tests that only look at it.
seed_alone = cache(run_seed)


@pytest.mark.story
@pytest.mark.parametrize("seed", [1, SEED, FEW_BUY])
def test_faults_end_and_every_book_agrees(seed: int) -> None:
    result = seed_alone(seed)
    assert result.violations == ()
    assert result.orders >= FEWEST_ORDERS
    assert sum(result.ends.values()) == result.orders
    assert result.checked["I20"] > result.orders


@pytest.mark.story
@pytest.mark.parametrize("seed", [1284, 2311])
def test_a_cancel_that_was_on_its_way_takes_no_money_from_a_paid_order(seed: int) -> None:
    """Its answer was lost, the customer paid meanwhile, and then it arrived after all."""
    assert run_seed(seed).violations == ()


@pytest.mark.story
def test_a_seed_does_the_same_alone_in_a_series_and_when_looked_at_closely() -> None:
    series = run_seeds([2, SEED])
    assert series.digests[SEED] == seed_alone(SEED).digest != series.digests[2]
    assert run_seed(SEED, keep=True).digest == seed_alone(SEED).digest


@pytest.mark.story
@pytest.mark.timeout(300)
def test_a_seed_does_the_same_in_another_process() -> None:
    own = os.environ.get("PYTHONHASHSEED", "random")
    assert _digest_elsewhere("1" if own == "0" else "0") == seed_alone(SEED).digest


def _digest_elsewhere(hash_seed: str) -> str:
    # Nothing of the machine may reach a seed: neither the order of hashes nor its settings.
    given = {"PYTHONHASHSEED": hash_seed, "KESSAI_CALL_TIMEOUT_S": "1"}
    environment: Mapping[str, str] = {**os.environ, **given}
    done = subprocess.run(
        [sys.executable, "-m", "kessai", "simulate", "--seed", str(SEED), "--json"],
        env=environment,
        capture_output=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr.decode()
    return str(json.loads(done.stdout)["digest"])


@pytest.mark.story
def test_a_prefix_has_fewer_customers_and_ends_its_faults_sooner() -> None:
    whole = seed_alone(SEED)
    part = run_seed(SEED, limit=Limit(customers=4, faults_until_s=3.0))
    assert part.violations == ()
    assert 0 < part.orders < whole.orders
    assert sum(part.fired.values()) < sum(whole.fired.values())


@pytest.mark.story
def test_the_story_of_an_order_is_its_own_and_ends_with_it() -> None:
    result = run_seed(SEED, limit=Limit(customers=4), keep=True)
    first, second = result.order_ids[:2]
    story = story_of(result, first)
    assert any(one.kind == "move" and "PENDING" in one.text for one in story)
    assert any(one.kind == "http" for one in story)
    assert not any(second in one.text and first not in one.text for one in story)
    assert mermaid(story).startswith("sequenceDiagram\n")
    assert orders_in(result, [f"I13 {first}-1 is not final", "nothing"]) == [first]


def test_seeds_draw_every_kind_of_fault_and_none_of_them_always() -> None:
    mixes = [draw(seed) for seed in range(200)]
    for of_mix in (
        lambda mix: mix.kills,
        lambda mix: mix.bus.again,
        lambda mix: mix.bus.in_doubt,
        lambda mix: mix.busy,
        lambda mix: any(line.lost_after for line in mix.lines.values()),
        lambda mix: mix.knobs.get("blackout"),
        lambda mix: mix.shuffle,
        lambda mix: mix.away,
        lambda mix: mix.loose,
        lambda mix: mix.unordered,
        lambda mix: any(kill.twin for kill in mix.kills),
        lambda mix: sum(kill.twin for kill in mix.kills) > 1,
    ):
        drawn = sum(1 for mix in mixes if of_mix(mix))
        assert 5 < drawn < 195
    assert all(len(mix.plans) > FEWEST_ORDERS for mix in mixes)
