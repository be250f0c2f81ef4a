"""How long a settlement file takes: a million rows against as many entries, in its own process.

It writes the books and the file, then runs `kessai reconcile` as a child and reports seconds, rows
a second and the child's peak memory. `--random` gives payments ids without any order, the worst
case for the sorting. `--json` for machines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from kessai.contracts.paypay.settlement import ENCODING, RECON, file_name, span_of, written_at
from kessai.kernel.db import open_database
from kessai.kernel.migrations import migrate

DAY = date(2026, 11, 25)
MERCHANT = "kessai-merchant"
ATTEMPT = (
    "INSERT INTO attempt (id, order_id, number, provider, request_id, status, amount_yen, "
    "requested_at_ms, hold_until_ms, payment_id, captured_yen, completed_at_ms, lost, version) "
    "VALUES (?, ?, 1, 'PayPay', 'r', 'SUCCEEDED', ?, 1, 1, ?, ?, ?, 0, 3)"
)
ENTRY = (
    "INSERT INTO ledger (id, order_id, merchant_payment_id, kind, debit_account, credit_account, "
    "amount_yen, at_ms, value_at_ms) VALUES (?, ?, ?, 'CAPTURE', 'provider:PayPay', ?, ?, ?, ?)"
)


async def make_schema(path: Path) -> None:
    db = await open_database(f"sqlite:///{path}")
    migrate(db, "payment")
    await db.close()


def payments(count: int, *, shuffled: bool) -> Iterator[tuple[str, str, str, int, int]]:
    """Order, attempt, payment id, yen, time; the same ones every time."""
    chance = random.Random(7)
    start_ms, end_ms = span_of(DAY)
    for n in range(count):
        order = f"0mk{n:023d}"
        payment = f"{chance.getrandbits(60) if shuffled else 10**18 + n:020d}"
        yield (
            order,
            f"{order}-1",
            payment,
            100 + n % 9900,
            start_ms + (end_ms - start_ms) * n // count,
        )


def write_books(path: Path, count: int, *, shuffled: bool) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous=OFF")
    made = payments(count, shuffled=shuffled)
    for order, attempt, payment, yen, at_ms in made:
        db.execute(ATTEMPT, (attempt, order, yen, payment, yen, at_ms))
        entry = (f"e{attempt}", order, attempt, f"order:{order}", yen, at_ms, at_ms)
        db.execute(ENTRY, entry)
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def write_file(path: Path, count: int, wrong: int, *, shuffled: bool) -> None:
    """Every `wrong`-th amount differs; 0: none does."""
    with path.open("w", encoding=ENCODING, newline="") as out:
        out.write(",".join(RECON.header.values()) + "\n")
        for n, (_, attempt, payment, yen, at_ms) in enumerate(
            payments(count, shuffled=shuffled), 1
        ):
            theirs = yen + 1 if wrong and n % wrong == 0 else yen
            out.write(
                f"{payment},{MERCHANT},決済商店,store,銀座店,00-terminal,取引完了,"
                f"{written_at(RECON, at_ms)},{theirs},,PayPay残高,{attempt},"
                f'"[{{""paymentMethod"":""PayPay残高"", ""amount"":{theirs}}}]"\n'
            )


def reconcile(folder: Path, file: Path) -> tuple[float, float, float, dict[str, object]]:
    """Seconds, CPU seconds, peak MiB, and the report of a child process."""
    environment = {**os.environ, "KESSAI_DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "kessai", "reconcile", str(file), "--json"]
    started = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        answer = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if child.returncode not in (0, 1):
        raise SystemExit(f"kessai reconcile ended with {child.returncode}")
    cpu_s = used.ru_utime + used.ru_stime
    return seconds, cpu_s, used.ru_maxrss / 1024, json.loads(answer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--wrong", type=int, default=10_000, help="every n-th amount differs")
    parser.add_argument("--random", action="store_true", help="payment ids without any order")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kessai-bench-") as name:
        folder = Path(name)
        asyncio.run(make_schema(folder / "payment.db"))
        write_books(folder / "payment.db", asked.rows, shuffled=asked.random)
        file = folder / file_name(RECON, MERCHANT, DAY)
        write_file(file, asked.rows, asked.wrong, shuffled=asked.random)
        size_mb = file.stat().st_size / 2**20
        seconds, cpu_s, peak_mb, report = reconcile(folder, file)
    expected = asked.rows // asked.wrong if asked.wrong else 0
    if report["differing"] != expected or report["matched"] != asked.rows - expected:
        raise SystemExit(f"wrong: {report['differing']} differing, {report['matched']} matched")
    figures = {
        "rows": asked.rows,
        "file_mb": round(size_mb, 1),
        "seconds": round(seconds, 1),
        "cpu_s": round(cpu_s, 1),
        "rows_per_s": round(asked.rows / seconds),
        "peak_rss_mb": round(peak_mb, 1),
        "differing": expected,
    }
    if asked.json:
        print(json.dumps(figures))
        return
    for what, value in figures.items():
        print(f"{what:12} {value}")


if __name__ == "__main__":
    main()
