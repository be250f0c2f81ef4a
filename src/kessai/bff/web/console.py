"""The operators' routes: alerts with their evidence, what is done about them, and their stream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import StreamingResponse
from starlette.requests import HTTPConnection

from kessai.bff.domain import Session
from kessai.bff.web.door import Door, reply
from kessai.bff.web.feed import AlertFeed
from kessai.bff.web.models import ActBody, AssignBody, NoteBody
from kessai.contracts.account import Role, UserById
from kessai.contracts.alert import (
    MAX_PAGE,
    ActOnAlert,
    AlertById,
    AlertDetail,
    AlertPage,
    AlertRow,
    AlertStatus,
    AssignAlert,
    ListAlerts,
    NoteAlert,
    RemedyAlert,
    RemedyDone,
    Severity,
)
from kessai.contracts.order import Remedy
from kessai.kernel.errors import Kind, NotFound, Refused, Unknown

_log = structlog.get_logger(__name__)

HEARTBEAT_S = 10.0
READ_AGAIN_S = 0.5
# How long a browser waits before it comes back.
RETRY_MS = 3_000
_READERS = (Role.OPERATOR, Role.VIEWER)
_ALERT_ID = re.compile(r"[0-9a-z]{26}")
_ACTOR_LENGTH = 60
_MOST = 2**53 - 1
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_STREAM_ANSWER = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


@dataclass(frozen=True, slots=True)
class Guard:
    """Who may be here, by the role that account-service knows now, not by the session's age."""

    door: Door

    async def reader(self, connection: HTTPConnection) -> Session:
        session = await self.door.session(connection)
        await self.check(session, *_READERS)
        return session

    async def operator(self, connection: HTTPConnection) -> str:
        """Under what name an act is kept."""
        session = await self.door.session(connection)
        await self.check(session, Role.OPERATOR)
        name = session.email or ""
        return name if 0 < len(name) <= _ACTOR_LENGTH else session.user_id[:_ACTOR_LENGTH]

    async def check(self, session: Session, *roles: Role) -> None:
        account = await self.door.accounts.get_account(UserById(user_id=session.user_id))
        if account.role not in roles:
            words = " and ".join(f"{role.value}s" for role in roles)
            raise Refused("FORBIDDEN", f"{words} only", kind=Kind.FORBIDDEN)


def console_routes(door: Door, feed: AlertFeed) -> APIRouter:
    router = APIRouter(prefix="/api/console/alerts", tags=["console"])
    guard = Guard(door)
    # Before the looks: the stream's name is no alert's id.
    _add_stream(router, guard, feed)
    _add_looks(router, guard)
    _add_acts(router, guard, feed)
    return router


