"""One process of a name in a data folder: a second one would take the first one's work over."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_NO_FILE_NAME = re.compile(r"[^\w.-]")


class FolderTaken(RuntimeError):
    """A living process has the folder under this name already."""

    def __init__(self, folder: Path, name: str, pid: str) -> None:
        super().__init__(f"{folder} is used by process {pid or '?'}, which is {name!r} as well")
        self.folder = folder
        self.name = name
        self.pid = pid


@contextmanager
def folder_held(folder: Path, name: str) -> Iterator[None]:
    """Raises `FolderTaken` where another has it. A kill frees it: the lock is the kernel's.

    A folder that is not there, or where nothing can be written, is nobody's: who runs on servers
    alone needs none.
    """
    path = folder / f"{_NO_FILE_NAME.sub('-', name)}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        # Without locks, or on a full disk, one starts as well: what stops it then says so itself.
        with suppress(OSError):
            if not try_lock(descriptor):
                raise FolderTaken(folder, name, os.pread(descriptor, 20, 0).decode().strip())
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Whether the open file is ours alone now, until it is closed or its process ends.

    Raises `OSError` on a file system without locks, as some are over a network.
    """
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
