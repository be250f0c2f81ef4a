"""`kessai alerts replay`: all events again into fresh state, and whether the same alerts come."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import OperationalError, ProgrammingError

from kessai.alert.gateway.alerts import ALERT
from kessai.alert.gateway.codec import FactsCodec
from kessai.alert.main import INPUTS, SCHEMA, memory, windows
from kessai.alert.web.watch import OrderWatch
from kessai.cli.errors import fail, load_settings
from kessai.cli.saga.paper import UNAVAILABLE, print_json, say, warn
from kessai.contracts.alert import AlertRaised, read_alert_event
from kessai.kernel.adapters import database_url
from kessai.kernel.clock import Clock, SystemClock, parse_wire, to_ms, wire
from kessai.kernel.db import open_database
from kessai.kernel.kafka_bus import BusUnavailable, KafkaLimits, LogReader, cluster_of
from kessai.kernel.local_bus import open_local_bus
from kessai.kernel.settings import Settings
from kessai.kernel.streams.replay import LocalLog, Log, Place, Replayed, replay
from kessai.topology import ALERTS_TOPIC, PARTITIONS

SAME, DIFFERENT = 0, 1
# What is younger may be on its way: to the topic, and from there to the table.
YOUNG_MS: Final = 10_000
_TOPICS: Final = (*INPUTS.read, ALERTS_TOPIC)
_IDS = select(ALERT.c.alert_id)


@dataclass(frozen=True)
class Alerting:
    """An alert as far as two sides can differ in it."""

    alert_id: str
    rule: str
    about: str
    detected_at: str

    @property
    def at_ms(self) -> int:
        return to_ms(parse_wire(self.detected_at))


@dataclass
class Proof:
    """`missing`: raised by the replay alone; `unexpected`: by the live rules alone."""

    records: int
    poisoned: int
    keys: int
    replayed: int
    on_topic: int
    in_table: int | None
    from_the_beginning: bool
    begins_at: str | None
    missing: list[Alerting] = field(default_factory=list)
    unexpected: list[Alerting] = field(default_factory=list)
    not_in_table: list[Alerting] = field(default_factory=list)
    only_in_table: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not (self.missing or self.unexpected or self.not_in_table or self.only_in_table)


def print_replay(*, show: int, as_json: bool) -> int:
    settings = load_settings()
    try:
        proof = asyncio.run(prove(settings, SystemClock()))
    except BusUnavailable as error:
        fail(f"KESSAI_BUS_URL: no broker answers ({error})", UNAVAILABLE)
    except ValueError as error:
        fail(str(error))
    if as_json:
        print_json({**asdict(proof), "agrees": proof.agrees})
    else:
        _print(proof, show)
    return SAME if proof.agrees else DIFFERENT


async def prove(settings: Settings, clock: Clock) -> Proof:
    """Raises `ValueError` with a line for people, `BusUnavailable`."""
    async with _log(settings, clock) as log:
        return await _prove(log, settings, clock)


async def alerts_on_topic(settings: Settings, clock: Clock) -> Mapping[str, Alerting]:
    """Those that were raised, by their ids. Raises like `prove`."""
    async with _log(settings, clock) as log:
        return await _told(log)


async def orders_on_bus(settings: Settings, clock: Clock, order_ids: Collection[str]) -> bool:
    """Whether each of the orders has an event there. Raises like `prove`."""
    missing = set(order_ids)
    async with _log(settings, clock) as log:
        for place, (low, high) in (await log.bounds()).items():
            if place[0] == INPUTS.orders:
                async for page in log.pages(place, low, high, 2_000):
                    missing -= {record.key for record in page}
    return not missing


@asynccontextmanager
async def _log(settings: Settings, clock: Clock) -> AsyncIterator[Log]:
    if settings.bus_url != "local:":
        yield LogReader(cluster_of(settings.bus_url), _TOPICS, KafkaLimits())
        return
    path = Path(settings.data_dir) / "bus.db"
    if not path.exists():
        raise ValueError(f"KESSAI_DATA_DIR: there is no bus in {path.parent}")
    bus = await open_local_bus(str(path), clock, partitions=PARTITIONS, instance="replay")
    try:
        yield LocalLog(bus, _TOPICS)
    finally:
        await bus.close()


async def _prove(log: Log, settings: Settings, clock: Clock) -> Proof:
    """What was told before the events were looked at must follow from them; what follows from them
    must have been told when the replay is over, unless it is young."""
    began_ms = clock.now_ms()
    told_before = await _told(log)
    bounds = {place: at for place, at in (await log.bounds()).items() if place[0] in INPUTS.read}
    watch = OrderWatch(INPUTS, FactsCodec(), windows(settings), memory(settings))
    with tempfile.TemporaryDirectory(prefix="kessai-replay-") as folder:
        done = await replay(
            log, bounds, INPUTS.read, watch, folder=Path(folder), until_ms=clock.now_ms()
        )
    raised = _raised(output.message.value for output in done.outputs)
    # The table follows the topic: looked at first, it has nothing that the topic has not.
    table = await _in_table(settings)
    told = await _told(log)
    return _judge(done, bounds, raised, told_before, told, table, began_ms - YOUNG_MS)


def _judge(
    done: Replayed,
    bounds: Mapping[Place, tuple[int, int]],
    raised: Mapping[str, Alerting],
    told_before: Mapping[str, Alerting],
    told: Mapping[str, Alerting],
    table: set[str] | None,
    young_ms: int,
) -> Proof:
    # Before that an alert may rest on events that are gone.
    begins_ms = done.begins_ms
    old = [one for one in raised.values() if one.at_ms < young_ms]
    proof = Proof(
        records=done.records,
        poisoned=done.poisoned,
        keys=done.keys,
        replayed=len(raised),
        on_topic=len(told),
        in_table=None if table is None else len(table),
        from_the_beginning=all(low == 0 for low, _ in bounds.values()),
        begins_at=None if begins_ms is None else wire(begins_ms),
    )
    proof.missing = [one for one in old if one.alert_id not in told]
    proof.unexpected = [
        one
        for one in told_before.values()
        if one.alert_id not in raised and (begins_ms is None or one.at_ms > begins_ms + _HOUR_MS)
    ]
    if table is not None:
        proof.not_in_table = [
            one
            for one in told_before.values()
            if one.alert_id not in table and one.at_ms < young_ms
        ]
        if begins_ms is None:
            proof.only_in_table = sorted(table - raised.keys() - told.keys())
    return proof


_HOUR_MS: Final = 3_600_000


async def _told(log: Log) -> dict[str, Alerting]:
    values: list[bytes] = []
    for place, (low, high) in (await log.bounds()).items():
        if place[0] == ALERTS_TOPIC:
            async for page in log.pages(place, low, high, 2_000):
                values += [record.value for record in page]
    return _raised(values)


def _raised(values: Any) -> dict[str, Alerting]:
    events = (read_alert_event(value) for value in values)
    return {
        event.alert_id: Alerting(
            event.alert_id, event.rule, event.order_id or event.source or "", event.detected_at
        )
        for event in events
        if isinstance(event, AlertRaised)
    }


async def _in_table(settings: Settings) -> set[str] | None:
    """None where there is no table yet; nothing is made in its place."""
    try:
        return await _ids(settings)
    except (FileNotFoundError, OperationalError, ProgrammingError):
        warn("the table of alerts is not there, or not to be read")
        return None


async def _ids(settings: Settings) -> set[str]:
    try:
        db = await open_database(database_url(settings, SCHEMA), read_only=True)
    except ValueError as error:
        raise ValueError(f"KESSAI_SQL_URL: {error}") from error
    try:
        async with db.read() as tx:
            return {row["alert_id"] for row in (await tx.run(_IDS)).all()}
    finally:
        await db.close()


def _print(proof: Proof, show: int) -> None:
    past = (
        "from the beginning"
        if proof.from_the_beginning
        else f"from where the log begins ({proof.begins_at}); older alerts are not judged"
    )
    say(f"{proof.records} events replayed {past}, {proof.poisoned} of them unreadable")
    table = "no table" if proof.in_table is None else f"{proof.in_table} in the table"
    say(f"alerts: {proof.replayed} by the replay, {proof.on_topic} on the topic, {table}")
    _list("the replay raises and the topic does not have", proof.missing, show)
    _list("the topic has and the replay does not raise", proof.unexpected, show)
    _list("the topic has and the table does not", proof.not_in_table, show)
    for alert_id in proof.only_in_table[:show]:
        say(f"  only in the table: {alert_id}")
    say("the same alerts" if proof.agrees else "DIFFERENT")


def _list(what: str, found: Sequence[Alerting], show: int) -> None:
    if found:
        say(f"{len(found)} that {what}:")
    for one in sorted(found, key=lambda one: one.at_ms)[:show]:
        say(f"  {one.rule} {one.about} {one.detected_at} {one.alert_id}")
