"""How long `kessai verify` takes over many orders, in its own process, on SQLite and on MariaDB.

A small shop lives through one order of each kind on virtual time; its rows are then copied under
new ids until there are as many orders as asked for, so that everything agrees: rows, ledgers,
hashes, events on the bus and the provider's own book, which a simulator shows over HTTP. Each copy
is a second later than the one before. Meanwhile somebody buys: what a purchase writes is written
to the same database, before verify and beside it, and each commit is timed.
`--mariadb` puts the services' schemas on a MariaDB of its own; `--json` for machines.

    PYTHONPATH=. python bench/verify.py --orders 100000 --mariadb
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import text
from tests.support.mariadb import server
from tests.support.process import free_offset
from tests.support.verified import Kept, keep_a_shop

from kessai.contracts.audit import canonical, seal
from kessai.contracts.events import refund_id
from kessai.kernel.bus import partition_of
from kessai.kernel.clock import wire
from kessai.kernel.db import open_database
from kessai.kernel.migrations import migrate
from kessai.payment.domain.evidence import Evidence, Source
from kessai.topology import PARTITIONS

# Of a hundred orders.
SHARES = {
    "paid": 60,
    "polled": 8,
    "abandoned": 7,
    "cancelled": 6,
    "refunded": 4,
    "partly": 2,
    "retried": 5,
    "wallet": 4,
    "wallet_back": 2,
    "sold_out": 2,
}
SERVICES = ("order", "payment", "storage", "account")
# Its alerts are of no copied order: the table is there, and empty.
EMPTY = "system"
# Whose migrations a database has, where it is not the service of its name.
SCHEMAS = {"paypay-simulator": "sim.paypay", "system": "alert"}
# What verify does not look into, or what belongs to no single order.
SKIPPED = {"sg_event", "sg_engine", "leases", "sqlite_sequence", "promise_sample", "promise_count"}
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
CELL = "\x1f"
OPENING = 10**9
# Names in columns that make a row unique; each gets a number of its own in every copy.
NAMES = {
    "event_id",
    "refund_id",
    "restock_id",
    "credit_id",
    "cause_id",
    "id",
    "request_key",
    "cart_id",
}
# A number of the database's own.
COUNTED = {("outbox", "id"), ("stock_ledger", "id"), ("balance_ledger", "id")}
APART_MS = 1000
PROVIDER_TIMES = re.compile(rb'("(?:expires_at_s|paid_at_ms)":)(\d+)')
BUY_EVERY_S = 0.02
ALONE_S = 10.0
WRITES = (
    "UPDATE orders SET news_at_ms = news_at_ms + 1 WHERE order_id = :order_id",
    "INSERT INTO idempotency (scope, request_key, request_hash, state, subject_id, created_at_ms,"
    " progressed_at_ms) VALUES ('bench', :key, '', 'IN_FLIGHT', :order_id, 0, 0)",
)
Table = tuple[str, str]


@dataclass
class Template:
    """All rows of one order: its texts in one string, so that one replacement renames them all."""

    order_id: str
    names: list[str]
    # (service, table), the columns, and each cell: None, a moment, what it is, or where its text is
    rows: list[tuple[Table, list[str], list[Any]]]
    text: str
    taken: dict[tuple[str, str, int], None]
    # What an id of a refund is made of: its payment and its reason.
    refunds: dict[str, tuple[str, str]]


def number(value: int, length: int = 7) -> str:
    digits = []
    for _ in range(length):
        value, rest = divmod(value, 36)
        digits.append(DIGITS[rest])
    return "".join(reversed(digits))


def read_tables(folder: Path, name: str) -> Iterator[tuple[str, list[str], list[tuple[Any, ...]]]]:
    with closing(sqlite3.connect(folder / f"{name}.db")) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            found = db.execute(f'SELECT * FROM "{table}"')
            yield table, [column[0] for column in found.description], found.fetchall()


def template_of(kept: Kept, order_id: str) -> Template:
    """The order's rows, and those that name what they name."""
    files = (*SERVICES, "paypay-simulator")
    tables = [(name, *found) for name in files for found in read_tables(kept.folder, name)]
    names: dict[str, None] = {}
    taken: dict[tuple[str, str, int], None] = {}
    grown = True
    while grown:
        grown = False
        for service, table, columns, rows in tables:
            if table in SKIPPED:
                continue
            for at, row in enumerate(rows):
                if (service, table, at) in taken or not _is_of(row, order_id, names):
                    continue
                taken[service, table, at] = None
                grown = True
                for column, value in zip(columns, row, strict=True):
                    if column in NAMES and _is_name(value, order_id):
                        names.setdefault(value)
    return _packed(order_id, list(names), tables, taken)


