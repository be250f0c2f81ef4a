"""The real servers of the lane `stack`: those that the environment names, else private ones."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache

from dotenv import dotenv_values

SERVERS = ("redis", "mariadb", "kafka")
_UP_S = 600
_DOWN_S = 120


def server_url(setting: str) -> str:
    """The value of `KESSAI_SQL_URL`, `KESSAI_BUS_URL` or `KESSAI_REDIS_URL`."""
    given = os.environ.get(setting, "")
    return given or str(_started()[setting])


@cache
def _started() -> Mapping[str, str | None]:
    """Once for all tests of this process; they end with it."""
    folder = tempfile.mkdtemp(prefix="kessai-stack-")
    atexit.register(_end, folder)
    _stack(folder, "up", *SERVERS, limit_s=_UP_S)
    return dotenv_values(f"{folder}/stack/env")


def _end(folder: str) -> None:
    _stack(folder, "wipe", limit_s=_DOWN_S)
    shutil.rmtree(folder)


def _stack(folder: str, *words: str, limit_s: float) -> None:
    subprocess.run(
        [sys.executable, "-m", "kessai", "stack", *words],
        env={**os.environ, "KESSAI_DATA_DIR": folder},
        check=True,
        timeout=limit_s,
    )
