"""Documents name what is there: who renames a setting, command, port, topic or state is told
which file and line still has the old name."""

from __future__ import annotations

import pytest
from tests.docs.blocks import ROOT, documents
from tests.docs.generated import PAGES
from tests.docs.names import OTHERS, PLACES, problems
from tests.docs.vocabulary import is_code


def test_every_name_in_the_documents_exists() -> None:
    wrong = [
        problem
        for path in documents(PLACES)
        # Those are compared with what the code says.
        if (name := path.relative_to(ROOT).as_posix()) not in PAGES
        for problem in problems(name, path.read_text("utf-8"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Set `KESSAI_ORDER_DEADLINE` to 5.", "no setting KESSAI_ORDER_DEADLINE"),
        ("It waits on ec-demo.order.events.v1.", "no topic ec-demo.order.events.v1"),
        ("See http://127.0.0.1:8087/docs.", "no port 8087"),
        ("The order is AWAITING_PAYMENT.", "no state or code AWAITING_PAYMENT"),
        ("It ends SETTLED or FAILED.", "no state or code SETTLED"),
        ("Say `make tests`.", "no `make tests`"),
        ("Say `kessai alert list`.", "`kessai` has no command alert"),
        ("Say `kessai alerts lst`.", "`kessai alerts` has no command lst"),
        ("Say `kessai alerts list --state NEW`.", "`kessai alerts list` has no option --state"),
        ("```sh\nkessai slo --wach  # --x\n```", "`kessai slo` has no option --wach"),
        ("    kessai reconcile FILE [--dey DAY]", "`kessai reconcile file` has no option --dey"),
        ("`kessai saga list|shwo`", "`kessai saga` has no command shwo"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_its_line(line: str, told: str) -> None:
    (found,) = problems("page.md", f"# Page\n\n{line}\n")
    where, _, what = found.partition(": ")
    assert what == told
    assert where == f"page.md:{4 if '```' in line else 3}"


@pytest.mark.parametrize(
    "line",
    [
        "`KESSAI_ORDER_DEADLINE_S=60 kessai up --profile stack`",
        "`kessai reconcile FILE --day YYYY-MM-DD --dry-run` and `kessai saga list|show ID`",
        "kessai itself --says nothing; make haste",
        "`PROVIDER_SAYS_COMPLETED`, WAITING_PAYMENT, ec-demo.orders.events.v1.dlt",
        "`kessai sim paypay --tls-port 8490` then https://127.0.0.1:8490",
        "```sh\nkessai alerts show ALERT   # --nothing\n```",
    ],
)
def test_what_is_there_may_be_named(line: str) -> None:
    assert list(problems("page.md", line)) == []


def test_words_that_are_nobodys_are_not_the_codes() -> None:
    """Else a state of that name could go away unnoticed."""
    assert [word for word in sorted(OTHERS) if is_code(word)] == []
