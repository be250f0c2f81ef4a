"""The same checks find each known mistake in the naive shop, and none in ours."""

from __future__ import annotations

import pytest
from tests.naive.checks import CHECKS
from tests.naive.sides import PAGE, page, verdict_of

# One worker makes each verdict once, also for the page.
pytestmark = [pytest.mark.story, pytest.mark.xdist_group("naive")]
NAMES = {f"{name}-{check.__name__}": name for name, check in CHECKS.items()}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_naive_shop_is_caught(name: str) -> None:
    verdict = verdict_of(name, "naive")
    assert verdict.wrong, f"{name} finds nothing where the mistake was made on purpose"


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_kessai_holds(name: str) -> None:
    verdict = verdict_of(name, "kessai")
    assert verdict.wrong == []
    # Ours has more routes and services to ask; of everything else both are asked the same.
    assert verdict.facts == verdict_of(name, "naive").facts or name in ("X15", "X16")


def test_the_page_tells_what_the_checks_found() -> None:
    assert PAGE.read_text("utf-8") == page()
