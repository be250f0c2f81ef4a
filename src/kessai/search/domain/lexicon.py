"""The shop's own words: what completes a beginning, and what a misspelt word was meant to be."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from kessai.search.domain.folding import fold, is_kana_text, runs
from kessai.search.domain.morae import letters, morae
from kessai.search.domain.planner import begun_sounds, contracted
from kessai.search.domain.romaji import hear

_LAST: Final = "\U0010ffff"
# However many words begin with one letter, only so many are ranked.
_MAX_RANKED: Final = 2_000
_MEANT: Final = 20
# Of katakana, which are folded to hiragana.
_SAME_SHAPE: Final = {"ん": "そ", "そ": "ん", "つ": "し", "し": "つ", "く": "わ", "わ": "く"}


@dataclass(frozen=True, slots=True)
class Entry:
    """`sound` is empty for words that are no Japanese."""

    shown: str
    written: str
    sound: str
    count: int


class Lexicon:
    def __init__(self, words: Iterable[tuple[str, int]]) -> None:
        """Words as documents carry them (`shown`, tab, `sound`), with how many carry them."""
        by_written: dict[str, Entry] = {}
        for word, count in words:
            shown, _, sound = word.partition("\t")
            written = "".join(run.text for run in runs(fold(shown)))
            known = by_written.get(written)
            total = count + (known.count if known else 0)
            if written:
                first = known or Entry(shown, written, sound, total)
                by_written[written] = Entry(first.shown, written, first.sound or sound, total)
        entries = list(by_written.values())
        self._written = _sorted((entry.written, entry) for entry in entries)
        self._sounds = _sorted((entry.sound, entry) for entry in entries if entry.sound)
        self._spelt = {
            spelt: entry
            for entry in reversed(entries)
            for spelt in (entry.sound or heard_alike(entry.written), _singular(entry.written))
            if spelt
        }
        self._by_length: dict[int, list[str]] = {}
        for spelt in self._spelt:
            self._by_length.setdefault(len(spelt), []).append(spelt)

    def __len__(self) -> int:
        return len(self._written[0])

    def complete(self, typed: str, limit: int) -> list[str]:
        """Words that begin as `typed` is written or sounds, the commonest first."""
        found: dict[str, Entry] = {}
        folded = "".join(fold(typed).split())
        if not folded:
            return []
        for entry in _between(self._written, folded):
            found[entry.written] = entry
        for start in begun_sounds(runs(folded)):
            for entry in _between(self._sounds, start):
                found.setdefault(entry.written, entry)
        best = sorted(found.values(), key=lambda e: (-e.count, len(e.shown), e.shown))
        return [entry.shown for entry in best[:limit]]

    def meant(self, word: str) -> str | None:
        """The word that is fewest edits away, of sounds where it has one; None when none is near.

        Edits are those of Damerau's optimal string alignment: one for a letter too many, too few,
        wrong, or changed with its neighbour.
        """
        for other in (*_look_alikes(word), _singular(word)):
            if other and (known := self._spelt.get(_spelling(other)[0])):
                return known.shown
        wanted, length = _spelling(word)
        allowed = 0 if length < 3 else 1 if length < 5 else 2
        if not allowed or not self._spelt:
            return None
        # More letters too many or too few are more edits.
        lengths = range(len(wanted) - allowed, len(wanted) + allowed + 1)
        alike = [spelt for length in lengths for spelt in self._by_length.get(length, ())]
        near = extract(wanted, alike, scorer=OSA.distance, score_cutoff=allowed, limit=_MEANT)
        best = [(distance, -self._spelt[spelt].count, spelt) for spelt, distance, _ in near]
        if not best:
            return None
        entry = self._spelt[min(best)[2]]
        return entry.shown if entry.written != fold(word) else None


def _spelling(word: str) -> tuple[str, int]:
    """How it is compared, and how long it is: a mora counts one, two Latin letters too."""
    text = "".join(run.text for run in runs(fold(word)))
    if is_kana_text(text):
        sounds = morae(contracted(text))
        return letters(sounds), len(sounds)
    if text.isascii() and text.isalpha():
        heard = hear(text)
        if heard and not heard.begun and len(heard.sounds) > 2:
            return letters(heard.sounds), len(heard.sounds)
        return heard_alike(text), (len(text) + 1) // 2
    return text, len(text)


def _singular(word: str) -> str:
    """A misspelt singular is one letter nearer to it."""
    is_plural = word.isascii() and len(word) > 4 and word.endswith("s") and word[-2] != "s"
    return heard_alike(word[:-1]) if is_plural else ""


def _look_alikes(word: str) -> list[str]:
    """With one letter exchanged for the one of the same shape: ソ and ン, シ and ツ."""
    folded = fold(word)
    return [
        folded[:at] + other + folded[at + 1 :]
        for at, char in enumerate(folded)
        if (other := _SAME_SHAPE.get(char))
    ]


def heard_alike(latin: str) -> str:
    return latin.replace("ph", "f")


Sorted = tuple[list[str], list[Entry]]


def _sorted(pairs: Iterable[tuple[str, Entry]]) -> Sorted:
    ordered = sorted(pairs, key=lambda pair: (pair[0], -pair[1].count))
    return [key for key, _ in ordered], [entry for _, entry in ordered]


def _between(table: Sorted, start: str) -> Sequence[Entry]:
    keys, entries = table
    first, last = bisect_left(keys, start), bisect_left(keys, start + _LAST)
    return entries[first : min(last, first + _MAX_RANKED)]
