"""Announced files: their rows in SQL, the way they are fetched, where they lie meanwhile."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote, urlsplit

from sqlalchemy import and_, bindparam, update

from kessai.kernel.db import Tx, insert_ignore
from kessai.kernel.errors import Kind, Refused, Unknown
from kessai.kernel.http import CHUNK_BYTES, Answer, Downloads, TooLong
from kessai.kernel.leases import Due
from kessai.payment.application.file_ports import AnnouncedFile, FileStatus, Paper
from kessai.payment.gateway.settlement_tables import FILE

MAX_NAME = 200
_NAMED = re.compile(r'filename="?([^";]+)"?', re.IGNORECASE)

_ADD = insert_ignore(FILE)
# Only what ended without a report, and only by a newer link: a repeat revives nothing.
_AGAIN = (
    update(FILE)
    .where(
        and_(
            FILE.c.id == bindparam("of_id"),
            FILE.c.status.in_([FileStatus.LOST, FileStatus.REFUSED, FileStatus.BROKEN]),
            FILE.c.link_ends_at_ms < bindparam("ends_ms"),
        )
    )
    .values(
        link=bindparam("by_link"),
        status=FileStatus.NEW,
        reason=None,
        tries=0,
        received_at_ms=bindparam("now_ms"),
        link_ends_at_ms=bindparam("ends_ms"),
        due_at_ms=bindparam("now_ms"),
    )
)
_TRIED = (
    update(FILE)
    .where(FILE.c.id == bindparam("of_id"))
    .values(tries=FILE.c.tries + 1, reason=bindparam("why"))
)
_ENDED = (
    update(FILE)
    .where(FILE.c.id == bindparam("of_id"))
    .values(
        tries=FILE.c.tries + 1,
        status=bindparam("as_status"),
        reason=bindparam("why"),
        run_id=bindparam("by_run"),
    )
)


class SqlFiles:
    async def add(self, tx: Tx, file: AnnouncedFile) -> bool:
        row = {
            "id": file.id,
            "link": file.link,
            "status": FileStatus.NEW,
            "reason": None,
            "run_id": None,
            "tries": 0,
            "received_at_ms": file.received_at_ms,
            "link_ends_at_ms": file.link_ends_at_ms,
            "due_at_ms": file.received_at_ms,
            "lease_until_ms": 0,
            "lease_fence": 0,
        }
        if (await tx.run(_ADD, row)).rowcount == 1:
            return True
        again = {
            "of_id": file.id,
            "by_link": file.link,
            "now_ms": file.received_at_ms,
            "ends_ms": file.link_ends_at_ms,
        }
        return (await tx.run(_AGAIN, again)).rowcount == 1

    def read(self, due: Due) -> AnnouncedFile:
        row = due.row
        return AnnouncedFile(
            id=row["id"],
            link=row["link"],
            received_at_ms=row["received_at_ms"],
            link_ends_at_ms=row["link_ends_at_ms"],
            tries=row["tries"],
        )

    async def tried(self, tx: Tx, file_id: str, why: str) -> None:
        await tx.run(_TRIED, {"of_id": file_id, "why": why})

    async def ended(
        self, tx: Tx, file_id: str, status: FileStatus, why: str | None, run_id: str | None
    ) -> None:
        ending = {"of_id": file_id, "as_status": status, "why": why, "by_run": run_id}
        await tx.run(_ENDED, ending)


class FileFetch:
    """By the link alone: it needs no signature of ours, so none is shown to its host."""

    def __init__(self, http: Downloads, *, limit_bytes: int, timeout_s: float) -> None:
        self._http = http
        self._limit_bytes = limit_bytes
        self._timeout_s = timeout_s

    async def fetch(self, link: str, to: Paper) -> str:
        try:
            answer = await self._http.download(
                link, to, limit_bytes=self._limit_bytes, timeout_s=self._timeout_s
            )
        except TooLong as error:
            raise Refused("TOO_LARGE", error.message, kind=Kind.TOO_LARGE) from error
        if answer.status != 200:
            # Also of a redirect, which is not followed: the link is what was announced.
            raise Unknown("NO_FILE", f"status {answer.status}")
        return _name(answer, link)


class FolderDesk:
    """A folder of this process alone, so that what lies there at its start is its own rubbish."""

    def __init__(self, data_dir: str, instance: str) -> None:
        self.folder = Path(data_dir) / f"settlement-{quote(instance, safe='')}"

    def clear(self) -> None:
        if self.folder.is_dir():
            for left in self.folder.iterdir():
                left.unlink(missing_ok=True)

    @contextmanager
    def paper(self) -> Iterator[Paper]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                prefix="file-", suffix=".csv", dir=self.folder, delete=False
            ) as made:
                path = Path(made.name)
                try:
                    yield _Paper(made, path)
                finally:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise _no_disk(error) from error


class _Paper:
    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path

    def write(self, chunk: bytes, /) -> None:
        try:
            self._file.write(chunk)
        except OSError as error:
            raise _no_disk(error) from error

    def chunks(self) -> Iterator[bytes]:
        try:
            self._file.flush()
            with self._path.open("rb") as opened:
                while chunk := opened.read(CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise _no_disk(error) from error


def _no_disk(error: OSError) -> Unknown:
    return Unknown("DISK", error.strerror or type(error).__name__)


def _name(answer: Answer, link: str) -> str:
    """PayPay's name tells the day; the header is meant to, the link mostly ends with it."""
    named = _NAMED.search(answer.headers.get("Content-Disposition", ""))
    name = named[1] if named else unquote(urlsplit(link).path.rpartition("/")[2])
    return "".join(sign for sign in name if sign.isprintable())[:MAX_NAME]
