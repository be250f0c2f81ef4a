"""Pictures of tea: pots, cups, leaves and what prepares them."""

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
    bowl,
    dome,
    flat,
    mirrored,
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

TEA = Family()
_BELLY = "M91 188A62 53 0 0 1 82 97H154A62 53 0 0 1 145 188z"
_SPOUT = (26.0, 108.0, 35.0, 100.0, 66.0, 126.0, 60.0, 154.0)
_HANDLE = (216.0, 86.0, 226.0, 101.0, 178.0, 137.0, 168.0, 119.0)


@TEA.kind(TETSU, SUMI, SHU, on=SAND, band=172)
def kyusu(p: Palette) -> str:
    return place(
        (
            flat(poly(*_SPOUT), p.main.light)
            + flat(poly(*_HANDLE), p.main.dark)
            + split(_BELLY, p.main, 118)
            + split(dome(80, 98, 76, 16), p.second, 118)
            + split(oval(118, 75, 9), p.accent, 118)
        ),
        0.28,
        9.3,
        0.95,
    )


@TEA.kind(SHU, SUMI, KIN, on=ASAGI, band=172)
def kyusu_left(p: Palette) -> str:
    return place(
        (
            flat(poly(*mirrored(120, *_SPOUT)), p.main.dark)
            + flat(poly(*mirrored(120, *_HANDLE)), p.main.light)
            + place(split(_BELLY, p.main, 118), 4, 0)
            + split(dome(84, 98, 76, 16), p.second, 122)
            + split(oval(122, 75, 9), p.accent, 122)
        ),
        11.72,
        9.3,
        0.95,
    )


@TEA.kind(TETSU, SUMI, SHU, on=WAKAKUSA, band=168)
def tea_set(p: Palette) -> str:
    cup = split(bowl(0, 0, 44, 46, 22), p.main, 22) + split(rect(11, 45, 22, 7), p.main, 22)
    cups = place(cup, 126, 156) + place(cup, 176, 156)
    return place(place(kyusu(p), 0, 36, 0.84) + cups, 6, 9.3, 0.95)


@TEA.kind(TETSU, KINARI, KI, on=ASAGI)
def yunomi(p: Palette) -> str:
    return (
        split("M72 92H168V164A24 24 0 0 1 144 188H96A24 24 0 0 1 72 164z", p.main)
        + split(rect(94, 186, 52, 8, 2), p.main)
        + split("M72 64H168V96L152 108L136 94L120 110L104 96L88 106L72 94z", p.second)
    )


@TEA.kind(FUJI, SUMI, KINARI, on=PALE_FUJI)
def cup_pair(p: Palette) -> str:
    def cup(axis: float, top: float) -> str:
        return split(rect(axis - 34, top, 68, 188 - top, 14), p.main, axis) + split(
            rect(axis - 34, top + 14, 68, 14), p.accent, axis
        )

    return cup(80, 84) + cup(162, 104)


@TEA.kind(SUMI, KIN, SHU, on=NEZU)
def tea_bowl(p: Palette) -> str:
    return (
        split(
            "M48 92H192A10 70 0 0 1 186 130A56 52 0 0 1 146 180"
            "H94A56 52 0 0 1 54 130A10 70 0 0 1 48 92z",
            p.main,
        )
        + split(rect(96, 180, 48, 10), p.main)
        + split(
            "M50 112L84 126L120 112L156 130L190 114L188 122L156 138L120 120L84 134L51 120z",
            p.second,
        )
    )


@TEA.kind(MATSU, KINARI, SUMI, on=WAKAKUSA)
def pouch(p: Palette) -> str:
    return (
        split(poly(80, 62, 160, 62, 168, 190, 72, 190), p.main)
        + split(rect(79, 56, 82, 16, 2), p.accent)
        + flat(rect(92, 98, 56, 64, 2), p.second.light)
        + split("M120 108A30 30 0 0 1 120 152A30 30 0 0 1 120 108z", p.main)
    )


@TEA.kind(KI, KINARI, MATSU, on=ASAGI)
def teabags(p: Palette) -> str:
    """A box of bags, one of them hanging out of it."""
    return (
        split(rect(40, 84, 112, 106, 3), p.main, 96)
        + split(rect(40, 84, 112, 14, 3), p.accent, 96)
        + flat(rect(60, 118, 72, 44, 2), p.second.light)
        + split("M96 124A19 19 0 0 1 96 156A19 19 0 0 1 96 124z", p.accent, 96)
        + stroke("M152 92A28 30 0 0 1 180 122V142", p.second.dark, 3)
        + split(poly(169, 140, 191, 140, 202, 154, 202, 192, 158, 192, 158, 154), p.second, 180)
        + split(oval(180, 172, 9), p.accent, 180)
    )


