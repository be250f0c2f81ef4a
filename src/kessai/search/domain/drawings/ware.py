"""Pictures of the table: bowls, plates, cups and what lies beside them."""

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
    bowl,
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

WARE = Family()


@WARE.kind(KINARI, KI, SHU, on=ASAGI, band=174)
def rice_bowl(p: Palette) -> str:
    return (
        split(rect(94, 176, 52, 14), p.second)
        + split("M45 111H195A48 84 0 0 1 148 178H92A48 84 0 0 1 45 111z", p.main)
        + split("M44 94H196A48 84 0 0 1 194.9 112H45.1A48 84 0 0 1 44 94z", p.second)
    )


@WARE.kind(KINARI, FUJI, SHU, on=PALE_FUJI)
def soba_cup(p: Palette) -> str:
    light = "M81 102H120M83.3 126H120M85.6 150H120M98 80V188"
    dark = "M120 102H159M120 126H156.7M120 150H154.4M142 80V188M120 80V188"
    return (
        split(taper(120, 72, 84, 62, 116), p.main)
        + stroke(light, p.second.light, 4, cap="butt")
        + stroke(dark, p.second.dark, 4, cap="butt")
        + split(rect(78, 70, 84, 9), p.second)
    )


@WARE.kind(SHU, SUMI, KIN, on=NEZU, band=174)
def soup_bowl(p: Palette) -> str:
    return (
        split(rect(92, 172, 56, 18), p.second)
        + split(bowl(46, 92, 148, 84, 60), p.main)
        + split(rect(40, 86, 160, 12, 6), p.second)
    )


@WARE.kind(KIN, KI, MATSU, on=ASAGI, band=None)
def plate(p: Palette) -> str:
    return (
        split(oval(120, 124, 92), p.main)
        + split_stroke(oval(120, 124, 62), p.second, 4)
        + stroke("M104 150A60 60 0 0 1 112 96M112 118L98 108M108 132L92 126", p.accent.light, 4)
        + stroke("M136 150A60 60 0 0 0 128 96M128 118L142 108M132 132L148 126", p.accent.dark, 4)
    )


@WARE.kind(TETSU, KINARI, SHU, on=ASAGI, band=176)
def glass_bowl(p: Palette) -> str:
    left = "".join(
        oval(x, y, r) for x, y, r in ((74, 122, 5), (92, 140, 7), (104, 116, 4), (112, 158, 5))
    )
    right = "".join(
        oval(x, y, r) for x, y, r in ((136, 130, 6), (156, 116, 4), (150, 150, 5), (128, 166, 4))
    )
    return (
        split(rect(100, 178, 40, 10), p.main)
        + split(bowl(48, 98, 144, 82, 60), p.main)
        + flat(left, p.second.light)
        + flat(right, p.second.dark)
        + split(rect(44, 92, 152, 9, 4), p.second)
    )


@WARE.kind(KINARI, SUMI, SHU, on=NEZU)
def sake_cup(p: Palette) -> str:
    dents = "".join(
        oval(x, y, 5) for y, xs in ((112, (84, 100)), (132, (92, 108)), (152, (100,))) for x in xs
    )
    return (
        split(taper(120, 88, 100, 66, 92), p.main)
        + flat(dents, p.main.dark)
        + split(rect(92, 178, 56, 10, 2), p.second)
    )


@WARE.kind(KI, KINARI, SUMI, on=SAND, band=176)
def spouted(p: Palette) -> str:
    strokes = "M62 128H112M70 144H118M84 160H116"
    return (
        flat(poly(26, 84, 70, 96, 66, 128), p.main.light)
        + split(bowl(50, 96, 146, 92, 62), p.main, 123)
        + stroke(strokes, p.second.light, 6)
        + stroke("M128 136H180M130 152H166", p.second.dark, 6)
        + split(rect(46, 90, 154, 11, 5), p.accent, 123)
    )


@WARE.kind(SUMI, SHU, KI, on=SAKURA, band=None)
def chopsticks(p: Palette) -> str:
    def stick(x: float) -> str:
        body = split(poly(x - 8, 26, x + 8, 26, x + 3, 216, x - 3, 216), p.main, x)
        return body + split(poly(x - 7.6, 40, x + 7.6, 40, x + 7, 62, x - 7, 62), p.second, x)

    return place(turn(36, turn(-3, stick(104)) + turn(3, stick(136))), -4, 8)


@WARE.kind(TETSU, SUMI, SHU, on=WAKAKUSA, band=None)
def rests(p: Palette) -> str:
    def stone(x: float, y: float, rx: float, ry: float, degrees: float) -> str:
        tone = p.accent if (x, y) == (120, 124) else (p.main if rx > 30 else p.second)
        return turn(degrees, split(oval(x, y, rx, ry), tone, x), x, y)

    return (
        stone(76, 82, 34, 24, -18)
        + stone(162, 78, 29, 24, 12)
        + stone(120, 124, 32, 23, 4)
        + stone(72, 170, 29, 22, 20)
        + stone(166, 170, 36, 24, -10)
    )


