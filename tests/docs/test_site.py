"""What is put together for the site; that it builds without a warning is `make check-docs`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from tests.docs.built import faults
from tests.docs.links import ROOT
from tests.docs.nav import Entry, Homeless, navigation, toml
from tests.docs.site import GUESTS, for_the_site, placed, stage, without_gaps


def pages_of(entries: list[Entry]) -> list[str]:
    found: list[str] = []
    for entry in entries:
        for inner in entry.values():
            found += [inner] if isinstance(inner, str) else pages_of(inner)
    return found


def written(folder: Path, **pages: str) -> Path:
    for name, text in pages.items():
        path = folder / (name.replace("__", "/") + ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def test_every_page_of_the_repository_is_in_the_navigation_once(tmp_path: Path) -> None:
    stage(ROOT, tmp_path / "site")
    listed = pages_of(navigation((tmp_path / "site" / "docs").resolve()))
    assert sorted(listed) == sorted(placed(ROOT).values())
    assert set(GUESTS.values()) <= set(listed)
    settings = tomllib.loads((tmp_path / "site" / "zensical.toml").read_text("utf-8"))
    assert settings["project"]["nav"]


def test_pages_stand_as_their_index_names_them(tmp_path: Path) -> None:
    docs = written(
        tmp_path,
        index="# Kessai\n",
        operations__a="# A\n",
        operations__b="# `B`, the second\n",
        operations__index="# Runbook\n\n[b](b.md) [p](alerts/p.md)\n",
        operations__alerts__p="# Paid\n",
    )
    nav = navigation(docs)
    assert nav == [
        {"Kessai": [{"Home": "index.md"}]},
        {
            "Operations": [
                {"Runbook": "operations/index.md"},
                {"B, the second": "operations/b.md"},
                {"A": "operations/a.md"},
                {"Alert by alert": [{"Paid": "operations/alerts/p.md"}]},
            ]
        },
    ]
    operations = tomllib.loads(toml(nav))["nav"][1]["Operations"]
    assert operations[0] == "operations/index.md"
    assert operations[1] == {"B, the second": "operations/b.md"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("elsewhere__a", "# A\n", "docs/elsewhere/a.md:1: docs/elsewhere has no place"),
        ("proof__a", "No title\n", "proof/a.md:1: a page begins with its title"),
    ],
)
def test_a_page_without_a_place_or_a_title_is_named(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    with pytest.raises(Homeless, match=says):
        navigation(written(tmp_path, **{name: text}))


def test_lists_are_written_as_the_site_reads_them() -> None:
    text = "Two things:\n- one\n  - inner\n- two\n```sh\n- code\n```\n"
    assert for_the_site(text, str.upper) == (
        "Two things:\n\n- one\n    - inner\n- two\n```sh\n- code\n```\n"
    )


def test_lines_of_japanese_meet_without_a_gap() -> None:
    rest = "- 項目。\n- 別の項目。\n\n| 表。\n次\n```sh\n一。\n二。\n```\n"
    text = "# 題\n一行目です。\n二行目です。\nWebhook は\n" + rest
    assert without_gaps(text) == "# 題\n一行目です。二行目です。Webhook は\n" + rest


def test_links_lead_to_where_the_site_has_things(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    written(
        root,
        README="# Kessai\n\n[runbook](docs/operations/index.md) [ja](README.ja.md)\n",
        docs__index="# Home\n\n[readme](../README.md#kessai) [make](../Makefile)\n",
        docs__operations__index="# Runbook\n\n[map](../../README.md) [all](../../deploy)\n",
    )
    (root / "README.ja.md").write_text("# Kessai\n\n[en](README.md)\n", "utf-8")
    (root / "Makefile").write_text("up:\n", "utf-8")
    written(root, deploy__notes="# Notes\n")
    (root / "docs" / "site").mkdir()
    for name in ("zensical.toml", "kessai.css", "tally.svg"):
        (root / "docs" / "site" / name).write_text("NAVIGATION\n", "utf-8")
    (root / "docs" / "site" / "theme").mkdir()
    stage(root, tmp_path / "site")
    docs = tmp_path / "site" / "docs"

    def text(name: str) -> str:
        return (docs / name).read_text("utf-8")

    assert "(operations/index.md)" in text("overview.md")
    assert "(ja.md)" in text("overview.md")
    assert text("ja.md").startswith("---\nlang: ja\n---\n")
    assert "(overview.md#kessai)" in text("index.md")
    assert "(files/Makefile.txt)" in text("index.md")
    assert text("files/Makefile.txt") == "up:\n"
    assert "(../overview.md)" in text("operations/index.md")
    assert "(../files/deploy.txt)" in text("operations/index.md")
    assert text("files/deploy.txt") == "deploy/notes.md\n"


def test_a_site_that_fetches_or_leads_nowhere_is_named_by_line(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<h1 id="kessai">Kessai</h1>\n'
        '<a href="#kessai">here</a> <a href="https://example.com">web</a>\n'
        '<script src="https://cdn.example.com/x.js"></script>\n'
        '<a href="gone.html">gone</a>\n'
        '<a href="index.html#nowhere">part</a>\n',
        "utf-8",
    )
    assert list(faults(tmp_path)) == [
        "index.html:3: is fetched from elsewhere: https://cdn.example.com/x.js",
        "index.html:4: gone.html: is not there",
        "index.html:5: index.html#nowhere: no #nowhere there",
    ]
    assert list(faults(tmp_path / "empty")) == [f"{tmp_path / 'empty'}: no page was built"]
