"""A process of its own on a local bus, to be killed: `consume FILE OUT NAME`, `publish FILE`."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time

from kessai.kernel.bus import Message, Record
from kessai.kernel.clock import SystemClock
from kessai.kernel.local_bus import open_local_bus

TOPIC = "ec-demo.orders.events.v1"


def say(*words: str) -> None:
    sys.stdout.write("\n".join(words) + "\n")
    sys.stdout.flush()


async def consume(path: str, out: str, instance: str) -> None:
    bus = await open_local_bus(path, SystemClock(), partitions=6, instance=instance)
    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def handle(record: Record) -> None:
        await asyncio.sleep(0.005)
        line = {
            "at": time.monotonic_ns(),
            "partition": record.partition,
            "offset": record.offset,
            "value": record.value.decode(),
        }
        os.write(file, (json.dumps(line) + "\n").encode())

    consumer = bus.consumer("audit", [TOPIC], handle)
    loop = asyncio.create_task(consumer.run())
    await consumer.ready()
    say("ready")
    await loop


async def publish(path: str) -> None:
    bus = await open_local_bus(path, SystemClock(), partitions=6, instance="publisher")
    for n in itertools.count():
        words = [f"{n}.{k}" for k in range(3)]
        await bus.publish([Message(TOPIC, word, word.encode()) for word in words])
        say(*words)


if __name__ == "__main__":
    asyncio.run(consume(*sys.argv[2:5]) if sys.argv[1] == "consume" else publish(sys.argv[2]))
