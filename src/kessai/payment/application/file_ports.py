"""What the announced files need from outside: their rows, a way to fetch, a place on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kessai.kernel.db import Tx
from kessai.kernel.ids import content_id
from kessai.kernel.leases import Due
from kessai.payment.application.ports import Work
from kessai.payment.domain.file_notice import FileNotice


class FileStatus(StrEnum):
    """NEW is worked on; DONE has a report; the others ended with a signal."""

    NEW = "NEW"
    DONE = "DONE"
    REFUSED = "REFUSED"
    BROKEN = "BROKEN"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class AnnouncedFile:
    """`id` is that of the notification, so a repeat is the same file."""

    id: str
    link: str
    received_at_ms: int
    link_ends_at_ms: int
    tries: int = 0


def announced(notice: FileNotice, now_ms: int) -> AnnouncedFile:
    return AnnouncedFile(
        content_id("settlement_file", notice.notification_id),
        notice.link,
        now_ms,
        notice.ends_at_ms(now_ms),
    )


class Files(Protocol):
    async def add(self, tx: Tx, file: AnnouncedFile) -> bool:
        """False for a repeat. One that ended without a report begins again with a newer link."""
        ...

    def read(self, due: Due) -> AnnouncedFile: ...

    async def tried(self, tx: Tx, file_id: str, why: str) -> None: ...

    async def ended(
        self, tx: Tx, file_id: str, status: FileStatus, why: str | None, run_id: str | None
    ) -> None: ...


class LongWork(Work, Protocol):
    """Work that outlasts its lease prolongs it."""

    async def renew(self, tx: Tx, due: Due, *, lease_ms: int, now_ms: int) -> None:
        """Raises `Fenced` when somebody else has the row."""
        ...


class Paper(Protocol):
    """A file of ours on disk. Raises `Unknown` DISK where there is no room."""

    def write(self, chunk: bytes, /) -> object: ...

    def chunks(self) -> Iterator[bytes]:
        """From its start, as often as it is asked."""
        ...


class Desk(Protocol):
    """Where files lie while they are worked on."""

    def paper(self) -> AbstractContextManager[Paper]:
        """A new one, which is gone afterwards, whatever happens."""
        ...

    def clear(self) -> None:
        """Removes what was left behind by a process of this name that was killed."""
        ...


class Fetch(Protocol):
    async def fetch(self, link: str, to: Paper) -> str:
        """The file's name. Raises `Unknown`, or `Refused` TOO_LARGE."""
        ...
