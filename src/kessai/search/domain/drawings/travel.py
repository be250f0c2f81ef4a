"""Pictures of the journey: what one packs, and what one packs it in."""

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
    turn,
)

TRAVEL = Family()


@TRAVEL.kind(FUJI, KINARI, SHU, on=SAND, band=176)
def furoshiki(p: Palette) -> str:
    """Something round, wrapped in a cloth."""
    dots = "".join(oval(x, y, 6) for x, y in ((76, 140), (98, 160), (96, 122)))
    dots_right = "".join(oval(x, y, 6) for x, y in ((146, 122), (144, 160), (168, 140)))
    return (
        flat("M118 92L74 52A20 20 0 0 0 66 84z", p.main.light)
        + flat("M122 92L166 52A20 20 0 0 1 174 84z", p.main.dark)
        + split(
            "M50 142A70 60 0 0 1 120 86A70 60 0 0 1 190 142"
            "A50 50 0 0 1 146 190H94A50 50 0 0 1 50 142z",
            p.main,
        )
        + flat(dots, p.second.light)
        + flat(dots_right, p.second.dark)
        + split(oval(120, 90, 16), p.accent)
    )


@TRAVEL.kind(TETSU, KI, KIN, on=NEZU, band=180)
def travel_bag(p: Palette) -> str:
    return (
        split_stroke("M84 100A36 50 0 0 1 156 100", p.second, 10)
        + split(
            "M36 108A24 24 0 0 1 60 84H180A24 24 0 0 1 204 108"
            "V176A16 16 0 0 1 188 192H52A16 16 0 0 1 36 176z",
            p.main,
        )
        + split(rect(70, 84, 16, 108), p.second, 78)
        + split(rect(154, 84, 16, 108), p.second, 162)
        + flat(rect(36, 116, 168, 4), p.second.dark)
        + split(rect(112, 110, 16, 16, 4), p.accent)
    )


@TRAVEL.kind(KI, SHU, KIN, on=SAKURA, band=176)
def lunch_box(p: Palette) -> str:
    return (
        split(rect(44, 128, 152, 62, 20), p.main)
        + split(rect(38, 92, 164, 44, 18), p.main)
        + flat("M44 134H196V138H44z", p.accent.dark)
        + split(rect(100, 92, 40, 98), p.second)
        + split(oval(120, 112, 9), p.accent)
    )


@TRAVEL.kind(SUMI, KINARI, SHU, on=ASAGI, band=184)
def flask_bottle(p: Palette) -> str:
    return (
        split(rect(98, 34, 44, 32, 6), p.second)
        + split(
            "M92 70A10 10 0 0 1 102 60H138A10 10 0 0 1 148 70"
            "L156 96V184A8 8 0 0 1 148 192H92A8 8 0 0 1 84 184V96z",
            p.main,
        )
        + split(rect(84, 156, 72, 12), p.accent)
    )


@TRAVEL.kind(SHU, KINARI, KIN, on=ASAGI, band=None)
def stamp_book(p: Palette) -> str:
    folds = flat(poly(176, 56, 204, 44, 204, 180, 176, 192), p.second.dark) + flat(
        poly(160, 46, 188, 38, 188, 180, 160, 190), p.second.light
    )
    return (
        folds
        + split(rect(42, 44, 134, 164, 4), p.main, 109)
        + flat(rect(94, 66, 30, 92), p.second.light)
        + split(oval(109, 184, 9), p.accent, 109)
    )


@TRAVEL.kind(KI, SHU, SUMI, on=PALE_FUJI, band=None)
def sewing_box(p: Palette) -> str:
    def spool(x: float, y: float, tone: Tone) -> str:
        return split(rect(x - 22, y - 30, 44, 60, 5), Tone(p.main.dark, p.main.dark), x) + split(
            rect(x - 18, y - 20, 36, 40), tone, x
        )

    return (
        split(rect(34, 52, 172, 144, 8), Tone(p.main.dark, p.main.light))
        + split(rect(46, 64, 148, 120, 4), p.main)
        + spool(84, 104, p.second)
        + spool(140, 104, p.accent)
        + stroke("M176 76V160", p.accent.dark, 4)
        + split("M58 152H140A10 12 0 0 1 140 174H58z", p.second, 99)
    )


@TRAVEL.kind(KIN, KINARI, SHU, on=NEZU, band=None)
def compass(p: Palette) -> str:
    needle = turn(
        28,
        flat(poly(120, 84, 131, 132, 109, 132), p.accent.dark)
        + flat(poly(120, 180, 131, 132, 109, 132), p.main.dark),
        120,
        132,
    )
    return place(
        (
            split_stroke(oval(120, 38, 13), p.main, 7)
            + split(rect(112, 48, 16, 16, 3), p.main)
            + split(oval(120, 132, 76), p.main)
            + split(oval(120, 132, 60), p.second)
            + stroke("M120 80V90M120 174V184M68 132H78M162 132H172", p.main.dark, 3, cap="butt")
            + needle
            + split(oval(120, 132, 6), p.main)
        ),
        6,
        6.5,
        0.95,
    )


