"""Answers that were given before, for as long as the index has not changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from kessai.search.application.ports import ProductIndex

Q = TypeVar("Q", bound=Hashable)
A = TypeVar("A")


class Remembered(Generic[Q, A]):
    """The last `size` of them. Where others may change the index, nothing is remembered."""

    def __init__(self, index: ProductIndex, ask: Callable[[Q], Awaitable[A]], *, size: int) -> None:
        self._index = index
        self._ask = ask
        self._size = size
        self._edition: object = None
        self._answers: dict[Q, A] = {}

    async def __call__(self, question: Q) -> A:
        edition = self._index.edition()
        if edition is None:
            return await self._ask(question)
        if edition is not self._edition:
            self._edition = edition
            self._answers.clear()
        if question in self._answers:
            # Behind all others: what was asked for longest ago goes first.
            answer = self._answers[question] = self._answers.pop(question)
            return answer
        answer = await self._ask(question)
        if self._index.edition() is edition:
            self._answers[question] = answer
            if len(self._answers) > self._size:
                del self._answers[next(iter(self._answers))]
        return answer
