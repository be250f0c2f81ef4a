"""What does not fit is refused before anything starts, in one line that names the setting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rocksdict import Options, Rdict
from tests.support.process import free_offset

from kessai.alert.main import RULES_GROUP
from kessai.kernel.streams.store import ShardStore


def a_store(folder: Path) -> Path:
    path = folder / "alert" / f"{RULES_GROUP}-0"
    ShardStore[bytes](path).close()
    return path


def started(folder: Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "kessai", "serve", "alert-service"],
        env={
            **os.environ,
            "KESSAI_DATA_DIR": str(folder),
            "KESSAI_PORT_OFFSET": str(free_offset()),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr.strip().splitlines()


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    path = a_store(tmp_path)
    db = Rdict(str(path), Options(raw_mode=True))
    db[b"v"] = b"of another time"
    db.close()
    code, (line,) = started(tmp_path)
    assert code == 2
    assert "KESSAI_DATA_DIR:" in line
    assert "this program knows" in line
