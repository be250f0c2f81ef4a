"""Our own product pictures ("wari-irodori"): SVG by simple rules, by the name of a file.

A name is `<kind>[-<tone>][-<tone>][-<tone>][_<ground>].svg`: the object, the colours of its body
and parts where they differ from its own, and the ground. `kyusu-shu_asagi.svg` is a vermilion
teapot on pale blue.
"""

from __future__ import annotations

from kessai.search.domain.drawings.home import HOME
from kessai.search.domain.drawings.kit import GROUNDS, TONES, Kind, Palette, page
from kessai.search.domain.drawings.kitchen import KITCHEN
from kessai.search.domain.drawings.sound import SOUND
from kessai.search.domain.drawings.stationery import STATIONERY
from kessai.search.domain.drawings.tea import TEA
from kessai.search.domain.drawings.travel import TRAVEL
from kessai.search.domain.drawings.ware import WARE
from kessai.search.domain.drawings.wear import WEAR

__all__ = ["KINDS", "draw"]

SUFFIX = ".svg"
KINDS: dict[str, Kind] = {
    name: kind
    for family in (TEA, KITCHEN, WARE, STATIONERY, WEAR, HOME, SOUND, TRAVEL)
    for name, kind in family.kinds.items()
}


def draw(name: str) -> str | None:
    """The picture's SVG text; None for a name that is none of ours."""
    recipe, _, ground = name.removesuffix(SUFFIX).partition("_")
    kind_name, *tones = recipe.split("-")
    kind = KINDS.get(kind_name)
    known = len(tones) <= 3 and all(tone in TONES for tone in tones)
    if kind is None or not known or not name.endswith(SUFFIX) or ground not in {"", *GROUNDS}:
        return None
    own = kind.palette
    given = (TONES[tone] for tone in tones)
    main, second, accent = (next(given, tone) for tone in (own.main, own.second, own.accent))
    palette = Palette(main, second, accent, GROUNDS.get(ground, own.ground))
    return page(kind.draw(palette), palette.ground, kind.band)
