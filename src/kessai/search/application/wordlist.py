"""The shop's words, read from the index again when it has changed."""

from __future__ import annotations

from kessai.kernel.clock import Clock
from kessai.search.application.ports import ProductIndex
from kessai.search.domain.lexicon import Lexicon

# Of 100,000 products; the rarest words complete nothing that is missed.
MAX_WORDS = 50_000


class WordList:
    """Another instance may have changed the index, so it is read again from time to time anyway."""

    def __init__(
        self, index: ProductIndex, clock: Clock, *, fresh_ms: int = 2_000, stale_ms: int = 300_000
    ) -> None:
        self._index = index
        self._clock = clock
        self._fresh_ms = fresh_ms
        self._stale_ms = stale_ms
        self._lexicon: Lexicon | None = None
        self._read_at_ms = 0
        self._changed = False

    def changed(self) -> None:
        self._changed = True

    async def lexicon(self) -> Lexicon:
        """At most so often: while a catalogue is imported it changes with every batch."""
        age_ms = self._clock.now_ms() - self._read_at_ms
        due = age_ms >= (self._fresh_ms if self._changed else self._stale_ms)
        if self._lexicon is None or due:
            self._changed = False
            self._read_at_ms = self._clock.now_ms()
            words = await self._index.words(MAX_WORDS)
            self._lexicon = Lexicon((word.word, word.count) for word in words)
        return self._lexicon
