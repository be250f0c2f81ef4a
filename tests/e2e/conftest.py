"""A shop of its own and Debian's chromium; both are there once for all stories."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.process import Processes, processes

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# A finger, a small window and the name that a phone gives; the engine is the same.
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Mobile Safari/537.36",
}
PROFILES: dict[str, dict[str, Any]] = {"pc": {}, "phone": PHONE}

# The port offset of a shop that is up already (with simulators): quicker while one writes tests.
RUNNING = os.environ.get("KESSAI_E2E_OFFSET")

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    if RUNNING:
        yield Processes(tmp_path_factory.mktemp("e2e"), int(RUNNING))
        return
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


@pytest.fixture
def window(
    browser: Browser, browser_context_args: dict[str, Any]
) -> Iterator[Callable[[str], Page]]:
    """A page of a device of its own: `window("phone")`."""
    opened: list[BrowserContext] = []

    def open_one(profile: str) -> Page:
        opened.append(browser.new_context(**{**browser_context_args, **PROFILES[profile]}))
        return opened[-1].new_page()

    yield open_one
    for context in opened:
        context.close()
