"""Pictures of the kitchen: knives, pots, and what stands on the shelf."""

from __future__ import annotations

from kessai.search.domain.drawings.kit import (
    ASAGI,
    KI,
    KIN,
    KINARI,
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

KITCHEN = Family()


@KITCHEN.kind(KI, KINARI, KIN, on=NEZU, band=None)
def knife(p: Palette) -> str:
    return turn(
        38,
        split("M104 142V30A11 11 0 0 1 124 24A150 150 0 0 1 143 142z", p.second)
        + flat(rect(104, 142, 32, 12), p.accent.dark)
        + split(rect(105, 154, 30, 76, 7), p.main),
    )


@KITCHEN.kind(SUMI, KINARI, SHU, on=SAKURA, band=None)
def petty(p: Palette) -> str:
    return place(
        turn(
            -38,
            split("M108 142V34A130 160 0 0 1 134 142z", p.second)
            + flat(rect(106, 142, 28, 8), p.accent.dark)
            + split(rect(106, 150, 28, 76, 8), p.main),
        ),
        -10,
        -4,
    )


@KITCHEN.kind(KI, KINARI, TETSU, on=ASAGI, band=None)
def board(p: Palette) -> str:
    return turn(
        -12,
        split(
            "M56 60A10 10 0 0 1 66 50H174A10 10 0 0 1 184 60"
            "V196A10 10 0 0 1 174 206H66A10 10 0 0 1 56 196z",
            p.main,
        )
        + flat(oval(120, 70, 8), p.ground.wall)
        + stroke("M76 96V186M98 96V160", p.main.dark, 2)
        + stroke("M146 110V186M164 96V170", p.main.light, 2),
    )


@KITCHEN.kind(SUMI, SUMI, KI, on=SAND, band=None)
def pan(p: Palette) -> str:
    return place(
        turn(
            45,
            split(rect(110, 140, 20, 96, 9), p.accent)
            + split(rect(107, 136, 26, 22, 3), p.main)
            + split(oval(120, 84, 66), p.main)
            + split(oval(120, 84, 52), p.second if p.second != p.main else SUMI_FLOOR),
        ),
        -9,
        9,
    )


SUMI_FLOOR = Tone(SUMI.dark, SUMI.light)


@KITCHEN.kind(KINARI, KI, SUMI, on=ASAGI)
def saucepan(p: Palette) -> str:
    dents = "".join(
        oval(x, y, 4) for y, xs in ((132, (62, 80, 98)), (150, (70, 88, 106))) for x in xs
    )
    return place(
        (
            split(rect(150, 112, 66, 14, 7), p.second, 168)
            + split("M40 104H164V156A28 28 0 0 1 136 184H68A28 28 0 0 1 40 156z", p.main, 102)
            + flat(dents, p.main.dark)
            + split(rect(34, 100, 136, 10, 5), p.main, 102)
        ),
        0,
        0,
    )


@KITCHEN.kind(KI, SUMI, SHU, on=SAND, band=174)
def donabe(p: Palette) -> str:
    return (
        flat(rect(26, 124, 30, 14, 7), p.main.light)
        + flat(rect(184, 124, 30, 14, 7), p.main.dark)
        + split(bowl(44, 120, 152, 68, 74), p.main)
        + split(dome(50, 116, 140, 46), p.second)
        + split(rect(104, 60, 32, 14, 7), p.accent)
    )


@KITCHEN.kind(KIN, KI, SHU, on=WAKAKUSA, band=None)
def zaru(p: Palette) -> str:
    light = "".join(f"M{x} {124 - h}V{124 + h}" for x, h in ((64, 50), (83, 64), (102, 72)))
    dark = "".join(f"M{x} {124 - h}V{124 + h}" for x, h in ((138, 72), (157, 64), (176, 50)))
    rows = "".join(
        f"M{120 - h} {y}H{120 + h}" for y, h in ((88, 64), (112, 74), (136, 74), (160, 64))
    )
    return (
        split(oval(120, 124, 92), p.second)
        + split(oval(120, 124, 78), p.main)
        + stroke(light + rows, p.second.light, 2.5)
        + stroke(dark, p.second.dark, 2.5)
    )


@KITCHEN.kind(KI, SUMI, SHU, on=NEZU, band=None)
def grater(p: Palette) -> str:
    teeth = "".join(
        poly(x, y, x + 5, y - 9, x + 10, y)
        for row, y in enumerate(range(72, 150, 17))
        for x in range(82 + (row % 2) * 9, 146, 18)
    )
    return place(
        turn(
            24,
            split(rect(107, 156, 26, 66, 11), p.main)
            + split(
                "M70 44A10 10 0 0 1 80 34H160A10 10 0 0 1 170 44"
                "V136A34 34 0 0 1 136 170H104A34 34 0 0 1 70 136z",
                p.main,
            )
            + flat(teeth, p.ground.wall),
        ),
        -4,
        1,
    )


@KITCHEN.kind(KI, KI, SHU, on=SAKURA, band=None)
def spatula(p: Palette) -> str:
    return place(
        turn(
            34,
            split(
                "M98 30L146 46V104A24 30 0 0 1 130 130V218"
                "A10 10 0 0 1 110 218V130A24 30 0 0 1 94 104V40z",
                p.main,
            )
            + split(rect(110, 176, 20, 8), p.accent),
        ),
        -2,
        3,
    )


@KITCHEN.kind(KI, KINARI, TETSU, on=ASAGI)
def suribachi(p: Palette) -> str:
    ridges = "".join(f"M{x} 118L{120 + (x - 120) * 0.5} 176" for x in (66, 88, 110))
    return (
        turn(32, split(rect(142, 20, 20, 110, 10), p.second, 152), 152, 100)
        + split(bowl(40, 104, 160, 84, 66), p.main)
        + stroke(ridges, p.main.dark, 2)
        + split(rect(36, 98, 168, 16, 8), p.accent)
    )


@KITCHEN.kind(KINARI, SHU, SUMI, on=ASAGI)
def sack(p: Palette) -> str:
    """A paper bag, folded over at the top and tied."""
    return (
        split("M72 92H168L174 190H66z", p.main)
        + split(poly(72, 92, 78, 60, 162, 60, 168, 92), p.main)
        + split(rect(70, 86, 100, 8, 3), p.second)
        + flat("M120 90L104 76A9 9 0 0 0 98 92z", p.second.light)
        + flat("M120 90L136 76A9 9 0 0 1 142 92z", p.second.dark)
        + split(oval(120, 140, 24), p.accent)
    )


@KITCHEN.kind(KIN, KI, SUMI, on=WAKAKUSA)
def steamer(p: Palette) -> str:
    def tier(y: float) -> str:
        return split(rect(48, y, 144, 36, 4), p.main) + split(rect(48, y + 13, 144, 8), p.second)

    return (
        tier(152)
        + tier(113)
        + split(dome(52, 111, 136, 30), p.main)
        + split(rect(46, 105, 148, 9, 4), p.second)
        + split_stroke("M104 82A17 16 0 0 1 136 82", p.accent, 7)
    )


@KITCHEN.kind(TETSU, KI, KINARI, on=NEZU)
def whetstone(p: Palette) -> str:
    return (
        split(rect(40, 168, 160, 20, 3), p.second)
        + split(rect(52, 148, 136, 20), p.accent)
        + split(rect(52, 112, 136, 36, 3), p.main)
    )


@KITCHEN.kind(KI, SUMI, SHU, on=SAKURA, band=None)
def ladle(p: Palette) -> str:
    return place(
        turn(
            30,
            split(rect(113, 24, 14, 134, 7), p.main)
            + split(rect(113, 50, 14, 7), p.accent)
            + split(oval(120, 176, 44), p.second)
            + split(oval(120, 176, 31), SUMI_FLOOR if p.second == SUMI else p.main),
        ),
        12,
        -12,
    )


@KITCHEN.kind(KI, SUMI, KIN, on=SAND)
def mill(p: Palette) -> str:
    return (
        split(oval(120, 50, 12), p.accent)
        + split(dome(92, 92, 56, 34), p.second)
        + split(rect(100, 92, 40, 8), p.accent)
        + split(
            "M94 100H146A60 60 0 0 0 142 146A60 60 0 0 1 154 190"
            "H86A60 60 0 0 1 98 146A60 60 0 0 0 94 100z",
            p.main,
        )
    )


@KITCHEN.kind(SUMI, KINARI, SHU, on=SAND)
def bottle(p: Palette) -> str:
    """Soy sauce, oil or vinegar."""
    return (
        split(
            "M106 62H134V92A40 40 0 0 1 156 128V182A8 8 0 0 1 148 190"
            "H92A8 8 0 0 1 84 182V128A40 40 0 0 1 106 92z",
            p.main,
        )
        + split(rect(102, 44, 36, 22, 4), p.accent)
        + split(rect(84, 130, 72, 40), p.second)
        + split(oval(120, 150, 11), p.accent)
    )


@KITCHEN.kind(KIN, SUMI, KI, on=PALE_FUJI, band=None)
def egg_pan(p: Palette) -> str:
    return place(
        turn(
            40,
            split(rect(110, 138, 20, 94, 8), p.accent)
            + split(rect(66, 28, 108, 116, 8), p.main)
            + split(rect(78, 40, 84, 92, 4), p.second),
        ),
        10,
        18,
        0.9,
    )


@KITCHEN.kind(KIN, SUMI, KI, on=ASAGI, band=176)
def kettle(p: Palette) -> str:
    return place(
        (
            split_stroke("M74 100A54 58 0 0 1 166 100", p.accent, 11)
            + flat(poly(212, 92, 222, 102, 184, 156, 168, 130), p.main.dark)
            + split("M82 190A66 66 0 0 1 66 112H174A66 66 0 0 1 158 190z", p.main)
            + split(dome(84, 114, 72, 17), p.main)
            + split(oval(120, 91, 8), p.second)
        ),
        -8,
        0,
    )


@KITCHEN.kind(KI, KINARI, SUMI, on=ASAGI)
def jar(p: Palette) -> str:
    """A lidded crock for salt, miso or plums."""
    return (
        split("M66 122H174V172A18 18 0 0 1 156 190H84A18 18 0 0 1 66 172z", p.main)
        + split("M66 98H174V128L158 142L140 126L120 146L100 128L84 140L66 124z", p.second)
        + split(rect(60, 80, 120, 18, 5), p.accent)
        + split(rect(104, 64, 32, 16, 6), p.accent)
    )


@KITCHEN.kind(KI, KIN, SHU, on=WAKAKUSA, band=174)
def rice_tub(p: Palette) -> str:
    return (
        split(taper(120, 100, 140, 128, 90), p.main)
        + split(rect(48, 122, 144, 8), p.second)
        + split(rect(51, 166, 138, 8), p.second)
        + split(rect(42, 82, 156, 18, 3), p.main)
        + split(rect(98, 70, 44, 12, 3), p.accent)
    )


@KITCHEN.kind(KINARI, TETSU, SHU, on=SAKURA, band=None)
def dishcloth(p: Palette) -> str:
    def cross(x: float, y: float) -> str:
        tone = p.second.light if x < 120 else p.second.dark
        return stroke(f"M{x - 7} {y}h14M{x} {y - 7}v14", tone, 3)

    stitches = "".join(cross(x, y) for y in (86, 120, 154) for x in (69, 103, 137, 171))
    return (
        split(rect(44, 56, 152, 136, 3), p.main) + stitches + split(rect(44, 176, 152, 8), p.accent)
    )
