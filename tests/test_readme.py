"""The three READMEs stay in step: same shape, same commands, same addresses, same picture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TRANSLATIONS = ("README.ja.md", "README.zh-CN.md")


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(name: str) -> list[str]:
    """Fenced blocks without the comments of the shell lines, which are translated."""
    found = re.findall(r"```(.*?)```", text(name), re.DOTALL)
    return [re.sub(r"\s+#.*", "", block) for block in found]


def shape(name: str) -> list[str]:
    """The level of each heading and the width of each table row, in their order."""
    outside = re.sub(r"```.*?```", "", text(name), flags=re.DOTALL)
    return [
        f"{len(line) - len(line.lstrip('#'))}#" if line.startswith("#") else f"{line.count('|')}|"
        for line in outside.splitlines()
        if line.startswith(("#", "|"))
    ]


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_a_translation_has_the_same_blocks_headings_and_tables(name: str) -> None:
    assert blocks(name) == blocks("README.md")
    assert shape(name) == shape("README.md")


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_a_translation_names_the_same_addresses_and_figures(name: str) -> None:
    def named(of: str) -> list[str]:
        return sorted(re.findall(r"http://127\.0\.0\.1:\d+|`kessai [^`]+`", text(of)))

    assert named(name) == named("README.md")


@pytest.mark.parametrize("name", ["README.md", *TRANSLATIONS])
def test_every_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", text(name)):
        assert (ROOT / target).is_file(), target


def test_the_two_commands_are_on_the_first_screen() -> None:
    first = text("README.md").splitlines()[:15]
    assert any(line.startswith("make up") for line in first)
    assert any(line.startswith("make test") for line in first)
