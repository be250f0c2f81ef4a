"""`forward`, `compensate` and `skip`: an order with its reason, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from kessai.cli.errors import complaint
from kessai.cli.saga import look
from kessai.cli.saga.given import params_of
from kessai.cli.saga.paper import paper, print_json, say, stop
from kessai.cli.saga.source import Served, attempt, served
from kessai.kernel.clock import SystemClock
from kessai.kernel.errors import JsonValue
from kessai.saga.web.models import OrderBody, Ordered, SagaView

_LOOK_S = 0.2


def order(
    operation: str,
    instance_id: str,
    reason: str,
    version: int | None,
    latest: bool,
    params: tuple[Sequence[str], str | None],
    wait_s: float,
    as_json: bool,
) -> None:
    if (version is None) is not latest:
        stop("give either --version N, which you saw, or --latest")
    given = params_of(params)

    async def place() -> None:
        async with served() as service:
            seen = version
            if seen is None:
                before = await service.show(instance_id)
                if not as_json:
                    paper().print(look.saga(before, SystemClock().now()))
                seen = before.version
            body = _body(reason, seen, given)
            ordered = await service.order(operation, instance_id, body)
            after = await _settled(service, ordered, wait_s)
        if as_json:
            print_json(Ordered(changed=ordered.changed, saga=after))
            return
        say(f"{operation}: {'done' if ordered.changed else 'there was nothing to do'}")
        paper().print(look.saga(after, SystemClock().now()))

    attempt(place())


def _body(reason: str, version: int, params: Mapping[str, JsonValue]) -> OrderBody:
    try:
        return OrderBody.model_validate({"reason": reason, "version": version, "params": params})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        stop(f"--{first['loc'][0]}: {complaint(first)}")


async def _settled(service: Served, ordered: Ordered, wait_s: float) -> SagaView:
    """As it is once it does not run any more, or once the time is up."""
    saga = ordered.saga
    deadline_s = asyncio.get_running_loop().time() + wait_s
    while saga.running and asyncio.get_running_loop().time() < deadline_s:
        await asyncio.sleep(_LOOK_S)
        saga = await service.show(saga.id)
    return saga
