"""A catalogue for size: as many plausible Japanese products as wanted, always the same by seed.

Rows have the columns of `kessai catalog import`; the first N of a longer catalogue are those of a
shorter one.

    PYTHONPATH=. python bench/catalogue.py --products 100000 > products.csv
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TextIO, TypeVar

from bench.catalogue_words import (
    CATEGORIES,
    COLOURED_SENTENCES,
    COLOURS,
    FIRST_SENTENCES,
    MADE_OF,
    MAKERS,
    SECOND_SENTENCES,
    THINGS,
    Thing,
    Word,
)

HEADER: Final = (
    "productId",
    "title",
    "description",
    "price",
    "status",
    "createdAt",
    "imageFile",
    "category",
    "stock",
    "titleEn",
    "titleZh",
    "reading",
    "categoryEn",
    "categoryZh",
)
FIRST_ID: Final = 100_001
SEED: Final = 7
_FIRST_DAY: Final = date(2024, 1, 1)
_DAYS: Final = 1_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Product:
    product_id: int
    title: str
    description: str
    price: int
    active: bool
    created_on: date
    category: str
    stock: int
    title_en: str
    title_zh: str
    reading: str
    # What it was put together from, for queries whose answer is known.
    thing: Thing
    made_of: Word
    colour: Word | None
    maker: Word
    size: str

    @property
    def said(self) -> str:
        """Its names, to look for words in."""
        return f"{self.title}\n{self.reading}\n{self.title_en}".lower()

    def cells(self) -> tuple[str, ...]:
        english, chinese = CATEGORIES[self.category]
        return (
            str(self.product_id),
            self.title,
            self.description,
            str(self.price),
            "ACTIVE" if self.active else "INACTIVE",
            f"{self.created_on.isoformat()}T00:00:00Z",
            "",
            self.category,
            str(self.stock),
            self.title_en,
            self.title_zh,
            self.reading,
            english,
            chinese,
        )


class Chance:
    """On `random()` alone: it is the one promise of `random` that holds from version to version."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, limit: int) -> int:
        return int(self._random() * limit)

    def one_of(self, some: Sequence[T]) -> T:
        return some[self.below(len(some))]

    def favoured(self, some: Sequence[T]) -> T:
        """Early ones more often, as shops have them."""
        return some[int(self._random() ** 1.6 * len(some))]

    def often(self, share: float) -> bool:
        return self._random() < share


def _of(*sizes: str) -> Callable[[Chance], str]:
    return lambda chance: chance.one_of(sizes)


def _numbers(first: int, last: int, step: int, unit: str) -> Callable[[Chance], str]:
    return lambda chance: f"{first + step * chance.below((last - first) // step + 1)}{unit}"


def _model(chance: Chance) -> str:
    """Two letters, a number, and at times a letter for its generation."""
    letters = "".join(chance.one_of("ABCDEFGHKLMNPRSTVXZ") for _ in range(2))
    generation = chance.one_of("ABCX") if chance.often(0.4) else ""
    return f"{letters}-{100 + chance.below(9_900)}{generation}"


_SIZES: Final[dict[str, Callable[[Chance], str]]] = {
    "ml": _numbers(90, 990, 10, "ml"),
    "l": _of("0.6L", "0.8L", "1.0L", "1.2L", "1.5L", "2.0L", "2.4L"),
    "litre": _numbers(8, 60, 2, "L"),
    "cm": _numbers(30, 140, 1, "cm"),
    "span": _numbers(6, 36, 1, "cm"),
    "mm": _numbers(90, 300, 15, "mm"),
    "g": _numbers(30, 500, 10, "g"),
    "kg": _of("2kg", "5kg", "10kg", "30kg"),
    "paper": _of("A4", "A5", "A6", "B5", "B6"),
    "nib": _of("細字", "中字", "太字", "0.3mm", "0.5mm", "0.7mm"),
    "lead": _of("2B", "B", "HB", "F", "H", "2H"),
    "shoe": lambda chance: f"{22 + chance.below(14) / 2:.1f}cm",
    "sock": _of("22-24cm", "23-25cm", "25-27cm"),
    "wear": _of("S", "M", "L", "LL"),
    "set": _of("一個", "二個組", "三個組", "五個組", "十個入り"),
    "free": _of("小", "中", "大"),
    "watt": _of("20W", "30W", "45W", "65W", "100W"),
    "length": _of("0.5m", "1m", "1.5m", "2m", "3m"),
    "mah": _of("5000mAh", "10000mAh", "20000mAh"),
    "phone": lambda chance: f"{chance.one_of(('Akari', 'Nagi', 'Homura'))} {10 + chance.below(8)}",
    "model": _model,
}
# What grows, and what is bare, has no colour of its own to choose.
_OWN_COLOUR: Final = ("region", "metal", "iron", "steel", "pan")
# What a size that is said in Japanese is called elsewhere.
_ABROAD: Final = {
    "細字": ("fine", "细尖"),
    "中字": ("medium", "中尖"),
    "太字": ("broad", "粗尖"),
    "一個": ("single", "一个"),
    "二個組": ("set of two", "两个装"),
    "三個組": ("set of three", "三个装"),
    "五個組": ("set of five", "五个装"),
    "十個入り": ("box of ten", "十个装"),
    "小": ("small", "小号"),
    "中": ("medium", "中号"),
    "大": ("large", "大号"),
}


