"""A short chaos with real processes; and what a user does wrong, or breaks off."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kessai.proof.chaos.fleet import Fleet, PortInUse, check_free, free_offset, ports_of

pytestmark = [pytest.mark.crash, pytest.mark.network, pytest.mark.timeout(240)]


@contextmanager
def chaos(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process of its own, with an environment that must not reach its shop."""
    env = {
        **os.environ,
        "KESSAI_ORDER_DEADLINE_S": "77777",
        "KESSAI_PAYPAY_URL": "http://192.0.2.1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "kessai", "chaos", *arguments],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def children_of(folder: Path) -> list[int]:
    """Processes that work in the folder of a run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                inside = (entry / "cwd").readlink().is_relative_to(folder)
            except OSError:
                continue
            if inside:
                found.append(int(entry.name))
    return found


@pytest.mark.long
def test_a_short_chaos_agrees_and_leaves_nothing_behind(tmp_path: Path) -> None:
    report, page, kept = tmp_path / "r.json", tmp_path / "r.html", tmp_path / "kept"
    files = ("--json", str(report), "--html", str(page), "--keep", str(kept))
    with chaos("--seed", "2", "--minutes", "0.3", "--rate", "1", *files) as process:
        out, errors = process.communicate(timeout=200)
    assert process.returncode == 0, (out, errors)
    row = json.loads(report.read_text("utf-8"))
    assert row["ok"] is True
    assert row["violations"] == []
    assert row["finalAfterS"] <= 60
    assert row["faults"]["fired"]
    assert row["orders"]["total"] >= 1
    assert not {"PENDING", "WAITING_PAYMENT", "REFUNDING"} & set(row["orders"]["ends"])
    assert len(row["invariants"]) >= 20
    assert row["settings"]["KESSAI_ORDER_DEADLINE_S"] == "25"
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert "0 violations" in out
    assert (kept / "data" / "order.db").exists()
    assert children_of(kept) == []


def test_ctrl_c_ends_everything_that_was_started(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with chaos("--seed", "1", "--minutes", "5", "--keep", str(kept)) as process:
        end_s = time.monotonic() + 60
        while len(children_of(kept)) < 5 and time.monotonic() < end_s:
            time.sleep(0.1)
        assert len(children_of(kept)) >= 5
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.splitlines()[-1].startswith("kessai: interrupted")
    assert children_of(kept) == []


def test_a_port_that_is_taken_is_one_line_and_exit_2() -> None:
    offset = free_offset(os.getpid() + 7)
    with socket.create_server(("127.0.0.1", 8082 + offset)):
        with chaos("--seed", "1", "--port-offset", str(offset)) as process:
            out, errors = process.communicate(timeout=60)
        assert process.returncode == 2
        assert out == ""
        assert errors.count("\n") == 1
        assert f"port {8082 + offset}" in errors
        assert "order-service" in errors
        with pytest.raises(PortInUse):
            check_free(offset)
    check_free(offset)


def test_an_offset_beyond_all_ports_is_refused() -> None:
    with pytest.raises(PortInUse):
        check_free(60_000)
    assert max(ports_of(free_offset(149))) < 32768


async def test_a_host_can_be_killed_frozen_limited_and_started(tmp_path: Path) -> None:
    name = "firebase-simulator"
    async with Fleet(tmp_path, free_offset(os.getpid() + 3)) as fleet:
        assert not fleet.kill(name)
        assert not fleet.freeze(name)
        assert not fleet.limit_files(name, 0)
        fleet.start(name)
        await fleet.ready(name)
        (pid,) = fleet.pids
        assert fleet.freeze(name)
        await _until_stopped(pid)
        assert fleet.thaw(name)
        assert fleet.limit_files(name, 4096)
        assert "4096" in _limit(pid)
        assert fleet.limit_files(name, None)
        assert "4096" not in _limit(pid)
        assert await fleet.terminate(name)
        assert not fleet.thaw(name)
        fleet.start(name)
        await fleet.ready(name)
        assert fleet.freeze(name)
        (last,) = fleet.pids
    # Also what was stopped is gone with the block.
    assert _state(last) == ""


async def _until_stopped(pid: int) -> None:
    """The signal is sent at once and heeded soon."""
    async with asyncio.timeout(10):
        while True:
            if _state(pid) == "T":
                return
            await asyncio.sleep(0.02)


def _state(pid: int) -> str:
    if not Path(f"/proc/{pid}").exists():
        return ""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _limit(pid: int) -> str:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith("Max file size"))
