"""What the `kessai catalog` commands do: rows and pictures in, rows out, the index looked after."""

from __future__ import annotations

import csv
import io
import stat
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kessai.cli.catalog_files import Chunk, FileSource, open_sink, open_source
from kessai.cli.reach import reach
from kessai.contracts.search import MAX_IMAGE_BYTES, ProductImage, SearchService
from kessai.contracts.storage import (
    BadRow,
    ImportCatalogue,
    ListSnapshots,
    StorageService,
)
from kessai.kernel.errors import Refused
from kessai.kernel.runtime import Runtime
from kessai.kernel.service import Unit
from kessai.kernel.settings import Settings
from kessai.storage.domain.catalogue_file import RawRow
from kessai.topology import SEARCH, ServiceCard

PAGE = 500
# An index of many products takes minutes to build, and a person waits for it.
_PATIENCE_S = 3600.0
_progress = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


@dataclass(slots=True)
class Tally:
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    pictures: int = 0
    bad: list[BadRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture by the name that a row gives."""

    row: int
    product_id: int
    image_file: str


async def import_rows(
    settings: Settings,
    card: ServiceCard,
    file: Path,
    tally: Tally,
    *,
    images: Path | None = None,
    dry_run: bool,
) -> str:
    """Counts into `tally` as it goes; returns in words what it wrote to."""
    pictured: list[Wanted] = []
    with open_source(file) as source:
        async with reach(settings, card, StorageService, _build) as (storage, where):
            with _bar() as progress:
                task = progress.add_task(file.name, total=source.rows)
                for chunk in source.chunks():
                    await _import_chunk(storage, source, chunk, tally, dry_run=dry_run)
                    progress.advance(task, chunk.rows)
                    if images:
                        pictured += _wanted(chunk)
            if images and pictured:
                await _import_images(settings, storage, images, pictured, tally, dry_run=dry_run)
    return where


async def _import_chunk(
    storage: StorageService, source: FileSource, chunk: Chunk, tally: Tally, *, dry_run: bool
) -> None:
    tally.bad += chunk.bad
    if not chunk.good:
        return
    rows = [raw for raw, _ in chunk.good]
    answer = await storage.import_catalogue(
        ImportCatalogue(csv=_as_csv(source.header, rows), dry_run=dry_run)
    )
    tally.created += answer.created
    tally.changed += answer.changed
    tally.unchanged += answer.unchanged
    tally.bad += [bad.model_copy(update={"row": rows[bad.row - 2].number}) for bad in answer.bad]


def _wanted(chunk: Chunk) -> Iterable[Wanted]:
    return [
        Wanted(raw.number, row.product_id, row.image_file)
        for raw, row in chunk.good
        if row.image_file
    ]


async def _import_images(
    settings: Settings,
    storage: StorageService,
    folder: Path,
    pictured: Sequence[Wanted],
    tally: Tally,
    *,
    dry_run: bool,
) -> None:
    """After the rows, since a picture needs its product; what is wrong with one stops no other."""
    async with _search(settings, storage) as (search, _):
        with _bar() as progress:
            for one in progress.track(pictured, description="pictures"):
                try:
                    content = _picture(folder / one.image_file)
                    await search.import_image(
                        ProductImage(product_id=one.product_id, content=content, dry_run=dry_run)
                    )
                    tally.pictures += 1
                except OSError as error:
                    why = f"cannot be read from {folder}: {error.strerror}"
                    tally.bad.append(BadRow(row=one.row, column="imageFile", why=why))
                except Refused as refused:
                    why = refused.message or refused.code
                    tally.bad.append(BadRow(row=one.row, column="imageFile", why=why))


def _picture(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise Refused("VALIDATION", "is no plain file")
    with path.open("rb") as opened:
        content = opened.read(MAX_IMAGE_BYTES + 1)
    if len(content) > MAX_IMAGE_BYTES:
        raise Refused("TOO_LARGE", f"is larger than {MAX_IMAGE_BYTES} bytes")
    return content


async def export_rows(settings: Settings, card: ServiceCard, file: Path) -> tuple[int, str]:
    """How many products were written, and in words where they came from."""
    count = after = 0
    async with reach(settings, card, StorageService, _build) as (storage, where):
        with open_sink(file) as sink:
            while page := (
                await storage.list_snapshots(ListSnapshots(after=after, limit=PAGE))
            ).items:
                sink.write(page)
                count += len(page)
                after = page[-1].product_id
    return count, where


@asynccontextmanager
async def reach_search(
    settings: Settings, card: ServiceCard
) -> AsyncIterator[tuple[SearchService, str]]:
    """es-service, which may take its time; where it does not run, over the catalogue itself."""
    patient = settings.model_copy(update={"call_timeout_s": _PATIENCE_S})
    async with (
        reach(patient, card, StorageService, _build) as (storage, _),
        _search(patient, storage) as found,
    ):
        yield found


def _search(
    settings: Settings, storage: StorageService
) -> AbstractAsyncContextManager[tuple[SearchService, str]]:
    import kessai.search.main

    async def build(runtime: Runtime) -> Unit[SearchService]:
        return await kessai.search.main.build(runtime, storage=storage)

    return reach(settings, SEARCH, SearchService, build)


async def _build(runtime: Runtime) -> Unit[StorageService]:
    from kessai.storage.main import build

    return await build(runtime, demo_catalogue=False)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=_progress,
    )


def _as_csv(header: Sequence[str], rows: Sequence[RawRow]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(row.cells for row in rows)
    return text.getvalue().encode()
