"""The list of crash points is whole, and a fixed few of its cells are run; the rest: the page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.crash.matrix import PAGE, SAMPLE, UNCALLED
from tests.crash.points import SEAMS, all_points, files_with_seams

from kessai.kernel.crash_points import MODES

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| `([^`]+)` \| [^|]+ \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)


def test_every_file_that_marks_a_point_has_its_family() -> None:
    assert files_with_seams() == set(SEAMS)


def test_every_point_has_two_sides_and_one_name() -> None:
    points = all_points()
    assert len(points) == len(set(points))
    assert {point.rpartition(":")[2] for point in points} == {"before", "after"}
    assert {point.partition(":")[0] for point in points} == set(SEAMS.values())
    assert set(UNCALLED) < set(points)
    assert {point for point, _ in SAMPLE} <= set(points) - set(UNCALLED)


def test_the_page_has_every_point_and_every_cell_of_it_agrees() -> None:
    rows = {point: cells for point, *cells in _ROW.findall(PAGE.read_text("utf-8"))}
    assert list(rows) == [*(p for p in all_points() if p not in UNCALLED), *UNCALLED]
    for point, cells in rows.items():
        expected = "-" if point in UNCALLED else "agrees"
        assert [cell.strip() for cell in cells] == [expected] * len(MODES), point


@pytest.mark.crash
@pytest.mark.timeout(600)
def test_a_fixed_few_cells_agree_and_a_traced_run_reaches_the_list() -> None:
    """In a process of its own: it forks, and a worker of the tests has threads."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.matrix", "--sample"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(SAMPLE)} cells, {len(SAMPLE)} agree" in done.stdout