def products(count: int, seed: int = SEED) -> Iterator[Product]:
    chance = Chance(seed)
    for number in range(count):
        yield _product(FIRST_ID + number, chance)


def _product(product_id: int, chance: Chance) -> Product:
    thing = chance.favoured(THINGS)
    made_of = chance.one_of(MADE_OF[thing.of])
    colour = chance.favoured(COLOURS)
    maker = chance.favoured(MAKERS)
    size = _SIZES[thing.sized](chance)
    coloured = thing.of not in _OWN_COLOUR and chance.often(0.7)
    named = chance.often(0.6)
    model = _model(chance) if thing.sized != "model" and chance.often(0.25) else ""
    english, chinese = _ABROAD.get(size, (size, size))
    word = thing.word
    title = [maker.ja] * named + [f"{made_of.ja}の{word.ja}", size] + [colour.ja] * coloured
    title_en = ", ".join([f"{made_of.en} {word.en}", english] + [colour.en] * coloured)
    title_zh = [f"{made_of.zh}{word.zh}", chinese] + [colour.zh] * coloured
    reading = maker.kana * named + f"{made_of.kana}の{word.kana}" + colour.kana * coloured
    return Product(
        product_id=product_id,
        title=" ".join([*title, model]).rstrip(),
        description=_description(chance, thing, made_of, maker, colour if coloured else None),
        price=_price(chance, thing),
        active=not chance.often(0.02),
        created_on=_FIRST_DAY + timedelta(days=chance.below(_DAYS)),
        category=thing.category,
        stock=0 if chance.often(0.06) else 1 + chance.below(300),
        title_en=f"{title_en[0].upper()}{title_en[1:]} {model}".rstrip(),
        title_zh=" ".join([*title_zh, model]).rstrip(),
        reading=reading,
        thing=thing,
        made_of=made_of,
        colour=colour if coloured else None,
        maker=maker,
        size=size,
    )


def _price(chance: Chance, thing: Thing) -> int:
    """Round below, as prices are: 1,980 and 2,000 rather than 1,973."""
    between = thing.lowest_yen + chance.below(thing.highest_yen - thing.lowest_yen)
    if between < 1_000:
        return max(10, between // 10 * 10)
    return between // 100 * 100 - (20 if chance.often(0.4) else 0)


def _description(
    chance: Chance, thing: Thing, made_of: Word, maker: Word, colour: Word | None
) -> str:
    """From 40 to 80 characters; what a long name makes longer gets a shorter end."""
    names = {"maker": maker.ja, "thing": thing.word.ja, "made": made_of.ja}
    firsts: tuple[str, ...] = FIRST_SENTENCES
    if colour:
        names["colour"] = colour.ja
        firsts += COLOURED_SENTENCES
    first = chance.one_of(firsts).format(**names)
    ends = [end for end in SECOND_SENTENCES if 40 <= len(first) + len(end) <= 80]
    return first + chance.one_of(ends)


def write(out: TextIO, count: int, seed: int = SEED) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(product.cells() for product in products(count, seed))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    write(sys.stdout, given.products, given.seed)


if __name__ == "__main__":
    main()
