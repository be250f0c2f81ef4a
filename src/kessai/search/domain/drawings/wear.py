"""Pictures of what is worn: from hat to shoes."""

from __future__ import annotations

from kessai.search.domain.drawings.kit import (
    ASAGI,
    FUJI,
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

WEAR = Family()


@WEAR.kind(KIN, KI, SUMI, on=ASAGI, band=191)
def umbrella(p: Palette) -> str:
    waves = "".join(f"A15.3 13 0 0 0 {x} 132" for x in (181.3, 150.7, 120, 89.3, 58.7, 28))
    return (
        stroke("M120 128V196A14 14 0 0 1 92 196V192", p.second.dark, 7)
        + flat(rect(116.5, 30, 7, 14), p.accent.dark)
        + split(f"M28 132A92 92 0 0 1 212 132{waves}z", p.main)
        + stroke("M120 41A100 120 0 0 0 89.3 131", p.main.dark, 2)
        + stroke("M120 41A100 120 0 0 1 150.7 131", p.main.light, 2)
    )


@WEAR.kind(TETSU, KINARI, SHU, on=SAKURA, band=180)
def sneakers(p: Palette) -> str:
    upper = (
        "M36 99A28 18 0 0 0 70 98L86 81L122 113A120 60 0 0 0 184 131"
        "A34 34 0 0 1 211 165H30A150 150 0 0 1 36 99z"
    )
    return (
        split(upper, p.main)
        + flat("M174 165A44 48 0 0 1 184 131A34 34 0 0 1 211 165z", p.accent.dark)
        + split("M28 164H212V172A12 12 0 0 1 200 184H40A12 12 0 0 1 28 172z", p.second)
        + stroke("M95 104L111 91M109 116L126 103M123 125L139 112", p.second.light, 5)
    )


@WEAR.kind(TETSU, KINARI, SHU, on=SAND, band=None)
def tenugui(p: Palette) -> str:
    def star(x: float, y: float) -> str:
        tone = p.second.light if x < 120 else p.second.dark
        across = f"M{x - 13} {y - 7.5}L{x + 13} {y + 7.5}M{x - 13} {y + 7.5}L{x + 13} {y - 7.5}"
        return stroke(f"M{x} {y - 15}V{y + 15}{across}", tone, 3)

    rows = ((62, (86, 121, 154)), (100, (103, 137)), (138, (86, 121, 154)), (176, (103, 137)))
    stars = "".join(star(x, y) for y, xs in rows for x in xs)
    hem = flat(rect(62, 198, 116, 4), p.second.dark)
    return place(turn(-8, split(rect(62, 30, 116, 180, 2), p.main) + stars + hem), 3.6, 3.6, 0.97)


@WEAR.kind(KINARI, SHU, SUMI, on=PALE_FUJI, band=None)
def socks(p: Palette) -> str:
    def sock(x: float, y: float) -> str:
        body = f"M{x} {y + 8}h52v78a40 40 0 0 1-14 32l-22 22a27 27 0 0 1-40-36l24-26z"
        return (
            split(body, p.main, x + 22)
            + split(rect(x, y - 14, 52, 30, 5), p.second, x + 22)
            + flat(
                f"M{x + 16} {y + 140}a27 27 0 0 1-40-36l8-8.7L{x + 24} {y + 132}z",
                p.second.light,
            )
        )

    return place(sock(58, 50) + sock(140, 72), 0, -6)


@WEAR.kind(KINARI, SUMI, SHU, on=ASAGI, band=None)
def hat(p: Palette) -> str:
    return (
        split(oval(120, 158, 96, 30), p.main)
        + split("M66 152A54 86 0 0 1 174 152A54 14 0 0 1 66 152z", p.main)
        + split("M65 136H175V150A55 15 0 0 1 65 150z", p.second)
    )


@WEAR.kind(KI, KI, KIN, on=NEZU, band=None)
def wallet(p: Palette) -> str:
    return turn(
        -8,
        split(rect(34, 64, 172, 120, 10), p.main)
        + stroke("M44 74H112M44 174H112M44 74V174", p.second.dark, 2)
        + stroke("M128 74H196V174H128", p.second.light, 2)
        + split("M206 104H160A20 20 0 0 0 160 144H206z", Tone(p.main.dark, p.main.light), 170)
        + split(oval(164, 124, 8), p.accent, 164),
    )


@WEAR.kind(TETSU, KIN, SHU, on=SAND, band=None)
def belt(p: Palette) -> str:
    ring = (
        '<path d="'
        + oval(120, 112, 72)
        + f'" fill="none" stroke="{p.main.light}" stroke-width="30"/>'
    )
    return (
        ring
        + split_stroke(oval(120, 112, 72), p.main, 30)
        + split_stroke(oval(120, 112, 72), p.accent, 4)
        + split(rect(96, 164, 48, 42, 6), p.second)
        + flat(rect(106, 174, 28, 22, 2), p.main.light)
        + flat(rect(120, 174, 14, 22), p.main.dark)
        + flat(rect(117, 170, 6, 30, 3), p.second.dark)
    )


@WEAR.kind(KINARI, SUMI, SHU, on=NEZU, band=None)
def hair_clip(p: Palette) -> str:
    moon = "M112 44.4A76 76 0 1 0 192 144.4A66 66 0 1 1 112 44.4z"
    return place(
        (
            turn(38, split(rect(24, 119, 196, 9, 4), p.second), 120, 124)
            + split(moon, p.main)
            + turn(38, split(rect(24, 119, 60, 9, 4), p.second), 120, 124)
            + split(oval(164, 158, 9), p.accent, 164)
        ),
        14,
        -6,
    )


@WEAR.kind(TETSU, KINARI, SHU, on=WAKAKUSA, band=None)
def apron(p: Palette) -> str:
    left = "M72 176h12M92 176h12M72 190h12M92 190h12"
    right = "M126 176h12M146 176h12M126 190h12M146 190h12"
    return place(
        (
            split_stroke("M92 66A28 40 0 0 1 148 66", p.second, 6)
            + split_stroke("M70 112L36 104M170 112L204 104", p.second, 6)
            + split("M88 62H152L156 96A26 26 0 0 0 180 120V206H60V120A26 26 0 0 0 84 96z", p.main)
            + split(rect(86, 128, 68, 40, 4), p.accent)
            + stroke(left, p.second.light, 3)
            + stroke(right, p.second.dark, 3)
        ),
        3.6,
        4.02,
        0.97,
    )


@WEAR.kind(FUJI, KINARI, SHU, on=SAND, band=None)
def scarf(p: Palette) -> str:
    def tail(x: float, y: float, tone: Tone) -> str:
        fringe = "".join(rect(x + n * 9, y + 96, 5, 18) for n in range(5))
        return split(rect(x, y, 41, 98), tone, x + 20.5) + split(fringe, tone, x + 20.5)

    return (
        tail(126, 96, Tone(p.main.dark, p.main.dark))
        + tail(76, 92, p.main)
        + split(rect(76, 160, 41, 12), p.second, 96.5)
        + split("M48 84A72 50 0 0 1 192 84A72 46 0 0 1 48 84z", p.main)
        + flat("M84 76A36 20 0 0 1 156 76A36 16 0 0 1 84 76z", p.ground.wall)
    )


@WEAR.kind(SHU, KINARI, SUMI, on=ASAGI, band=None)
def mittens(p: Palette) -> str:
    def mitten(x: float, side: int) -> str:
        base = x + side * 26
        thumb = turn(40 * side, split(rect(base - 12, 104, 24, 52, 12), p.main, x), base, 150)
        return (
            thumb
            + split(f"M{x - 34} 168V92A34 44 0 0 1 {x + 34} 92V168z", p.main, x)
            + split(rect(x - 37, 162, 74, 34, 6), p.second, x)
            + split(oval(x, 108, 9), p.second, x)
        )

    return mitten(66, 1) + mitten(174, -1)


@WEAR.kind(KI, SHU, SUMI, on=SAND, band=None)
def sandals(p: Palette) -> str:
    def sandal(x: float) -> str:
        strap = f"M{x - 28} 126A30 44 0 0 1 {x} 78A30 44 0 0 1 {x + 28} 126"
        return split(rect(x - 32, 32, 64, 180, 32), p.main, x) + split_stroke(
            strap, p.second, 11, x
        )

    return turn(-6, sandal(78), 78, 120) + turn(6, sandal(162), 162, 120)


@WEAR.kind(KINARI, TETSU, SHU, on=NEZU, band=None)
def tote(p: Palette) -> str:
    return (
        stroke("M88 92V60A32 30 0 0 1 120 40", p.second.light, 9)
        + stroke("M120 40A32 30 0 0 1 152 60V92", p.second.dark, 9)
        + split("M48 82H192L184 196A8 8 0 0 1 176 204H64A8 8 0 0 1 56 196z", p.main)
        + split("M53.6 164H186.4L184 196A8 8 0 0 1 176 204H64A8 8 0 0 1 56 196z", p.second)
    )


@WEAR.kind(TETSU, SUMI, KINARI, on=WAKAKUSA, band=None)
def work_jacket(p: Palette) -> str:
    return (
        flat(poly(78, 58, 28, 84, 36, 152, 68, 148), p.main.light)
        + flat(poly(162, 58, 212, 84, 204, 152, 172, 148), p.main.dark)
        + split("M78 58A60 30 0 0 0 162 58L178 204H62z", p.main)
        + flat("M96 54H106L128 124V204H116V128z", p.second.light)
        + flat("M144 54H134L112 124L118 140z", p.second.dark)
        + flat(poly(106, 54, 134, 54, 120, 96), p.accent.light)
        + stroke("M128 156L146 150M128 156L148 164", p.accent.dark, 4)
    )


@WEAR.kind(SHU, KI, KIN, on=NEZU, band=None)
def fan(p: Palette) -> str:
    ribs_left = "M120 186L46 96M120 186L76 66"
    ribs_right = "M120 186L164 66M120 186L194 96"
    return (
        split("M120 192L28 112A120 120 0 0 1 212 112z", p.main)
        + split("M120 192L78 156A56 56 0 0 1 162 156z", p.second)
        + stroke(ribs_left + "M120 186V56", p.second.dark, 2)
        + stroke(ribs_right, p.second.light, 2)
        + split("M28 112A120 120 0 0 1 212 112L204 119A110 110 0 0 0 36 119z", p.accent)
        + split(oval(120, 190, 7), p.accent)
    )


@WEAR.kind(SUMI, KINARI, KIN, on=PALE_FUJI, band=None)
def glasses(p: Palette) -> str:
    def lens(x: float) -> str:
        return split(oval(x, 126, 40), p.second, x) + split_stroke(oval(x, 126, 40), p.main, 10, x)

    return place(
        (
            lens(72)
            + lens(168)
            + split_stroke("M106 112A16 14 0 0 1 134 112", p.main, 9)
            + stroke("M34 114L26 100", p.main.light, 9)
            + stroke("M206 114L214 100", p.main.dark, 9)
        ),
        4.8,
        5.04,
        0.96,
    )


@WEAR.kind(FUJI, KIN, SHU, on=WAKAKUSA, band=None)
def brooch(p: Palette) -> str:
    petals = "".join(
        turn(angle, split(oval(120, 74, 27, 38), p.main), 120, 124) for angle in range(0, 360, 72)
    )
    return petals + split(oval(120, 124, 26), p.second)


@WEAR.kind(TETSU, SUMI, SHU, on=NEZU, band=None)
def cap(p: Palette) -> str:
    return (
        flat("M150 142H214A60 20 0 0 1 150 166z", p.second.dark)
        + split("M42 158V140A70 78 0 0 1 182 140V158z", p.main, 112)
        + split(rect(42, 150, 140, 16, 4), p.second, 112)
        + split(oval(112, 64, 7), p.accent, 112)
    )
