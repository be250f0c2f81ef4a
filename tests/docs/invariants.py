"""docs/reference/invariants.md: what must hold of the books, from `kessai.proof.invariants`."""

from __future__ import annotations

from tests.docs.markdown import code, page, table

from kessai.proof.invariants.table import TABLE

LEAD = (
    "`kessai verify` asks each of them of the live books and changes nothing; "
    "`kessai verify --only I4,I5` asks some. What the columns of its answer mean: "
    "[what must hold](../proof/verify.md)."
)


def invariants_page() -> str:
    asked = [
        (code(one.id), one.sentence, ", ".join(sorted(one.sources)) or "the orders")
        for one in TABLE
        if not one.why_not
    ]
    others = [(code(one.id), one.sentence, one.why_not or "") for one in TABLE if one.why_not]
    return page(
        "Invariants",
        LEAD,
        ["## Asked of the books", "", *table(("id", "what must hold", "books"), asked)],
        [
            "## Proved elsewhere",
            "",
            "No book can show these; the last column says who asks them.",
            "",
            *table(("id", "what must hold", "why not here"), others),
        ],
    )
