"""The real servers of the lane `stack`: those that the environment names, else private ones.

A private one is started when a test first asks for it, and all of them end with the process. What
cannot be had on this machine skips its tests; with `CI=true` they fail.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from tests.support.stack import Shell

from kessai.stack.domain.server import BASE_PORT

_SERVERS = {
    "KESSAI_SQL_URL": "mariadb",
    "KESSAI_BUS_URL": "kafka",
    "KESSAI_REDIS_URL": "redis",
    "KESSAI_AUDIT_URL": "mongodb",
    "KESSAI_OBJECTS_URL": "minio",
    "KESSAI_SEARCH_URL": "elasticsearch",
}
# Two runs beside each other do not meet, also where a server of one is down for a while.
_FIRST_PORT = os.environ.get("STACK_FIRST_PORT", str(BASE_PORT))
# With a build that takes minutes where nothing is cached.
_UP_S = 1200


def server_url(setting: str) -> str:
    """What the setting is to be for the real server."""
    return os.environ.get(setting, "") or private_url(setting)


@cache
def private_url(setting: str) -> str:
    """Of a server that belongs to these tests, so that they may stop it."""
    shell, server = private_servers(), _SERVERS[setting]
    up = shell.run("up", server, "--port", _FIRST_PORT, limit_s=_UP_S)
    if up.returncode:
        told = f"{server} cannot be had here: {up.stdout}{up.stderr}"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)
    return shell.settings()[setting]


@cache
def private_servers() -> Shell:
    folder = Path(tempfile.mkdtemp(prefix="kessai-stack-"))
    shell = Shell(folder)

    def end() -> None:
        shell.run("wipe")
        shutil.rmtree(folder)

    atexit.register(end)
    return shell
