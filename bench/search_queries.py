"""What shoppers of the generated catalogue type, and which of its products that asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.catalogue import Chance, Product

# How often of a hundred.
SHARES: Final = {
    "kanji": 22,
    "words": 14,
    "kana": 14,
    "prefix": 14,
    "romaji": 10,
    "sized": 8,
    "english": 6,
    "typo": 5,
    "coloured": 4,
    "model": 3,
}
_MODEL: Final = re.compile(r"[A-Z]{2}-[0-9]{3,4}[A-Z]?")
_SHORTEST_TYPO: Final = 4
_MORAE: Final = {
    kana: letter + vowel
    for letter, row in {
        "": "あいうえお",
        "k": "かきくけこ",
        "s": "さ＿すせそ",
        "t": "た＿＿てと",
        "n": "なにぬねの",
        "h": "はひ＿へほ",
        "m": "まみむめも",
        "y": "や＿ゆ＿よ",
        "r": "らりるれろ",
        "w": "わ＿＿＿を",
        "g": "がぎぐげご",
        "z": "ざ＿ずぜぞ",
        "d": "だ＿＿でど",
        "b": "ばびぶべぼ",
        "p": "ぱぴぷぺぽ",
    }.items()
    for kana, vowel in zip(row, "aiueo", strict=True)
} | {
    "し": "shi",
    "ち": "chi",
    "つ": "tsu",
    "ふ": "fu",
    "じ": "ji",
    "ぢ": "ji",
    "づ": "zu",
    "ん": "n",
}
_SMALL: Final = dict(zip("ぁぃぅぇぉゃゅょ", "aiueoauo", strict=True))


@dataclass(frozen=True, slots=True)
class Query:
    """`parts` are what title, reading and English name of a product that fits have in them."""

    text: str
    kind: str
    parts: tuple[str, ...]
    in_stock: bool | None = None
    max_price: int | None = None
    category: str | None = None

    def fits(self, product: Product) -> bool:
        if not product.active or (self.in_stock and not product.stock):
            return False
        if self.max_price is not None and product.price > self.max_price:
            return False
        if self.category is not None and product.category != self.category:
            return False
        said = product.said
        return all(part in said for part in self.parts)


def romaji(kana: str) -> str:
    """As it is typed: long vowels twice, sounds that are doubled with a doubled letter."""
    letters: list[str] = []
    at = 0
    while at < len(kana):
        one, following = kana[at], kana[at + 1 : at + 2] or " "
        if one == "っ":
            letters.append(romaji(following)[:1])
        elif one == "ー":
            letters.append(letters[-1][-1] if letters else "")
        elif following in ("ゃ", "ゅ", "ょ"):
            start = _MORAE[one][:-1]
            glide = "" if start in ("sh", "ch", "j") else "y"
            letters.append(start + glide + _SMALL[following])
            at += 1
        elif following in _SMALL:
            letters.append(_MORAE[one][:-1] + _SMALL[following])
            at += 1
        else:
            letters.append(_MORAE[one])
        at += 1
    return "".join(letters)


def mistyped(text: str, chance: Chance) -> str:
    """A letter that is missing, or two that changed places, after the first one."""
    at = 1 + chance.below(len(text) - 2)
    if chance.often(0.5):
        return text[:at] + text[at + 1 :]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def queries(sold: Iterable[Product], count: int, seed: int) -> list[Query]:
    """One from each of `count` products, spread over the catalogue; some with a filter."""
    chance = Chance(seed)
    kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
    made: list[Query] = []
    for product in sold:
        if len(made) == count:
            break
        asked = _MAKE[chance.one_of(kinds)](product, chance)
        if asked is not None and product.active:
            filtered = _filtered(asked, product, chance)
            # Everything that is asked has an answer.
            made.append(filtered if filtered.fits(product) else asked)
    return made


def typed(asked: Sequence[Query], chance: Chance) -> Iterator[str]:
    """What is in the field at one moment while each is typed."""
    for query in asked:
        yield query.text[: 1 + chance.below(len(query.text))]


def _filtered(query: Query, product: Product, chance: Chance) -> Query:
    way = chance.below(10)
    more: dict[str, object] = {}
    if way == 0:
        more = {"in_stock": True}
    elif way == 1:
        more = {"max_price": product.price * 2}
    elif way == 2:
        more = {"category": product.category}
    return Query(query.text, query.kind, query.parts, **more)  # type: ignore[arg-type]


def _kanji(product: Product, _: Chance) -> Query | None:
    return Query(product.thing.word.ja, "kanji", (product.thing.word.ja,))


def _words(product: Product, chance: Chance) -> Query | None:
    words = [product.made_of.ja, product.thing.word.ja]
    if chance.often(0.3):
        words.reverse()
    return Query(" ".join(words), "words", tuple(words))


def _kana(product: Product, _: Chance) -> Query | None:
    kana = product.thing.word.kana
    return Query(kana, "kana", (kana,))


def _prefix(product: Product, chance: Chance) -> Query | None:
    whole = chance.one_of((product.thing.word.ja, product.thing.word.kana, product.thing.word.en))
    start = whole[: 1 + max(1, chance.below(len(whole)))]
    return Query(start, "prefix", (start.lower(),))


def _romaji(product: Product, _: Chance) -> Query | None:
    kana = product.thing.word.kana
    return Query(romaji(kana), "romaji", (kana,))


def _sized(product: Product, _: Chance) -> Query | None:
    words = (product.thing.word.ja, product.size)
    return Query(" ".join(words), "sized", tuple(word.lower() for word in words))


def _english(product: Product, _: Chance) -> Query | None:
    return Query(product.thing.word.en, "english", (product.thing.word.en.lower(),))


def _typo(product: Product, chance: Chance) -> Query | None:
    word = chance.one_of((product.thing.word.kana, product.thing.word.en))
    if len(word) < _SHORTEST_TYPO:
        return None
    return Query(mistyped(word, chance), "typo", (word.lower(),))


def _coloured(product: Product, _: Chance) -> Query | None:
    if product.colour is None:
        return None
    words = (product.colour.ja, product.thing.word.ja)
    return Query(" ".join(words), "coloured", words)


def _model(product: Product, _: Chance) -> Query | None:
    found = _MODEL.search(product.title)
    return Query(found[0], "model", (found[0].lower(),)) if found else None


_MAKE: Final[dict[str, Callable[[Product, Chance], Query | None]]] = {
    "kanji": _kanji,
    "words": _words,
    "kana": _kana,
    "prefix": _prefix,
    "romaji": _romaji,
    "sized": _sized,
    "english": _english,
    "typo": _typo,
    "coloured": _coloured,
    "model": _model,
}
