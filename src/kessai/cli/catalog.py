"""`kessai catalog`: products in and out of the shop by file, and the index that finds them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console

if TYPE_CHECKING:
    from kessai.cli.catalog_transfer import Tally
    from kessai.contracts.search import IndexDrift, Reindexed, SearchService
    from kessai.kernel.settings import Settings

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True)
BAD_ROWS = DRIFT = 1
_out = Console(highlight=False, markup=False, soft_wrap=True)


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
    """Import products from a CSV or JSON lines file; a re-run changes nothing.

    Header: productId,title,description,price,status,createdAt,imageFile and, where wanted,
    category,stock,titleEn,titleZh,reading,categoryEn,categoryZh. JSON lines (.jsonl) are objects
    with the same fields, one a line. A file may be of any length: it is never held whole.

    Pictures are PNG, JPEG or WebP of at most 8 MiB, by the names in imageFile.

    Exit codes: 0 every row is in, 1 some rows were bad and all others are in, 2 the file cannot
    be imported, 3 the storage-service is not reachable (rows so far are in, run it again).
    """
    from kessai.cli.catalog_transfer import Tally, import_rows
    from kessai.topology import STORAGE

    tally = Tally()

    async def run(settings: Settings) -> str:
        return await import_rows(settings, STORAGE, file, tally, images=images, dry_run=dry_run)

    where = _run(run, about=f"{file}", so_far=lambda: f"{_summary(tally)} so far")
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


@app.command("export")
def export_file(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="FILE.csv or FILE.jsonl")],
) -> None:
    """Write all products to a file; to import it again changes nothing.

    Stock is what can be bought now. Products that are not sold any more are there too.

    Exit codes: 0 written, 2 the file cannot be written, 3 the storage-service is not reachable.
    """
    from kessai.cli.catalog_files import JSON_NAMES
    from kessai.cli.catalog_transfer import export_rows
    from kessai.cli.errors import fail
    from kessai.topology import STORAGE

    if not file.name.lower().endswith((".csv", *JSON_NAMES)):
        fail(f"{file}: the name must end in .csv or .jsonl, which says how it is written")

    async def run(settings: Settings) -> tuple[int, str]:
        return await export_rows(settings, STORAGE, file)

    count, where = _run(run, about=f"{file}")
    _out.print(f"{count} products to {file}, from {where}")


@app.command()
def reindex() -> None:
    """Build the index of the search anew, while the old one goes on answering.

    Exit codes: 0 built, 2 refused (it is being built already), 3 not reachable.
    """

    async def run(settings: Settings) -> tuple[Reindexed, str]:
        from kessai.contracts.wire import Nothing

        async def build(search: SearchService) -> Reindexed:
            return await search.reindex(Nothing())

        return await _on_search(settings, build)

    built, where = _run(run, about="reindex")
    _out.print(f"{built.products} products in a new index, by {where}")


@app.command()
def check(
    no_repair: Annotated[
        bool, typer.Option("--no-repair", help="tell what differs, but change nothing")
    ] = False,
) -> None:
    """Compare the index of the search with the catalogue, and put right what differs.

    Exit codes: 0 they agree, now at least; 1 something differs still; 2 refused; 3 not reachable.
    """

    async def run(settings: Settings) -> tuple[IndexDrift, str]:
        from kessai.contracts.search import CheckIndex

        async def look(search: SearchService) -> IndexDrift:
            return await search.check_index(CheckIndex(repair=not no_repair))

        return await _on_search(settings, look)

    drift, where = _run(run, about="check")
    _out.print(
        f"{drift.products} products: {drift.missing} missing, {drift.stale} stale, "
        f"{drift.surplus} surplus, {drift.repaired} repaired, by {where}"
    )
    if drift.missing + drift.stale + drift.surplus > drift.repaired:
        raise typer.Exit(DRIFT)


async def _on_search(
    settings: Settings, ask: Callable[[SearchService], Awaitable[T]]
) -> tuple[T, str]:
    from kessai.cli.catalog_transfer import reach_search
    from kessai.topology import STORAGE

    async with reach_search(settings, STORAGE) as (search, where):
        return await ask(search), where


def _run(
    what: Callable[[Settings], Awaitable[T]], *, about: str, so_far: Callable[[], str] | None = None
) -> T:
    """The answer, or one line and the exit code that says why there is none."""
    from kessai.cli.errors import fail, load_settings
    from kessai.cli.reach import UNAVAILABLE
    from kessai.kernel.errors import Refused, Unknown
    from kessai.kernel.migrations import SchemaTooNew

    settings = load_settings()

    async def run() -> T:
        return await what(settings)

    try:
        return asyncio.run(run())
    except Refused as refused:
        fail(f"{about}: {refused.message or refused.code}")
    except OSError as error:
        fail(f"{about}: {error.strerror or error}")
    except (Unknown, SchemaTooNew) as error:
        done = f"; {so_far()}, and it is safe to run it again" if so_far else ""
        fail(f"{error}{done}", UNAVAILABLE)
