"""The pinned requirements: what is installed into one environment has one version in all files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "requirements"
# In one virtual environment with what the product needs; `sdk` has one of its own.
TOGETHER = ("dev", "e2e", "deploy", "docs", "temporal")
PIN = re.compile(r"^([A-Za-z0-9_.-]+(?:\[[^]]*\])?)==([^ \\;]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    found = dict(PIN.findall((FOLDER / f"{name}.txt").read_text("utf-8")))
    assert found
    return found


@pytest.mark.parametrize("name", TOGETHER)
def test_what_is_installed_over_the_product_changes_none_of_its_versions(name: str) -> None:
    product, more = pins("base"), pins(name)
    assert {one: more[one] for one in product.keys() & more.keys()} == {
        one: product[one] for one in product.keys() & more.keys()
    }


GROUPED = """
import os, pathlib, time, pytest

@pytest.mark.xdist_group("one server")
@pytest.mark.parametrize("number", range(4))
def test_it(number):
    time.sleep(0.05)
    pathlib.Path(f"{__name__}-{number}.worker").write_text(os.environ["PYTEST_XDIST_WORKER"])
"""


def test_tests_of_one_group_share_a_worker(tmp_path: Path) -> None:
    """What starts a server of its own once (`tests.support.mariadb`) relies on it."""
    for name in ("test_a", "test_b", "test_c"):
        (tmp_path / f"{name}.py").write_text(GROUPED)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  xdist_group(name)\n")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    run = (sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup")
    subprocess.run(run, cwd=tmp_path, env=clean, check=True, capture_output=True, timeout=60)
    found = [file.read_text() for file in tmp_path.glob("*.worker")]
    assert len(found) == 12
    assert len(set(found)) == 1
