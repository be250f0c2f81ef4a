"""One address before several doors, as a proxy in front of bffs: each connection to the next one.

`python -m tests.support.balancer PORT DOOR_PORT DOOR_PORT ...`, all on 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from collections.abc import Sequence

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _reach(doors: Sequence[int], first: int) -> Streams | None:
    for n in range(len(doors)):
        with contextlib.suppress(OSError):
            return await asyncio.open_connection("127.0.0.1", doors[(first + n) % len(doors)])
    return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(64 * 1024):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def serve(port: int, doors: Sequence[int]) -> None:
    numbers = itertools.count()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await _reach(doors, next(numbers))
        if behind is None:
            writer.close()
            return
        await asyncio.gather(_pump(reader, behind[1]), _pump(behind[0], writer))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), [int(word) for word in sys.argv[2:]]))
