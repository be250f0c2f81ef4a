"""The floor of the search: queries of shoppers, judged by people, on the built-in catalogue."""

from __future__ import annotations

from pathlib import Path

from kessai.cli.search import ask_all
from kessai.kernel.settings import Settings
from kessai.search.domain.quality import figures, read_judgements

FILE = Path(__file__).with_name("judgements.jsonl")
FLOOR = 0.85
MOST_EMPTY = 0.03


async def assert_good(settings: Settings) -> float:
    asked = await ask_all(settings, read_judgements(FILE.read_text("utf-8").splitlines()))
    over_all = figures([one.measured for one in asked])
    lost = [one.measured.judged.query for one in asked if not one.measured.found]
    assert over_all.ndcg >= FLOOR
    assert over_all.zero_rate < MOST_EMPTY, lost
    return over_all.ndcg


async def test_the_embedded_index_is_good_enough() -> None:
    await assert_good(Settings(search_url="tantivy:"))
