"""The floor of the search: queries of shoppers, judged by people, on the built-in catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.servers import server_url

from kessai.cli.search import ask_all
from kessai.kernel.settings import Settings
from kessai.search.domain.quality import Measured, figures, read_judgements

FILE = Path(__file__).parent.parent / "search" / "judgements.jsonl"
FLOOR = 0.85
MOST_EMPTY = 0.03
# Ranking is decided before an index is asked, so that both may be tested by one.
FARTHEST_APART = 0.05


async def ask(url: str) -> list[Measured]:
    judged = read_judgements(FILE.read_text("utf-8").splitlines())
    return [one.measured for one in await ask_all(Settings(search_url=url), judged)]


def assert_good(measured: list[Measured]) -> None:
    over_all = figures(measured)
    assert over_all.ndcg >= FLOOR
    lost = [one.judged.query for one in measured if not one.found]
    assert over_all.zero_rate < MOST_EMPTY, lost


async def test_the_embedded_index_is_good_enough() -> None:
    assert_good(await ask("tantivy:"))


@pytest.mark.stack
async def test_elasticsearch_is_as_good() -> None:
    theirs = await ask(server_url("KESSAI_SEARCH_URL"))
    assert_good(theirs)
    ours = figures(await ask("tantivy:"))
    assert abs(figures(theirs).ndcg - ours.ndcg) <= FARTHEST_APART
