"""The process that is killed: an engine under load, whose services book their own effects."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.saga.world import NOTES, Notes, a_machine, a_task
from tests.support.saga_kills import customers

from kessai.kernel.chance import SystemChance
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import JsonValue, Refused
from kessai.kernel.ids import RandomIds
from kessai.saga import METADATA, Engine, EngineLimits, Local, Machine, StepContext
from kessai.saga.library import living

AT_ONCE = 16
LIMITS = EngineLimits(lease_s=1.0, heartbeat_s=0.1, redrive_first_s=0.2)
REFUSED = [{"Exceptions": ["Refused"], "Next": "Undo"}]


class Ledger:
    """A remote service: an effect by token, whoever asks and however often."""

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(folder / "effects.db", isolation_level=None, timeout=30)
        # SIGKILL does not lose what the system holds, so no fsync is needed here.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS effect (token PRIMARY KEY, instance, state, method)"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS begun (instance PRIMARY KEY)")

    def method_named(self, name: str) -> Callable[..., Awaitable[JsonValue]]:
        async def call(step: StepContext, *input: JsonValue) -> JsonValue:
            await asyncio.sleep(0.001)
            if name == "ship" and str(input[0]).endswith("3"):
                raise Refused("NO_COURIER")
            values = (step.token, step.instance_id, step.state, name)
            self._db.execute("INSERT OR IGNORE INTO effect VALUES (?, ?, ?, ?)", values)
            await asyncio.sleep(0.001)
            return {"did": name}

        return call

    def acknowledge(self, instance_id: str) -> None:
        self._db.execute("INSERT INTO begun VALUES (?)", (instance_id,))

    def begun(self) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT instance FROM begun")]

    def effects(self) -> dict[str, list[str]]:
        """By instance, in the order in which they first happened."""
        found: dict[str, list[str]] = {}
        for instance, method in self._db.execute(
            "SELECT instance, method FROM effect ORDER BY rowid"
        ):
            found.setdefault(instance, []).append(method)
        return found

    def count(self) -> int:
        found: tuple[int] = self._db.execute("SELECT count(*) FROM effect").fetchone()
        return found[0]

    def close(self) -> None:
        self._db.close()


def machines() -> tuple[Machine, ...]:
    """One with a local step, one with a loop and a sub machine; every fourth is refused at last."""
    local = {
        "Type": "ServiceTask",
        "ServiceName": "notes",
        "ServiceMethod": "write",
        "Input": ["$.[orderId]"],
    }
    order = {
        "Reserve": a_task("reserve", Next="Note", CompensateState="Release"),
        "Note": {**local, "Next": "Pay"},
        "Pay": a_task("pay", Next="Ship", CompensateState="Refund"),
        "Ship": a_task("ship", Catch=REFUSED),
        "Release": a_task("release"),
        "Refund": a_task("refund"),
        "Undo": {"Type": "CompensationTrigger"},
    }
    loop = {"Collection": "$.[all]", "Parallel": 2}
    bulk = {
        "Each": a_task("pick", Next="Pack", CompensateState="Unpick", Loop=loop),
        "Pack": {
            "Type": "SubStateMachine",
            "StateMachineName": "packing",
            "Input": [{"orderId": "$.[orderId]"}],
            "Next": "Ship",
        },
        "Ship": a_task("ship", Catch=REFUSED),
        "Unpick": a_task("unpick"),
        "Undo": {"Type": "CompensationTrigger"},
    }
    packing = {
        "Box": a_task("box", Next="Label", CompensateState="Unbox"),
        "Label": a_task("label"),
        "Unbox": a_task("unbox"),
    }
    return (
        a_machine(order, name="order"),
        a_machine(bulk, name="bulk"),
        a_machine(packing, name="packing"),
    )


def an_engine(db: Db, ledger: Ledger, owner: str) -> Engine:
    clock, chance = SystemClock(), SystemChance()
    services = {"shop": ledger, "notes": Local(Notes())}
    return Engine(db, services, machines(), clock, RandomIds(clock, chance), chance, owner, LIMITS)


async def prepared(url: str) -> Db:
    db = await open_database(url)
    db.migrate(METADATA.create_all)
    db.migrate(NOTES.create_all)
    return db


async def serve(url: str, folder: Path, owner: str) -> None:
    """Sagas one after another, many at once, until it is killed or told to begin no more."""
    db, ledger = await prepared(url), Ledger(folder)
    engine = an_engine(db, ledger, owner)
    async with living(engine):
        await customers(engine, ledger, folder, AT_ONCE)
        await asyncio.Event().wait()


def main() -> None:
    url, folder, owner = sys.argv[1:]
    asyncio.run(serve(url, Path(folder), owner))


if __name__ == "__main__":
    main()
