"""PayPay's own SDKs in environments of their own: installed, started, and asked by JSON lines."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import pytest

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
CACHE: Final = ROOT / ".cache" / "sdk"
INSTALL_S: Final = 240
SDK = [
    pytest.mark.sdk,
    pytest.mark.network,
    pytest.mark.xdist_group("sdk"),
    # Installing is not the test's time.
    pytest.mark.timeout(60, func_only=True),
]
Json = dict[str, Any]


def unavailable(what: str, why: str) -> NoReturn:
    """Skips the test where an SDK cannot be had; fails in CI, where it must."""
    message = f"the lane of the {what} did not run: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@dataclass(frozen=True, slots=True)
class Failed(Exception):
    """A step of an installation, with the last of what it said."""

    step: str
    said: str

    def __str__(self) -> str:
        return f"`{self.step}` failed: {self.said}"


def _run(command: Sequence[str | Path], cwd: Path) -> str:
    step = " ".join(Path(str(part)).name for part in command[:3])
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(step, str(error)) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Failed(step, " | ".join(said[-3:]))
    return done.stdout


@cache
def _installed(what: str, version: str, *locks: Path) -> tuple[Path, str]:
    """The environment for exactly these locks, made once; beside it why it could not be made."""
    content = b"".join(lock.read_bytes() for lock in locks) + version.encode()
    folder = CACHE / f"{what}-{hashlib.sha256(content).hexdigest()[:12]}"
    whole = folder / "whole"
    if whole.exists():
        return folder, ""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        if what == "python":
            _run([sys.executable, "-m", "venv", folder / "venv"], folder)
            pip: list[str | Path] = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet"]
            _run([*pip, "--retries=2", "--require-hashes", "-r", *locks], folder)
        else:
            for lock in locks:
                shutil.copy(lock, folder)
            _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    except Failed as failed:
        return folder, str(failed)
    whole.touch()
    return folder, ""


def python_sdk(base_url: str, certificate: Path) -> Sdk:
    lock = ROOT / "requirements" / "sdk.txt"
    folder, problem = _installed("python", sys.version, lock)
    if problem:
        unavailable("Python SDK", problem)
    python = folder / "venv/bin/python"
    return _started([python, HERE / "driver.py", base_url, str(certificate)], {})


def node_sdk(base_url: str, certificate: Path) -> Sdk:
    """It speaks https only."""
    missing = [tool for tool in ("node", "npm") if not shutil.which(tool)]
    if missing:
        unavailable("Node SDK", f"{' and '.join(missing)} not found")
    project = HERE / "node"
    version = _run(["node", "--version"], HERE)
    locks = (project / "package.json", project / "package-lock.json")
    folder, problem = _installed("node", version, *locks)
    if problem:
        unavailable("Node SDK", problem)
    url = urlsplit(base_url)
    assert url.scheme == "https"
    command: list[str | Path] = [
        "node",
        project / "driver.mjs",
        folder,
        str(url.hostname),
        str(url.port),
    ]
    return _started(command, {"NODE_EXTRA_CA_CERTS": str(certificate)})


def _started(command: Sequence[str | Path], env: dict[str, str]) -> Sdk:
    # Not our sources: an SDK that imported them would be no stranger.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**inherited, "PYTHONWARNINGS": "ignore", **env},
    )
    return Sdk(process)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the SDK gave back. `said` is what it printed by itself."""

    status: int | None
    code: str | None
    code_id: str | None
    data: Any
    error: str | None
    said: str = field(repr=False)

    @property
    def told(self) -> tuple[int | None, str | None]:
        return self.status, self.code


@dataclass
class Sdk:
    """A running SDK, with the credentials of the simulator's merchant; `replace` takes others."""

    process: subprocess.Popen[bytes]
    key: str = "kessai-sim-key"
    secret: str = "kessai-sim-secret"
    merchant: str = "kessai-merchant"

    def call(self, operation: str, argument: Json | str, *, timeout_s: int = 20) -> Answer:
        asked = {
            "operation": operation,
            "arguments": [argument],
            "key": self.key,
            "secret": self.secret,
            "merchant": self.merchant,
            "timeoutS": timeout_s,
        }
        pipes = self.process
        assert pipes.stdin is not None
        assert pipes.stdout is not None
        assert pipes.stderr is not None
        pipes.stdin.write(json.dumps(asked).encode() + b"\n")
        pipes.stdin.flush()
        line = pipes.stdout.readline()
        if not line:
            raise RuntimeError(f"the SDK's process ended: {pipes.stderr.read().decode()}")
        answer = json.loads(line)
        body = answer["body"] or {}
        info = body.get("resultInfo") or {}
        return Answer(
            answer["status"],
            info.get("code"),
            info.get("codeId"),
            body.get("data"),
            answer["error"],
            answer["said"],
        )

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()