def _is_name(value: Any, order_id: str) -> bool:
    return isinstance(value, str) and len(value) >= 20 and order_id not in value


def _is_of(row: Sequence[Any], order_id: str, names: dict[str, None]) -> bool:
    for value in row:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if isinstance(text, str) and (order_id in text or text in names):
            return True
    return False


def _packed(
    order_id: str,
    names: list[str],
    tables: list[Any],
    taken: dict[tuple[str, str, int], None],
) -> Template:
    texts: list[str] = []
    packed = []
    for service, table, columns, rows in tables:
        for at, row in enumerate(rows):
            if (service, table, at) not in taken:
                continue
            cells: list[Any] = []
            for column, value in zip(columns, row, strict=True):
                if _is_counted(table, column):
                    cells.append(None)
                elif column == "due_at_ms":
                    # Nobody runs who would look at ended attempts once more.
                    cells.append((None,))
                elif column.endswith("_ms") and isinstance(value, int):
                    cells.append(value)
                elif isinstance(value, bytes):
                    cells.append((len(texts), False))
                    texts.append(value.decode())
                elif isinstance(value, str):
                    cells.append((len(texts), True))
                    texts.append(value)
                else:
                    cells.append((value,))
            packed.append(((service, table), columns, cells))
    return Template(order_id, names, packed, CELL.join(texts), taken, _refunds(tables, taken))


def _refunds(
    tables: list[Any], taken: dict[tuple[str, str, int], None]
) -> dict[str, tuple[str, str]]:
    found = {}
    for service, table, columns, rows in tables:
        if table != "order_refund":
            continue
        for at, values in enumerate(rows):
            row = dict(zip(columns, values, strict=True))
            if (service, table, at) in taken and row["reason"] != "OPERATOR":
                found[row["refund_id"]] = (row["merchant_payment_id"], row["reason"])
    return found


def copied(order_id: str, n: int) -> str:
    return order_id[:9] + number(n) + order_id[16:]


def copies(template: Template, first: int, count: int) -> Iterator[list[list[Any]]]:
    """The rows of each copy, in the order of the template's."""
    for n in range(first, first + count):
        tail = number(n)
        order_id = copied(template.order_id, n)
        text = template.text.replace(template.order_id, order_id)
        for name in template.names:
            if name in template.refunds:
                payment, reason = template.refunds[name]
                payment = payment.replace(template.order_id, order_id)
                text = text.replace(name, refund_id(payment, reason))
            else:
                text = text.replace(name, name[:-7] + tail)
        texts = text.split(CELL)
        rows = [[_cell(cell, texts, n) for cell in cells] for _, _, cells in template.rows]
        _seal(template, rows)
        _move_provider_times(template, rows, n)
        yield rows


def _cell(cell: Any, texts: list[str], n: int) -> Any:
    if cell is None:
        return None
    if isinstance(cell, int):
        return cell + n * APART_MS
    if len(cell) == 1:
        return cell[0]
    text = texts[cell[0]]
    return text if cell[1] else text.encode()


@cache
def _canonical(details: str) -> str:
    return canonical(json.loads(details))


def _seal(template: Template, rows: list[list[Any]]) -> None:
    """The chain of the copy has hashes of its own, and so has its evidence."""
    previous, order_row = "", -1
    for at, ((_, table), columns, _) in enumerate(template.rows):
        if table == "evidence":
            said = dict(zip(columns, rows[at], strict=True))
            rows[at][columns.index("digest")] = _digest(said)
        if table == "orders":
            order_row = at
        if table != "order_audit":
            continue
        row = dict(zip(columns, rows[at], strict=True))
        sealed = seal(
            previous,
            order_id=row["order_id"],
            sequence=row["sequence"],
            at=wire(row["at_ms"]),
            actor=row["actor"],
            action=row["action"],
            from_status=row["from_status"],
            to_status=row["to_status"],
            cause=row["cause"],
            details=_canonical(row["details"]),
        )
        rows[at][columns.index("previous_hash")] = previous
        rows[at][columns.index("hash")] = previous = sealed
    rows[order_row][template.rows[order_row][1].index("audit_hash")] = previous


