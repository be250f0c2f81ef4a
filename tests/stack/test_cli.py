"""`kessai stack` as it is called: usage, exit codes, and what it prints where nothing runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kessai.cli import app


def invoke(folder: Path, *words: str) -> Result:
    env = {"KESSAI_DATA_DIR": str(folder), "COLUMNS": "200"}
    return CliRunner().invoke(app, ["stack", *words], env=env)


@pytest.mark.parametrize("command", ["up", "fetch", "status", "logs", "down", "wipe"])
def test_a_server_that_is_none_is_refused(tmp_path: Path, command: str) -> None:
    result = invoke(tmp_path, command, "oracle")
    assert result.exit_code == 2
    assert "no server oracle; known: elasticsearch, minio" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_two_brokers_are_refused(tmp_path: Path) -> None:
    result = invoke(tmp_path, "up", "kafka", "--brokers", "2")
    assert result.exit_code == 2
    assert "--brokers is 1 or 3" in result.stderr


def test_where_nothing_was_started_all_are_stopped(tmp_path: Path) -> None:
    result = invoke(tmp_path, "status", "--json")
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert shown["env"] == str(tmp_path / "stack" / "env")
    assert {server["state"] for server in shown["servers"]} == {"stopped"}
    assert {server["server"] for server in shown["servers"]} >= {"kafka", "redis"}
    # Who asks for one by name wants it to run.
    assert invoke(tmp_path, "status", "redis").exit_code == 1


def test_down_and_wipe_where_nothing_runs(tmp_path: Path) -> None:
    result = invoke(tmp_path, "down")
    assert (result.exit_code, result.stdout) == (0, "nothing ran\n")
    result = invoke(tmp_path, "wipe", "redis")
    assert result.exit_code == 0
    assert "wiped below" in result.stdout
