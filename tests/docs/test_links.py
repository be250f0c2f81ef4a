"""No link of a document leads nowhere; what is wrong is named by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.links import broken, slug, targets


def test_every_link_and_anchor_of_the_documents_is_there() -> None:
    assert list(broken()) == []


def test_what_leads_nowhere_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "there.md").write_text("# There\n\n## A & B\n\n## A & B\n", "utf-8")
    (tmp_path / "README.md").write_text(
        "# Kessai\n\n"
        "[page](docs/there.md), [part](docs/there.md#a--b), [second](docs/there.md#a--b-1)\n"
        "[gone](docs/gone.md) and [part](docs/there.md#c)\n"
        '<img src="docs/gone.svg"> [here](#kessai) [no](#shop)\n'
        "[out](../elsewhere.md) [web](https://example.com/x) `[code](gone.md)`\n"
        "```md\n[fenced](gone.md)\n```\n",
        "utf-8",
    )
    assert list(broken(tmp_path)) == [
        "README.md:4: docs/gone.md: is not there",
        "README.md:4: docs/there.md#c: docs/there.md has no heading #c",
        "README.md:5: docs/gone.svg: is not there",
        "README.md:5: #shop: README.md has no heading #shop",
        "README.md:6: ../elsewhere.md: leads out of the repository",
    ]


def test_a_link_around_a_picture_has_two_targets() -> None:
    assert list(targets("[![pay page](a.png)](b.md)\n")) == [(1, "a.png"), (1, "b.md")]


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("When a server is away", "when-a-server-is-away"),
        ("`kessai verify`: do the books agree?", "kessai-verify-do-the-books-agree"),
        ("約束とお金", "約束とお金"),
        ("[Saga](saga.md) & **outbox**", "saga--outbox"),
    ],
)
def test_an_anchor_is_as_hosts_of_markdown_make_it(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor
