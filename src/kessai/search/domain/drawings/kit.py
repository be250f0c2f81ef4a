"""The kit of the product pictures: tones, grounds, and the few shapes that their rules allow.

A field of 240 x 240. Circles, rounded rectangles, straight cuts and single arcs; no outlines,
shadows or gradients. Every body is cut on its own upright axis, light at the left.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

SIDE = 240
MIDDLE = 120.0
_RAMP = 0.12


@dataclass(frozen=True, slots=True)
class Tone:
    light: str
    dark: str


TETSU = Tone("#2C6A6B", "#14474A")
SHU = Tone("#DA5A3B", "#B53318")
SUMI = Tone("#46534F", "#25302D")
KIN = Tone("#E2B444", "#C28F1C")
FUJI = Tone("#8583B8", "#605E97")
KINARI = Tone("#FBF9F2", "#E6E1D3")
MATSU = Tone("#5E8F58", "#3B6B3B")
KI = Tone("#C79A6B", "#A2754A")
TONES = {
    "tetsu": TETSU,
    "shu": SHU,
    "sumi": SUMI,
    "kin": KIN,
    "fuji": FUJI,
    "kinari": KINARI,
    "matsu": MATSU,
    "ki": KI,
}


@dataclass(frozen=True, slots=True)
class Ground:
    """A pale wall and, one step darker, the table band below it."""

    wall: str
    band: str


SAND = Ground("#E9E3D6", "#DDD5C4")
ASAGI = Ground("#D5E4E1", "#C3D7D3")
SAKURA = Ground("#EEDFDB", "#E2CEC9")
PALE_FUJI = Ground("#DFDFEC", "#CFCFE0")
WAKAKUSA = Ground("#E1E7D3", "#D1DABF")
NEZU = Ground("#DEE2E0", "#CED4D1")
GROUNDS = {
    "sand": SAND,
    "asagi": ASAGI,
    "sakura": SAKURA,
    "fuji": PALE_FUJI,
    "wakakusa": WAKAKUSA,
    "nezu": NEZU,
}


@dataclass(frozen=True, slots=True)
class Palette:
    """What one picture is painted with. `ground` shows through holes."""

    main: Tone
    second: Tone
    accent: Tone
    ground: Ground


Drawing = Callable[[Palette], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object. Without a band it is seen from above."""

    draw: Drawing
    palette: Palette
    band: int | None


class Family:
    """The kinds of one file, by name."""

    def __init__(self) -> None:
        self.kinds: dict[str, Kind] = {}

    def kind(
        self,
        main: Tone,
        second: Tone = SUMI,
        accent: Tone = SHU,
        *,
        on: Ground = SAND,
        band: int | None = 178,
    ) -> Callable[[Drawing], Drawing]:
        """Adds the drawing under its function's name, with the colours it has by itself."""

        def add(draw: Drawing) -> Drawing:
            name = draw.__name__.replace("_", "")
            self.kinds[name] = Kind(draw, Palette(main, second, accent, on), band)
            return draw

        return add


def page(content: str, ground: Ground, band: int | None) -> str:
    """The whole picture as SVG text; the same drawing is the same text everywhere."""
    table = f'<path d="M0 {band}H240V240H0z" fill="{ground.band}"/>' if band is not None else ""
    wall = f'<path d="M0 0H240V240H0z" fill="{ground.wall}"/>'
    cuts = sorted(set(_CUT.findall(content)))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 240">'
        f"<defs>{''.join(_cut(*found) for found in cuts)}</defs>{wall}{table}{content}</svg>"
    )


_CUT = re.compile(r"url\(#c([0-9A-F]{6})([0-9A-F]{6})a([0-9.-]+)\)")


def _cut(light: str, dark: str, axis: str) -> str:
    """A paint of two tones that meet at the axis; it costs a third less than a clip path.

    The ramp of a quarter of a unit smooths a slanted edge, and is no gradient that one could see.
    """
    ends = ((float(axis) + side) / SIDE for side in (-_RAMP, _RAMP))
    stops = "".join(
        f'<stop offset="{offset:.5f}" stop-color="#{colour}"/>'
        for offset, colour in zip(ends, (light, dark), strict=True)
    )
    return (
        f'<linearGradient id="c{light}{dark}a{axis}" gradientUnits="userSpaceOnUse" '
        f'x1="0" x2="{SIDE}">{stops}</linearGradient>'
    )


