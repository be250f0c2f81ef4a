"""The known-bad versions still fit the source; that each is found: `make mutants` and its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kessai.proof.mutants import MUTANTS, Edit, Mutant, Unfit, mutated
from kessai.proof.mutants.campaign import SOURCE

PAGE = Path(__file__).parents[2] / "docs" / "proof" / "mutants.md"
_ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| (\d+) \| ([^|]+) \|$", re.MULTILINE)


def test_there_are_enough_of_them_and_each_has_a_name() -> None:
    names = [one.name for one in MUTANTS]
    assert len(names) >= 20
    assert len(names) == len(set(names))
    assert all(one.why and one.edits for one in MUTANTS)


@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.name)
def test_it_fits_the_source_and_is_a_program(one: Mutant) -> None:
    changed = mutated(one, SOURCE)
    assert all(path.read_text("utf-8") != text for path, text in changed.items())


def test_the_page_has_each_of_them_found_within_three_hundred_seeds() -> None:
    rows = _ROW.findall(PAGE.read_text("utf-8"))
    assert [(name, why) for name, why, _, _ in rows] == [(one.name, one.why) for one in MUTANTS]
    assert all(1 <= int(seeds) <= 300 for _, _, seeds, _ in rows)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (Edit("order.py", "no such text", ""), "0 times"),
        (Edit("order.py", "x", "y"), "2 times"),
        (Edit("order.py", "first", "first"), "changes nothing"),
        (Edit("order.py", "first = x", "first = ("), "is broken"),
        (Edit("saga.json", '"a": 1', '"a": '), "is broken"),
    ],
)
def test_what_does_not_fit_is_told(edit: Edit, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "order.py").write_text("first = x\nsecond = x\n")
    (tmp_path / "saga.json").write_text('{"a": 1}')
    with pytest.raises(Unfit, match=complaint):
        mutated(Mutant("m", "why", (edit,)), tmp_path)


def test_edits_of_one_file_are_made_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "order.py").write_text("first = x\nsecond = y\n")
    edits = (Edit("order.py", "x", "1"), Edit("order.py", "y", "2"))
    assert list(mutated(Mutant("m", "why", edits), tmp_path).values()) == [
        "first = 1\nsecond = 2\n"
    ]
