"""A sheet as SVG: its own ground, a second palette for dark screens, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import pairwise

from tests.docs.drawing import (
    EDGE,
    INK,
    INK2,
    LINE_HEIGHT,
    PADDING,
    PAPER,
    SIZES,
    SURFACE,
    TITLE_BASE,
    TONES,
    Box,
    Line,
    Point,
    Sheet,
    Words,
)

CORNER = 8.0
HEAD = 8.0
_SANS = "system-ui,-apple-system,'Segoe UI','Noto Sans',Roboto,Helvetica,Arial,sans-serif"
_MONO = "ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"


def to_svg(sheet: Sheet) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(sheet.width)} '
        f'{_n(sheet.height)}" width="{_n(sheet.width)}" height="{_n(sheet.height)}" role="img" '
        f'aria-labelledby="title about">'
    )
    lines = [
        head,
        f'<title id="title">{escape(sheet.title)}</title>',
        f'<desc id="about">{escape(sheet.about)}</desc>',
        f"<style>{_style()}</style>",
        f"<defs>{''.join(_arrow(tone) for tone in TONES)}</defs>",
        f'<rect class="paper" width="{_n(sheet.width)}" height="{_n(sheet.height)}" rx="10"/>',
        *(_box(box) for box in sheet.boxes if box.kind == "band"),
        *(_line(sheet, line) for line in sheet.lines),
        *(_box(box) for box in sheet.boxes if box.kind != "band"),
        *(_label(sheet, line) for line in sheet.lines if line.label),
        *(_words(words) for words in sheet.words),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _style() -> str:
    rules = [
        f"text{{font-family:{_SANS};font-size:{SIZES['text']}px}}",
        f".title{{font-size:{SIZES['title']}px;font-weight:600}}",
        f".mono{{font-family:{_MONO};font-size:{SIZES['mono']}px}}",
        f".note{{font-size:{SIZES['note']}px}}",
        ".line{fill:none;stroke-width:1.6}.dashed{stroke-dasharray:5 4}",
        ".label{paint-order:stroke;stroke-width:5px;stroke-linejoin:round}",
        *_palette(0),
    ]
    return f"{''.join(rules)}@media (prefers-color-scheme:dark){{{''.join(_palette(1))}}}"


def _palette(ground: int) -> Iterator[str]:
    yield f".paper{{fill:{PAPER[ground]}}}.card{{fill:{SURFACE[ground]};stroke-width:1.2}}"
    yield f"text{{fill:{INK2[ground]}}}.title{{fill:{INK[ground]}}}"
    yield f".label{{stroke:{PAPER[ground]}}}.band{{fill:none;stroke:{EDGE[ground]}}}"
    for tone, colours in TONES.items():
        line, tint = colours[2 * ground], colours[2 * ground + 1]
        yield f".s-{tone}{{stroke:{line}}}.f-{tone}{{fill:{line}}}.t-{tone}{{fill:{tint}}}"


def _arrow(tone: str) -> str:
    return (
        f'<marker id="a-{tone}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="{_n(HEAD)}" '
        f'markerHeight="{_n(HEAD)}" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0 0.8 10 5 0 9.2z" class="f-{tone}"/></marker>'
    )


def _box(box: Box) -> str:
    radius = {"service": 6, "outside": 14, "topic": 3, "band": 6}[box.kind]
    shape = {"band": "band dashed", "topic": f"s-{box.tone} t-{box.tone}"}.get(
        box.kind, f"card s-{box.tone}"
    )
    dash = ' stroke-dasharray="5 4"' if box.kind == "outside" else ""
    parts = [
        f'<g id="{box.id}" class="{box.kind}">',
        f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" '
        f'height="{_n(box.height)}" rx="{radius}" class="{shape}"{dash}/>',
    ]
    if box.kind == "service":
        parts.append(
            f'<rect x="{_n(box.x)}" y="{_n(box.y + 8)}" width="4" height="{_n(box.height - 16)}" '
            f'class="f-{box.tone}"/>'
        )
    left = box.x + PADDING + (4 if box.kind == "service" else 0)
    base = box.y + TITLE_BASE
    parts.append(f'<text x="{_n(left)}" y="{_n(base)}" class="title">{escape(box.title)}</text>')
    if box.beside:
        parts.append(
            f'<text x="{_n(box.x + box.width - PADDING)}" y="{_n(base)}" text-anchor="end" '
            f'class="mono">{escape(box.beside)}</text>'
        )
    for at, text in enumerate(box.texts, start=1):
        parts.append(
            f'<text x="{_n(left)}" y="{_n(base + LINE_HEIGHT * at)}" class="{text.font}">'
            f"{escape(text.words)}</text>"
        )
    return "".join([*parts, "</g>"])


def _line(sheet: Sheet, line: Line) -> str:
    points = sheet.points(line)
    path = _curve(points) if line.curved else _bends(points)
    dashed = " dashed" if line.dashed else ""
    return (
        f'<path id="{line.id}" data-source="{line.source}" data-target="{line.target}" '
        f'class="line s-{line.tone}{dashed}" marker-end="url(#a-{line.tone})" d="{path}"/>'
    )


def _curve(points: tuple[Point, ...]) -> str:
    start, end = points[0], points[-1]
    pull = (end.x - start.x) * 0.5
    return (
        f"M{_n(start.x)} {_n(start.y)}C{_n(start.x + pull)} {_n(start.y)} "
        f"{_n(end.x - pull)} {_n(end.y)} {_n(end.x)} {_n(end.y)}"
    )


def _bends(points: tuple[Point, ...]) -> str:
    """Straight pieces with round corners."""
    path = [f"M{_n(points[0].x)} {_n(points[0].y)}"]
    for (before, corner), (_, after) in pairwise(pairwise(points)):
        near, far = _towards(corner, before), _towards(corner, after)
        path.append(f"L{_n(near.x)} {_n(near.y)}Q{_n(corner.x)} {_n(corner.y)}")
        path.append(f" {_n(far.x)} {_n(far.y)}")
    path.append(f"L{_n(points[-1].x)} {_n(points[-1].y)}")
    return "".join(path)


def _towards(corner: Point, other: Point) -> Point:
    length = max(abs(other.x - corner.x), abs(other.y - corner.y))
    step = min(CORNER, length / 2) / length
    return Point(corner.x + (other.x - corner.x) * step, corner.y + (other.y - corner.y) * step)


def _label(sheet: Sheet, line: Line) -> str:
    at = line.label_at or _middle(sheet.points(line))
    return (
        f'<text x="{_n(at.x)}" y="{_n(at.y)}" text-anchor="middle" class="note label">'
        f"{escape(line.label)}</text>"
    )


def _middle(points: tuple[Point, ...]) -> Point:
    at = len(points) // 2
    one, other = points[at - 1], points[at]
    return Point((one.x + other.x) / 2, (one.y + other.y) / 2 - 6)


def _words(words: Words) -> str:
    anchor = ' text-anchor="middle"' if words.centred else ""
    return (
        f'<text id="{words.id}" x="{_n(words.x)}" y="{_n(words.y)}"{anchor} class="{words.font}">'
        f"{escape(words.words)}</text>"
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
