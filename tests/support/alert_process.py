"""The rules as a process of its own on either bus, to be killed: `alert_process JSON`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.alert_table import kept

from kessai.alert.domain.rules import Windows
from kessai.alert.domain.story import Memory
from kessai.alert.gateway.codec import FactsCodec
from kessai.alert.web.events import Topics
from kessai.alert.web.watch import OrderWatch
from kessai.kernel.bus import Bus
from kessai.kernel.clock import Clock, SystemClock
from kessai.kernel.kafka_bus import KafkaBus, cluster_of, open_kafka_bus
from kessai.kernel.local_bus import LocalBus, open_local_bus
from kessai.kernel.server import settle_memory
from kessai.kernel.streams.clock import SteadyClock
from kessai.kernel.streams.kafka import KafkaStream
from kessai.kernel.streams.kafka_work import Plan
from kessai.kernel.streams.limits import StreamLimits
from kessai.kernel.streams.local import LocalStream
from kessai.kernel.streams.meters import NoMeters
from kessai.topology import PARTITIONS


@dataclass(frozen=True)
class Job:
    """`bus` is `kafka://...`, or the local bus's file; `prefix` begins the names of the topics, and
    `name` tells apart the output of several that read the same."""

    bus: str
    prefix: str
    folder: str
    instance: str
    window_ms: int
    refund_ms: int
    tick_s: float = 2.0
    session_s: float = 6.0
    name: str = ""
    # A complete story is forgotten after so long; None: as in the shop.
    forget_ms: int | None = None
    # Where the table of the alerts is kept beside the rules; empty: nowhere.
    database: str = ""

    @property
    def topics(self) -> Topics:
        begin, alerts = self.prefix, f"{self.prefix}{self.name}.alerts"
        return Topics(f"{begin}.orders", f"{begin}.payments", f"{begin}.signals", alerts)

    @property
    def group(self) -> str:
        return f"{self.prefix}{self.name}.rules"

    @property
    def changelog(self) -> str:
        return f"{self.prefix}{self.name}.state"

    @property
    def table_group(self) -> str:
        return f"{self.prefix}{self.name}.table"

    def words(self) -> list[str]:
        return [sys.executable, "-m", "tests.support.alert_process", json.dumps(asdict(self))]


def watch_of(job: Job) -> OrderWatch:
    forget_ms = job.forget_ms
    memory = Memory() if forget_ms is None else Memory(forget_ms, repeats_ms=0, sweep_ms=100)
    return OrderWatch(job.topics, FactsCodec(), Windows(job.window_ms, job.refund_ms), memory)


class Told(NoMeters):
    """Says on the output what a bench wants to know."""

    def restored(self, records: int, seconds: float) -> None:
        say(f"restored {records} {seconds:.3f}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def kafka_stream(job: Job) -> KafkaStream:
    return KafkaStream(
        cluster_of(job.bus),
        job.group,
        job.topics.read,
        watch_of(job),
        changelog=job.changelog,
        partitions=PARTITIONS,
        folder=Path(job.folder),
        clock=SystemClock(),
        instance=job.instance,
        replication=1,
        limits=StreamLimits(tick_s=job.tick_s, session_s=job.session_s),
        meters=Told(),
    )


def plan_of(job: Job, clock: Clock, *, max_poll_s: float = 120.0) -> Plan:
    """For a `Worker` that a test takes turns with."""
    return Plan(
        cluster=cluster_of(job.bus),
        group=job.group,
        topics=job.topics.read,
        processor=watch_of(job),
        changelog=job.changelog,
        folder=Path(job.folder) / job.instance,
        instance=job.instance,
        steady=SteadyClock(clock),
        clock=clock,
        limits=StreamLimits(tick_s=job.tick_s, session_s=job.session_s, max_poll_s=max_poll_s),
    )


async def run(job: Job) -> None:
    bus: KafkaBus | LocalBus
    if job.bus.startswith("kafka:"):
        bus = await open_kafka_bus(job.bus, partitions=PARTITIONS, instance=job.instance)
        await _until_stopped(kafka_stream(job), job, bus)
    else:
        bus = await open_local_bus(
            job.bus, SystemClock(), partitions=PARTITIONS, instance=job.instance
        )
        await _until_stopped(_local_stream(job, bus), job, bus)
    await bus.close()


def _local_stream(job: Job, bus: LocalBus) -> LocalStream:
    return LocalStream(
        bus,
        job.group,
        job.topics.read,
        watch_of(job),
        folder=Path(job.folder),
        clock=SystemClock(),
        limits=StreamLimits(tick_s=job.tick_s),
    )


async def _until_stopped(stream: KafkaStream | LocalStream, job: Job, bus: Bus) -> None:
    settle_memory()
    table = kept(bus, job.topics.alerts, job.table_group, job.database)
    async with table if job.database else contextlib.nullcontext():
        task = asyncio.create_task(stream.run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        ready = asyncio.create_task(stream.ready())
        await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            say("ready")
        with contextlib.suppress(asyncio.CancelledError):
            await task


if __name__ == "__main__":
    asyncio.run(run(Job(**json.loads(sys.argv[1]))))