# Paint.


def flat(path: str, colour: str) -> str:
    return f'<path d="{path}" fill="{colour}"/>'


def split(path: str, tone: Tone, axis: float = MIDDLE) -> str:
    """The body, light at the left of its axis and dark at the right of it."""
    return flat(path, _halves(tone, axis))


def stroke(path: str, colour: str, width: float, *, cap: str = "round") -> str:
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{_n(width)}" '
        f'stroke-linecap="{cap}" stroke-linejoin="round"/>'
    )


def split_stroke(
    path: str, tone: Tone, width: float, axis: float = MIDDLE, *, cap: str = "round"
) -> str:
    """A bent rod, cut on its axis as any other body."""
    return stroke(path, _halves(tone, axis), width, cap=cap)


def _halves(tone: Tone, axis: float) -> str:
    return f"url(#c{tone.light[1:]}{tone.dark[1:]}a{_n(axis)})"


# Shapes, as path data.


def rect(x: float, y: float, width: float, height: float, radius: float = 0) -> str:
    if not radius:
        return f"M{_n(x)} {_n(y)}h{_n(width)}v{_n(height)}h{_n(-width)}z"
    r = min(radius, width / 2, height / 2)
    w, h, arc = width - 2 * r, height - 2 * r, f"a{_n(r)} {_n(r)} 0 0 1"
    return (
        f"M{_n(x + r)} {_n(y)}h{_n(w)}{arc} {_n(r)} {_n(r)}v{_n(h)}{arc} {_n(-r)} {_n(r)}"
        f"h{_n(-w)}{arc} {_n(-r)} {_n(-r)}v{_n(-h)}{arc} {_n(r)} {_n(-r)}z"
    )


def oval(cx: float, cy: float, rx: float, ry: float | None = None) -> str:
    ry = rx if ry is None else ry
    half = f"a{_n(rx)} {_n(ry)} 0 0 1"
    return f"M{_n(cx - rx)} {_n(cy)}{half} {_n(2 * rx)} 0{half} {_n(-2 * rx)} 0z"


def poly(*xy: float) -> str:
    points = [f"{_n(x)} {_n(y)}" for x, y in zip(xy[::2], xy[1::2], strict=True)]
    return "M" + "L".join(points) + "z"


def dome(x: float, y: float, width: float, height: float) -> str:
    """Half an oval that stands on y."""
    return f"M{_n(x)} {_n(y)}a{_n(width / 2)} {_n(height)} 0 0 1 {_n(width)} 0z"


def bowl(x: float, y: float, width: float, height: float, foot: float) -> str:
    """A vessel that is open at y; its sides are single arcs down to a foot of that width."""
    side = (width - foot) / 2
    arc = f"a{_n(side)} {_n(height)} 0 0"
    return (
        f"M{_n(x)} {_n(y)}h{_n(width)}{arc} 1 {_n(-side)} {_n(height)}"
        f"h{_n(-foot)}{arc} 1 {_n(-side)} {_n(-height)}z"
    )


def taper(cx: float, y: float, top: float, bottom: float, height: float) -> str:
    """A straight-sided vessel or shade around cx, of these widths above and below."""
    half = (bottom - top) / 2
    return f"M{_n(cx - top / 2)} {_n(y)}h{_n(top)}l{_n(half)} {_n(height)}h{_n(-bottom)}z"


def mirrored(axis: float, *xy: float) -> list[float]:
    """The same points on the other side of an axis."""
    return [2 * axis - value if place % 2 == 0 else value for place, value in enumerate(xy)]


# Placing.


def turn(degrees: float, content: str, cx: float = MIDDLE, cy: float = MIDDLE) -> str:
    return f'<g transform="rotate({_n(degrees)} {_n(cx)} {_n(cy)})">{content}</g>'


def place(content: str, x: float, y: float, scale: float = 1) -> str:
    return f'<g transform="translate({_n(x)} {_n(y)}) scale({_n(scale)})">{content}</g>'


def _n(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
