"""Our own pictures keep the rules of the house, and the catalogue names no other."""

from __future__ import annotations

import csv
import io
import re
from importlib import resources

import pytest
import resvg_py
from PIL import Image, ImageChops

from kessai.search.domain.drawings import KINDS, draw
from kessai.search.domain.drawings.kit import GROUNDS, TONES, page

SIDE = 240
MARGIN = 24
GROUND_COLOURS = {colour for ground in GROUNDS.values() for colour in (ground.wall, ground.band)}
BODY_COLOURS = {colour for tone in TONES.values() for colour in (tone.light, tone.dark)}
# The one light that falls out of a lamp, and the ribs under white paper.
OTHER_COLOURS = {"#EDE8D0", "#CFC8B4"}


def catalogue() -> list[dict[str, str]]:
    text = resources.files("kessai.storage").joinpath("catalogue.csv").read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def pixels(svg: str) -> Image.Image:
    png = resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, skip_system_fonts=True)
    return Image.open(io.BytesIO(png)).convert("RGB")


def drawn(name: str) -> str:
    svg = draw(name)
    assert svg is not None, name
    return svg


def test_there_are_many_kinds_of_object() -> None:
    assert len(KINDS) >= 30


def test_every_product_has_a_picture_of_its_own() -> None:
    rows = catalogue()
    names = [row["imageFile"] for row in rows]
    assert len(rows) >= 160
    assert len(set(names)) == len(names)
    pictures = {drawn(name) for name in names}
    assert len(pictures) == len(names)


def test_every_kind_is_on_sale() -> None:
    shown = {re.split(r"[-_.]", row["imageFile"])[0] for row in catalogue()}
    assert shown == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_keeps_its_margin_and_stands_in_the_middle(kind: str) -> None:
    empty = page("", KINDS[kind].palette.ground, KINDS[kind].band)
    difference = ImageChops.difference(pixels(drawn(f"{kind}.svg")), pixels(empty)).convert("L")
    box = difference.point([255 if value > 3 else 0 for value in range(256)]).getbbox()
    assert box is not None
    left, top, right, bottom = box
    # A pixel of the smoothed edge may lie on the line.
    assert min(left, top, SIDE - right, SIDE - bottom) >= MARGIN - 1, box
    assert abs((left + right) / 2 - 120) <= 20, box
    assert abs((top + bottom) / 2 - 124) <= 36, box


@pytest.mark.parametrize("row", catalogue(), ids=lambda row: row["imageFile"])
def test_a_picture_is_made_of_the_tones_of_the_house(row: dict[str, str]) -> None:
    svg = drawn(row["imageFile"])
    colours = set(re.findall(r"#[0-9A-F]{6}\b", svg))
    assert colours <= GROUND_COLOURS | BODY_COLOURS | OTHER_COLOURS
    used = [name for name, tone in TONES.items() if {tone.light, tone.dark} & colours]
    assert 1 <= len(used) <= 4
    # No shadow, no outline of text, nothing from elsewhere.
    assert not re.search(r"<(text|image|use|filter|script|style|foreignObject)|href|opacity", svg)


def test_light_comes_from_the_left() -> None:
    image = pixels(drawn("speaker.svg"))
    assert image.getpixel((80, 110)) == (0xC7, 0x9A, 0x6B)
    assert image.getpixel((160, 110)) == (0xA2, 0x75, 0x4A)


def test_a_name_paints_its_parts_and_its_ground() -> None:
    svg = drawn("kyusu-shu-kin-matsu_asagi.svg")
    for tone in ("shu", "kin", "matsu"):
        assert TONES[tone].light in svg
    assert TONES["tetsu"].light not in svg
    assert GROUNDS["asagi"].wall in svg
    assert drawn("kyusu-shu.svg") != drawn("kyusu.svg")
    assert drawn("kyusu-tetsu.svg") == drawn("kyusu.svg")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".svg",
        "kyusu",
        "kyusu.png",
        "kettleful.svg",
        "kyusu-mauve.svg",
        "kyusu-shu-shu-shu-shu.svg",
        "kyusu_moss.svg",
        "../kyusu.svg",
        "kyusu.svg.svg",
    ],
)
def test_other_names_are_none_of_ours(name: str) -> None:
    assert draw(name) is None
