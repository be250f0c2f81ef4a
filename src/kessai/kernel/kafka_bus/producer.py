"""Publishing: idempotent, to all replicas, on the partitions that every Kafka client agrees on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from kessai.kernel.bus import Message
from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import BusUnavailable
from kessai.kernel.kafka_bus.limits import MESSAGE_MAX_BYTES, KafkaLimits
from kessai.kernel.telemetry import get_log

_log = get_log(__name__)
_POLL_S = 0.1
_FULL_PAUSE_S = 0.01


class Sender:
    """One librdkafka producer and the thread that hears its answers.

    After a failure it is thrown away with all that it still held: a record that was given up must
    not be overtaken by the next one of its key, which the caller is going to send again anyway.
    """

    def __init__(self, cluster: Cluster, limits: KafkaLimits) -> None:
        self._limits = limits
        self._producer = Producer(
            cluster.config(
                enable_idempotence=True,
                acks="all",
                # librdkafka's own default is CRC32; Java and we use murmur2.
                partitioner="murmur2_random",
                linger_ms=limits.linger_s * 1000,
                # Never: librdkafka gives up one record and still sends the next one of its key.
                message_timeout_ms=0,
                compression_type="lz4",
                message_max_bytes=MESSAGE_MAX_BYTES,
            )
        )
        self._loop = asyncio.get_running_loop()
        self._over = threading.Event()
        self.failed = False
        self._thread = threading.Thread(target=self._hear, name="kafka-producer", daemon=True)
        self._thread.start()

    async def send(self, messages: Sequence[Message]) -> None:
        """Returns when all are on all replicas. Raises `BusUnavailable`: some may be, or none."""
        batch = _Batch(self._loop, len(messages))
        try:
            for message in messages:
                await self._produce(message, batch)
        except (KafkaException, BufferError) as raised:
            self.failed = True
            raise BusUnavailable(type(raised).__name__) from raised
        try:
            async with asyncio.timeout(self._limits.delivery_s):
                await batch.done
        except TimeoutError as late:
            self.failed = True
            raise BusUnavailable("no acknowledgement") from late
        except BusUnavailable:
            self.failed = True
            raise

    async def _produce(self, message: Message, batch: _Batch) -> None:
        """Waits for room in the queue; `BufferError` when there is none for too long."""
        until_s = self._loop.time() + self._limits.delivery_s
        while True:
            try:
                self._producer.produce(
                    message.topic,
                    value=message.value,
                    key=message.key.encode(),
                    headers=[(name, value.encode()) for name, value in message.headers.items()],
                    on_delivery=batch.told,
                )
            except BufferError:
                if self._loop.time() >= until_s:
                    raise
                await asyncio.sleep(_FULL_PAUSE_S)
            else:
                return

    def _hear(self) -> None:
        while not self._over.is_set():
            self._producer.poll(_POLL_S)

    async def close(self) -> None:
        """What was not acknowledged yet is dropped: its publisher waits no more."""
        self._over.set()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._thread.join()
        self._producer.purge()
        self._producer.flush(_POLL_S)


class _Batch:
    """Counts acknowledgements, which come in the producer's thread, for one caller in the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, size: int) -> None:
        self._loop = loop
        self._left = size
        self._error: KafkaError | None = None
        self.done: asyncio.Future[None] = loop.create_future()

    def told(self, error: KafkaError | None, _: KafkaMessage) -> None:
        self._left -= 1
        if error is not None and self._error is None:
            self._error = error
        if self._left == 0:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self.done.done():
            return
        if self._error is None:
            self.done.set_result(None)
        else:
            _log.warning("bus.not_published", error=self._error.name())
            self.done.set_exception(BusUnavailable(self._error.name()))
