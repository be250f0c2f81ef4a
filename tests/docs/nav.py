"""The site's navigation, read from the folders: a page that is there is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.docs.links import ELSEWHERE, lines, targets

# Folders of pages in the order of the site; each becomes a part of it under this name.
PARTS = {
    "": "Kessai",
    "concepts": "Concepts",
    "architecture": "Architecture",
    "adr": "Decisions",
    "operations": "Operations",
    "operations/alerts": "Alert by alert",
    "operations/stuck": "When something hangs",
    "deploy": "Deploy",
    "proof": "Proof",
    "reference": "Reference",
    "develop": "Develop",
}

Entry = dict[str, "str | list[Entry]"]

# What calls itself Kessai on every one of them needs a name of its own here.
LABELS = {
    "index.md": "Home",
    "overview.md": "In one page",
    "ja.md": "日本語",
    "zh-CN.md": "简体中文",
}


class Homeless(Exception):
    """A page in a folder that the site does not know."""


def title(page: Path) -> str:
    """The first heading as plain text; the label of a page is what it calls itself."""
    for _, line, fenced in lines(page.read_text("utf-8")):
        if not fenced and line.startswith("# "):
            return re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", line[2:]).replace("`", "").strip()
    raise Homeless(f"{page}:1: a page begins with its title: # ...")


def navigation(docs: Path) -> list[Entry]:
    pages = sorted(docs.rglob("*.md"))
    for page in pages:
        folder = page.parent.relative_to(docs).as_posix().removeprefix(".")
        if folder not in PARTS:
            raise Homeless(
                f"docs/{page.relative_to(docs)}:1: docs/{folder} has no place in the navigation; "
                "give it one in PARTS of tests/docs/nav.py"
            )
    parts: dict[str, list[Entry]] = {}
    for folder in PARTS:
        here = [page for page in pages if page.parent == docs / folder]
        parts[folder] = [
            {_label(page, docs): page.relative_to(docs).as_posix()} for page in ordered(here, docs)
        ]
    for folder in [name for name in PARTS if "/" in name]:
        if inner := parts.pop(folder):
            parts[folder.rpartition("/")[0]].append({PARTS[folder]: list(inner)})
    return [{PARTS[folder]: entries} for folder, entries in parts.items() if entries]


def ordered(pages: Sequence[Path], docs: Path) -> list[Path]:
    """The index first, then as it and the home page name the others last, then by name."""
    if not pages:
        return []
    folder = pages[0].parent
    named = [page for index in (docs, folder) for page in _named(index / "index.md")]
    place = {page: number for number, page in enumerate(named)}
    return sorted(
        pages, key=lambda page: (page.name != "index.md", place.get(page, len(named)), page.name)
    )


def _named(index: Path) -> Iterator[Path]:
    if index.is_file():
        for _, target in targets(index.read_text("utf-8")):
            if not ELSEWHERE.match(target):
                yield (index.parent / target.partition("#")[0]).resolve()


def _label(page: Path, docs: Path) -> str:
    return LABELS.get(page.relative_to(docs).as_posix()) or title(page)


def toml(entries: Sequence[Entry]) -> str:
    """The `nav = [...]` of the site's configuration."""
    return "nav = [\n" + "".join(_entry(entry, "  ") for entry in entries) + "]\n"


def _entry(entry: Entry, indent: str) -> str:
    text = ""
    for name, inner in entry.items():
        if isinstance(inner, str):
            # An index is opened by the name of its part.
            page = _quoted(inner)
            is_index = inner.endswith("/index.md")
            text += f"{indent}{page},\n" if is_index else f"{indent}{{{_quoted(name)} = {page}}},\n"
        else:
            below = "".join(_entry(each, indent + "  ") for each in inner)
            text += f"{indent}{{{_quoted(name)} = [\n{below}{indent}]}},\n"
    return text


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
