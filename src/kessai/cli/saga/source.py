"""Where instances are looked at: at the running order-service, or in a database, read-only."""

from __future__ import annotations

import asyncio
import getpass
import json
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from kessai.cli.errors import load_settings
from kessai.cli.saga.paper import UNAVAILABLE, stop
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import open_database
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.http import AiohttpHttp, Answer, Http
from kessai.saga.language import Machine
from kessai.saga.log import Filter, SqlLog
from kessai.saga.records import Records
from kessai.saga.web import ACTOR_HEADER, PREFIX, ROLE_HEADER, present
from kessai.saga.web.models import (
    ListQuery,
    OrderBody,
    Ordered,
    SagaPage,
    SagaView,
    Timeline,
)
from kessai.topology import ORDER

T = TypeVar("T")
V = TypeVar("V", bound=BaseModel)
MAX_ANSWER_BYTES = 256 * 1024 * 1024


class Source(Protocol):
    """Raises `Refused` or `Unknown`."""

    async def list(self, query: ListQuery) -> SagaPage: ...

    async def show(self, instance_id: str) -> SagaView: ...

    async def timeline(self, instance_id: str) -> Timeline: ...


class Served:
    """The operators' door of a service that runs."""

    def __init__(self, http: Http, url: str, token: str, timeout_s: float) -> None:
        self._http = http
        self._url = url
        self._timeout_s = timeout_s
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            ROLE_HEADER: "operator",
            ACTOR_HEADER: _actor(),
        }

    async def list(self, query: ListQuery) -> SagaPage:
        asked = query.model_dump(mode="json", by_alias=True, exclude_none=True)
        pairs = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in asked.items()
        }
        return await self._send("GET", f"?{urlencode(pairs)}", SagaPage)

    async def show(self, instance_id: str) -> SagaView:
        return await self._send("GET", f"/{quote(instance_id, safe='')}", SagaView)

    async def timeline(self, instance_id: str) -> Timeline:
        return await self._send("GET", f"/{quote(instance_id, safe='')}/timeline", Timeline)

    async def order(self, operation: str, instance_id: str, body: OrderBody) -> Ordered:
        path = f"/{quote(instance_id, safe='')}/{operation}"
        return await self._send("POST", path, Ordered, body.model_dump_json(by_alias=True).encode())

    async def _send(self, method: str, path: str, model: type[V], body: bytes | None = None) -> V:
        url = f"{self._url}{PREFIX}{path}"
        answer = await self._http.send(
            method, url, headers=self._headers, body=body, timeout_s=self._timeout_s
        )
        if answer.status != 200:
            raise _problem(answer)
        try:
            return model.model_validate_json(answer.body)
        except ValidationError as error:
            raise Unknown("UNREADABLE", "the service's answer is not a saga") from error


class Stored:
    """A database that nobody need serve."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def list(self, query: ListQuery) -> SagaPage:
        wanted = Filter(
            status=query.status,
            compensation=query.compensation,
            machine=query.machine,
            business_key=query.business_key,
            running=query.running,
            needs_operator=query.needs_operator,
            before_id=query.cursor,
            limit=query.limit,
        )
        return present.page(await self._records.list(wanted, stale=query.stale))

    async def show(self, instance_id: str) -> SagaView:
        return present.saga(await self._records.find(instance_id), self._records)

    async def timeline(self, instance_id: str) -> Timeline:
        return present.timeline(await self._records.find(instance_id))


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    """order-service at its address of KESSAI_SERVICE_URLS, else on this machine."""
    from kessai.cli.reach import first_running
    from kessai.embedded import service_urls

    settings = load_settings()
    try:
        given = service_urls(settings).get(ORDER.name)
    except ValueError as error:
        stop(str(error))
    url, *others = given or [f"http://127.0.0.1:{ORDER.port + settings.port_offset}"]
    http = AiohttpHttp(max_answer_bytes=MAX_ANSWER_BYTES)
    token = settings.service_token.get_secret_value()
    try:
        if others:
            url = await first_running(http, [url, *others])
        yield Served(http, url, token, settings.call_timeout_s)
    except Unknown as error:
        raise Unknown(
            error.code, f"{ORDER.name} at {url}: {error}; --store reads its database"
        ) from error
    finally:
        await http.close()


@asynccontextmanager
async def stored(url: str, machines: Iterable[Machine]) -> AsyncIterator[Stored]:
    """Opened for reading; what is no database with sagas is left as it is."""
    path = _sqlite_path(url)
    if path is not None and (why := _unfit(path)):
        stop(f"--store {url}: {why}")
    try:
        db = await open_database(url)
    except ValueError as error:
        stop(f"--store {url}: {error}")
    try:
        yield Stored(Records(SqlLog(db), machines, SystemClock()))
    except SQLAlchemyError as error:
        stop(f"--store: no saga tables that this version knows ({type(error).__name__})")
    finally:
        await db.close()


def attempt(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command to its end, or says in one line why it did not come there."""
    try:
        return asyncio.run(work)
    except Refused as refused:
        errors = refused.facts.get("errors")
        more = f" {json.dumps(errors)}" if errors else ""
        stop(f"{refused.code}: {refused.message or 'refused'}{more}")
    except Unknown as error:
        stop(str(error), UNAVAILABLE)


def _sqlite_path(url: str) -> str | None:
    scheme, _, rest = url.partition(":")
    if scheme != "sqlite":
        return None
    path = rest.removeprefix("///")
    if not path:
        stop(f"--store {url} names no file, as sqlite:///.kessai/order.db does")
    return path


def _unfit(path: str) -> str | None:
    """Asked without creating or changing anything."""
    if not Path(path).is_file():
        return "there is no such file"
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)) as opened:
            tables = "select count(*) from sqlite_master where name in ('sg_machine', 'sg_event')"
            (count,) = opened.execute(tables).fetchone()
    except sqlite3.Error as error:
        return f"cannot be read: {error}"
    return None if count == 2 else "has no saga tables"


def _problem(answer: Answer) -> Refused | Unknown:
    try:
        content = json.loads(answer.body)
        code, detail = str(content["code"]), str(content.get("detail") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return Unknown("UNREADABLE", f"the service answered {answer.status}")
    if answer.status >= 500:
        return Unknown(code, f"{code}: {detail}")
    errors = content.get("errors")
    return Refused(code, detail, facts={"errors": errors} if errors else None)


def _actor() -> str:
    """Who types this, as the operating system knows them."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = "unknown"
    return f"cli:{name}".encode("ascii", "replace").decode()[:100]
