"""Everything that `topology.py` knows is on the pictures, and the pictures can be opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from tests.docs.diagram_events import data_flow
from tests.docs.diagrams import drawn_call, drawn_service, overview
from tests.docs.drawing import Box, Sheet, Text, faults

from kessai.topology import SERVICES, SIMULATORS, STATE_TOPIC, TOPICS, ServiceCard

FOLDER = Path(__file__).parents[2] / "docs" / "diagrams"
SVG = "{http://www.w3.org/2000/svg}"

Edges = set[tuple[str, str]]
# A cell's words without their markup, by its id; and the edges by the ids of their ends.
Page = tuple[dict[str, str], Edges]


def drawio_page(name: str) -> Page:
    page = next(page for page in drawio().iter("diagram") if page.get("name") == name)
    boxes, edges = {}, set()
    for cell in page.iter("mxCell"):
        if cell.get("edge"):
            edges.add((cell.attrib["source"], cell.attrib["target"]))
        elif cell.get("vertex"):
            boxes[cell.attrib["id"]] = unescape(re.sub(r"<[^>]+>", "\n", cell.attrib["value"]))
    return boxes, edges


def drawio() -> Xml.Element:
    return Xml.fromstring((FOLDER / "kessai.drawio").read_text("utf-8"))


def svg_page(name: str) -> Page:
    file = {"Overview": "overview.svg", "DataFlow": "data-flow.svg"}[name]
    svg = Xml.fromstring((FOLDER / file).read_text("utf-8"))
    boxes = {
        group.attrib["id"]: "\n".join(text.text or "" for text in group.iter(f"{SVG}text"))
        for group in svg.iter(f"{SVG}g")
    }
    edges = {
        (path.attrib["data-source"], path.attrib["data-target"])
        for path in svg.iter(f"{SVG}path")
        if "data-source" in path.attrib
    }
    return boxes, edges


BOTH = pytest.mark.parametrize("read", [drawio_page, svg_page])


@BOTH
def test_every_service_and_port_is_on_the_overview(read: Callable[[str], Page]) -> None:
    boxes, _ = read("Overview")
    for card in (*SERVICES, *SIMULATORS):
        words = boxes[card.name]
        assert str(card.port) in words, f"{card.name}: its port is not on the picture"
        assert card in SIMULATORS or card.name in words
        if card.management_port:
            assert str(card.management_port) in words


@BOTH
def test_the_calls_on_the_overview_are_those_of_the_map(read: Callable[[str], Page]) -> None:
    _, edges = read("Overview")
    services = {card.name for card in SERVICES}
    drawn = {edge for edge in edges if set(edge) <= services}
    assert drawn == {(card.name, callee) for card in SERVICES for callee in card.calls}


@BOTH
def test_the_overview_says_who_writes_and_reads_each_topic(read: Callable[[str], Page]) -> None:
    boxes, _ = read("Overview")
    for topic in TOPICS:
        words = " ".join(boxes[topic].split())
        writes, reads = words.split(" from ")[1].split(" to ")
        assert sorted(writes.split(", ")) == plain(topic, "emits"), topic
        assert sorted(reads.split(", ")) == plain(topic, "consumes"), topic


def plain(topic: str, way: str) -> list[str]:
    return sorted(
        card.name.removesuffix("-service") for card in SERVICES if topic in getattr(card, way)
    )


@BOTH
def test_every_topic_is_on_the_data_flow_by_its_whole_name(read: Callable[[str], Page]) -> None:
    boxes, _ = read("DataFlow")
    for topic in (*TOPICS, STATE_TOPIC):
        assert topic in boxes[topic].split("\n")


@BOTH
def test_the_lines_of_the_data_flow_are_those_of_the_map(read: Callable[[str], Page]) -> None:
    _, edges = read("DataFlow")
    emits = {(f"{card.name}-writes", topic) for card in SERVICES for topic in card.emits}
    consumes = {(topic, f"{card.name}-reads") for card in SERVICES for topic in card.consumes}
    assert {edge for edge in edges if STATE_TOPIC not in edge} == emits | consumes


@pytest.mark.parametrize("draw", [overview, data_flow])
def test_nothing_overlaps_or_has_no_room(draw: Callable[[], Sheet]) -> None:
    assert faults(draw()) == []


def test_what_is_wrong_with_a_sheet_is_found() -> None:
    boxes = (
        Box("a", "a", 0, 0, 100, 40, texts=(Text("one"), Text("two"))),
        Box("b", "a title that is far too long", 50, 20, 100, 60),
        Box("b", "c", 180, 0, 100, 40),
    )
    sheet = Sheet("s", "s", "s", 200, 200, boxes, ())
    assert faults(sheet) == [
        "a and b overlap",
        "b leaves the sheet",
        "a: more texts than room",
        "b: 'a title that is far too long' is too long",
        "b is there twice",
    ]


def test_draw_io_can_open_the_file() -> None:
    """Uncompressed; each id once; a root, a layer, and nothing that hangs in the air."""
    file = drawio()
    assert file.tag == "mxfile"
    assert [page.get("name") for page in file] == ["Overview", "DataFlow"]
    for page in file:
        cells = list(page.iterfind("mxGraphModel/root/mxCell"))
        ids = [cell.attrib["id"] for cell in cells]
        assert len(ids) == len(set(ids))
        assert [cell.attrib["id"] for cell in cells if "parent" not in cell.attrib] == ["0"]
        assert all(cell.attrib["parent"] in ids for cell in cells[1:])
        assert all(cell.find("mxGeometry") is not None for cell in cells[2:])
        for cell in cells:
            if cell.get("edge"):
                assert {cell.attrib["source"], cell.attrib["target"]} <= set(ids)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.svg")), ids=lambda path: str(path.name))
def test_a_picture_brings_its_own_ground_and_fetches_nothing(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "prefers-color-scheme:dark" in text
    assert 'class="paper"' in text
    assert list(addresses(text)) == ["http://www.w3.org/2000/svg"]


def addresses(text: str) -> Iterator[str]:
    yield from re.findall(r"https?://[^\"')\s]+", text)


def test_a_call_or_a_service_without_a_place_is_told() -> None:
    stranger = ServiceCard("stranger", 8099, "stranger")
    with pytest.raises(LookupError, match=r"diagrams\.py: stranger has no place"):
        drawn_service(stranger)
    with pytest.raises(LookupError, match=r"no way is drawn for the call stranger -> bff"):
        drawn_call(stranger, "bff")
