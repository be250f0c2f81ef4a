"""What was answered is answered again, until the index changes."""

from __future__ import annotations

from typing import cast

from kessai.contracts.search import Suggest, Suggestions
from kessai.search.application.ports import ProductIndex
from kessai.search.application.remembered import Remembered


class AnIndex:
    """It only says whether it changed."""

    def __init__(self) -> None:
        self.now: object | None = object()

    def edition(self) -> object | None:
        return self.now


class Desk:
    def __init__(self, *, size: int = 2) -> None:
        self.index = AnIndex()
        self.asked: list[str] = []
        self.meanwhile = False
        index = cast(ProductIndex, self.index)
        self.answers = Remembered(index, self._answer, Suggestions, size=size)

    async def _answer(self, question: Suggest) -> Suggestions:
        self.asked.append(question.q)
        if self.meanwhile:
            self.index.now = object()
        return Suggestions(suggestions=(f"{question.q} {len(self.asked)}",), products=())

    async def says(self, *questions: str) -> list[str]:
        answers = [await self.answers(Suggest(q=question)) for question in questions]
        return [said for answer in answers for said in answer.suggestions]


async def test_the_same_is_answered_without_asking() -> None:
    desk = Desk()
    assert await desk.says("tea", "tea", "pot", "tea") == ["tea 1", "tea 1", "pot 2", "tea 1"]


async def test_after_a_change_everything_is_asked_again() -> None:
    desk = Desk()
    await desk.says("tea", "pot")
    desk.index.now = object()
    assert await desk.says("tea", "pot") == ["tea 3", "pot 4"]


async def test_an_answer_during_a_change_is_not_kept() -> None:
    desk = Desk()
    desk.meanwhile = True
    await desk.says("tea")
    desk.meanwhile = False
    assert await desk.says("tea", "tea") == ["tea 2", "tea 2"]


async def test_where_others_write_nothing_is_kept() -> None:
    desk = Desk()
    desk.index.now = None
    assert await desk.says("tea", "tea") == ["tea 1", "tea 2"]


async def test_what_was_asked_for_longest_ago_goes_first() -> None:
    desk = Desk(size=2)
    await desk.says("tea", "pot", "tea", "cup")
    assert await desk.says("tea", "pot") == ["tea 1", "pot 4"]
