"""Files that are whole or not there, and locks that end with their holder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from kessai.kernel.folder_lock import try_lock

_LOOK_S = 0.2


def replace_file(path: Path, text: str) -> None:
    """For the owner's eyes only; what was there is replaced in one step."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


@asynccontextmanager
async def file_lock(path: Path) -> AsyncIterator[None]:
    """Of this machine; waits as long as another has it. A kill frees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # The kernel tells nobody when a lock becomes free.
        while not try_lock(descriptor):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        yield
    finally:
        os.close(descriptor)
