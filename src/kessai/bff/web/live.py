"""The live channel: a socket for each open order page, pushed when its order's view changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from kessai.bff.domain import Session
from kessai.bff.web import present
from kessai.bff.web.door import Door
from kessai.bff.web.models import Subscribe
from kessai.contracts.events import OrderViewChanged, read_order_event
from kessai.contracts.moves import FINAL_ORDER
from kessai.contracts.order import OrderById
from kessai.kernel.bus import Record
from kessai.kernel.errors import Refused, Unknown

_log = structlog.get_logger(__name__)

FIRST_FRAME_S = 5.0
HEARTBEAT_S = 10.0
# What could not be read when it changed is read again; a heartbeat would be late.
READ_AGAIN_S = 0.5
MAX_FRAME = 4096
MAX_SOCKETS = 5_000
MAX_SOCKETS_OF_USER = 20

UNAUTHORIZED = 4401
FORBIDDEN = 4403
TOO_SLOW = 4408
TOO_MANY = 4429
BAD_FRAME = 4400
TRY_LATER = 1013


class Channel:
    """One subscribed socket: it remembers the last sequence, so nothing repeats."""

    def __init__(self, order_id: str, last_sequence: int) -> None:
        self.order_id = order_id
        self.last_sequence = last_sequence
        self.changed = asyncio.Event()


class Hub:
    """Who watches which order on this instance. An event wakes the watchers; they read anew."""

    def __init__(self) -> None:
        self._channels: dict[str, list[Channel]] = {}
        self._sockets: dict[str, int] = {}

    @property
    def count(self) -> int:
        return sum(self._sockets.values())

    def admit(self, user_id: str) -> bool:
        mine = self._sockets.get(user_id, 0)
        if mine >= MAX_SOCKETS_OF_USER or self.count >= MAX_SOCKETS:
            return False
        self._sockets[user_id] = mine + 1
        return True

    def dismiss(self, user_id: str) -> None:
        left = self._sockets[user_id] - 1
        if left:
            self._sockets[user_id] = left
        else:
            del self._sockets[user_id]

    def watch(self, channel: Channel) -> None:
        self._channels.setdefault(channel.order_id, []).append(channel)

    def forget(self, channel: Channel) -> None:
        watching = self._channels.get(channel.order_id, [])
        if channel in watching:
            watching.remove(channel)
        if not watching:
            self._channels.pop(channel.order_id, None)

    async def on_record(self, record: Record) -> None:
        """Every instance reads all order events; it acts on those that somebody here watches."""
        if record.key not in self._channels:
            return
        event = read_order_event(record.value)
        if isinstance(event, OrderViewChanged):
            for channel in self._channels.get(event.aggregate_id, ()):
                channel.changed.set()


def live_routes(door: Door, hub: Hub) -> APIRouter:
    router = APIRouter()

    @router.websocket("/ws/orders")
    async def orders(socket: WebSocket) -> None:
        session = await _admit(door, hub, socket)
        if session is None:
            return
        try:
            await _serve(door, hub, socket, session)
        except (WebSocketDisconnect, RuntimeError):
            # Starlette raises RuntimeError for a send after the peer has gone.
            _log.debug("live.left", user_id=session.user_id)
        finally:
            hub.dismiss(session.user_id)

    return router


async def _admit(door: Door, hub: Hub, socket: WebSocket) -> Session | None:
    """The session of an acceptable handshake; everything else is closed with its code."""
    origin = socket.headers.get("origin")
    if origin is not None and origin != door.public_origin:
        await socket.close(FORBIDDEN)
        return None
    try:
        session = await door.sessions.find(door.sid(socket))
    except (Refused, Unknown) as error:
        await socket.accept()
        await socket.close(UNAUTHORIZED if isinstance(error, Refused) else TRY_LATER)
        return None
    await socket.accept()
    # A token in an address ends up in logs and histories, so it is not honoured there.
    if any("token" in name.lower() for name in socket.query_params):
        await socket.close(UNAUTHORIZED, "send the token in the first frame")
        return None
    if not hub.admit(session.user_id):
        await socket.close(TOO_MANY)
        return None
    return session


async def _serve(door: Door, hub: Hub, socket: WebSocket, session: Session) -> None:
    channel = await _subscribe(door, socket, session)
    if channel is None:
        return
    hub.watch(channel)
    # Subscribed first, read afterwards: a change in between is seen by one of the two.
    channel.changed.set()
    reading = asyncio.ensure_future(_read_until_closed(socket))
    pushing = asyncio.ensure_future(_push(door, socket, session, channel))
    try:
        await asyncio.wait({reading, pushing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.forget(channel)
        for task in (reading, pushing):
            task.cancel()
        await asyncio.gather(reading, pushing, return_exceptions=True)


async def _subscribe(door: Door, socket: WebSocket, session: Session) -> Channel | None:
    try:
        async with asyncio.timeout(FIRST_FRAME_S):
            text = await socket.receive_text()
    except TimeoutError:
        await socket.close(TOO_SLOW)
        return None
    except KeyError:
        await socket.close(BAD_FRAME)
        return None
    try:
        wish = Subscribe.model_validate_json(text[:MAX_FRAME])
    except ValidationError:
        await socket.close(BAD_FRAME)
        return None
    if not await door.sessions.redeem_pass(session, wish.orderId, wish.token):
        await socket.close(UNAUTHORIZED)
        return None
    return Channel(wish.orderId, wish.lastSequence if wish.lastSequence is not None else -1)


async def _read_until_closed(socket: WebSocket) -> None:
    """Later frames of a client carry nothing; a flood of them is bounded by the server's queue."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return


async def _push(door: Door, socket: WebSocket, session: Session, channel: Channel) -> None:
    """Sends each newer view once; between them a heartbeat that also looks at the session."""
    first = True
    final = False
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await channel.changed.wait()
        except TimeoutError:
            if await door.sessions.peek(session.key) is None:
                await socket.close(UNAUTHORIZED)
                return
            await socket.send_json({"type": "HEARTBEAT"})
            if final:
                continue
        channel.changed.clear()
        outcome = await _send_view(door, channel, socket.send_text, first=first)
        if outcome is not None:
            first, final = False, outcome
        else:
            await asyncio.sleep(READ_AGAIN_S)
            channel.changed.set()


async def _send_view(
    door: Door, channel: Channel, send: Callable[[str], Awaitable[None]], *, first: bool
) -> bool | None:
    """Whether the order is final; None when it could not be read."""
    try:
        order = await door.orders.view_order(OrderById(order_id=channel.order_id))
    except Unknown:
        return None
    if order.view_version > channel.last_sequence:
        frame = present.frame(order, first=first, now_ms=door.clock.now_ms())
        await send(frame.model_dump_json(by_alias=True))
        channel.last_sequence = order.view_version
    return order.status in FINAL_ORDER
