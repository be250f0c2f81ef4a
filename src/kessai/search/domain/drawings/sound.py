"""Pictures of sound: what plays, rings and listens."""

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
    flat,
    oval,
    poly,
    rect,
    split,
    split_stroke,
    stroke,
    turn,
)

SOUND = Family()


@SOUND.kind(SHU, SUMI, SUMI, on=PALE_FUJI, band=180)
def headphones(p: Palette) -> str:
    return (
        split_stroke("M62 130V122A58 58 0 0 1 178 122V130", p.second, 14, cap="butt")
        + split(rect(44, 124, 46, 68, 22), p.main, 66)
        + split(rect(150, 124, 46, 68, 22), p.main, 174)
        + flat(rect(82, 132, 12, 52, 6), p.accent.dark)
        + flat(rect(146, 132, 12, 52, 6), p.accent.light)
    )


@SOUND.kind(KI, SUMI, KIN, on=SAND, band=180)
def speaker(p: Palette) -> str:
    return (
        split(rect(70, 44, 100, 148, 5), p.main)
        + split(oval(120, 140, 36), p.second)
        + split(oval(120, 140, 14), p.accent)
        + split(oval(120, 78, 18), p.second)
        + split(oval(120, 78, 6), p.accent)
    )


@SOUND.kind(KIN, SHU, KI, on=NEZU, band=176)
def singing_bell(p: Palette) -> str:
    return (
        turn(-38, split(rect(174, 36, 13, 104, 6), p.accent, 180.5), 180, 88)
        + split("M66 178H166A50 14 0 0 1 146 194H86A50 14 0 0 1 66 178z", p.second, 116)
        + split(bowl(56, 96, 120, 88, 64), p.main, 116)
        + split(rect(50, 92, 132, 13, 6), p.main, 116)
        + flat(rect(54, 105, 62, 3), p.main.dark)
    )


@SOUND.kind(KI, KIN, SHU, on=SAKURA, band=176)
def music_box(p: Palette) -> str:
    pins = "".join(
        oval(x, y, 3) for y, xs in ((128, (70, 86)), (142, (78, 94)), (156, (70, 90))) for x in xs
    )
    pins_right = "".join(
        oval(x, y, 3)
        for y, xs in ((128, (112, 130)), (142, (120, 138)), (156, (108, 130)))
        for x in xs
    )
    return (
        stroke("M168 142H190V104", p.second.dark, 7)
        + split(oval(190, 98, 12), p.accent, 190)
        + split(rect(40, 104, 128, 86, 5), p.main, 104)
        + split(rect(56, 118, 96, 48, 4), p.second, 104)
        + flat(pins, p.main.dark)
        + flat(pins_right, p.main.light)
    )


@SOUND.kind(KI, SUMI, SHU, on=WAKAKUSA, band=None)
def flute(p: Palette) -> str:
    holes = "".join(oval(120, y, 4.5) for y in (112, 128, 144, 160, 176, 192))
    return turn(
        48,
        split(rect(107, 10, 26, 220, 11), p.main)
        + split(rect(106, 22, 28, 14), p.accent)
        + split(rect(106, 84, 28, 10), p.second)
        + split(rect(106, 204, 28, 10), p.second)
        + flat(oval(120, 60, 6, 8) + holes, p.second.dark),
    )


@SOUND.kind(KI, KINARI, SUMI, on=ASAGI, band=None)
def record_brush(p: Palette) -> str:
    return turn(
        -24,
        split(rect(44, 80, 152, 48, 22), p.main)
        + split(rect(52, 124, 136, 14, 2), p.accent)
        + split("M54 138H186L192 180H48z", p.second)
        + stroke("M78 144L75 176M98 144L96 176", p.second.dark, 2.5)
        + stroke("M142 144L144 176M162 144L165 176", SAND.band, 2.5),
    )


@SOUND.kind(KI, SUMI, KINARI, on=NEZU, band=None)
def record_player(p: Palette) -> str:
    return (
        split(rect(30, 46, 180, 156, 8), p.main)
        + split(oval(106, 124, 66), p.second, 106)
        + split_stroke(oval(106, 124, 46), Tone(p.second.dark, p.second.light), 2, 106)
        + split(oval(106, 124, 20), p.accent, 106)
        + flat(oval(106, 124, 3.5), p.second.dark)
        + stroke("M188 70V122L162 152", p.accent.light, 6)
        + split(oval(188, 70, 11), p.accent, 188)
    )


@SOUND.kind(TETSU, KI, SHU, on=SAND, band=178)
def radio(p: Palette) -> str:
    def slots(x: float) -> str:
        return "".join(rect(x, y, 30, 5, 2) for y in (120, 132, 144, 156))

    return (
        stroke("M168 92L196 36", p.second.dark, 4)
        + split_stroke("M76 88A44 34 0 0 1 164 88", p.second, 9)
        + split(rect(36, 86, 168, 104, 12), p.main)
        + flat(slots(52) + slots(86), p.second.light)
        + split(oval(164, 136, 28), p.second, 164)
        + stroke("M164 136L176 118", p.accent.dark, 5)
    )


