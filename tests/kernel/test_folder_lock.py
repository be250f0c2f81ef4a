"""A folder's names: one living process each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kessai.kernel.folder_lock import FolderTaken, folder_held

HOLD = """
import sys
from pathlib import Path
from kessai.kernel.folder_lock import folder_held
with folder_held(Path(sys.argv[1]), "order-a"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_name_is_held_once_and_others_beside_it(tmp_path: Path) -> None:
    with (
        folder_held(tmp_path, "order-a"),
        folder_held(tmp_path, "order-b"),
        pytest.raises(FolderTaken),
        folder_held(tmp_path, "order-a"),
    ):
        pass
    with folder_held(tmp_path, "order-a"):
        pass


def test_a_name_that_is_a_path_stays_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with folder_held(tmp_path / "data", "../a/b"):
        assert [file.name for file in tmp_path.rglob("*.lock")] == ["..-a-b.lock"]
    assert [file.parent for file in tmp_path.rglob("*.lock")] == [tmp_path / "data"]


def test_a_folder_that_is_not_there_is_nobodys(tmp_path: Path) -> None:
    with folder_held(tmp_path / "none", "a"), folder_held(tmp_path / "none", "a"):
        assert not (tmp_path / "none").exists()


def test_where_nothing_can_be_written_nobodys_work_is_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with folder_held(file, "a"), folder_held(file, "a"):
        pass


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        told = rf"process {holder.pid}, which is 'order-a'"
        with pytest.raises(FolderTaken, match=told), folder_held(tmp_path, "order-a"):
            pass
        holder.kill()
        holder.wait()
        with folder_held(tmp_path, "order-a"):
            pass
