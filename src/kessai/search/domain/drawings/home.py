"""Pictures of the house: light, cloth, and what keeps it clean."""

from __future__ import annotations

from kessai.search.domain.drawings.kit import (
    ASAGI,
    FUJI,
    KI,
    KIN,
    KINARI,
    MATSU,
    NEZU,
    PALE_FUJI,
    SAKURA,
    SAND,
    SHU,
    SUMI,
    TETSU,
    WAKAKUSA,
    Family,
    Palette,
    Tone,
    dome,
    flat,
    oval,
    place,
    poly,
    rect,
    split,
    split_stroke,
    stroke,
    taper,
    turn,
)

HOME = Family()
_BEAM = "#EDE8D0"


@HOME.kind(KIN, SUMI, SHU, on=ASAGI, band=195)
def lamp(p: Palette) -> str:
    return (
        flat(poly(78, 110, 162, 110, 196, 196, 44, 196), _BEAM)
        + flat(rect(116, 108, 8, 82), p.second.dark)
        + split(dome(84, 200, 72, 14), p.second)
        + split(taper(120, 40, 56, 112, 70), p.main)
    )


@HOME.kind(SHU, KIN, KIN, on=SAND, band=None)
def zabuton(p: Palette) -> str:
    def tassel(x: float, y: float, degrees: float) -> str:
        knot = split(oval(x, y, 7), p.second, x)
        return (
            turn(
                degrees,
                flat(poly(x - 4, y, x + 4, y, x + 11, y + 26, x - 11, y + 26), p.second.dark),
                x,
                y,
            )
            + knot
        )

    return place(
        (
            tassel(44, 58, 130)
            + tassel(196, 58, -130)
            + tassel(44, 190, 50)
            + tassel(196, 190, -50)
            + split(
                "M40 56A250 250 0 0 0 200 56A250 250 0 0 0 200 192"
                "A250 250 0 0 0 40 192A250 250 0 0 0 40 56z",
                p.main,
            )
            + stroke("M112 124H128M120 116V132", p.accent.light, 5)
        ),
        12,
        12.2,
        0.9,
    )


@HOME.kind(KINARI, TETSU, KI, on=ASAGI, band=182)
def towel(p: Palette) -> str:
    def fold(y: float) -> str:
        return split(rect(46, y, 148, 34, 17), p.main) + split(rect(150, y, 14, 34), p.second)

    return fold(158) + fold(123) + fold(88)


@HOME.kind(KIN, SHU, SUMI, on=SAND, band=182)
def candles(p: Palette) -> str:
    def candle(axis: float, top: float) -> str:
        flame = f"M{axis} {top - 44}A26 26 0 0 1 {axis} {top - 10}A26 26 0 0 1 {axis} {top - 44}z"
        return (
            split(flame, p.second, axis)
            + stroke(f"M{axis} {top - 12}V{top}", p.accent.dark, 3)
            + split(rect(axis - 18, top, 36, 180 - top, 4), p.main, axis)
        )

    return (
        candle(88, 96)
        + candle(150, 82)
        + split("M48 178H192A40 14 0 0 1 160 192H80A40 14 0 0 1 48 178z", p.accent)
    )


@HOME.kind(KI, KIN, SHU, on=ASAGI, band=176)
def stool(p: Palette) -> str:
    return (
        flat(poly(66, 108, 92, 108, 84, 192, 56, 192), p.main.light)
        + flat(poly(148, 108, 174, 108, 184, 192, 156, 192), p.main.dark)
        + split(rect(74, 144, 92, 14), p.second)
        + split(rect(46, 88, 148, 24, 5), p.main)
    )


@HOME.kind(KI, KIN, SHU, on=SAKURA, band=None)
def broom(p: Palette) -> str:
    return place(
        turn(
            28,
            split(rect(113, 8, 14, 118, 6), p.second)
            + split("M104 124H136L168 208A40 10 0 0 1 72 208z", p.main)
            + stroke("M106 150L92 206M112 150L106 210", p.main.dark, 2.5)
            + stroke("M134 150L148 206M128 150L134 210", p.main.light, 2.5)
            + split(rect(100, 120, 40, 10, 3), p.accent)
            + split(rect(97, 138, 46, 7, 3), p.accent),
        ),
        10.56,
        8.96,
        0.92,
    )


