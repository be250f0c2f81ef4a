"""A shop of its own and Debian's chromium; both are there once for all stories."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.process import Processes, processes

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    pages = ROOT / "frontend" / "dist"
    assert (pages / "index.html").is_file(), "the pages are not built: make pages"
    folder = tmp_path_factory.mktemp("e2e")
    settings = {"KESSAI_FRONTEND_DIR": str(pages), "KESSAI_CHECKS_PER_MINUTE": "1000"}
    with processes(folder, **settings) as made:
        made.start("up")
        yield made


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {
        **browser_type_launch_args,
        "executable_path": CHROMIUM,
        "args": ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {
        **browser_context_args,
        "locale": "ja-JP",
        "viewport": {"width": 1280, "height": 800},
        # The motion is not what is looked at.
        "reduced_motion": "reduce",
    }