@TRAVEL.kind(KI, SUMI, KIN, on=ASAGI, band=182)
def trunk(p: Palette) -> str:
    return (
        split_stroke("M96 72V60A8 8 0 0 1 104 52H136A8 8 0 0 1 144 60V72", p.second, 9)
        + split(rect(34, 70, 172, 120, 10), p.main)
        + split(rect(62, 70, 14, 120), p.second, 69)
        + split(rect(164, 70, 14, 120), p.second, 171)
        + split(rect(106, 110, 28, 20, 3), p.accent)
        + flat(rect(34, 118, 172, 3), p.second.dark)
        + split(rect(108, 108, 24, 22, 3), p.accent)
    )


@TRAVEL.kind(MATSU, KI, KIN, on=SAND, band=188)
def backpack(p: Palette) -> str:
    return (
        split_stroke("M98 56A22 24 0 0 1 142 56", p.second, 8)
        + flat(rect(34, 128, 26, 56, 10), p.main.light)
        + flat(rect(180, 128, 26, 56, 10), p.main.dark)
        + split(
            "M56 108A64 62 0 0 1 184 108V186A14 14 0 0 1 170 200H70A14 14 0 0 1 56 186z", p.main
        )
        + split(rect(76, 138, 88, 50, 8), Tone(p.main.dark, p.main.light))
        + split(rect(84, 56, 12, 82), p.second, 90)
        + split(rect(144, 56, 12, 82), p.second, 150)
        + split(rect(112, 146, 16, 14, 3), p.accent)
    )


@TRAVEL.kind(TETSU, KIN, SHU, on=SAKURA, band=None)
def passport_case(p: Palette) -> str:
    return turn(
        10,
        split(rect(62, 36, 116, 172, 8), p.main)
        + split_stroke(oval(120, 100, 28), p.second, 5)
        + split_stroke(oval(120, 100, 12, 28), p.second, 3)
        + stroke("M92 100H120", p.second.light, 3)
        + stroke("M120 100H148", p.second.dark, 3)
        + split(rect(88, 152, 64, 8, 2), p.second)
        + split(rect(166, 36, 12, 172, 4), p.accent, 172),
    )


@TRAVEL.kind(SHU, KINARI, KIN, on=WAKAKUSA, band=180)
def drawstring(p: Palette) -> str:
    return (
        flat("M92 84L76 46A60 20 0 0 1 120 56V84z", p.main.light)
        + flat("M148 84L164 46A60 20 0 0 0 120 56V84z", p.main.dark)
        + split(
            "M92 88H148A80 80 0 0 1 186 150A44 44 0 0 1 150 190"
            "H90A44 44 0 0 1 54 150A80 80 0 0 1 92 88z",
            p.main,
        )
        + split(oval(120, 144, 22), p.second)
        + split(rect(88, 80, 64, 12, 6), p.accent)
        + stroke("M92 86L56 96V116", p.accent.light, 4)
        + stroke("M148 86L184 96V116", p.accent.dark, 4)
    )


@TRAVEL.kind(KI, KINARI, SUMI, on=SAND, band=None)
def luggage_tag(p: Palette) -> str:
    return place(
        turn(
            24,
            split_stroke(
                "M120 76A34 40 0 0 1 108 22A14 14 0 0 1 132 22A34 40 0 0 1 120 76", p.accent, 5
            )
            + split("M98 48H142L168 82V206A8 8 0 0 1 160 214H80A8 8 0 0 1 72 206V82z", p.main)
            + flat(oval(120, 76, 9), p.ground.wall)
            + split(rect(86, 108, 68, 82, 3), p.second)
            + stroke("M98 130H120M98 150H120M98 170H112", p.accent.light, 3, cap="butt")
            + stroke("M120 130H142M120 150H142", p.accent.dark, 3, cap="butt"),
        ),
        12,
        12.4,
        0.9,
    )


@TRAVEL.kind(SUMI, KIN, KINARI, on=PALE_FUJI, band=184)
def lantern(p: Palette) -> str:
    return (
        split_stroke("M78 84A42 56 0 0 1 162 84", p.main, 6)
        + split(dome(76, 92, 88, 26), p.main)
        + split(rect(84, 92, 72, 76), p.second)
        + split("M120 104A30 30 0 0 1 120 156A30 30 0 0 1 120 104z", p.accent)
        + flat(rect(84, 92, 6, 76), p.main.light)
        + flat(rect(150, 92, 6, 76), p.main.dark)
        + split(rect(70, 168, 100, 22, 5), p.main)
        + split(oval(120, 179, 5), p.accent)
    )


@TRAVEL.kind(FUJI, SUMI, KINARI, on=ASAGI, band=None)
def neck_pillow(p: Palette) -> str:
    return (
        split_stroke("M74 176A66 66 0 1 1 166 176", p.main, 56)
        + split(oval(74, 178, 9), p.accent, 74)
        + split(oval(166, 178, 9), p.accent, 166)
    )


@TRAVEL.kind(KINARI, MATSU, SHU, on=NEZU, band=None)
def cloth_map(p: Palette) -> str:
    return (
        flat(poly(34, 64, 92, 46, 92, 180, 34, 198), p.main.light)
        + flat(poly(92, 46, 148, 64, 148, 198, 92, 180), p.main.dark)
        + flat(poly(148, 64, 206, 46, 206, 180, 148, 198), p.main.light)
        + flat(poly(34, 128, 92, 96, 92, 180, 34, 198), p.second.light)
        + flat(poly(148, 140, 206, 150, 206, 180, 148, 198), p.second.dark)
        + stroke("M54 108L84 82M106 88L140 112M156 120L176 92", p.accent.dark, 4)
        + split(oval(178, 86, 11), p.accent, 178)
    )