@SOUND.kind(SHU, KINARI, SUMI, on=ASAGI, band=182)
def drum(p: Palette) -> str:
    studs_left = "".join(oval(x, y, 4) for y in (76, 172) for x in (60, 80, 100, 119))
    studs_right = "".join(oval(x, y, 4) for y in (76, 172) for x in (140, 160, 180))
    return (
        split("M52 62H188A40 90 0 0 1 188 186H52A40 90 0 0 1 52 62z", p.main)
        + split(rect(46, 56, 148, 30, 6), p.second)
        + split(rect(46, 162, 148, 30, 6), p.second)
        + flat(studs_left, p.accent.light)
        + flat(studs_right, p.accent.dark)
        + split(oval(120, 124, 14), p.accent)
    )


@SOUND.kind(KI, KINARI, SHU, on=PALE_FUJI, band=182)
def metronome(p: Palette) -> str:
    return (
        split("M98 44H142L178 190H62z", p.main)
        + split(poly(104, 62, 136, 62, 150, 146, 90, 146), p.second)
        + turn(
            16,
            stroke("M120 150V52", p.main.dark, 5) + flat(rect(110, 80, 20, 15, 3), p.accent.dark),
            120,
            150,
        )
        + split(rect(72, 150, 96, 8), Tone(p.main.dark, p.main.light))
    )


@SOUND.kind(KI, KIN, SUMI, on=WAKAKUSA, band=None)
def thumb_piano(p: Palette) -> str:
    keys = "".join(rect(x, 52, 11, length, 5) for x, length in ((72, 74), (88, 88), (104, 104)))
    keys_right = "".join(
        rect(x, 52, 11, length, 5) for x, length in ((125, 104), (141, 88), (157, 74))
    )
    return (
        split(
            "M54 52A18 18 0 0 1 72 34H168A18 18 0 0 1 186 52"
            "V170A46 46 0 0 1 140 214H100A46 46 0 0 1 54 170z",
            p.main,
        )
        + split(oval(120, 178, 18), p.accent)
        + flat(keys, p.second.light)
        + flat(keys_right, p.second.dark)
        + split(rect(62, 78, 116, 9, 4), p.accent)
    )


@SOUND.kind(KI, SHU, KIN, on=SAKURA, band=None)
def clappers(p: Palette) -> str:
    """Two blocks of hard wood on one cord."""
    return (
        split_stroke("M84 60A44 52 0 0 1 156 60", p.second, 6)
        + turn(9, split(rect(58, 48, 40, 164, 5), p.main, 78), 78, 60)
        + turn(-9, split(rect(142, 48, 40, 164, 5), p.main, 162), 162, 60)
        + split(oval(80, 62, 6), p.second, 80)
        + split(oval(160, 62, 6), p.second, 160)
    )


@SOUND.kind(TETSU, KINARI, SUMI, on=ASAGI, band=None)
def ocarina(p: Palette) -> str:
    holes = "".join(
        oval(x, y, 6)
        for x, y in ((76, 124), (98, 116), (142, 116), (164, 128), (98, 146), (142, 146))
    )
    return turn(
        -18,
        split(rect(108, 52, 24, 60, 6), p.main)
        + split("M34 128A86 46 0 0 1 206 128A86 60 0 0 1 34 128z", p.main)
        + flat(holes, p.accent.dark)
        + split(rect(108, 50, 24, 9, 4), p.second),
    )


@SOUND.kind(KIN, SHU, SUMI, on=WAKAKUSA, band=None)
def bells(p: Palette) -> str:
    def bell(x: float, y: float, radius: float) -> str:
        gap = f"M{x - radius * 0.7:.1f} {y + radius * 0.25:.1f}H{x + radius * 0.7:.1f}"
        return (
            split(oval(x, y, radius), p.main, x)
            + stroke(gap, p.accent.dark, 5)
            + flat(oval(x, y + radius * 0.55, 5), p.accent.dark)
        )

    return (
        stroke("M120 34V92M120 60L76 96M120 60L164 96", p.second.dark, 6)
        + bell(74, 126, 34)
        + bell(166, 126, 34)
        + bell(120, 168, 40)
        + split(oval(120, 40, 12), p.second)
    )


@SOUND.kind(FUJI, KINARI, MATSU, on=NEZU, band=None)
def earphones(p: Palette) -> str:
    def bud(x: float, flip: int) -> str:
        stem = rect(x - 8, 96, 16, 62, 8)
        return turn(
            14 * flip,
            split(stem, p.main, x)
            + split(oval(x, 92, 27), p.main, x)
            + split(oval(x + flip * 16, 84, 15), p.second, x + flip * 16),
            x,
            110,
        )

    return (
        bud(82, 1)
        + bud(158, -1)
        + split(rect(64, 172, 112, 36, 16), p.second)
        + split(oval(120, 190, 5), p.accent)
    )