@WARE.kind(TETSU, KINARI, SHU, on=NEZU)
def flask(p: Palette) -> str:
    """A sake flask with its cup."""
    return (
        split(
            "M82 48H114A70 70 0 0 0 116 92A48 48 0 0 1 136 132V176A14 14 0 0 1 122 190"
            "H74A14 14 0 0 1 60 176V132A48 48 0 0 1 80 92A70 70 0 0 0 82 48z",
            p.main,
            98,
        )
        + split(rect(60, 136, 76, 12), p.second, 98)
        + split(taper(180, 152, 56, 36, 38), p.second, 180)
    )


@WARE.kind(SHU, SUMI, KINARI, on=ASAGI)
def mug(p: Palette) -> str:
    return (
        split_stroke(
            "M152 104H176A18 18 0 0 1 194 122V134A18 18 0 0 1 176 152H152", p.main, 13, 108
        )
        + split(rect(58, 74, 100, 114, 12), p.main, 108)
        + split(rect(58, 150, 100, 16), p.accent, 108)
    )


@WARE.kind(KI, KI, SHU, on=SAKURA, band=None)
def spoon(p: Palette) -> str:
    return place(
        turn(
            36,
            split(oval(120, 74, 36, 48), p.main)
            + split(oval(120, 74, 24, 35), Tone(p.main.dark, p.main.light))
            + split(rect(113, 116, 14, 106, 7), p.second)
            + split(rect(112, 186, 16, 8), p.accent),
        ),
        -8,
        11,
    )


@WARE.kind(SUMI, SHU, KIN, on=SAND, band=172)
def stacked_boxes(p: Palette) -> str:
    def box(y: float) -> str:
        return split(rect(54, y, 132, 36, 3), p.main) + split(rect(54, y, 132, 5), p.second)

    return (
        box(152)
        + box(114)
        + split(rect(48, 76, 144, 36, 4), p.main)
        + split(oval(120, 94, 11), p.accent)
        + stroke("M48 94H104", p.accent.light, 3, cap="butt")
        + stroke("M136 94H192", p.accent.dark, 3, cap="butt")
    )


@WARE.kind(TETSU, KINARI, SHU, on=ASAGI)
def tumbler(p: Palette) -> str:
    cuts = "".join(f"M{x} 128L{x + 14} 152L{x} 176L{x - 14} 152z" for x in (94,))
    dark = "".join(f"M{x} 128L{x + 14} 152L{x} 176L{x - 14} 152z" for x in (146,))
    middle = "M120 128L134 152L120 176L106 152z"
    return (
        split(taper(120, 83, 93.6, 80, 105), p.main)
        + flat(cuts, p.second.light)
        + flat(dark, p.second.dark)
        + split(middle, p.second)
        + split(taper(120, 64, 96, 94, 20), p.second)
    )


@WARE.kind(KINARI, TETSU, SHU, on=WAKAKUSA, band=174)
def big_bowl(p: Palette) -> str:
    """A lidded bowl for rice with something on it."""
    return (
        split(rect(90, 176, 60, 14), p.main)
        + split(bowl(40, 112, 160, 66, 72), p.main)
        + split(rect(40, 118, 160, 12), p.second)
        + split(dome(50, 108, 140, 38), p.second)
        + split(rect(102, 60, 36, 13, 4), p.second)
    )


@WARE.kind(FUJI, KINARI, SHU, on=NEZU, band=None)
def long_plate(p: Palette) -> str:
    waves = "".join(f"M{x} 134a13 13 0 0 1 26 0" for x in (44, 70, 94))
    return place(
        turn(
            -16,
            split(rect(28, 82, 184, 84, 10), p.main)
            + split(rect(40, 94, 160, 60, 5), p.second)
            + stroke(waves, p.main.light, 4)
            + stroke(
                "M120 134a13 13 0 0 1 26 0M146 134a13 13 0 0 1 26 0M172 134a13 13 0 0 1 24 0",
                p.main.dark,
                4,
            ),
        ),
        6,
        6.2,
        0.95,
    )


@WARE.kind(KINARI, FUJI, KIN, on=ASAGI)
def teacup(p: Palette) -> str:
    return (
        split_stroke("M158 106H178A16 16 0 0 1 178 142H152", p.main, 9, 110)
        + split(bowl(54, 94, 112, 80, 44), p.main, 110)
        + split(rect(54, 94, 112, 12), p.second, 110)
        + split("M38 176H182A40 14 0 0 1 146 190H74A40 14 0 0 1 38 176z", p.second, 110)
    )


@WARE.kind(KI, SUMI, SHU, on=WAKAKUSA, band=None)
def square_tray(p: Palette) -> str:
    return (
        split(rect(36, 44, 168, 160, 12), p.main)
        + split(rect(48, 56, 144, 136, 5), p.second)
        + split(oval(120, 124, 16), p.accent)
    )


@WARE.kind(MATSU, KI, SHU, on=SAND, band=None)
def coaster(p: Palette) -> str:
    def disc(x: float, y: float, tone: str) -> str:
        paint = p.main if tone == "main" else p.second
        inner = p.second if tone == "main" else p.main
        return split(oval(x, y, 48), paint, x) + split_stroke(oval(x, y, 34), inner, 5, x)

    return disc(92, 92, "second") + disc(146, 150, "main")
