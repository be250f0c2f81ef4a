"""A product as tokens: everything by which somebody may look for it, field by field.

- `title`, `names`, `category`, `text`: what is written, pairs of neighbouring letters for Japanese
  and Chinese, words for the rest. A phrase of them is a substring.
- `single`: the same letter by letter, for queries of one letter.
- `reading`: how the title sounds, as pairs of morae.
- `whole`: words of the title as they are written, as they sound and as a dictionary spells them.
- `prefix`: the beginnings of words, as written and as they sound, for whoever is still typing.
- `rank`: how well it sells and whether there is any, as one of ten levels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from kessai.contracts.search import FoundProduct
from kessai.contracts.storage import ProductSnapshot
from kessai.search.domain.document import Document, to_show
from kessai.search.domain.folding import (
    Run,
    fold,
    is_cjk,
    is_kana_text,
    joined,
    literal,
    runs_of,
    tokens,
)
from kessai.search.domain.morae import morae, pairs
from kessai.search.domain.words import Split, Word, sound

ON_SALE: Final = "ACTIVE"
# A token that no text has, so that a phrase never runs from one text into the next.
GAP: Final = "|"
# Beyond these a phrase of pairs finds what a prefix would.
WRITTEN_PREFIX: Final = 2
LATIN_PREFIX: Final = 8
SOUND_PREFIX: Final = 8
# So many kana have so many letters, long vowels left out.
_HEARD_ON: Final = 2 * SOUND_PREFIX
TOP_RANK: Final = 9
_MAX_DESCRIPTION: Final = 2000
_ENGLISH_GRAMMAR: Final = frozenset({"and", "for", "from", "into", "the", "two", "set", "with"})


def analyse(product: ProductSnapshot, split: Split) -> Document:
    titles = [t for t in (product.titles.en, product.titles.zh) if t]
    words = list(split(product.title))
    categories = [product.category.name, product.category.names.en, product.category.names.zh]
    level = rank(product.sold_count_30d, product.stock)
    by_field = {
        "title": _text([product.title]),
        "single": " ".join(_letters([product.title, *titles, *filter(None, categories)])),
        "names": _text(titles),
        "reading": _joined(_sounds(product, words)),
        "whole": " ".join(_whole(words, titles)),
        "prefix": " ".join(_prefixes(product, words, titles)),
        "category": _text(filter(None, categories)),
        "text": " ".join(literal(fold(product.description[:_MAX_DESCRIPTION]))),
        "rank": f"r{level}",
    }
    return Document(
        product_id=product.product_id,
        version=product.version,
        on_sale=product.status == ON_SALE,
        tokens=by_field,
        words=tuple(_words_to_suggest(words, product)),
        category_id=product.category.id,
        category_name=product.category.name,
        price=product.price,
        in_stock=product.stock > 0,
        created_at_ms=int(datetime.fromisoformat(product.created_at).timestamp() * 1000),
        shown=_shown(product, words),
        level=level,
    )


def rank(sold_30d: int, stock: int) -> int:
    """0 is out of stock; then 4 to 9: what sells four times as much is one level up."""
    if stock <= 0:
        return 0
    return min(TOP_RANK, 4 + int(math.log(1 + max(0, sold_30d), 4)))


def compounds(words: Sequence[Word]) -> list[list[Word]]:
    """Words written side by side without grammar between them: 横手 + 急須."""
    found: list[list[Word]] = [[]]
    for word in words:
        if word.weight == "grammar" or not fold(word.surface).strip():
            found.append([])
        else:
            found[-1].append(word)
    return [group for group in found if group]


def _text(parts: Iterable[str]) -> str:
    return _joined([tokens(runs_of(part)) for part in parts])


def _joined(sequences: Iterable[Sequence[str]]) -> str:
    return f" {GAP} ".join(" ".join(sequence) for sequence in sequences if sequence)


def _letters(parts: Iterable[str]) -> list[str]:
    cjk = (run.text for part in parts for run in runs_of(part) if run.kind == "cjk")
    return list(dict.fromkeys(letter for text in cjk for letter in text))


def _sounds(product: ProductSnapshot, words: Sequence[Word]) -> list[list[str]]:
    """The reading that the shop gives knows names that no dictionary does; both are kept."""
    given = pairs(morae(fold(product.reading or "")))
    told = ["".join(word.reading for word in group) for group in _stretches(words)]
    sequences = [given, *(pairs(morae(fold(reading))) for reading in told)]
    return [s for at, s in enumerate(sequences) if s and s not in sequences[:at]]


def _stretches(words: Sequence[Word]) -> list[list[Word]]:
    """Words with a reading between blanks and signs, grammar included: とこなめやきのきゅうす."""
    found: list[list[Word]] = [[]]
    for word in words:
        if _is_japanese(word):
            found[-1].append(word)
        else:
            found.append([])
    return [group for group in found if group]


def _is_japanese(word: Word) -> bool:
    return _is_cjk(word.surface)


@lru_cache(maxsize=32_768)
def _is_cjk(text: str) -> bool:
    return is_cjk(text)


def _whole(words: Sequence[Word], titles: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for group in compounds(words):
        for word in group:
            found.update(dict.fromkeys(spellings((word,))))
        if len(group) > 1:
            found.update(dict.fromkeys(spellings(tuple(group))))
    for title in titles:
        found.update(dict.fromkeys(run.text for run in runs_of(title) if run.kind != "cjk"))
    return list(found)


@lru_cache(maxsize=32_768)
def spellings(group: tuple[Word, ...]) -> tuple[str, ...]:
    """One word or a compound: written, preferred by the dictionary, and sounded."""
    written = joined("".join(word.surface for word in group))
    normal = joined("".join(word.normal for word in group))
    heard = sound("".join(word.reading for word in group)) if _all_japanese(group) else ""
    return tuple(token for token in dict.fromkeys((written, normal, heard)) if token)


def _all_japanese(group: Sequence[Word]) -> bool:
    return all(_is_japanese(word) for word in group)


def _prefixes(product: ProductSnapshot, words: Sequence[Word], titles: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for run in _runs([product.title, *titles]):
        if run.kind == "cjk":
            found.update(dict.fromkeys(beginnings(run.text, WRITTEN_PREFIX)))
        else:
            found.update(dict.fromkeys(beginnings(run.text, LATIN_PREFIX)))
    for group in _stretches(words):
        for at, word in enumerate(group):
            if word.weight == "grammar":
                continue
            found.update(dict.fromkeys(beginnings(fold(word.surface), WRITTEN_PREFIX)))
            rest = "".join([later.reading for later in group[at : at + _HEARD_ON]])
            found.update(dict.fromkeys(_heard_beginnings(rest[:_HEARD_ON])))
    found.update(dict.fromkeys(beginnings(sound(product.reading or ""), SOUND_PREFIX)))
    return list(found)


@lru_cache(maxsize=32_768)
def _heard_beginnings(reading: str) -> tuple[str, ...]:
    return beginnings(sound(reading), SOUND_PREFIX)


def _runs(parts: Iterable[str]) -> list[Run]:
    return [run for part in parts for run in runs_of(part)]


@lru_cache(maxsize=32_768)
def beginnings(text: str, longest: int) -> tuple[str, ...]:
    return tuple(text[:length] for length in range(1, min(len(text), longest) + 1))


def _words_to_suggest(words: Sequence[Word], product: ProductSnapshot) -> list[str]:
    """As it is shown and as it sounds, with a tab between: what a word list is made of."""
    found: list[str] = [_suggestion((_as_word(product.category.name),))]
    for group in compounds(words):
        japanese = [word for word in group if _is_japanese(word)]
        found += [_suggestion((word,)) for word in japanese if word.weight == "content"]
        if len(group) > 1 and len(japanese) == len(group):
            found.append(_suggestion(tuple(group)))
    for name in (product.titles.en, product.category.names.en):
        found += [f"{run.text}\t" for run in runs_of(name or "") if _says_something(run)]
    return [word for word in dict.fromkeys(found) if word]


def _as_word(name: str) -> Word:
    return Word(name, "", name, "content")


def _says_something(run: Run) -> bool:
    return run.kind == "latin" and len(run.text) > 2 and run.text not in _ENGLISH_GRAMMAR


@lru_cache(maxsize=32_768)
def _suggestion(group: tuple[Word, ...]) -> str:
    shown = "".join(word.surface for word in group)
    # One kana says nothing.
    if len(shown) < 2 and is_kana_text(fold(shown)):
        return ""
    return f"{shown}\t{sound(''.join(word.reading for word in group))}"


def _shown(product: ProductSnapshot, words: Sequence[Word]) -> bytes:
    found = FoundProduct(
        product_id=product.product_id,
        title=product.title,
        titles=product.titles,
        price=product.price,
        stock=product.stock,
        category_id=product.category.id,
        image_key=product.image_key,
        created_at=product.created_at,
    )
    return to_show(found, ((len(word.surface), word.reading) for word in words))
