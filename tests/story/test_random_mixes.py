"""Shops drawn by seed: any customers, any faults; once faults stop, everything agrees in time."""

from __future__ import annotations

import pytest
from tests.support.mixes import draw, run
from tests.support.wide_mixes import draw_wide

SEEDS = (4, 18, 39, 101, 102, 103, 104, 105, 106, 107, 108, 109)
WIDE_SEEDS = (2, 4, 8, 10, 11, 12)


@pytest.mark.story
@pytest.mark.parametrize("seed", SEEDS)
def test_faults_stop_and_every_order_is_final_and_everything_agrees(seed: int) -> None:
    mix = draw(seed)
    verdict = run(mix)
    assert verdict.wrong == [], f"seed {seed}: {mix.text()}"
    assert verdict.orders > 0


@pytest.mark.story
@pytest.mark.parametrize("seed", WIDE_SEEDS)
def test_whatever_paypay_itself_may_do_ends_no_worse(seed: int) -> None:
    mix = draw_wide(seed)
    verdict = run(mix)
    assert verdict.wrong == [], f"wide seed {seed}: {mix.text()}"
    assert verdict.orders > 0


@pytest.mark.story
def test_the_same_seed_tells_the_same_story() -> None:
    first, second = run(draw(18)), run(draw(18))
    assert (first.met, first.virtual_s, first.fired) == (
        second.met,
        second.virtual_s,
        second.fired,
    )
