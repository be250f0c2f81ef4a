"""Sheets as one file of draw.io: a page each, uncompressed, with the geometry of the SVG."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as Xml

from tests.docs.drawing import (
    INK,
    INK2,
    PADDING,
    PAPER,
    SURFACE,
    TONES,
    Box,
    End,
    Line,
    Point,
    Sheet,
    Words,
)

_RADIUS = {"service": 6, "outside": 14, "topic": 3, "band": 6}


def to_drawio(sheets: Iterable[Sheet]) -> str:
    file = Xml.Element("mxfile", host="app.diagrams.net", type="device")
    for sheet in sheets:
        diagram = Xml.SubElement(file, "diagram", id=sheet.name.lower(), name=sheet.name)
        diagram.append(_model(sheet))
    Xml.indent(file)
    return Xml.tostring(file, encoding="unicode") + "\n"


def _model(sheet: Sheet) -> Xml.Element:
    size = {"pageWidth": _n(sheet.width), "pageHeight": _n(sheet.height)}
    model = Xml.Element(
        "mxGraphModel",
        {"grid": "1", "gridSize": "4", "page": "1", "background": PAPER[0], **size},
    )
    root = Xml.SubElement(model, "root")
    Xml.SubElement(root, "mxCell", id="0")
    Xml.SubElement(root, "mxCell", {"id": "1", "parent": "0"})
    for box in sheet.boxes:
        root.append(_box(box))
    for line in sheet.lines:
        root.append(_line(sheet, line))
    for words in sheet.words:
        root.append(_words(words))
    return model


def _box(box: Box) -> Xml.Element:
    colour, tint = TONES[box.tone][:2]
    fill = {"topic": tint, "band": "none"}.get(box.kind, SURFACE[0])
    style = {
        "rounded": 1,
        "absoluteArcSize": 1,
        "arcSize": 2 * _RADIUS[box.kind],
        "whiteSpace": "wrap",
        "html": 1,
        "align": "left",
        "verticalAlign": "top",
        "spacingLeft": PADDING - 4,
        "spacingTop": 4,
        "fillColor": fill,
        "strokeColor": colour,
        "fontColor": INK2[0],
        "fontSize": 14,
        **({"dashed": 1} if box.kind in ("outside", "band") else {}),
    }
    cell = _cell(box.id, _html(box), style, vertex="1")
    _geometry(cell, x=box.x, y=box.y, width=box.width, height=box.height)
    return cell


def _html(box: Box) -> str:
    """draw.io takes a label as HTML."""
    head = f'<b><font color="{INK[0]}" style="font-size:15px">{box.title}</font></b>'
    if box.beside:
        head += f'&nbsp; <font face="Courier New">{box.beside}</font>'
    return "<br>".join([head, *(_escaped(text.words) for text in box.texts)])


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _line(sheet: Sheet, line: Line) -> Xml.Element:
    style = {
        "edgeStyle": "none",
        "rounded": 1,
        "html": 1,
        "strokeColor": TONES[line.tone][0],
        "strokeWidth": 1.6,
        "fontColor": INK2[0],
        "fontSize": 13,
        "labelBackgroundColor": PAPER[0],
        "endArrow": "block",
        "endSize": 5,
        **_constraint("exit", line.start),
        **_constraint("entry", line.end),
        **({"curved": 1} if line.curved else {}),
        **({"dashed": 1} if line.dashed else {}),
    }
    cell = _cell(
        line.id, _escaped(line.label), style, edge="1", source=line.source, target=line.target
    )
    geometry = Xml.SubElement(cell, "mxGeometry", {"relative": "1", "as": "geometry"})
    corners = _pull(sheet.points(line)) if line.curved else line.via
    if corners:
        array = Xml.SubElement(geometry, "Array", {"as": "points"})
        for point in corners:
            Xml.SubElement(array, "mxPoint", x=_n(point.x), y=_n(point.y))
    return cell


def _pull(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Where draw.io bends a curve that leaves and arrives level."""
    start, end = points[0], points[-1]
    middle = (start.x + end.x) / 2
    return Point(middle, start.y), Point(middle, end.y)


def _constraint(name: str, end: End) -> dict[str, object]:
    x, y = {
        "left": (0.0, end.share),
        "right": (1.0, end.share),
        "top": (end.share, 0.0),
        "bottom": (end.share, 1.0),
    }[end.side]
    return {f"{name}X": round(x, 4), f"{name}Y": round(y, 4), f"{name}Dx": 0, f"{name}Dy": 0}


def _words(words: Words) -> Xml.Element:
    width = 800.0
    style = {
        "text": "",
        "html": 1,
        "align": "center" if words.centred else "left",
        "verticalAlign": "middle",
        "fontColor": INK2[0],
        "fontSize": 20 if words.font == "title" else 13,
        "fontStyle": 1 if words.font == "title" else 0,
    }
    cell = _cell(words.id, _escaped(words.words), style, vertex="1")
    left = words.x - width / 2 if words.centred else words.x
    _geometry(cell, x=left, y=words.y - 16, width=width, height=24)
    return cell


def _cell(id_: str, value: str, style: dict[str, object], **more: str) -> Xml.Element:
    text = ";".join(f"{key}={value}" if value != "" else key for key, value in style.items())
    return Xml.Element(
        "mxCell", {"id": id_, "value": value, "style": f"{text};", "parent": "1", **more}
    )


def _geometry(cell: Xml.Element, **sizes: float) -> None:
    texts = {name: _n(size) for name, size in sizes.items()}
    Xml.SubElement(cell, "mxGeometry", {**texts, "as": "geometry"})


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
