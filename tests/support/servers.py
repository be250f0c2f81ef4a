"""The real servers of the lane `stack`: where they are is told by their settings' own names."""

from __future__ import annotations

import os

import pytest


def server_url(setting: str) -> str:
    """Skips without the server, which with `CI=true` is a failure of the lane (see conftest)."""
    url = os.environ.get(setting, "")
    if not url:
        pytest.skip(f"{setting} names no server: `make test-stack` starts them")
    return url
