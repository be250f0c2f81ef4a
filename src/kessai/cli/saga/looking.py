"""`list`, `show` and `timeline`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import ValidationError

from kessai.cli.errors import complaint
from kessai.cli.saga import look
from kessai.cli.saga.given import machines_in, own_machines
from kessai.cli.saga.paper import paper, print_json, say, stop
from kessai.cli.saga.source import Source, attempt, served, stored
from kessai.kernel.clock import SystemClock
from kessai.saga.web.models import ListQuery


def list_instances(wanted: dict[str, object], store: str | None, *, as_json: bool) -> None:
    try:
        query = ListQuery.model_validate(wanted)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        stop(f"--{'-'.join(map(str, first['loc']))}: {complaint(first)}")

    async def look_up() -> None:
        async with source(store, ()) as where:
            found = await where.list(query)
        if as_json:
            print_json(found)
            return
        paper().print(look.page(found, SystemClock().now()))
        if found.next_cursor is not None:
            say(f"there are more: --cursor {found.next_cursor}")

    attempt(look_up())


def show_instance(
    instance_id: str, store: str | None, folders: Sequence[Path], *, as_json: bool
) -> None:
    async def look_up() -> None:
        async with source(store, folders) as where:
            saga = await where.show(instance_id)
        if as_json:
            print_json(saga)
        else:
            paper().print(look.saga(saga, SystemClock().now()))

    attempt(look_up())


def show_timeline(
    instance_id: str, store: str | None, folders: Sequence[Path], *, as_json: bool
) -> None:
    async def look_up() -> None:
        async with source(store, folders) as where:
            found = await where.timeline(instance_id)
        if as_json:
            print_json(found)
        else:
            paper().print(look.timeline(found))

    attempt(look_up())


@asynccontextmanager
async def source(store: str | None, folders: Sequence[Path]) -> AsyncIterator[Source]:
    if store is None:
        async with served() as service:
            yield service
        return
    async with stored(store, (*own_machines(), *machines_in(folders))) as database:
        yield database
