"""Sample outputs are compared with what is printed, and refreshed from it."""

from __future__ import annotations

from tests.docs.blocks import blocks_of
from tests.docs.samples import refreshed, stale

PAGE = """# Page

<!-- output of: kessai demo -->
```text
order K-20261124-avngu6: PENDING → WAITING_PAYMENT, ¥132
   (its code)
Everything agrees.
```

The end.
"""
OUTPUT = """Using the shop.
order K-20261127-eqsz4j: PENDING → WAITING_PAYMENT, ¥1,320
████
Everything agrees.
"""


def test_a_sample_is_refreshed_and_keeps_the_words_that_are_ours() -> None:
    (block,) = blocks_of("page.md", PAGE)
    assert block.output_of == "kessai demo"
    assert stale(block, OUTPUT) == []
    after = refreshed(PAGE, block, OUTPUT)
    assert after == PAGE.replace("K-20261124-avngu6", "K-20261127-eqsz4j").replace("¥132", "¥1,320")


def test_a_line_that_is_not_printed_any_more_is_told_with_its_place() -> None:
    (block,) = blocks_of("page.md", PAGE)
    assert [
        told.partition(": ")[0] for told in stale(block, OUTPUT.replace("agrees", "is well"))
    ] == ["page.md:7"]
    renamed = stale(block, OUTPUT.replace("WAITING_PAYMENT", "AWAITING_PAYMENT"))
    assert renamed[0].startswith("page.md:5: ")
