"""Decisions have one form, and what they point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.decisions import FOLDER, SECTIONS, Decision, decisions, read

ROOT = FOLDER.parents[1]
ALL = decisions()


def test_numbers_have_no_gap() -> None:
    assert [one.number for one in ALL] == [f"{at:04}" for at in range(1, len(ALL) + 1)]


@pytest.mark.parametrize("one", ALL, ids=lambda one: str(one.number))
def test_a_decision_fits_on_a_page_and_has_every_section(one: Decision) -> None:
    assert one.sections == SECTIONS, f"{one.path}: other sections"
    assert 40 <= len(one.lines) <= 70, f"{one.path}: {len(one.lines)} lines, 40 to 70 please"


@pytest.mark.parametrize("one", ALL, ids=lambda one: str(one.number))
def test_the_tests_that_hold_a_decision_are_there(one: Decision) -> None:
    held = one.lines[one.lines.index("## Held by") :]
    named = re.findall(r"`([^`]+)`", "\n".join(held))
    assert named, f"{one.path}: no test holds it"
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_a_page_of_another_form_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "0001-a.md"
    path.write_text("no title\n", "utf-8")
    with pytest.raises(ValueError, match=r"0001-a\.md:1: the title"):
        read(path)
    path.write_text("# We decide\n\nSomebody said so.\n", "utf-8")
    with pytest.raises(ValueError, match=r"0001-a\.md:3: says neither"):
        read(path)
