"""As much of Kafka's protocol as tells whether a broker serves consumer groups."""

from __future__ import annotations

import asyncio
import struct

_LIST_GROUPS, _FIND_COORDINATOR = 16, 10
_LIMIT_BYTES = 1 << 20
NO_ERROR = 0


class NotKafka(Exception):
    """The answer makes no sense."""


async def coordinator_error(host: str, port: int) -> int:
    """Of a group's coordinator: 0 when its topic is there and led (asking makes it)."""
    key = b"kessai-stack"
    body = struct.pack(">h", len(key)) + key + b"\x00"
    answer = await _ask(host, port, _FIND_COORDINATOR, 1, body)
    # throttle time (4), error code
    return int(struct.unpack_from(">h", answer, 4)[0])


async def groups_error(host: str, port: int) -> int:
    """0 when the broker has loaded all groups that it coordinates; 14 while it loads."""
    answer = await _ask(host, port, _LIST_GROUPS, 1, b"")
    return int(struct.unpack_from(">h", answer, 4)[0])


async def _ask(host: str, port: int, api: int, version: int, body: bytes) -> bytes:
    client = b"kessai-stack"
    head = struct.pack(">hhih", api, version, 1, len(client)) + client
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(struct.pack(">i", len(head) + len(body)) + head + body)
        await writer.drain()
        (length,) = struct.unpack(">i", await reader.readexactly(4))
        if not 10 <= length <= _LIMIT_BYTES:
            raise NotKafka(f"an answer of {length} bytes")
        answer = await reader.readexactly(length)
    finally:
        writer.close()
    return answer[4:]
