"""One transaction of the runtime: changelog, output and input offsets, all of it or nothing.

The input offsets go into every transaction, also where no record was read: only they carry the
group's generation, and so keep a process that was replaced from committing (streams.md, mistake 6).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as KafkaMessage

from kessai.kernel.kafka_bus.cluster import Cluster
from kessai.kernel.kafka_bus.errors import error_of
from kessai.kernel.kafka_bus.limits import MESSAGE_MAX_BYTES
from kessai.kernel.streams.ports import Output

TIMEOUT_MS: Final = 30_000
# Shorter than a service may take to stop.
_CALL_S: Final = 4.0
_PATIENCE_S: Final = 30.0
_HUNG_S: Final = 10.0
_ROOM_S: Final = 0.05
_LOOK_S: Final = 0.5
_PAUSE_S: Final = 0.1


class MustAbort(Exception):
    """The transaction cannot be committed: what it held is to be read and done again."""


class MustRestart(Exception):
    """The producer is of no more use: another took its place, or it was too slow."""


class Transactions:
    def __init__(
        self, cluster: Cluster, transactional_id: str, is_over: Callable[[], bool]
    ) -> None:
        """Ends what an earlier process of this name had open. Raises `MustRestart`.

        `is_over`: nobody waits any longer for what is open.
        """
        self._is_over = is_over
        self._producer = Producer(
            cluster.config(
                transactional_id=transactional_id,
                transaction_timeout_ms=TIMEOUT_MS,
                # librdkafka's own default is CRC32; Java and we use murmur2.
                partitioner="murmur2_random",
                linger_ms=5,
                compression_type="lz4",
                message_max_bytes=MESSAGE_MAX_BYTES,
            )
        )
        self._is_open = False
        self._retry(lambda: self._producer.init_transactions(_CALL_S))

    @property
    def is_open(self) -> bool:
        return self._is_open

    def log(
        self,
        topic: str,
        partition: int,
        rows: Sequence[tuple[bytes, bytes | None]],
        told: Callable[[int], None],
    ) -> None:
        """States for the changelog; `told` gets the offset of the last one before the commit."""
        if not rows:
            return

        # One callback for all of them: each costs as much as a record.
        def on_delivery(error: KafkaError | None, message: KafkaMessage) -> None:
            if error is None:
                told(message.offset() or 0)

        self._begin()
        produce = self._producer.produce
        *others, (last_key, last_value) = rows
        try:
            for key, value in others:
                try:
                    produce(topic, value, key, partition)
                except BufferError:
                    self._with_room(partial(produce, topic, value, key, partition))
            self._with_room(partial(produce, topic, last_value, last_key, partition, on_delivery))
        except KafkaException as raised:
            raise _meant(raised) from raised

    def send(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            message = output.message
            headers = [(name, value.encode()) for name, value in message.headers.items()]
            self._begin()
            self._with_room(
                lambda m=message, h=headers: self._producer.produce(  # type: ignore[misc]
                    m.topic, m.value, m.key.encode(), headers=h
                )
            )

    def finish(self, consumer: Consumer, positions: Sequence[TopicPartition]) -> None:
        """Raises `MustAbort`, `MustRestart`."""
        self._begin()
        metadata = consumer.consumer_group_metadata()
        send = self._producer.send_offsets_to_transaction
        self._retry(
            lambda: within_time(
                lambda: send(list(positions), metadata, _CALL_S),
                lambda: _CALL_S if self._is_over() else _HUNG_S,
            )
        )
        self._retry(lambda: self._producer.commit_transaction(_CALL_S))
        self._is_open = False

    def abort(self) -> None:
        """Raises `MustRestart`."""
        if self._is_open:
            self._retry(lambda: self._producer.abort_transaction(_CALL_S))
            self._is_open = False

    def forget(self) -> None:
        """For who begins anew: the next producer of its name ends what is open, and this one may
        not answer any more."""
        self._is_open = False

    def _begin(self) -> None:
        if not self._is_open:
            self._retry(self._producer.begin_transaction)
            self._is_open = True

    def _with_room(self, produce: Callable[[], object]) -> None:
        """A burst may fill the queue: then its head has to leave first."""
        while True:
            try:
                produce()
            except BufferError:
                self._producer.poll(_ROOM_S)
            except KafkaException as raised:
                raise _meant(raised) from raised
            else:
                return

    def _retry(self, call: Callable[[], object]) -> None:
        ask_until_told(call, self._is_over)


def ask_until_told(call: Callable[[], object], is_over: Callable[[], bool]) -> None:
    """What timed out is open: only asking again tells (streams.md, mistake 3).

    Not at once: a producer that waits for another call of its own says so without any wait, and
    each answer takes memory that is never given back. Raises `MustAbort`, `MustRestart`.
    """
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            call()
        except KafkaException as raised:
            if not error_of(raised).retriable():
                raise _meant(raised) from raised
            if is_over() or time.monotonic() > until_s:
                raise MustRestart("the outcome stays open") from raised
            time.sleep(_PAUSE_S)
        else:
            return


def within_time(call: Callable[[], object], limit_s: Callable[[], float]) -> None:
    """librdkafka may never answer, whatever timeout it is given, when the coordinator of the group
    went away (its issues 5456 and 5511). Then the call is left alone, with its producer.

    `limit_s` may become less while it is waited for. Raises `MustRestart`, and what the call does.
    """
    told: list[BaseException | None] = []

    def ask() -> None:
        try:
            call()
        except BaseException as raised:
            told.append(raised)
        else:
            told.append(None)

    asking = threading.Thread(target=ask, name="stream-offsets", daemon=True)
    asking.start()
    began_s = time.monotonic()
    while asking.is_alive():
        if time.monotonic() - began_s > limit_s():
            raise MustRestart("the client does not answer")
        asking.join(_LOOK_S)
    if told[0] is not None:
        raise told[0]


def _meant(raised: KafkaException) -> Exception:
    error = error_of(raised)
    if error.txn_requires_abort():
        return MustAbort(error.name())
    return MustRestart(error.name())