@HOME.kind(KINARI, SUMI, SHU, on=PALE_FUJI, band=178)
def paper_lamp(p: Palette) -> str:
    left = "".join(
        f"M{120 - h} {y}H120" for y, h in ((72, 52), (94, 64), (116, 68), (138, 64), (160, 52))
    )
    right = "".join(
        f"M120 {y}H{120 + h}" for y, h in ((72, 52), (94, 64), (116, 68), (138, 64), (160, 52))
    )
    return (
        split(rect(84, 176, 72, 16, 4), p.second)
        + split(oval(120, 116, 68), p.main)
        + stroke(left, p.main.dark, 2.5, cap="butt")
        + stroke(right, KIN_LINE, 2.5, cap="butt")
        + split(rect(96, 42, 48, 12, 3), p.second)
    )


KIN_LINE = "#CFC8B4"


@HOME.kind(TETSU, MATSU, SHU, on=SAND, band=180)
def incense(p: Palette) -> str:
    sticks = (
        stroke("M108 122V44", p.second.light, 4)
        + stroke("M120 122V32", p.accent.dark, 4)
        + stroke("M132 122V44", p.second.dark, 4)
    )
    tips = (
        split(oval(108, 42, 3.5), p.accent, 108)
        + split(oval(120, 30, 3.5), p.accent)
        + split(oval(132, 42, 3.5), p.accent, 132)
    )
    return (
        sticks
        + tips
        + split("M62 120H178A70 66 0 0 1 152 182H88A70 66 0 0 1 62 120z", p.main)
        + split(rect(56, 114, 128, 13, 5), p.main)
        + split(rect(84, 180, 72, 10, 3), p.main)
    )


@HOME.kind(SUMI, KINARI, SHU, on=ASAGI, band=None)
def wind_chime(p: Palette) -> str:
    return place(
        (
            stroke("M120 26V58", p.second.dark, 3)
            + split_stroke(oval(120, 26, 5), p.main, 4)
            + split("M64 122A56 70 0 0 1 176 122z", p.main)
            + split(rect(58, 116, 124, 10, 5), p.main)
            + stroke("M120 126V160", p.main.dark, 3)
            + split(oval(120, 136, 8), p.main)
            + turn(6, split(rect(106, 158, 28, 58), p.accent), 120, 158)
        ),
        7.2,
        7.92,
        0.94,
    )


@HOME.kind(KI, KINARI, SUMI, on=WAKAKUSA, band=None)
def clock(p: Palette) -> str:
    marks = "".join(
        turn(
            angle,
            flat(rect(118.5, 58, 3, 10), p.accent.light if angle > 180 else p.accent.dark),
            120,
            124,
        )
        for angle in range(0, 360, 30)
    )
    return (
        split(oval(120, 124, 92), p.main)
        + split(oval(120, 124, 74), p.second)
        + marks
        + stroke("M120 124L92 98", p.accent.light, 6)
        + stroke("M120 124L154 84", p.accent.dark, 5)
        + split(oval(120, 124, 7), p.accent)
    )


@HOME.kind(TETSU, KI, SHU, on=SAND, band=178)
def vase(p: Palette) -> str:
    return place(
        (
            stroke("M120 84A90 90 0 0 1 150 30M132 60A40 40 0 0 0 108 38", p.second.dark, 4)
            + split(oval(150, 32, 10), p.accent, 150)
            + split(oval(106, 38, 9), p.accent, 106)
            + split(oval(138, 58, 7), p.accent, 138)
            + split(
                "M106 80H134V104A52 52 0 0 1 162 148A42 42 0 0 1 142 190"
                "H98A42 42 0 0 1 78 148A52 52 0 0 1 106 104z",
                p.main,
            )
            + split(rect(101, 76, 38, 9, 4), p.main)
        ),
        4.8,
        7.52,
        0.96,
    )


