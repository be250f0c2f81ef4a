"""The cache of programs: an entry is whole or not there, whoever was killed on the way."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from kessai.stack.application import CannotHave
from kessai.stack.gateway.files import file_lock

_CHUNK_BYTES = 1 << 20


class Cache:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def entry(self, name: str, make: Callable[[Path], Awaitable[None]]) -> Path:
        """The folder of this name; made beside it, checked, and only then given its name."""
        whole = self._folder / name
        if whole.is_dir():
            return whole
        async with self.lock(name):
            if whole.is_dir():
                return whole
            # Under the lock, so what is left there is nobody's.
            half = self._folder / f"{name}.half"
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True)
            await make(half)
            # All of it is on the disk before it has the name that says so.
            os.sync()
            half.rename(whole)
        return whole

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        return file_lock(self._folder / f"{name}.lock")

    def link(self, name: str, program: Path) -> Path:
        """A second name for a program, for those that act by the name they are called by."""
        self._folder.mkdir(parents=True, exist_ok=True)
        link = self._folder / name
        if not link.is_symlink() or link.readlink() != program:
            new = self._folder / f".{name}.{os.getpid()}"
            new.unlink(missing_ok=True)
            new.symlink_to(program)
            new.replace(link)
        return link


def sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def check_sums(folder: Path, sums: str, what: str) -> None:
    """Lines of `sha256sum`: exactly these files, exactly these contents."""
    lines = (line.split(maxsplit=1) for line in sums.splitlines() if line)
    wanted = {name: found for found, name in lines}
    found = {file.name: sha256(file) for file in sorted(folder.iterdir())}
    if found == wanted:
        return
    wrong = sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )
    raise CannotHave(f"{what}: not the files that are pinned: {', '.join(wrong[:5])}")


def check_sum(file: Path, wanted: str, what: str) -> None:
    if (found := sha256(file)) != wanted:
        raise CannotHave(f"{what}: its checksum is {found}, pinned is {wanted}")
