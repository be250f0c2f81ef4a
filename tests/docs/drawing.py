"""A drawing as data: boxes, lines between their sides, words. `drawing_svg` and `drawing_drawio`
write the same sheet, so the picture in the documents and the file of the editor cannot differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

Side: TypeAlias = Literal["left", "right", "top", "bottom"]
Kind: TypeAlias = Literal["service", "outside", "topic", "band"]
Font: TypeAlias = Literal["title", "mono", "text", "note"]

# A tone has a line colour and a tint, each for a light and for a dark ground.
TONES: dict[str, tuple[str, str, str, str]] = {
    "tetsu": ("#14474A", "#E1ECEA", "#8ECBC5", "#16302F"),
    "matsu": ("#2A6332", "#E4EFE0", "#8FCB8C", "#182B1A"),
    "yama": ("#745000", "#FAEFD2", "#E4B84E", "#30270E"),
    "kikyo": ("#4A4898", "#E9E9F6", "#B3B4F2", "#22233D"),
    "enji": ("#A01D3F", "#F9E6E9", "#F491A5", "#391721"),
    "nezu": ("#525E5A", "#E8EBE8", "#AAB6B1", "#222C2A"),
}
# Ground, card, text, second text, hairline: light, dark.
PAPER = ("#F5F6F3", "#0F1513")
SURFACE = ("#FFFFFF", "#161E1C")
INK = ("#17211F", "#E8EDE9")
INK2 = ("#46534F", "#B4C0BB")
EDGE = ("#7F8B87", "#71807B")

SIZES: dict[Font, int] = {"title": 15, "mono": 12, "text": 14, "note": 13}
# Width of a letter as a share of its size.
_EM: dict[Font, float] = {"title": 0.63, "mono": 0.61, "text": 0.54, "note": 0.54}
LINE_HEIGHT = 20
PADDING = 12
TITLE_BASE = 26


class Point(NamedTuple):
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Text:
    words: str
    font: Font = "text"


@dataclass(frozen=True, slots=True)
class Box:
    """`beside` stands at the right end of the title's line: a port."""

    id: str
    title: str
    x: float
    y: float
    width: float
    height: float
    kind: Kind = "service"
    tone: str = "nezu"
    beside: str = ""
    texts: tuple[Text, ...] = ()

    def at(self, side: Side, share: float) -> Point:
        """A point on a side, `share` of its length from the left or the top."""
        if side in ("left", "right"):
            x = self.x if side == "left" else self.x + self.width
            return Point(x, self.y + self.height * share)
        y = self.y if side == "top" else self.y + self.height
        return Point(self.x + self.width * share, y)

    def overlaps(self, other: Box) -> bool:
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


class End(NamedTuple):
    side: Side
    share: float


@dataclass(frozen=True, slots=True)
class Line:
    """From one box to another. `via` are its corners; a curved line has none."""

    id: str
    source: str
    target: str
    start: End
    end: End
    via: tuple[Point, ...] = ()
    tone: str = "nezu"
    label: str = ""
    label_at: Point | None = None
    curved: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    id: str
    x: float
    y: float
    words: str
    font: Font = "note"
    centred: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    title: str
    about: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    words: tuple[Words, ...] = ()

    def box(self, id_: str) -> Box:
        return next(box for box in self.boxes if box.id == id_)

    def points(self, line: Line) -> tuple[Point, ...]:
        source, target = self.box(line.source), self.box(line.target)
        return (source.at(*line.start), *line.via, target.at(*line.end))


def faults(sheet: Sheet) -> list[str]:
    """What nobody should see: boxes that overlap or leave the sheet, slanted lines, ids twice."""
    found = [
        f"{one.id} and {other.id} overlap"
        for at, one in enumerate(sheet.boxes)
        for other in sheet.boxes[at + 1 :]
        if "band" not in (one.kind, other.kind) and one.overlaps(other)
    ]
    found += [
        f"{box.id} leaves the sheet"
        for box in sheet.boxes
        if box.x < 0
        or box.y < 0
        or box.x + box.width > sheet.width
        or box.y + box.height > sheet.height
    ]
    found += [f"{box.id}: more texts than room" for box in sheet.boxes if _too_high(box)]
    found += [f"{box.id}: {text!r} is too long" for box in sheet.boxes for text in _too_wide(box)]
    for line in sheet.lines:
        points = sheet.points(line)
        if not line.curved and any(
            abs(a.x - b.x) > 0.01 and abs(a.y - b.y) > 0.01 for a, b in pairwise(points)
        ):
            found.append(f"{line.id} is slanted")
    ids = [box.id for box in sheet.boxes] + [line.id for line in sheet.lines]
    ids += [words.id for words in sheet.words]
    found += [f"{id_} is there twice" for id_ in sorted({id_ for id_ in ids if ids.count(id_) > 1})]
    return found


def _too_high(box: Box) -> bool:
    return TITLE_BASE + LINE_HEIGHT * len(box.texts) + PADDING / 2 > box.height


def _too_wide(box: Box) -> Iterator[str]:
    """By the widest of the fonts that a reader may have."""
    room = box.width - 2 * PADDING - (4 if box.kind == "service" else 0)
    between = PADDING / 2 if box.beside else 0
    if _width(box.title, "title") + between + _width(box.beside, "mono") > room:
        yield box.title
    for text in box.texts:
        if _width(text.words, text.font) > room:
            yield text.words


def _width(words: str, font: Font) -> float:
    return len(words) * SIZES[font] * _EM[font]