@HOME.kind(KI, KIN, SHU, on=WAKAKUSA, band=176)
def basket(p: Palette) -> str:
    def weave(xs: tuple[int, ...], shift: int) -> str:
        return "".join(
            rect(x + (shift if row % 2 else 0), 112 + row * 16, 15, 8, 2)
            for row in range(5)
            for x in xs
        )

    return (
        split_stroke("M70 100A50 56 0 0 1 170 100", p.second, 10)
        + split(taper(120, 100, 152, 124, 92), p.main)
        + flat(weave((58, 82), 12), p.second.light)
        + flat(weave((122, 146), 12), p.second.dark)
        + split(rect(38, 94, 164, 14, 6), p.second)
    )


@HOME.kind(KI, KINARI, SHU, on=PALE_FUJI, band=190)
def mirror(p: Palette) -> str:
    return (
        split(rect(112, 160, 16, 32), p.main)
        + split(rect(70, 188, 100, 14, 6), p.main)
        + split(oval(120, 102, 68, 72), p.main)
        + split(oval(120, 102, 56, 60), p.second)
    )


@HOME.kind(FUJI, KINARI, SHU, on=NEZU, band=184)
def blanket(p: Palette) -> str:
    def layer(y: float, tone: Tone) -> str:
        return split(rect(40, y, 160, 36, 10), tone)

    fringe = "".join(rect(x, 192, 4, 10) for x in range(52, 192, 12))
    return (
        split(fringe, p.second)
        + layer(156, p.main)
        + layer(118, p.second)
        + layer(80, p.main)
        + split(rect(40, 92, 160, 10), p.accent)
    )


@HOME.kind(TETSU, KINARI, KI, on=ASAGI, band=None)
def slippers(p: Palette) -> str:
    def slipper(x: float) -> str:
        return (
            split(rect(x - 34, 30, 68, 184, 34), p.second, x)
            + split(
                f"M{x - 38} 122V68A38 44 0 0 1 {x + 38} 68V122A60 30 0 0 0 {x - 38} 122z", p.main, x
            )
            + split(oval(x, 78, 8), p.accent, x)
        )

    return slipper(76) + slipper(164)


@HOME.kind(KI, MATSU, SUMI, on=WAKAKUSA, band=178)
def potted_pine(p: Palette) -> str:
    return (
        stroke("M116 150A60 60 0 0 0 132 104A40 40 0 0 0 104 66", p.main.dark, 10)
        + stroke("M130 112L166 98M122 124L84 110", p.main.dark, 6)
        + split(oval(98, 62, 42, 22), p.second, 98)
        + split(oval(170, 92, 38, 19), p.second, 170)
        + split(oval(74, 108, 34, 17), p.second, 74)
        + split("M66 146H174L164 190H76z", p.accent)
        + split(rect(60, 140, 120, 12, 4), p.accent)
    )


@HOME.kind(KI, KIN, SHU, on=ASAGI, band=176)
def pail(p: Palette) -> str:
    return (
        split(taper(120, 104, 136, 116, 86), p.main)
        + flat("M90 104V190M108 104V190", p.main.light)
        + stroke("M84 108L90 188M104 108L107 188", p.main.dark, 2)
        + stroke("M136 108L133 188M156 108L150 188", p.main.light, 2)
        + split(rect(50, 122, 140, 9, 2), p.second)
        + split(rect(56, 166, 128, 9, 2), p.second)
        + split(rect(48, 96, 144, 10, 3), p.main)
    )


@HOME.kind(KINARI, MATSU, SHU, on=SAKURA, band=182)
def soap(p: Palette) -> str:
    return (
        split(rect(58, 124, 124, 60, 22), p.main)
        + split(oval(120, 154, 30, 14), p.second)
        + split(rect(40, 180, 160, 13, 5), KI)
        + flat(oval(84, 96, 12), p.ground.band)
        + flat(oval(110, 76, 8), p.ground.band)
        + flat(oval(146, 92, 15), p.ground.band)
    )


@HOME.kind(KINARI, TETSU, SHU, on=ASAGI, band=None)
def pillow(p: Palette) -> str:
    return turn(
        -10,
        split(rect(30, 74, 180, 104, 36), p.main)
        + split(rect(58, 74, 12, 104), p.second, 64)
        + split(rect(78, 74, 5, 104), p.second, 80)
        + split(rect(170, 74, 12, 104), p.second, 176)
        + split(rect(157, 74, 5, 104), p.second, 160),
    )
