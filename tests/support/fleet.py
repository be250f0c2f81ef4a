"""`kessai up` as processes: who its children are, customers at each bff, and a kill of each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.process import Processes

from kessai.topology import BFF

CONVERGE_S = 120.0
SHORT_WINDOWS = {
    "KESSAI_ORDER_DEADLINE_S": "30",
    "KESSAI_PAYPAY_CREATE_TIMEOUT_S": "5",
    "KESSAI_PAYPAY_TIMEOUT_S": "4",
    "KESSAI_POLL_FIRST_S": "2",
    "KESSAI_POLL_MAX_S": "5",
    "KESSAI_FALLBACK_AFTER_S": "10",
    "KESSAI_SIGN_INS_PER_MINUTE": "1000000",
    "KESSAI_LOG_LEVEL": "WARNING",
}


def children(pid: int) -> dict[str, int]:
    """`order-service:8182` to the pid of the process that serves there."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except OSError:
            continue
        if "serve" in words and str(pid) in words:
            name, port = words[words.index("serve") + 1], words[words.index("--port") + 1]
            found[f"{name}:{port}"] = int(path.parent.name)
    return found


def wait_until_up(system: Processes, timeout_s: float = 120.0) -> None:
    """All instances are ready, not only the first door."""
    end = time.monotonic() + timeout_s
    while "is up: " not in system.log_tail(200):
        assert time.monotonic() < end, system.log_tail()
        time.sleep(0.2)


class Shoppers:
    """One crowd of customers for each address of the shop."""

    def __init__(self, system: Processes, urls: Sequence[str], *, orders: int, over_s: float):
        self._running = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "kessai", "shopper", "--json"),
                    *("--orders", str(orders), "--over", str(over_s), "--seed", str(seed)),
                    *("--concurrency", "50", "--patience", "45", "--wait", "45"),
                ],
                env=system.environment({"KESSAI_PUBLIC_URL": url}),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for seed, url in enumerate(urls)
        ]

    @property
    def are_there(self) -> bool:
        return any(one.poll() is None for one in self._running)

    def to_their_end(self, timeout_s: float) -> list[dict[str, object]]:
        """What each crowd saw. Raises `AssertionError` where something was wrong."""
        seen = []
        for one in self._running:
            out, err = one.communicate(timeout=timeout_s)
            row = json.loads(out) if out else {}
            assert one.returncode == 0, (one.returncode, row, err.decode()[-2000:])
            seen.append(row)
        return seen

    def end(self) -> None:
        for one in self._running:
            one.kill()
            one.wait()


def bff_urls(system: Processes, count: int) -> list[str]:
    return [f"http://127.0.0.1:{BFF.port + system.offset + 100 * n}" for n in range(count)]


def kill_one_of_each(system: Processes, up: str, names: Sequence[str], *, pause_s: float) -> None:
    """kill -9 of the second instance of each, one after another; the supervisor starts it again."""
    for name in names:
        served = {k: v for k, v in children(system.running[up].pid).items() if k.startswith(name)}
        os.kill(served[max(served)], signal.SIGKILL)
        time.sleep(pause_s)


def require_agreement(system: Processes, *, settled: bool = True) -> dict[str, Any]:
    """No book disagrees, and (if `settled`) nothing is on its way still, within `CONVERGE_S`."""
    end = time.monotonic() + CONVERGE_S
    while True:
        report = verified(system)
        findings = report["findings"]
        bad = [
            row for row in findings if row["violations"] or (settled and row["settling"]["count"])
        ]
        if report["ok"] and not bad:
            return report
        assert time.monotonic() < end, (bad, system.log_tail())
        time.sleep(1)


def verified(system: Processes) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "kessai", "verify", "--json"],
        env=system.environment({}),
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert done.returncode in (0, 1), done.stderr.decode()
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found
