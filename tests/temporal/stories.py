"""Sagas that make every kind of entry in a workflow's history, for the replays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.saga.world import UNKNOWN_AGAIN, a_machine, a_task, order_saga
from tests.temporal.world import Scene

from kessai.kernel.errors import Refused, Unknown
from kessai.saga import Machine, Order

OPERATOR = Order(actor="op", reason="looked at it")
REFUSED = [{"Exceptions": ["Refused"], "Next": "Undo"}]


def machines() -> list[Machine]:
    loop = {"Collection": "$.[all]", "Parallel": 2}
    bulk = {
        "Note": {
            "Type": "ServiceTask",
            "ServiceName": "notes",
            "ServiceMethod": "write",
            "Input": ["$.[orderId]"],
            "Next": "Each",
        },
        "Each": a_task("reserve", Next="Pack", CompensateState="Release", Loop=loop),
        "Pack": {
            "Type": "SubStateMachine",
            "StateMachineName": "packing",
            "Input": [{"orderId": "$.[orderId]"}],
            "Next": "Ship",
        },
        "Ship": a_task("ship", Catch=REFUSED),
        "Release": a_task("release"),
        "Undo": {"Type": "CompensationTrigger"},
    }
    packing = {
        "Box": a_task("pay", CompensateState="Unbox"),
        "Unbox": a_task("refund"),
    }
    impatient = order_saga(Pay={"Retry": []}, machine={"Name": "impatient"})
    return [
        order_saga(Pay={"Retry": [UNKNOWN_AGAIN]}),
        impatient,
        a_machine(bulk, name="bulk"),
        a_machine(packing, name="packing"),
    ]


async def retried(scene: Scene) -> str:
    scene.shop.plan["pay"] = [Unknown("SILENT"), "ok"]
    return (await scene.run("order", "retried", orderId="o")).instance_id


async def undone(scene: Scene) -> str:
    scene.shop.plan["ship"] = [Refused("NO_COURIER")]
    return (await scene.run("order", "undone", orderId="o")).instance_id


async def loops_and_sub_machines(scene: Scene) -> str:
    scene.shop.plan["ship"] = [Refused("NO_COURIER")]
    return (await scene.run("bulk", "loops", orderId="o", all=[1, 2, 3])).instance_id


async def steered(scene: Scene) -> str:
    scene.shop.plan["pay"] = [Unknown("SILENT"), Unknown("SILENT")]
    instance_id = (await scene.run("impatient", "steered", orderId="o")).instance_id
    await scene.engine.forward(instance_id, {}, order=OPERATOR)
    assert (await scene.end(instance_id)).needs_operator
    await scene.engine.compensate(instance_id, {}, order=OPERATOR)
    assert (await scene.end(instance_id)).compensation == "SU"
    return instance_id


STORIES: dict[str, Callable[[Scene], Awaitable[str]]] = {
    one.__name__: one for one in (retried, undone, loops_and_sub_machines, steered)
}
