"""What somebody typed, as a tree of what is looked for and how much each way of finding counts.

Every word must be found somehow: as it is written, as it sounds, as a dictionary spells it, or by a
synonym. The factors say how sure each way is; they were set on `tests/search/judgements.jsonl`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, Literal, TypeAlias

from kessai.search.domain.analysis import LATIN_PREFIX, SOUND_PREFIX, TOP_RANK, WRITTEN_PREFIX
from kessai.search.domain.folding import Run, bigrams, fold, is_kana_text, runs
from kessai.search.domain.morae import letters, morae, pairs, shortened
from kessai.search.domain.romaji import Heard, hear
from kessai.search.domain.synonyms import Synonyms
from kessai.search.domain.wanted import (
    AnyOf,
    Boost,
    Const,
    Fuzzy,
    Phrase,
    Term,
    Wanted,
    all_of,
    any_of,
)
from kessai.search.domain.words import Split, Word

MAX_LETTERS: Final = 100
MAX_WORDS: Final = 8
# Where it is written, and how much that says.
_WRITTEN: Final = {"title": 2.2, "names": 1.8, "category": 1.1, "text": 0.35}
_WHOLE, _NORMAL, _SOUND, _SOUND_WHOLE = 3.0, 1.6, 1.3, 2.4
_GUESSED_SOUND, _SYNONYM, _PARTS, _TYPING, _JOINED = 0.8, 0.75, 0.9, 0.25, 0.9
_STEM, _PHRASE = 0.7, 1.5
_TIE: Final = 0.15
_MAX_SYNONYMS: Final = 12
_NEXT: Final = 0.12
_OKURIGANA: Final = "".join(map(chr, range(0x3041, 0x3097)))
_I_ROW: Final = "きしちにひみりぎじぢびぴ"
_LARGE: Final = re.compile(f"([{_I_ROW}])([やゆよ])")
_SMALL: Final = {"や": "ゃ", "ゆ": "ゅ", "よ": "ょ"}
# Ten times the sales are worth a little; a word in the title is worth more than any sales.
PREFERRED: Final = tuple(Const(Term("rank", f"r{n}"), 0.25 * n) for n in range(1, TOP_RANK + 1))


Typed: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Clause:
    """One word of a query: as it was typed, folded, and all ways of finding it."""

    text: str
    wanted: Wanted


@dataclass(frozen=True)
class Plan:
    """`clauses` must all be found; `joined` are ways of finding them as one word."""

    clauses: tuple[Clause, ...]
    joined: tuple[Wanted, ...] = ()

    @cached_property
    def strict(self) -> Wanted:
        return any_of([all_of([c.wanted for c in self.clauses]), *self.joined])

    @property
    def relaxed(self) -> Wanted:
        """Any of the words; whatever has more of them, and rarer ones, comes first."""
        return any_of([clause.wanted for clause in self.clauses], tie=1.0)


class Planner:
    def __init__(self, split: Split, synonyms: Synonyms) -> None:
        self._split = split
        self._synonyms = synonyms
        # The same words are asked for all day long, side by side with ever other ones.
        self.plan = lru_cache(maxsize=256)(self._plan)
        self._clauses = lru_cache(maxsize=512)(self._clauses_of)
        self._simple = lru_cache(maxsize=1_024)(self._simply)
        self._synonymous = lru_cache(maxsize=512)(self._meant_alike)

    def _plan(self, query: str) -> Plan | None:
        """None for a query without a letter or a digit."""
        chunks, typed = words_of(query), as_typed(query)
        clauses = [clause for chunk in chunks for clause in self._clauses(chunk, _of(typed, chunk))]
        del clauses[MAX_WORDS:]
        if not clauses:
            return None
        joined = self._as_one(chunks) if len(chunks) > 1 else ()
        # Whoever searches may not have finished the last word, or wants all that begins so.
        if begun := _begun(runs(chunks[-1])):
            last = any_of([clauses[-1].wanted, Boost(any_of(begun, _TIE), _TYPING)], _TIE)
            clauses[-1] = Clause(clauses[-1].text, last)
        return Plan(tuple(clauses), tuple(joined))

    def typing(self, query: str) -> Plan | None:
        """The same, the last word being only begun."""
        plan = self.plan(query)
        if plan is None:
            return None
        last = runs(words_of(query)[-1])
        begun = any_of([*_begun(last), plan.clauses[-1].wanted], _TIE)
        return Plan((*plan.clauses[:-1], Clause(plan.clauses[-1].text, begun)), plan.joined)

    def _clauses_of(self, chunk: str, typed: Typed) -> tuple[Clause, ...]:
        found = runs(chunk)
        if _is_half_typed(found):
            return (Clause(chunk, any_of(_begun(found), _TIE)),)
        if dashed := _dashed(chunk):
            return (Clause(chunk, any_of([*dashed, *_latin_written(found)], _TIE)),)
        clauses: list[Clause] = []
        for group in _grouped(found):
            text = "".join(run.text for run in group)
            ways = self._japanese(text, typed) if group[0].kind == "cjk" else self._latin(group)
            clauses.append(Clause(text, any_of([*ways, *self._synonymous(text)], _TIE)))
        return tuple(clauses)

    def _as_one(self, chunks: Sequence[str]) -> Iterator[Wanted]:
        """`tea pot`, `へっど ふぉん`: blanks where others write none."""
        text = "".join(chunks)
        if len(text) > MAX_LETTERS // 2:
            return
        groups = _grouped(runs(text))
        if len(groups) == 1:
            group = groups[0]
            ways = self._sounded(text) if group[0].kind == "cjk" else _latin_written(group)
            yield from (Boost(way, _JOINED) for way in ways)
        for other in self._synonyms.of(text):
            # Two words that mean one thing are no accident.
            yield Boost(all_of([self._simple(w) for w in words_of(other)]), _PHRASE)

    def _japanese(self, text: str, typed: Typed) -> list[Wanted]:
        # The dictionary knows katakana words as katakana.
        words = self._split(dict(typed).get(text, text))
        ways: list[Wanted] = [*_written(text), Boost(Term("whole", text), _WHOLE)]
        ways += self._sounded(text)
        ways += _respelt(text, words)
        ways += _guessed(text, words)
        ways += _stem(text)
        if not is_kana_text(text) and len(heard := morae(fold(_reading(words)))) > 2:
            ways += self._synonymous(letters(heard))
        if parts := self._parts(words):
            ways.append(Boost(parts, _PARTS))
        return ways

    def _sounded(self, text: str) -> list[Wanted]:
        """Also with the small kana that were typed large: `きゆうす`."""
        if not is_kana_text(text):
            return []
        ways = _heard_as(morae(text))
        small = contracted(text)
        return (
            ways
            if small == text
            else [*ways, *(Boost(w, _JOINED) for w in _heard_as(morae(small)))]
        )

    def _parts(self, words: Sequence[Word]) -> Wanted | None:
        """`常滑焼き急須` has no title, but 常滑, 焼き and 急須 have; of `左利き用` 用 may go."""
        content = [w for w in words if w.weight == "content"]
        if not content or len(words) < 2 or len(content) > MAX_WORDS:
            return None
        return all_of([self._simple(fold(w.surface), w) for w in content])

    def _simply(self, text: str, word: Word | None = None) -> Wanted:
        """A word that nobody typed as such: without synonyms, which would have theirs again."""
        groups = _grouped(runs(fold(text)))
        if not groups:
            return Term("whole", text)
        ways: list[Wanted] = []
        for group in groups[:1]:
            plain = "".join(run.text for run in group)
            if group[0].kind == "cjk":
                ways += [*_written(plain), Boost(Term("whole", plain), _WHOLE)]
                ways += self._sounded(plain)
                ways += _respelt(plain, [word]) if word else []
            else:
                ways += _latin_written(group)
        return any_of(ways, _TIE)

    def _latin(self, group: Sequence[Run]) -> list[Wanted]:
        ways = _latin_written(group)
        text = "".join(run.text for run in group)
        heard = hear(text) if len(group) == 1 and group[0].kind == "latin" else None
        if heard and not heard.begun:
            ways += _heard_as(heard.sounds)
            ways += self._synonymous(letters(heard.sounds))
        return ways

    def _meant_alike(self, text: str) -> tuple[Wanted, ...]:
        ways: list[Wanted] = []
        for place, other in enumerate(self._synonyms.of(text)[:_MAX_SYNONYMS]):
            parts = [self._simple(word) for word in words_of(other)]
            if parts:
                # Whoever wrote the list named the nearest first.
                ways.append(Boost(all_of(parts), _SYNONYM / (1 + place * _NEXT)))
        return tuple(ways)


@lru_cache(maxsize=1_024)
def words_of(query: str) -> tuple[str, ...]:
    """Between blanks, folded; what has no letter is left out."""
    chunks = fold(query[: 2 * MAX_LETTERS])[:MAX_LETTERS].split()
    return tuple(filter(runs, chunks))[:MAX_WORDS]


def as_typed(query: str) -> Typed:
    """Folded Japanese and how it was before, where each letter is still one."""
    typed = unicodedata.normalize("NFKC", query[: 2 * MAX_LETTERS])
    folded = fold(typed)
    if len(folded) != len(typed):
        return ()
    found: dict[str, str] = {}
    for run in runs(folded):
        if run.kind == "cjk":
            at = folded.index(run.text)
            found[run.text] = typed[at : at + len(run.text)]
    return tuple(found.items())


def _of(typed: Typed, chunk: str) -> Typed:
    return tuple((text, before) for text, before in typed if text in chunk)


def fuzzy(clause: Clause) -> Wanted | None:
    """For plain letters alone; Japanese is corrected by the word list."""
    if not (clause.text.isascii() and clause.text.isalpha() and len(clause.text) > 3):
        return None
    edits: Literal[1, 2] = 1 if len(clause.text) < 8 else 2
    return AnyOf((Fuzzy("names", clause.text, edits), Fuzzy("title", clause.text, edits)))


def _grouped(found: Sequence[Run]) -> list[list[Run]]:
    """Letters and digits that were typed as one belong together: `a5`, `280ml`."""
    groups: list[list[Run]] = []
    for run in found:
        joins = run.glued and run.kind != "cjk" and groups and groups[-1][-1].kind != "cjk"
        if joins:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def _written(text: str) -> list[Wanted]:
    if len(text) == 1:
        return [Boost(Term("single", text), _WRITTEN["title"])]
    return [Boost(_side_by_side(name, bigrams(text)), factor) for name, factor in _WRITTEN.items()]


def _side_by_side(field: str, tokens: Sequence[str]) -> Wanted:
    return Term(field, tokens[0]) if len(tokens) == 1 else Phrase(field, tuple(tokens))


def _latin_written(group: Sequence[Run]) -> list[Wanted]:
    tokens = [run.text for run in group]
    ways: list[Wanted] = [
        Boost(_side_by_side(name, tokens), factor) for name, factor in _WRITTEN.items()
    ]
    ways.append(Boost(Term("whole", "".join(tokens)), _WHOLE))
    if len(tokens) == 1 and tokens[0].isalpha() and len(tokens[0]) > 2:
        ways += [Boost(Term("names", other), 1.5) for other in _other_numbers(tokens[0])]
    return ways


def _other_numbers(word: str) -> list[str]:
    """cup and cups, box and boxes, berry and berries, as far as spelling alone tells."""
    if word.endswith("ies"):
        return [word[:-3] + "y"]
    if word.endswith("ves"):
        return [word[:-3] + "f", word[:-3] + "fe", word[:-1]]
    if word.endswith("es"):
        return [word[:-2], word[:-1]]
    if word.endswith("s") and not word.endswith("ss"):
        return [word[:-1]]
    if word.endswith("y"):
        return [word[:-1] + "ies", word + "s"]
    return [word + "s", word + "es"]


def _heard_as(sounds: Sequence[str]) -> list[Wanted]:
    if not sounds:
        return []
    ways: list[Wanted] = [Boost(Term("whole", letters(sounds)), _SOUND_WHOLE)]
    # A single mora is in nearly every title.
    if len(sounds) > 1:
        ways.append(Boost(_side_by_side("reading", pairs(sounds)), _SOUND))
    return ways


def contracted(text: str) -> str:
    """Kana that were typed large and may have been meant small."""
    return _LARGE.sub(lambda found: found[1] + _SMALL[found[2]], text)


def _respelt(text: str, words: Sequence[Word]) -> list[Wanted]:
    """As the dictionary prefers it: 珈琲 is コーヒー, 茶漉し is 茶こし."""
    normal = "".join(run.text for word in words for run in runs(fold(word.normal)))
    if not normal or normal == text:
        return []
    ways: list[Wanted] = [Boost(Term("whole", normal), _NORMAL)]
    if len(normal) > 1:
        ways.append(Boost(_side_by_side("title", bigrams(normal)), _NORMAL))
    return ways


def _reading(words: Sequence[Word]) -> str:
    return "".join(word.reading for word in words)


def _stem(text: str) -> list[Wanted]:
    """`白い` is 白 in a title, and `焼き` 焼."""
    stem = text.rstrip(_OKURIGANA)
    if not stem or stem == text or len(text) - len(stem) > 2 or is_kana_text(stem):
        return []
    written = Term("single", stem) if len(stem) == 1 else _side_by_side("title", bigrams(stem))
    return [Boost(written, _STEM)]


def _guessed(text: str, words: Sequence[Word]) -> list[Wanted]:
    """Written in other letters, sounding the same: `急す`, `茶漉し`.

    Short sounds are shared by too many words, unless half of it was left in kana.
    """
    if is_kana_text(text):
        return []
    sounds = morae(fold(_reading(words)))
    if len(sounds) < (2 if is_kana_text(text[-1]) else 3):
        return []
    return [
        Boost(Term("whole", letters(sounds)), _GUESSED_SOUND),
        Boost(_side_by_side("reading", pairs(sounds)), _GUESSED_SOUND / 2),
    ]


def _dashed(chunk: str) -> list[Wanted]:
    """`ko-hi-`: Latin letters with dashes for long vowels."""
    plain = "".join(char for char in chunk if char.isalpha())
    if plain == chunk or not plain.isascii() or set(chunk) - set(plain) - set("-'"):
        return []
    heard = hear(plain)
    return _heard_as(heard.sounds) if heard and not heard.begun else []


def _begun(last: Sequence[Run]) -> list[Wanted]:
    """Ways in which the word begins like this."""
    text = "".join(run.text for run in last)
    ways: list[Wanted] = []
    if last[-1].kind == "cjk" and len(text) <= WRITTEN_PREFIX:
        ways.append(Boost(Const(Term("prefix", text), 1.0), 2.0))
    elif last[-1].kind != "cjk" and len(last) == 1:
        ways.append(Boost(Const(Term("prefix", text[:LATIN_PREFIX]), 1.0), 2.0))
    for start in begun_sounds(last):
        ways.append(Boost(Const(Term("prefix", start[:SOUND_PREFIX]), 1.0), 1.8))
    return ways


def _is_half_typed(found: Sequence[Run]) -> bool:
    """`にk`: an input method that is not done yet."""
    if len(found) != 2 or not found[1].glued or not is_kana_text(found[0].text):
        return False
    tail = hear(found[1].text) if found[1].kind == "latin" else None
    return tail is not None and bool(tail.begun)


def begun_sounds(last: Sequence[Run]) -> list[str]:
    """Letters with which the sound of a half-typed word begins: `にk` is `nik`, `しょ` is `syo`.

    `き` may become `きゅ`: an input method shows the one before the other.
    """
    heard = _half_heard(last)
    if heard is None:
        return []
    start = letters(heard.sounds)
    if heard.begun:
        return [start + begun for begun in heard.begun]
    if last[-1].text[-1] in _I_ROW:
        return [start, start[:-1] + "y"]
    return [start] if start else []


def _half_heard(last: Sequence[Run]) -> Heard | None:
    if len(last) == 1 and is_kana_text(last[0].text):
        return Heard(morae(last[0].text))
    if len(last) == 1 and last[0].kind == "latin":
        return hear(last[0].text)
    if len(last) == 2 and is_kana_text(last[0].text) and last[1].kind == "latin":
        tail = hear(last[1].text)
        before = morae(last[0].text)
        return Heard(shortened((*before, *tail.sounds)), tail.begun) if tail else None
    return None
