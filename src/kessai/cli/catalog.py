"""`kessai catalog import`: a CSV file and its pictures, chunk by chunk, bad rows by name."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

if TYPE_CHECKING:
    from kessai.contracts.storage import BadRow, StorageService
    from kessai.kernel.runtime import Runtime
    from kessai.kernel.service import Unit
    from kessai.kernel.settings import Settings
    from kessai.storage.domain.catalogue_file import CatalogueRow, RawRow
    from kessai.topology import ServiceCard

app = typer.Typer(no_args_is_help=True)
CHUNK_ROWS = 200
BAD_ROWS = 1
_out = Console(highlight=False, markup=False, soft_wrap=True)
_progress = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


@dataclass(slots=True)
class Tally:
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    pictures: int = 0
    bad: list[BadRow] = field(default_factory=list)


@app.callback()
def catalog() -> None:
    """The catalogue."""


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    images: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="folder of the image files")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="tell, but change nothing")] = False,
) -> None:
    """Import products from a CSV file; a re-run changes nothing.

    Header: productId,title,description,price,status,createdAt,imageFile and, where wanted,
    category,stock,titleEn,titleZh,reading,categoryEn,categoryZh.

    Pictures are PNG, JPEG or WebP of at most 8 MiB, by the names in imageFile.

    Exit codes: 0 every row is in, 1 some rows were bad and all others are in, 2 the file cannot
    be imported, 3 the storage-service is not reachable (rows so far are in, run it again).
    """
    from kessai.cli.errors import fail, load_settings
    from kessai.cli.reach import UNAVAILABLE
    from kessai.kernel.errors import Refused, Unknown
    from kessai.kernel.migrations import SchemaTooNew
    from kessai.topology import STORAGE

    tally = Tally()
    try:
        where = asyncio.run(
            import_rows(load_settings(), STORAGE, file, tally, images=images, dry_run=dry_run)
        )
    except Refused as refused:
        fail(f"{file}: {refused.message or refused.code}")
    except (Unknown, SchemaTooNew) as error:
        fail(f"{error}; {_summary(tally)} so far, and it is safe to run it again", UNAVAILABLE)
    for bad in sorted(tally.bad, key=lambda bad: bad.row):
        _out.print(f"row {bad.row}{f', {bad.column}' if bad.column else ''}: {bad.why}")
    _out.print(f"{'would be: ' if dry_run else ''}{_summary(tally)}, by {where}")
    if tally.bad:
        raise typer.Exit(BAD_ROWS)


def _summary(tally: Tally) -> str:
    return (
        f"{tally.created} created, {tally.changed} changed, {tally.unchanged} unchanged, "
        f"{len(tally.bad)} bad" + (f", {tally.pictures} pictures" if tally.pictures else "")
    )


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
    from kessai.cli.reach import reach
    from kessai.contracts.storage import BadRow, ImportCatalogue, StorageService
    from kessai.storage.domain.catalogue_file import CatalogueFile, FileLimits

    limits = FileLimits()
    # One byte more than the limit is enough to see that the file is too large.
    with file.open("rb") as opened:
        content = opened.read(limits.max_bytes + 1)
    catalogue = CatalogueFile(content, limits)
    good: list[RawRow] = []
    pictured: list[tuple[RawRow, CatalogueRow]] = []
    for found in catalogue.rows():
        if isinstance(found, BadRow):
            tally.bad.append(found)
        else:
            good.append(found[0])
            if images and found[1].image_file:
                pictured.append(found)
    async with reach(settings, card, StorageService, _build) as (storage, where):
        with _bar() as progress:
            task = progress.add_task(file.name, total=len(good))
            for chunk in _chunks(good):
                answer = await storage.import_catalogue(
                    ImportCatalogue(csv=_as_csv(catalogue.header, chunk), dry_run=dry_run)
                )
                tally.created += answer.created
                tally.changed += answer.changed
                tally.unchanged += answer.unchanged
                tally.bad += [
                    bad.model_copy(update={"row": chunk[bad.row - 2].number}) for bad in answer.bad
                ]
                progress.advance(task, len(chunk))
        if images and pictured:
            await _import_images(settings, storage, images, pictured, tally, dry_run=dry_run)
    return where


async def _import_images(
    settings: Settings,
    storage: StorageService,
    folder: Path,
    rows: Sequence[tuple[RawRow, CatalogueRow]],
    tally: Tally,
    *,
    dry_run: bool,
) -> None:
    """After the rows, since a picture needs its product; what is wrong with one stops no other."""
    import kessai.search.main
    from kessai.cli.reach import reach
    from kessai.contracts.search import MAX_IMAGE_BYTES, ProductImage, SearchService
    from kessai.contracts.storage import BadRow
    from kessai.kernel.errors import Refused
    from kessai.topology import SEARCH

    async def build(runtime: Runtime) -> Unit[SearchService]:
        return await kessai.search.main.build(runtime, storage=storage)

    async with reach(settings, SEARCH, SearchService, build) as (search, _):
        with _bar() as progress:
            for raw, row in progress.track(rows, description="pictures"):
                path = folder / (row.image_file or "")
                try:
                    with path.open("rb") as opened:
                        content = opened.read(MAX_IMAGE_BYTES + 1)
                    if len(content) > MAX_IMAGE_BYTES:
                        raise Refused("TOO_LARGE", f"is larger than {MAX_IMAGE_BYTES} bytes")
                    await search.import_image(
                        ProductImage(product_id=row.product_id, content=content, dry_run=dry_run)
                    )
                    tally.pictures += 1
                except OSError as error:
                    why = f"cannot be read from {folder}: {error.strerror}"
                    tally.bad.append(BadRow(row=raw.number, column="imageFile", why=why))
                except Refused as refused:
                    why = refused.message or refused.code
                    tally.bad.append(BadRow(row=raw.number, column="imageFile", why=why))


async def _build(runtime: Runtime) -> Unit[StorageService]:
    from kessai.storage.main import build

    return await build(runtime, demo_catalogue=False)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        console=_progress,
    )


def _chunks(rows: Sequence[RawRow]) -> Iterator[list[RawRow]]:
    left = iter(rows)
    while chunk := list(islice(left, CHUNK_ROWS)):
        yield chunk


def _as_csv(header: Sequence[str], rows: Sequence[RawRow]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(row.cells for row in rows)
    return text.getvalue().encode()
