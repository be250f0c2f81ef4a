"""`kessai search evaluate`: how good the search is, by people's judgements of what fits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from kessai.contracts.search import SearchService
    from kessai.kernel.settings import Settings
    from kessai.search.domain.quality import Figures, Judged, Measured

app = typer.Typer(no_args_is_help=True)
GOOD, BELOW = 0, 1
_FILE = Path("tests/search/judgements.jsonl")
_FLOOR = 0.85
_LONGEST_FILE = 10_000_000
_SERVERS = ("http", "https")


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, how well it was answered, and the title that came first."""

    measured: Measured
    first: str | None


@app.callback()
def search() -> None:
    """The search for products."""


@app.command()
def evaluate(
    judgements: Annotated[
        Path | None, typer.Option(help=f"a JSON object a line; {_FILE} in the repository")
    ] = None,
    floor: Annotated[float, typer.Option(min=0, max=1, help="the least nDCG@10 in all")] = _FLOOR,
    worst: Annotated[int, typer.Option(min=0, help="so many of the worst queries")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """How good the search is: nDCG@10, recall@50 and empty answers, by class of query.

    Asks an index of the built-in catalogue, made for this by the engine of KESSAI_SEARCH_URL and
    removed afterwards, as the shop asks. What is in use is not touched.

    Exit codes: 0 as good as the floor, 1 below it, 2 bad usage or judgements, 3 the engine does not
    answer.
    """
    from kessai.cli.errors import fail, load_settings
    from kessai.cli.reach import UNAVAILABLE
    from kessai.kernel.errors import Unknown
    from kessai.search.domain.quality import figures

    settings = load_settings()
    judged = _read(judgements)
    try:
        asked = asyncio.run(ask_all(settings, judged))
    except ValueError as error:
        fail(str(error))
    except Unknown as error:
        fail(str(error), UNAVAILABLE)
    over_all = figures([one.measured for one in asked])
    if as_json:
        typer.echo(json.dumps(_plain(settings, asked, floor), ensure_ascii=False))
    else:
        _show(settings, asked, worst)
    if over_all.ndcg < floor:
        if not as_json:
            typer.echo(f"nDCG@10 is below {floor:g}")
        raise typer.Exit(BELOW)
    raise typer.Exit(GOOD)


def _read(file: Path | None) -> tuple[Judged, ...]:
    from kessai.cli.errors import fail
    from kessai.search.domain.quality import BadJudgement, read_judgements

    if file is None and not _FILE.is_file():
        fail("no judgements here; name a file of them with --judgements")
    path = file or _FILE
    try:
        if path.stat().st_size > _LONGEST_FILE:
            fail(f"{path}: is larger than {_LONGEST_FILE} bytes")
        return read_judgements(path.read_text("utf-8").splitlines())
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except UnicodeDecodeError as error:
        fail(f"{path}: is not UTF-8 (at byte {error.start})")
    except BadJudgement as bad:
        fail(f"{path}: {bad}")


async def ask_all(settings: Settings, judged: Sequence[Judged]) -> list[Asked]:
    """Raises `Unknown` when the engine does not answer, `ValueError` when its URL is none."""
    async with a_shop_of_its_own(settings) as search:
        return [await _ask(search, one) for one in judged]


async def _ask(search: SearchService, judged: Judged) -> Asked:
    from kessai.contracts.search import SearchProducts
    from kessai.search.domain.quality import RECALL_DEPTH, measure

    page = await search.search_products(SearchProducts(q=judged.query, size=RECALL_DEPTH))
    found = [item.product_id for item in page.items]
    return Asked(measure(judged, found), page.items[0].title if page.items else None)


@asynccontextmanager
async def a_shop_of_its_own(settings: Settings) -> AsyncIterator[SearchService]:
    """The built-in catalogue, indexed: in a folder that goes, or under a prefix that goes."""
    import kessai.search.main
    import kessai.storage.main
    from kessai.contracts.wire import Nothing
    from kessai.embedded import open_runtime

    async with AsyncExitStack() as end:
        folder = end.enter_context(TemporaryDirectory(prefix="kessai-evaluate-"))
        # The random name of the folder is one that nobody's indexes begin with.
        url = elsewhere(settings.search_url, Path(folder).name)
        own = {"data_dir": folder, "sql_url": "sqlite:", "bus_url": "local:", "env": "local"}
        own |= {"objects_url": "file:", "search_url": url}
        runtime = await open_runtime(settings.model_copy(update=own))
        end.push_async_callback(runtime.http.close)
        end.push_async_callback(runtime.bus.close)
        storage = await kessai.storage.main.build(runtime)
        end.push_async_callback(storage.stop)
        search = await kessai.search.main.build(runtime, storage=storage.port)
        end.push_async_callback(remove_indexes, url)
        end.push_async_callback(search.stop)
        await search.port.init_index(Nothing())
        yield search.port


def elsewhere(url: str, name: str) -> str:
    parts = urlsplit(url)
    if parts.scheme in _SERVERS:
        return parts._replace(path=f"/{name}").geturl()
    return f"{parts.scheme}:"


async def remove_indexes(url: str) -> None:
    """Files go with their folder. On a server, each index by its name: many allow no pattern."""
    if urlsplit(url).scheme not in _SERVERS:
        return
    from kessai.kernel.elastic import asking, elastic_at

    server = elastic_at(url)
    try:
        async with asking("SEARCH_UNAVAILABLE"):
            found = await server.client.indices.get_settings(index=f"{server.prefix}-*")
            for name in found.body:
                await server.client.indices.delete(index=name, ignore_unavailable=True)
    finally:
        await server.client.close()


def _show(settings: Settings, asked: Sequence[Asked], worst: int) -> None:
    from rich.console import Console

    out = Console(highlight=False, markup=False, soft_wrap=True)
    out.print(_table(asked))
    for one in _by_ndcg(asked)[:worst]:
        judged, measured = one.measured.judged, one.measured
        first = one.first or "nothing"
        out.print(f"{measured.ndcg:.2f}  {judged.kind:8}  {judged.query}  ->  {first}")
    out.print(f"{len(asked)} queries of the built-in catalogue, answered by {_engine(settings)}")


def _engine(settings: Settings) -> str:
    scheme = urlsplit(settings.search_url).scheme
    return "elasticsearch" if scheme in _SERVERS else scheme


def _by_ndcg(asked: Sequence[Asked]) -> list[Asked]:
    return sorted(asked, key=lambda one: one.measured.ndcg)


def _table(asked: Sequence[Asked]) -> Table:
    from rich import box
    from rich.table import Table

    from kessai.search.domain.quality import NDCG_DEPTH, RECALL_DEPTH

    table = Table(box=box.SIMPLE)
    table.add_column("class")
    names = "queries", f"nDCG@{NDCG_DEPTH}", f"recall@{RECALL_DEPTH}", "empty"
    for name in names:
        table.add_column(name, justify="right")
    for kind, some in _rows(asked).items():
        cells = f"{some.ndcg:.3f}", f"{some.recall:.3f}", f"{some.zero_rate:.1%}"
        table.add_row(kind, str(some.queries), *cells)
    return table


def _rows(asked: Sequence[Asked]) -> dict[str, Figures]:
    from kessai.search.domain.quality import by_class, figures

    measured = [one.measured for one in asked]
    rows = by_class(measured)
    fixed = [one for one in measured if one.judged.fixed]
    if fixed:
        rows["fixed ones"] = figures(fixed)
    rows["all"] = figures(measured)
    return rows


def _plain(settings: Settings, asked: Sequence[Asked], floor: float) -> dict[str, Any]:
    rows = _rows(asked)
    return {
        "engine": _engine(settings),
        "floor": floor,
        "ok": rows["all"].ndcg >= floor,
        "figures": {
            name: {
                "queries": some.queries,
                "ndcg": round(some.ndcg, 4),
                "recall": round(some.recall, 4),
                "zeroRate": round(some.zero_rate, 4),
            }
            for name, some in rows.items()
        },
        "queries": [
            {
                "query": one.measured.judged.query,
                "class": one.measured.judged.kind,
                "fixed": one.measured.judged.fixed,
                "ndcg": round(one.measured.ndcg, 4),
                "recall": round(one.measured.recall, 4),
                "found": one.measured.found,
                "first": one.first,
            }
            for one in _by_ndcg(asked)
        ],
    }