@TEA.kind(SHU, SUMI, KIN, on=SAND)
def natsume(p: Palette) -> str:
    return (
        split("M74 116V98A34 34 0 0 1 108 64H132A34 34 0 0 1 166 98V116z", p.main)
        + split("M74 120H166V148A42 42 0 0 1 124 190H116A42 42 0 0 1 74 148z", p.main)
        + split(oval(120, 142, 13), p.accent)
        + split(rect(74, 116, 92, 4), p.second)
    )


@TEA.kind(KI, SUMI, SHU, on=ASAGI)
def caddy(p: Palette) -> str:
    return (
        split(rect(78, 56, 84, 46, 6), p.main)
        + split(rect(80, 104, 80, 86, 5), p.main)
        + split(rect(80, 102, 80, 5), p.second)
        + flat(rect(94, 126, 52, 40, 2), p.accent.light if p.accent != SHU else KINARI.light)
        + split(oval(120, 146, 9), SHU if p.accent != SHU else p.accent)
    )


@TEA.kind(KIN, KI, SHU, on=WAKAKUSA)
def chasen(p: Palette) -> str:
    tines = "".join(
        stroke(f"M{120 + x / 3} 114L{120 + x} 180", p.second.light if x < 0 else p.second.dark, 2.5)
        for x in (-33, -20, -7, 7, 20, 33)
    )
    return (
        split(taper(120, 108, 40, 96, 74), p.main)
        + split("M72 182a48 10 0 0 0 96 0z", p.main)
        + tines
        + split(rect(101, 50, 38, 58, 5), p.main)
        + split(rect(98, 102, 44, 9, 4), p.accent)
    )


@TEA.kind(KI, KI, SHU, on=SAKURA, band=None)
def scoop(p: Palette) -> str:
    return place(
        turn(
            38,
            split("M90 44A10 10 0 0 1 100 34H140A10 10 0 0 1 150 44V84A30 34 0 0 1 90 84z", p.main)
            + split(rect(112, 112, 16, 94, 8), p.second)
            + split(rect(109, 118, 22, 8, 4), p.accent),
        ),
        -8,
        16,
    )


@TEA.kind(SUMI, SUMI, KI, on=NEZU, band=174)
def tetsubin(p: Palette) -> str:
    dots = "".join(
        oval(120 + x, y, 3)
        for y, xs in ((134, (-40, -24, -8, 8, 24, 40)), (150, (-32, -16, 0, 16, 32)))
        for x in xs
    )
    return (
        split_stroke("M74 106A52 66 0 0 1 166 106", p.second, 9)
        + flat(poly(30, 112, 44, 104, 66, 132, 60, 156), p.main.light)
        + split("M88 190A66 56 0 0 1 62 116H178A66 56 0 0 1 152 190z", p.main)
        + flat(dots, p.main.light)
        + split(dome(82, 118, 76, 18), p.main)
        + split(oval(120, 94, 8), p.accent)
    )


@TEA.kind(SHU, SUMI, KIN, on=SAND, band=None)
def tray(p: Palette) -> str:
    return split(oval(120, 124, 90), p.main) + split(oval(120, 124, 76), p.second)


@TEA.kind(KIN, SUMI, KI, on=NEZU, band=None)
def strainer(p: Palette) -> str:
    mesh = "".join(f"M{x} 70V166M72 {x + 16}H168" for x in (84, 96, 108, 120, 132, 144, 156))
    parts = (
        split(rect(113, 150, 14, 82, 7), p.accent)
        + flat(oval(120, 98, 50), p.ground.wall)
        + place(stroke(mesh, p.second.light, 1.6), 36, 18, 0.7)
        + split_stroke(oval(120, 98, 50), p.main, 12)
    )
    return place(turn(40, parts), 0, 8)


@TEA.kind(MATSU, KINARI, SUMI, on=ASAGI)
def cold_bottle(p: Palette) -> str:
    """Cold-brewed tea in a bottle of glass."""
    return (
        split(
            "M104 44H136V78A40 40 0 0 1 158 112V176A14 14 0 0 1 144 190"
            "H96A14 14 0 0 1 82 176V112A40 40 0 0 1 104 78z",
            p.second,
        )
        + split("M90 122H150V172A10 10 0 0 1 140 182H100A10 10 0 0 1 90 172z", p.main)
        + split(rect(100, 34, 40, 18, 4), p.accent)
    )
