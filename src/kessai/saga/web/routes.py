"""Lists, shows and draws instances, and takes operators' orders."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query
from starlette.responses import Response

from kessai.kernel.errors import Invalid, Kind, NotFound, Refused
from kessai.kernel.telemetry import get_log
from kessai.saga.graph import to_mermaid, to_svg
from kessai.saga.history import NotStorable, Operation
from kessai.saga.log import Filter
from kessai.saga.port import Params, SagaEngine, Steer
from kessai.saga.records import Records
from kessai.saga.steering import Order
from kessai.saga.web import present
from kessai.saga.web.models import (
    ListQuery,
    OrderBody,
    Ordered,
    SagaPage,
    SagaView,
    Timeline,
)

PREFIX = "/internal/sagas"
ACTOR_HEADER = "X-Kessai-Actor"
ROLE_HEADER = "X-Kessai-Role"
_READERS = ("operator", "viewer")
_ACTOR_LENGTH = 100
_PICTURE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
_log = get_log("kessai.saga")

InstanceId = Annotated[str, Path(max_length=64)]


class Format(StrEnum):
    SVG = "svg"
    MERMAID = "mermaid"


def operator_routes(
    engine: SagaEngine, records: Records, *, token: str, prefix: str = PREFIX
) -> APIRouter:
    """For a private port: the caller has the service token and names whom it speaks for.

    `records` reads the log that `engine` writes. `X-Kessai-Role` is operator, or viewer for what
    changes nothing; `X-Kessai-Actor` is kept with every order.
    """
    reader, operator = _guards(token)
    router = APIRouter(prefix=prefix, tags=["sagas"], dependencies=[Depends(reader)])
    _add_looks(router, records)
    orders: dict[Operation, Steer] = {
        Operation.FORWARD: engine.forward,
        Operation.COMPENSATE: engine.compensate,
        Operation.SKIP: engine.skip,
    }
    for operation, steer in orders.items():
        router.add_api_route(
            f"/{{instance_id}}/{operation.value}",
            _ordering(operation, steer, records, operator),
            methods=["POST"],
            response_model=Ordered,
            summary=f"{operation.value} an instance",
        )
    return router


def _add_looks(router: APIRouter, records: Records) -> None:
    @router.get("", response_model=SagaPage)
    async def sagas(query: Annotated[ListQuery, Query()]) -> SagaPage:
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
        return present.page(await records.list(wanted, stale=query.stale))

    @router.get("/{instance_id}", response_model=SagaView)
    async def show(instance_id: InstanceId) -> SagaView:
        return present.saga(await records.find(instance_id), records)

    @router.get("/{instance_id}/timeline", response_model=Timeline)
    async def timeline(instance_id: InstanceId) -> Timeline:
        return present.timeline(await records.find(instance_id))

    @router.get("/{instance_id}/graph", response_class=Response)
    async def graph(instance_id: InstanceId, format: Format = Format.SVG) -> Response:
        record = await records.find(instance_id)
        if record.machine is None or record.run is None:
            raise NotFound(f"no definition of {record.row.name!r} that fits is loaded here")
        outcome = present.outcome(present.saga(record, records).states)
        if format is Format.MERMAID:
            text = to_mermaid(record.machine, outcome)
            return Response(text, media_type="text/plain", headers=_PICTURE_HEADERS)
        text = to_svg(record.machine, outcome)
        return Response(text, media_type="image/svg+xml", headers=_PICTURE_HEADERS)


def _ordering(
    operation: Operation,
    steer: Steer,
    records: Records,
    operator: Callable[..., Awaitable[str]],
) -> Callable[..., Awaitable[Ordered]]:
    async def order(
        instance_id: InstanceId, body: OrderBody, actor: str = Depends(operator)
    ) -> Ordered:
        placed = Order(actor=actor, reason=body.reason, version=body.version)
        changed = await _obeyed(steer, instance_id, body.params, placed)
        _log.info(
            "saga.ordered",
            instance_id=instance_id,
            operation=operation.value,
            actor=actor,
            changed=changed,
        )
        saga = present.saga(await records.find(instance_id), records)
        return Ordered(changed=changed, saga=saga)

    return order


async def _obeyed(steer: Steer, instance_id: str, params: Params, order: Order) -> bool:
    try:
        return await steer(instance_id, params, order=order)
    except NotStorable as error:
        raise Invalid("params", "NOT_STORABLE", str(error)) from error
    except LookupError as error:
        message = f"no definition that fits instance {instance_id} is loaded here"
        raise Refused("OPERATION_DENIED", message) from error


def _guards(
    token: str,
) -> tuple[Callable[..., Awaitable[None]], Callable[..., Awaitable[str]]]:
    expected = f"Bearer {token}".encode()

    async def reader(
        authorization: Annotated[str, Header()] = "",
        role: Annotated[str, Header(alias=ROLE_HEADER)] = "",
    ) -> None:
        if not hmac.compare_digest(authorization.encode(), expected):
            raise Refused("FORBIDDEN", "a service token is required", kind=Kind.FORBIDDEN)
        if role not in _READERS:
            raise Refused("FORBIDDEN", "operators and viewers only", kind=Kind.FORBIDDEN)

    async def operator(
        role: Annotated[str, Header(alias=ROLE_HEADER)] = "",
        actor: Annotated[str, Header(alias=ACTOR_HEADER)] = "",
    ) -> str:
        if role != "operator":
            raise Refused("FORBIDDEN", "operators only", kind=Kind.FORBIDDEN)
        if not 0 < len(actor) <= _ACTOR_LENGTH or not actor.isprintable():
            raise Refused("FORBIDDEN", "the actor is not named", kind=Kind.FORBIDDEN)
        return actor

    return reader, operator
