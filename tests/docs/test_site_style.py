"""The site of the documents has the colours of the shop, by day and by night."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The shop writes `tetsuT` for what CSS of the site calls `tetsu-t`.
_TINT = re.compile(r"-t$")


def colours(file: str, block: str) -> dict[str, str]:
    """The colours that the block behind this selector sets."""
    text = (ROOT / file).read_text(encoding="utf-8")
    inner = text.split(f"{block} {{", 1)[1].split("}", 1)[0]
    found = re.findall(r"--([\w-]+):\s*(#[0-9a-f]+);", inner)
    return {_TINT.sub("T", name): _long(value) for name, value in found}


def _long(colour: str) -> str:
    """`#fff` as `#ffffff`."""
    digits = colour[1:]
    return "#" + ("".join(2 * one for one in digits) if len(digits) == 3 else digits)


@pytest.mark.parametrize(
    ("site", "shop"),
    [
        ('[data-md-color-scheme="default"]', ":root"),
        ('[data-md-color-scheme="slate"]', ":root[data-theme='dark']"),
    ],
)
def test_the_site_and_the_shop_have_the_same_colours(site: str, shop: str) -> None:
    of_site = colours("docs/site/kessai.css", site)
    of_shop = colours("frontend/src/style/tokens.css", shop)
    assert len(of_site) > 15
    assert of_site == {name: of_shop.get(name) for name in of_site}
