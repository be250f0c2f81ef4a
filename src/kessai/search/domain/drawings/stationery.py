"""Pictures of the desk: what one writes with, and on."""

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

STATIONERY = Family()


@STATIONERY.kind(FUJI, SUMI, SHU, on=WAKAKUSA, band=188)
def notebook(p: Palette) -> str:
    return (
        flat(poly(147, 186, 161, 186, 161, 215, 154, 208, 147, 215), p.accent.dark)
        + split(rect(56, 44, 126, 156, 7), p.main)
        + flat("M52 44H72V200H52z", p.second.dark)
        + flat(rect(96, 76, 62, 34), KINARI.light)
        + stroke("M107 88H148M107 99H134", p.second.light, 3, cap="butt")
    )


@STATIONERY.kind(KIN, SUMI, SHU, on=ASAGI, band=None)
def pencil(p: Palette) -> str:
    return turn(
        38,
        split(rect(106, 24, 28, 20, 6), p.accent)
        + split(rect(106, 40, 28, 12), p.second)
        + split(rect(106, 52, 28, 118), p.main)
        + split(poly(106, 170, 134, 170, 120, 218), KI)
        + split(poly(114.8, 200, 125.2, 200, 120, 218), p.second),
    )


@STATIONERY.kind(SUMI, KIN, SHU, on=SAND, band=None)
def fountain_pen(p: Palette) -> str:
    return turn(
        40,
        split(rect(105, 20, 30, 110, 14), p.main)
        + split(rect(104, 122, 32, 9), p.second)
        + split(taper(120, 131, 28, 22, 44), p.main)
        + split("M110 175H130L134 192A60 60 0 0 1 120 226A60 60 0 0 1 106 192z", p.second)
        + flat(oval(120, 194, 3), p.main.dark)
        + stroke("M120 197V222", p.main.dark, 1.6),
    )


@STATIONERY.kind(FUJI, KINARI, SUMI, on=PALE_FUJI)
def ink(p: Palette) -> str:
    return (
        split(
            "M94 92H146A50 50 0 0 1 186 130V180A10 10 0 0 1 176 190"
            "H64A10 10 0 0 1 54 180V130A50 50 0 0 1 94 92z",
            p.main,
        )
        + split(rect(88, 58, 64, 36, 5), p.accent)
        + split(rect(78, 128, 84, 42, 3), p.second)
        + split("M120 134A16 16 0 1 1 108 154A30 30 0 0 0 120 134z", p.main)
    )


@STATIONERY.kind(KINARI, SHU, TETSU, on=ASAGI, band=None)
def letter_set(p: Palette) -> str:
    sheet = split(rect(70, 34, 112, 140, 2), p.main, 126) + stroke(
        "M90 58H160M90 74H160M90 90H146", p.accent.light, 2.5, cap="butt"
    )
    envelope = (
        split(rect(40, 104, 146, 96, 3), p.second, 113)
        + flat(poly(40, 104, 113, 160, 186, 104), p.main.light)
        + flat(poly(113, 104, 186, 104, 113, 160), p.main.dark)
        + split(oval(113, 154, 11), p.accent, 113)
    )
    return turn(8, sheet) + turn(-6, envelope)


@STATIONERY.kind(KIN, SUMI, SHU, on=NEZU, band=None)
def ruler(p: Palette) -> str:
    def ticks(side: range, colour: str) -> str:
        marks = "".join(f"M98 {y}h{16 if y % 30 == 0 else 9}" for y in side)
        return stroke(marks, colour, 2, cap="butt")

    return turn(
        38,
        split(rect(98, 20, 44, 204, 3), p.main)
        + ticks(range(30, 220, 10), p.second.light)
        + flat(oval(130, 40, 5), p.ground.wall),
    )


@STATIONERY.kind(KINARI, SUMI, SHU, on=ASAGI, band=None)
def scissors(p: Palette) -> str:
    left = flat("M114 130L132 24A150 150 0 0 1 140 60L126 140z", p.main.light)
    right = flat("M126 130L108 24A150 150 0 0 0 100 60L114 140z", p.main.dark)
    rings = (
        stroke(oval(92, 184, 24, 28), p.second.light, 12)
        + stroke(oval(148, 184, 24, 28), p.second.dark, 12)
        + stroke("M104 160L116 136", p.second.light, 12)
        + stroke("M136 160L124 136", p.second.dark, 12)
    )
    pivot = split(oval(120, 124, 7), p.accent)
    return place(turn(24, right + left + rings + pivot), 10.56, 9.12, 0.92)


@STATIONERY.kind(KI, KI, SHU, on=WAKAKUSA, band=None)
def pen_case(p: Palette) -> str:
    grain = stroke("M74 40V104M88 40V80", p.main.dark, 2)
    return place(
        turn(
            52,
            split(rect(66, 22, 108, 196, 6), p.main)
            + grain
            + flat(rect(66, 140, 108, 3), p.main.dark)
            + flat(oval(120, 122, 10), p.main.dark)
            + split(rect(66, 150, 108, 10), p.accent),
        ),
        16.8,
        17.36,
        0.86,
    )


@STATIONERY.kind(SHU, KIN, MATSU, on=SAND, band=None)
def sticky_notes(p: Palette) -> str:
    def pad(x: float, y: float, degrees: float, tone: Tone) -> str:
        axis = x + 46
        curl = flat(poly(x + 92, y + 70, x + 92, y + 92, x + 70, y + 92), tone.light)
        return turn(degrees, split(rect(x, y, 92, 92, 2), tone, axis) + curl, axis, y + 46)

    return pad(112, 36, 8, p.second) + pad(36, 62, -8, p.main) + pad(98, 112, 4, p.accent)


