"""The runtime over Kafka: read, decide and commit in transactions, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from kessai.kernel.clock import Clock
from kessai.kernel.errors import JsonValue
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import error_of
from kessai.kernel.streams import kafka_log
from kessai.kernel.streams.clock import SteadyClock
from kessai.kernel.streams.kafka_txn import MustRestart
from kessai.kernel.streams.kafka_work import Plan, Worker
from kessai.kernel.streams.limits import StreamLimits
from kessai.kernel.streams.meters import Meters, NoMeters, state_of
from kessai.kernel.streams.ports import Processor
from kessai.kernel.streams.shard import Shard
from kessai.kernel.streams.store import require_stores
from kessai.kernel.telemetry import get_log

_log = get_log(__name__)


class KafkaStream:
    """State is per instance and brought up to date from `changelog`, whose partitions are those of
    the inputs. `instance` must be this process's alone: a second one of the name ends the first.
    """

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        topics: Sequence[str],
        processor: Processor[Any, Any],
        *,
        changelog: str,
        partitions: int,
        folder: Path,
        clock: Clock,
        instance: str,
        replication: int = -1,
        limits: StreamLimits | None = None,
        meters: Meters | None = None,
    ) -> None:
        self.group = group
        self._partitions = partitions
        self._replication = replication
        self._stop = threading.Event()
        self._plan = Plan(
            cluster=cluster,
            group=group,
            topics=tuple(topics),
            processor=processor,
            changelog=changelog,
            folder=folder / instance,
            instance=instance,
            steady=SteadyClock(clock),
            clock=clock,
            limits=limits or StreamLimits(),
            meters=meters or NoMeters(),
            is_over=self._stop.is_set,
        )
        self._ready = asyncio.Event()
        self._worker: Worker | None = None
        # When it took its last turn; before the first one `ready` is not set.
        self._turned_s = 0.0

    @property
    def shards(self) -> dict[int, Shard[Any]]:
        return self._worker.shards if self._worker else {}

    async def ready(self) -> None:
        """Restored and caught up once."""
        await self._ready.wait()

    async def health(self) -> Mapping[str, JsonValue]:
        """Raises `Unwell` until it is ready, `Degraded` when it stands still."""
        silent_s = self._plan.clock.monotonic() - self._turned_s
        return state_of(self._ready.is_set(), sorted(self.shards), silent_s=silent_s)

    async def check(self) -> None:
        """Before `run`. Raises `LogMisfit`, `StoreMisfit`, `StoreInUse`; a broker that is away is
        waited for by `run`."""
        require_stores(self._plan.folder, self.group, alone=True)
        try:
            await asyncio.to_thread(
                kafka_log.ensure,
                self._plan.cluster,
                self._plan.changelog,
                self._partitions,
                self._replication,
            )
        except KafkaException as raised:
            _log.warning("stream.not_checked", group=self.group, code=error_of(raised).name())

    async def run(self) -> None:
        """A loop for the Supervisor. Raises `LogMisfit`, `StoreMisfit`, `StoreInUse`."""
        self._stop.clear()
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        thread = threading.Thread(
            target=self._live, args=(loop, ended), name=f"stream {self.group}", daemon=True
        )
        thread.start()
        try:
            await asyncio.shield(ended)
        finally:
            self._stop.set()
            await asyncio.to_thread(thread.join)
            if ended.done() and not ended.cancelled():
                ended.exception()

    def _live(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
        try:
            while not self._stop.is_set():
                self._session(loop)
        except BaseException as raised:
            # `run` raises it.
            loop.call_soon_threadsafe(_end, ended, raised)
        else:
            loop.call_soon_threadsafe(_end, ended, None)

    def _session(self, loop: asyncio.AbstractEventLoop) -> None:
        """From one producer's beginning to its end; what ends one begins the next."""
        plan = self._plan
        try:
            kafka_log.ensure(plan.cluster, plan.changelog, self._partitions, self._replication)
            with Worker(plan) as worker:
                self._worker = worker
                while not self._stop.is_set():
                    caught_up = worker.turn()
                    self._turned_s = plan.clock.monotonic()
                    if caught_up:
                        loop.call_soon_threadsafe(self._ready.set)
        except MustRestart as why:
            _log.warning("stream.begins_anew", group=self.group, why=str(why))
        except KafkaException as raised:
            _log.warning("stream.waits", group=self.group, code=error_of(raised).name())
        finally:
            self._worker = None
        self._stop.wait(plan.limits.retry_s)


def _end(ended: asyncio.Future[None], error: BaseException | None) -> None:
    if ended.done():
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)
