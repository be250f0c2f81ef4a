"""`kessai stack` as people type it, on a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from kessai.stack.domain.ownership import parse_stat

LIMIT_S = 120
# Kafka and Elasticsearch never get warm here: compiled once and lightly they are up in half the
# time, and take half the processor.
_LIGHTLY = "-XX:TieredStopAtLevel=1"
_JAVA = {"JAVA_TOOL_OPTIONS": _LIGHTLY, "ES_JAVA_OPTS": _LIGHTLY}


@dataclass(frozen=True)
class Shell:
    folder: Path

    def run(self, *words: str, limit_s: int = LIMIT_S) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kessai", "stack", *words],
            env={**_JAVA, **os.environ, "KESSAI_DATA_DIR": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=limit_s,
        )

    def status(self) -> dict[str, Any]:
        shown = json.loads(self.run("status", "--json").stdout)
        return {server["server"]: server for server in shown["servers"]}

    def settings(self) -> dict[str, str]:
        found = dotenv_values(self.folder / "stack" / "env")
        return {name: value for name, value in found.items() if value is not None}


def is_alive(pid: int) -> bool:
    """A zombie is not: whoever should collect it may not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and not parse_stat(stat.read_text()).is_zombie