@STATIONERY.kind(KINARI, SHU, TETSU, on=NEZU, band=None)
def seal_paste(p: Palette) -> str:
    return place(
        (
            split(oval(92, 136, 66), p.main, 92)
            + split(oval(92, 136, 50), p.second, 92)
            + split(oval(176, 88, 44), p.main, 176)
            + split_stroke(oval(176, 88, 32), p.accent, 5, 176)
        ),
        6.6,
        7.44,
        0.94,
    )


@STATIONERY.kind(KI, SUMI, SHU, on=SAKURA, band=None)
def brush(p: Palette) -> str:
    return turn(
        36,
        split(rect(111, 18, 18, 132, 4), p.main)
        + split(rect(107, 142, 26, 14, 3), p.accent)
        + split("M108 156H132A60 60 0 0 1 120 222A60 60 0 0 1 108 156z", p.second)
        + stroke("M120 18V10", p.accent.dark, 3),
    )


@STATIONERY.kind(MATSU, KINARI, SHU, on=ASAGI, band=None)
def paper_tape(p: Palette) -> str:
    def roll(x: float, y: float, tone: int, radius: float = 46) -> str:
        paint = (p.main, p.accent)[tone]
        return (
            split(oval(x, y, radius), paint, x)
            + split(oval(x, y, radius * 0.62), p.second, x)
            + flat(oval(x, y, radius * 0.48), p.ground.wall)
        )

    return roll(84, 88, 0) + roll(160, 116, 1) + roll(98, 176, 0, 40)


@STATIONERY.kind(KI, SHU, SUMI, on=SAND, band=174)
def seal(p: Palette) -> str:
    """A name seal and its mark."""
    return place(
        (
            split("M86 52A34 34 0 0 1 154 52V110H146V172H94V110H86z", p.main)
            + split(rect(92, 172, 56, 18, 3), p.second)
            + split(rect(94, 104, 52, 8), p.accent)
        ),
        9.6,
        15.2,
        0.92,
    )


@STATIONERY.kind(SUMI, TETSU, SHU, on=NEZU, band=None)
def inkstone(p: Palette) -> str:
    return place(
        turn(
            -14,
            split(rect(62, 30, 116, 180, 10), p.main)
            + split(rect(76, 92, 88, 104, 6), Tone(p.main.dark, p.main.light))
            + split("M76 78A8 34 0 0 1 84 44H156A8 34 0 0 1 164 78z", p.second)
            + turn(20, split(rect(134, 70, 22, 84, 3), p.accent, 145), 145, 112),
        ),
        6,
        6.2,
        0.95,
    )


@STATIONERY.kind(KINARI, SHU, KI, on=PALE_FUJI, band=184)
def calendar(p: Palette) -> str:
    def days(*xs: int) -> str:
        return "".join(oval(x, y, 5) for y in (116, 138, 160) for x in xs)

    return (
        split(rect(46, 186, 148, 12, 3), p.accent)
        + split(rect(58, 52, 124, 134, 3), p.main)
        + split(rect(58, 52, 124, 40, 3), p.second)
        + flat(days(78, 94, 110), p.accent.light)
        + flat(days(130, 146, 162), p.accent.dark)
    )


@STATIONERY.kind(MATSU, KIN, SHU, on=SAND, band=None)
def clips(p: Palette) -> str:
    def clip(x: float, y: float, degrees: float, tone: int) -> str:
        paint = (p.main, p.second, p.accent)[tone]
        wire = (
            f"M{x - 14} {y + 34}V{y - 30}A14 14 0 0 1 {x + 14} {y - 30}V{y + 40}"
            f"A24 24 0 0 1 {x - 34} {y + 40}V{y - 12}"
        )
        return turn(degrees, split_stroke(wire, paint, 8, x), x, y)

    return clip(88, 84, -22, 0) + clip(170, 116, 18, 1) + clip(104, 166, 64, 2)


@STATIONERY.kind(TETSU, KI, KINARI, on=SAKURA, band=184)
def books(p: Palette) -> str:
    """Blank books and diaries, one on another."""
    return (
        split(rect(48, 158, 148, 32, 3), p.main)
        + flat(rect(60, 166, 136, 16), p.accent.dark)
        + split(rect(60, 126, 128, 30, 3), p.second)
        + flat(rect(60, 133, 116, 16), p.accent.light)
        + split(rect(52, 92, 132, 32, 3), p.main)
        + flat(rect(64, 100, 120, 16), p.accent.dark)
    )


@STATIONERY.kind(TETSU, KINARI, KIN, on=WAKAKUSA, band=None)
def postcards(p: Palette) -> str:
    back = turn(10, split(rect(72, 52, 104, 144, 3), p.accent, 124), 124, 124)
    front = (
        split(rect(60, 48, 112, 148, 3), p.second, 116)
        + flat("M68 184H164V150A52 40 0 0 0 116 132A52 40 0 0 0 68 150z", p.main.dark)
        + flat("M68 184H116V132A52 40 0 0 0 68 150z", p.main.light)
        + split(oval(116, 88, 20), p.accent, 116)
    )
    return back + turn(-5, front)