def _move_provider_times(template: Template, rows: list[list[Any]], n: int) -> None:
    """The provider keeps a payment as one text, with the end of its code in seconds."""

    def moved(found: re.Match[bytes]) -> bytes:
        more = n * APART_MS
        return found[1] + b"%d" % (int(found[2]) + (more // 1000 if b"_s" in found[1] else more))

    for at, ((_, table), columns, _) in enumerate(template.rows):
        if table == "sim_payment":
            body = columns.index("body")
            rows[at][body] = PROVIDER_TIMES.sub(moved, rows[at][body])


def _digest(said: dict[str, Any]) -> str:
    names = (one.name for one in fields(Evidence) if one.name != "source")
    values = {name: said[name] for name in names}
    return Evidence(source=Source(said["source"]), **values).digest


class Files:
    """Rows on their way into the files of a shop, or into the schemas of a server."""

    def __init__(self, folder: Path, schemas: dict[str, str]) -> None:
        self._folder = folder
        self._schemas = schemas
        self._waiting: dict[tuple[Table, tuple[str, ...]], list[Sequence[Any]]] = {}
        self._databases: dict[str, sqlite3.Connection] = {}

    def add(self, table: Table, columns: Sequence[str], row: Sequence[Any]) -> None:
        waiting = self._waiting.setdefault((table, tuple(columns)), [])
        waiting.append(row)
        if len(waiting) >= 20_000:
            self.flush()

    def flush(self) -> None:
        for ((service, table), columns), rows in self._waiting.items():
            # What the database counts by itself is left to it.
            kept = [at for at, column in enumerate(columns) if not _is_counted(table, column)]
            names = [columns[at] for at in kept]
            cut = rows if len(kept) == len(columns) else [[row[at] for at in kept] for row in rows]
            if service in self._schemas:
                self._load(service, table, names, cut)
            else:
                self._insert(service, table, names, cut)
        self._waiting.clear()

    def _insert(
        self, name: str, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        db = self._databases.get(name)
        if db is None:
            db = self._databases[name] = sqlite3.connect(self._folder / f"{name}.db")
            db.execute("PRAGMA synchronous=OFF")
        marks = ",".join("?" * len(columns))
        quoted = ",".join(f'"{column}"' for column in columns)
        db.executemany(f'INSERT INTO "{table}" ({quoted}) VALUES ({marks})', rows)

    def _load(
        self, name: str, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        file = self._folder / f"{name}-{table}.tsv"
        with file.open("w", encoding="utf-8", newline="") as out:
            out.writelines("\t".join(map(_field, row)) + "\n" for row in rows)
        quoted = ",".join(f"`{column}`" for column in columns)
        server().sql(
            f"LOAD DATA INFILE '{file}' INTO TABLE `{self._schemas[name]}`.`{table}`"
            f" CHARACTER SET utf8mb4 ({quoted})"
        )
        file.unlink()

    def close(self) -> None:
        self.flush()
        for db in self._databases.values():
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.close()


def _is_counted(table: str, column: str) -> bool:
    return (table, column) in COUNTED or (table, column) == ("sim_payment", "number")


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    text = value.decode() if isinstance(value, bytes) else str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


class Shop:
    """Copies orders and keeps the sums, the bus and the events in step with them."""

    def __init__(self, kept: Kept, files: Files) -> None:
        self._kept = kept
        self._files = files
        self._stock: dict[int, Counter[str]] = {}
        self._wallets: dict[str, Counter[str]] = {}
        self._next: Counter[tuple[str, int]] = Counter()

    def fill(self, orders: int) -> None:
        templates = {
            kind: template_of(self._kept, order_id) for kind, order_id in self._kept.orders.items()
        }
        self._base(templates)
        first = 0
        for kind, share in SHARES.items():
            template = templates[kind]
            for rows in copies(template, first, orders * share // 100):
                for (table, columns, _), row in zip(template.rows, rows, strict=True):
                    self._put(table, columns, row)
            first += orders * share // 100
        self._sums()

    def _put(self, table: Table, columns: Sequence[str], row: Sequence[Any]) -> None:
        self._files.add(table, columns, row)
        if table[1] == "outbox":
            of = dict(zip(columns, row, strict=True))
            self._publish(of["topic"], of["created_at_ms"], of["message_key"], of)
        elif table[1] == "stock_ledger":
            self._count(self._stock, "product_id", columns, row)
        elif table[1] == "balance_ledger":
            self._count(self._wallets, "user_id", columns, row)

    def _count(
        self, sums: dict[Any, Counter[str]], key: str, columns: Sequence[str], row: Sequence[Any]
    ) -> None:
        of = dict(zip(columns, row, strict=True))
        found = sums.setdefault(of[key], Counter())
        for column in columns:
            if column.endswith("_delta"):
                found[column.removesuffix("_delta")] += of[column]

    def _publish(self, topic: str, at_ms: int, key: str, of: dict[str, Any]) -> None:
        place = (topic, partition_of(key, PARTITIONS))
        columns = ("topic", "partition", "position", "at_ms", "message_key", "value", "headers")
        row = (*place, self._next[place], at_ms, key, of["value"], of["headers"])
        self._files.add(("bus", "bus_record"), columns, row)
        self._next[place] += 1

    def _base(self, templates: dict[str, Template]) -> None:
        """What belongs to no order: the catalogue, users, versions of the schemas."""
        taken = {place for template in templates.values() for place in template.taken}
        for name in (*SERVICES, "paypay-simulator"):
            for table, columns, rows in read_tables(self._kept.folder, name):
                if table in SKIPPED or table in ("stock", "wallet") or "alembic" in table:
                    continue
                for at, row in enumerate(rows):
                    if (name, table, at) not in taken:
                        self._put((name, table), columns, _opened(table, columns, row))

    def _sums(self) -> None:
        for table, columns, rows in read_tables(self._kept.folder, "storage"):
            if table == "stock":
                for row in rows:
                    sums = self._stock.get(row[0], Counter())
                    counts = {name: sums[name] for name in ("available", "reserved", "sold")}
                    of = {**dict(zip(columns, row, strict=True)), **counts}
                    of["on_hand"] = of["available"] + of["reserved"]
                    self._files.add(("storage", table), columns, list(of.values()))
        for user_id, sums in self._wallets.items():
            row = (user_id, sums["available"], sums["held"])
            self._files.add(("account", "wallet"), ("user_id", "available", "held"), row)
        for table, columns, rows in read_tables(self._kept.folder, "bus"):
            for row in rows:
                of = dict(zip(columns, row, strict=True))
                if table == "bus_head" and (row[0], row[1]) not in self._next:
                    self._next[row[0], row[1]] = 0
                if table == "bus_claim":
                    of["position"] = self._next[of["topic"], of["partition"]]
                    self._files.add(("bus", table), columns, list(of.values()))
        for place, following in self._next.items():
            columns = ["topic", "partition", "first_position", "next_position"]
            self._files.add(("bus", "bus_head"), columns, (*place, 0, following))


def _opened(table: str, columns: Sequence[str], row: Sequence[Any]) -> Sequence[Any]:
    """Enough on every shelf and in every wallet for all the copies."""
    of = dict(zip(columns, row, strict=True))
    if table in ("stock_ledger", "balance_ledger") and of["kind"] in ("IMPORT", "OPENING"):
        of["available_delta"] += OPENING
        return list(of.values())
    return row


async def make_schemas(urls: dict[str, str]) -> None:
    for name, url in urls.items():
        db = await open_database(url)
        migrate(db, SCHEMAS.get(name, name))
        await db.close()


def build(folder: Path, orders: int, *, mariadb: bool) -> tuple[dict[str, str], Buyer]:
    """The shop in `folder`; returns the settings that find it, and who will buy there."""
    made = folder / "made"
    made.mkdir()
    kept = keep_a_shop(made)
    data = folder / "data"
    data.mkdir()
    files = (*SERVICES, EMPTY, "paypay-simulator")
    urls = {name: f"sqlite:///{data / name}.db" for name in files}
    schemas: dict[str, str] = {}
    settings = {}
    if mariadb:
        prefix = f"t{os.getpid()}_"
        for name in (*SERVICES, EMPTY):
            schemas[name] = f"{prefix}{name}"
            server().sql(f"CREATE DATABASE {schemas[name]} COLLATE utf8mb4_bin")
            urls[name] = server().url(schemas[name])
        settings["KESSAI_SQL_URL"] = server().url(prefix)
    asyncio.run(make_schemas(urls))
    shutil.copy(made / "bus.db", data / "bus.db")
    with closing(sqlite3.connect(data / "bus.db")) as bus:
        for table in ("bus_record", "bus_head", "bus_claim", "bus_member"):
            bus.execute(f"DELETE FROM {table}")
        bus.commit()
    into = Files(data, schemas)
    Shop(kept, into).fill(orders)
    into.close()
    return settings, Buyer(urls["order"], copied(kept.orders["paid"], 0))


@contextmanager
def simulator(environment: dict[str, str]) -> Iterator[None]:
    """With the provider's book, which it reads whole before it answers."""
    command = [sys.executable, "-m", "kessai", "sim", "paypay"]
    url = f"http://127.0.0.1:{8090 + int(environment['KESSAI_PORT_OFFSET'])}/sim/book?limit=1"
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        try:
            end = time.monotonic() + 300
            while not _answers(url):
                if child.poll() is not None or time.monotonic() > end:
                    raise SystemExit("the simulator does not start")
                time.sleep(0.2)
            yield
        finally:
            child.terminate()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


class Buyer(threading.Thread):
    """Writes what a purchase does, again and again, and how long each took, in milliseconds."""

    def __init__(self, url: str, order_id: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._order_id = order_id
        self._is_over = threading.Event()
        self.took_ms: list[float] = []

    def run(self) -> None:
        asyncio.run(self._buy())

    async def _buy(self) -> None:
        statements = [text(one) for one in WRITES]
        db = await open_database(self._url)
        while not self._is_over.is_set():
            began = time.perf_counter()
            values = {"order_id": self._order_id, "key": str(time.time_ns())}
            async with db.transaction() as tx:
                for statement in statements:
                    named = {name: values[name] for name in values if f":{name}" in statement.text}
                    await tx.run(statement, named)
            self.took_ms.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(BUY_EVERY_S)
        await db.close()

    def take(self) -> list[float]:
        """Since the last time."""
        took_ms, self.took_ms = self.took_ms, []
        return sorted(took_ms)

    def end(self) -> None:
        self._is_over.set()
        self.join()


def told(took_ms: list[float]) -> str:
    if not took_ms:
        return "none"
    p50, p99 = (took_ms[int(len(took_ms) * part)] for part in (0.5, 0.99))
    return f"{len(took_ms)} writes, p50 {p50:.1f} p99 {p99:.1f} max {took_ms[-1]:.0f} ms"


def verify(environment: dict[str, str]) -> tuple[float, float, float, dict[str, Any]]:
    """Seconds, CPU seconds, peak MiB, and the report of a child process and of its own."""
    command = [sys.executable, "-m", "kessai", "verify", "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started, peak_mb = time.perf_counter(), 0.0
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        while child.poll() is None:
            peak_mb = max(peak_mb, sum(_pss_mb(pid) for pid in _family(child.pid)))
            time.sleep(0.1)
        seconds = time.perf_counter() - started
        answer = child.stdout.read()
    if child.returncode not in (0, 1):
        raise SystemExit(f"kessai verify ended with {child.returncode}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu_s, peak_mb, json.loads(answer)


def _family(pid: int) -> Iterator[int]:
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in path.read_text().split():
                yield from _family(int(child))


def _pss_mb(pid: int) -> float:
    """What it has alone, and its part of what it shares with others."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line[:4] == "Pss:") / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--mariadb", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kessai-bench-") as name:
        folder = Path(name)
        began = time.perf_counter()
        settings, buyer = build(folder, asked.orders, mariadb=asked.mariadb)
        build_s = time.perf_counter() - began
        environment = {
            **os.environ,
            "KESSAI_DATA_DIR": str(folder / "data"),
            "KESSAI_PORT_OFFSET": str(free_offset()),
            **settings,
        }
        with simulator(environment):
            buyer.start()
            time.sleep(ALONE_S)
            alone = told(buyer.take())
            runs = [(*verify(environment), told(buyer.take())) for _ in range(asked.runs)]
            buyer.end()
    for seconds, cpu_s, peak_mb, report, beside in runs:
        wrong = [one for one in report["findings"] if one["violations"]]
        if wrong:
            raise SystemExit(f"the copies do not agree: {wrong[0]}")
        partly = [one["id"] for one in report["findings"] if one["partly"]]
        figures = {
            "database": "MariaDB" if asked.mariadb else "SQLite",
            "orders": report["orders"],
            "checked": sum(one["checked"] for one in report["findings"]),
            "seconds": round(seconds, 1),
            "cpu_s": round(cpu_s, 1),
            "peak_pss_mb": round(peak_mb, 1),
            "build_s": round(build_s, 1),
            "partly": ",".join(partly),
            "load": os.getloadavg()[0],
            "purchases_alone": alone,
            "purchases_beside": beside,
        }
        if asked.json:
            print(json.dumps(figures))
            continue
        print("  ".join(f"{what} {value}" for what, value in figures.items()))


if __name__ == "__main__":
    main()