def _add_looks(router: APIRouter, guard: Guard) -> None:
    alerts = guard.door.alerts

    @router.get("", response_model=AlertPage, dependencies=[Depends(guard.reader)])
    async def list_alerts(
        status: AlertStatus | None = None,
        rule: Annotated[str | None, Query(max_length=10)] = None,
        severity: Severity | None = None,
        order_id: Annotated[str | None, Query(alias="orderId", max_length=64)] = None,
        assignee: Annotated[str | None, Query(max_length=64)] = None,
        cursor: Annotated[str | None, Query(pattern="^[0-9a-z]{26}$")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    ) -> Response:
        asked = ListAlerts(
            status=status,
            rule=rule,
            severity=severity,
            order_id=order_id,
            assignee=assignee,
            cursor=cursor,
            limit=limit,
        )
        return reply(await alerts.list_alerts(asked))

    @router.get("/{alert_id}", response_model=AlertDetail, dependencies=[Depends(guard.reader)])
    async def show(alert_id: str) -> Response:
        return reply(await alerts.get_alert(AlertById(alert_id=_known(alert_id))))


def _add_acts(router: APIRouter, guard: Guard, feed: AlertFeed) -> None:
    alerts = guard.door.alerts

    @router.post("/{alert_id}/ack", response_model=AlertRow)
    async def acknowledge(
        alert_id: str, body: ActBody, actor: str = Depends(guard.operator)
    ) -> Response:
        return told(await alerts.acknowledge_alert(_act(alert_id, body, actor)))

    @router.post("/{alert_id}/assign", response_model=AlertRow)
    async def assign(
        alert_id: str, body: AssignBody, actor: str = Depends(guard.operator)
    ) -> Response:
        command = AssignAlert(
            **_act(alert_id, body, actor).model_dump(), assignee=body.assignee or None
        )
        return told(await alerts.assign_alert(command))

    @router.post("/{alert_id}/note", response_model=AlertRow)
    async def note(alert_id: str, body: NoteBody, actor: str = Depends(guard.operator)) -> Response:
        command = NoteAlert(**_act(alert_id, body, actor).model_dump(), note=body.note)
        return told(await alerts.note_alert(command))

    @router.post("/{alert_id}/resolve", response_model=AlertRow)
    async def resolve(
        alert_id: str, body: ActBody, actor: str = Depends(guard.operator)
    ) -> Response:
        return told(await alerts.resolve_alert(_act(alert_id, body, actor)))

    @router.post("/{alert_id}/remedy/{name}", response_model=RemedyDone)
    async def remedy(
        alert_id: str, name: Remedy, body: ActBody, actor: str = Depends(guard.operator)
    ) -> Response:
        command = RemedyAlert(**_act(alert_id, body, actor).model_dump(), remedy=name)
        return told(await alerts.remedy_alert(command))

    def told(done: AlertRow | RemedyDone) -> Response:
        feed.nudge()
        return reply(done)


def _add_stream(router: APIRouter, guard: Guard, feed: AlertFeed) -> None:
    @router.get("/stream", response_class=StreamingResponse, responses=_STREAM_ANSWER)  # type: ignore[arg-type]
    async def stream(
        after: Annotated[int | None, Query(ge=0, le=_MOST)] = None,
        last_event_id: Annotated[int | None, Header(ge=0, le=_MOST)] = None,
        session: Session = Depends(guard.reader),
    ) -> Response:
        """Server-sent events: `ready` once, then `alert` for each change; ids grow.

        `Last-Event-ID` goes on where a connection broke, `after` where a list ended (`change`).
        """
        begin = last_event_id if last_event_id is not None else after
        if not feed.admit(session.user_id):
            raise Refused("TOO_MANY_REQUESTS", kind=Kind.TOO_MANY, retry_after_s=5)
        events = _followed(guard, feed, session, begin)
        return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


async def _followed(
    guard: Guard, feed: AlertFeed, session: Session, begin: int | None
) -> AsyncIterator[str]:
    try:
        async for event in _events(guard, feed, session, begin):
            yield event
    finally:
        feed.dismiss(session.user_id)
        _log.debug("alerts.left", user_id=session.user_id)


async def _events(
    guard: Guard, feed: AlertFeed, session: Session, begin: int | None
) -> AsyncIterator[str]:
    after: int | None = None
    quiet_s, loop = 0.0, asyncio.get_running_loop()
    checked_s = loop.time()
    while not feed.is_closing:
        pulse = feed.pulse
        try:
            if after is None:
                after = await _first(feed, begin)
                yield f"retry: {RETRY_MS}\n" + _event("ready", after, f'{{"change":{after}}}')
            rows = await feed.read(after)
        except Unknown:
            # The stream is there already: it goes on as soon as alert-service answers.
            rows, quiet_s = (), READ_AGAIN_S
        else:
            quiet_s = HEARTBEAT_S
        for row in rows:
            after = row.change
            yield _event("alert", after, row.model_dump_json(by_alias=True))
        if loop.time() - checked_s >= HEARTBEAT_S:
            checked_s = loop.time()
            if not await _may_stay(guard, session):
                yield _event("end", after, "{}")
                return
            yield ": heartbeat\n\n"
        if not rows and not feed.is_closing:
            await _wait(pulse, min(quiet_s, checked_s + HEARTBEAT_S - loop.time()))


async def _first(feed: AlertFeed, begin: int | None) -> int:
    """Where to go on. What is beyond the end was told of another table: then from its end."""
    head = await feed.head()
    return head if begin is None else min(begin, head)


async def _wait(pulse: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await pulse.wait()
    except TimeoutError:
        return


async def _may_stay(guard: Guard, session: Session) -> bool:
    """Without an answer nobody is sent away: the next heartbeat asks again."""
    try:
        if await guard.door.sessions.peek(session.key) is None:
            return False
        await guard.check(session, *_READERS)
    except Refused:
        return False
    except Unknown as error:
        _log.warning("alerts.unchecked", code=error.code)
    return True


def _event(name: str, id_: int | None, data: str) -> str:
    """JSON has no line breaks of its own, so it is one line of data."""
    return f"{f'id: {id_}{chr(10)}' if id_ is not None else ''}event: {name}\ndata: {data}\n\n"


def _act(alert_id: str, body: ActBody, actor: str) -> ActOnAlert:
    return ActOnAlert(
        alert_id=_known(alert_id), version=body.version, actor=actor, reason=body.reason
    )


def _known(alert_id: str) -> str:
    if not _ALERT_ID.fullmatch(alert_id):
        raise NotFound("no such alert")
    return alert_id
