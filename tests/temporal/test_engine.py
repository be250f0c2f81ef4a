"""The engine's port on Temporal: starts, steps, operators' orders, and what is refused."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.saga.world import NOTE, UNKNOWN_AGAIN, a_machine, a_task, order_saga
from tests.support.kernel import eventually
from tests.temporal.server import Server, dev_server, free_ports
from tests.temporal.world import Scene, a_scene

from kessai.kernel.errors import NotFound, Refused, Unknown
from kessai.saga import EngineLimits, Filter, Order
from kessai.saga.log.tables import SG_ANSWER, SG_INTENT
from kessai.saga.temporal.starting import workflow_id

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

# Silence ends it at once.
IMPATIENT = order_saga(Pay={"Retry": []})
OPERATOR = Order(actor="op", reason="looked at it")


async def count(scene: Scene, table: object) -> int:
    async with scene.db.read() as tx:
        found = (await tx.run(select(func.count()).select_from(table))).scalar()  # type: ignore[arg-type]
    assert isinstance(found, int)
    return found


async def test_a_saga_runs_and_its_rows_are_in_the_database(server: Server) -> None:
    async with a_scene(server.url, [order_saga()]) as scene:
        outcome = await scene.run("order", "o-1", orderId="o-1")
        assert (outcome.status, outcome.compensation) == ("SU", None)
        assert scene.shop.done == ["reserve", "pay", "ship"]
        (row,) = await scene.engine.list(Filter(business_key="o-1"))
        assert (row.running, row.status, row.owner) == (0, "SU", "temporal:default")
        _, run, events = await scene.engine.inspect(outcome.instance_id)
        assert [step.name for step in run.steps.values()] == ["Reserve", "Pay", "Ship"]
        assert [one.kind for one in events] == ["start", "step", "step", "end"]
        assert await count(scene, SG_INTENT) == 0


async def test_a_refusal_undoes_what_was_done_last_step_first(server: Server) -> None:
    async with a_scene(server.url, [order_saga()]) as scene:
        scene.shop.plan["ship"] = [Refused("NO_COURIER")]
        outcome = await scene.run("order", "o-1", orderId="o-1")
        assert (outcome.status, outcome.compensation) == ("UN", "SU")
        assert scene.shop.done == ["reserve", "pay", "refund", "release", "fail"]


async def test_silence_is_asked_again_with_the_same_token(server: Server) -> None:
    machine = order_saga(Pay={"Retry": [UNKNOWN_AGAIN]})
    async with a_scene(server.url, [machine]) as scene:
        scene.shop.plan["pay"] = [Unknown("SILENT"), Unknown("SILENT"), "ok"]
        outcome = await scene.run("order", "o-1", orderId="o-1")
        assert outcome.status == "SU"
        tokens = [token for method, token in scene.shop.asked if method == "pay"]
        assert len(tokens) == 3
        assert len(dict.fromkeys(tokens)) == 1


async def test_a_saga_whose_transaction_fails_never_runs(server: Server) -> None:
    async with a_scene(server.url, [order_saga()]) as scene:
        with pytest.raises(RuntimeError):  # noqa: PT012
            async with scene.db.transaction() as tx:
                await scene.engine.start(tx, "order", "o-1", {"orderId": "o-1"})
                raise RuntimeError("the order is not written")
        await scene.engine.tick()
        assert await scene.engine.find("order", "o-1") is None
        assert await count(scene, SG_INTENT) == 0
        # The key is free: nothing of the first one is left anywhere.
        assert (await scene.run("order", "o-1", orderId="o-1")).status == "SU"
        assert scene.shop.done == ["reserve", "pay", "ship"]


async def test_a_business_key_is_started_once(server: Server) -> None:
    async with a_scene(server.url, [order_saga()]) as scene:
        first = await scene.run("order", "o-1", orderId="o-1")
        with pytest.raises(Refused, match="was started"):
            await scene.engine.begin("order", {}, business_key="o-1")
        async with scene.db.transaction() as tx:
            again = await scene.engine.start_once(tx, "order", "o-1", {})
        assert again == first.instance_id
        assert scene.shop.done == ["reserve", "pay", "ship"]


async def test_an_unknown_step_waits_for_an_operator_who_goes_forward(server: Server) -> None:
    async with a_scene(server.url, [IMPATIENT]) as scene:
        scene.shop.plan["pay"] = [Unknown("SILENT")]
        outcome = await scene.run("order", "o-1", orderId="o-1")
        assert (outcome.status, outcome.needs_operator) == ("UN", True)
        (row,) = await scene.engine.list(Filter(needs_operator=True))
        assert await scene.engine.forward(row.id, {}, order=OPERATOR)
        after = await scene.end(row.id)
        assert (after.status, after.needs_operator) == ("SU", False)
        tokens = [token for method, token in scene.shop.asked if method == "pay"]
        assert tokens[0] == tokens[1], "its effect was not known, so it is the same question"
        _, _, events = await scene.engine.inspect(row.id)
        (claim,) = [one for one in events if one.kind == "claim"]
        assert claim.body["by"] == {"actor": "op", "reason": "looked at it"}


@pytest.mark.parametrize(
    ("operation", "status", "compensation", "done"),
    [
        ("compensate", "UN", "SU", ["reserve", "refund", "release"]),
        ("skip", "SU", None, ["reserve", "ship"]),
    ],
)
async def test_an_operator_may_also_undo_or_skip(
    server: Server, operation: str, status: str, compensation: str | None, done: list[str]
) -> None:
    async with a_scene(server.url, [IMPATIENT]) as scene:
        scene.shop.plan["pay"] = [Unknown("SILENT")]
        outcome = await scene.run("order", "o-1", orderId="o-1")
        order = getattr(scene.engine, operation)
        assert await order(outcome.instance_id, {}, order=OPERATOR)
        after = await scene.end(outcome.instance_id)
        assert (after.status, after.compensation) == (status, compensation)
        assert scene.shop.done == done


async def test_an_order_for_another_version_or_a_running_one_is_refused(server: Server) -> None:
    async with a_scene(server.url, [IMPATIENT]) as scene:
        scene.shop.plan["pay"] = [Unknown("SILENT")]
        outcome = await scene.run("order", "o-1", orderId="o-1")
        stale = Order(actor="op", reason="late", version=1)
        with pytest.raises(Refused) as refused:
            await scene.engine.forward(outcome.instance_id, {}, order=stale)
        assert refused.value.code == "VERSION_CONFLICT"
        with pytest.raises(NotFound):
            await scene.engine.forward("nobody", {})


async def test_what_has_ended_is_opened_again_by_an_order(server: Server) -> None:
    async with a_scene(server.url, [order_saga()]) as scene:
        outcome = await scene.run("order", "o-1", orderId="o-1")
        assert outcome.status == "SU"
        assert await scene.engine.compensate(outcome.instance_id, {}, order=OPERATOR)
        after = await scene.end(outcome.instance_id)
        assert after.compensation == "SU"
        assert scene.shop.done[:5] == ["reserve", "pay", "ship", "refund", "release"]
        # Nothing left to undo: the order leaves its trace, and changes nothing.
        assert not await scene.engine.compensate(outcome.instance_id, {}, order=OPERATOR)
        _, _, events = await scene.engine.inspect(outcome.instance_id)
        assert events[-1].kind == "note"


async def test_unknown_ends_are_driven_again_before_a_person_is_asked(server: Server) -> None:
    limits = EngineLimits(lease_s=1.0, redrives=3, redrive_first_s=0.1, redrive_max_s=0.2)
    async with a_scene(server.url, [IMPATIENT], limits) as scene:
        scene.shop.plan["pay"] = [Unknown("SILENT"), Unknown("SILENT"), "ok"]
        outcome = await scene.run("order", "o-1", orderId="o-1")
        assert (outcome.status, outcome.needs_operator) == ("SU", False)
        (row,) = await scene.engine.list(Filter())
        assert row.redrives == 2


async def test_a_local_step_is_done_once_and_its_failure_leaves_nothing(server: Server) -> None:
    write = {
        "Type": "ServiceTask",
        "ServiceName": "notes",
        "ServiceMethod": "write",
        "Input": ["$.[orderId]"],
        "Retry": [UNKNOWN_AGAIN],
    }
    machine = a_machine({"Write": {**write, "Next": "Ship"}, "Ship": a_task("ship")}, name="note")
    async with a_scene(server.url, [machine]) as scene:
        scene.notes.plan = [Unknown("SILENT"), ValueError("a mistake")]
        outcome = await scene.run("note", "n-1", orderId="n-1")
        assert outcome.needs_operator
        assert await count(scene, NOTE) == 0
        assert await scene.engine.forward(outcome.instance_id, {}, order=OPERATOR)
        assert (await scene.end(outcome.instance_id)).status == "SU"
        assert await count(scene, NOTE) == 1
        # What it answered is kept under the question, however often that is sent.
        assert await count(scene, SG_ANSWER) == 3


async def test_sub_machines_run_within_and_are_steered_through_their_saga(server: Server) -> None:
    sub = {
        "Type": "SubStateMachine",
        "StateMachineName": "packing",
        "Input": [{"orderId": "$.[orderId]"}],
        "Next": "Ship",
    }
    refused = [{"Exceptions": ["Refused"], "Next": "Undo"}]
    outer = a_machine(
        {
            "Pack": sub,
            "Ship": a_task("ship", Catch=refused),
            "Undo": {"Type": "CompensationTrigger"},
        },
        name="outer",
    )
    packing = a_machine(
        {"Box": a_task("reserve", CompensateState="Unbox"), "Unbox": a_task("release")},
        name="packing",
    )
    async with a_scene(server.url, [outer, packing]) as scene:
        scene.shop.plan["ship"] = [Refused("NO_COURIER")]
        outcome = await scene.run("outer", "o-1", orderId="o-1")
        assert outcome.compensation == "SU"
        assert scene.shop.done == ["reserve", "release"]
        rows = {row.name: row for row in await scene.engine.list(Filter())}
        child = rows["packing"]
        assert child.parent_id is not None
        assert (child.status, child.compensation) == ("SU", "SU")
        with pytest.raises(Refused, match="through the saga that called it"):
            await scene.engine.forward(child.id, {})


async def test_a_running_saga_shows_more_than_the_database_has(server: Server) -> None:
    machine = order_saga(Pay={"Retry": [{**UNKNOWN_AGAIN, "MaxAttempts": 1_000}]})
    async with a_scene(server.url, [machine]) as scene:
        scene.shop.plan["pay"] = [Unknown("SILENT") for _ in range(1_000)]
        instance_id = await scene.engine.begin("order", {"orderId": "o-1"}, business_key="o-1")
        await eventually(lambda: len(scene.shop.asked) > 4, within_s=20)
        record = await scene.engine.records.find(instance_id)
        assert record.run is not None
        assert [step.status for step in record.run.steps.values()] == ["SU", "RU"]
        assert record.run.steps[2].attempt > 1
        assert record.row.running
        with pytest.raises(Refused) as refused:
            await scene.engine.forward(instance_id, {}, order=OPERATOR)
        assert refused.value.code == "SAGA_RUNNING"
        scene.shop.plan["pay"] = []
        assert (await scene.end(instance_id)).status == "SU"


async def test_what_was_started_while_temporal_was_away_runs_once_it_is_back(
    tmp_path: Path,
) -> None:
    (port,) = free_ports(1)
    with ExitStack() as away:
        first = away.enter_context(dev_server(tmp_path, port, "temporal.db"))
        async with a_scene(first.url, [order_saga()]) as scene:
            assert (await scene.run("order", "o-1", orderId="o-1")).status == "SU"
            away.close()
            instance_id = await scene.engine.begin("order", {"orderId": "o-2"}, business_key="o-2")
            assert await scene.engine.wait(instance_id, 1.0) is None
            assert await count(scene, SG_INTENT) == 1
            away.enter_context(dev_server(tmp_path, port, "temporal.db"))
            assert (await scene.end(instance_id)).status == "SU"
            assert scene.shop.done == ["reserve", "pay", "ship"] * 2
            await eventually(lambda: no_intents(scene), within_s=30)


async def no_intents(scene: Scene) -> bool:
    return await count(scene, SG_INTENT) == 0


async def test_a_long_history_is_gone_on_with_in_a_new_one(server: Server) -> None:
    machine = order_saga(Pay={"Retry": [{**UNKNOWN_AGAIN, "MaxAttempts": 1_000}]})
    async with a_scene(server.url, [machine]) as scene:
        scene.shop.plan["pay"] = [Unknown("SILENT") for _ in range(15)]
        outcome = await scene.run("order", "o-1", orderId="o-1")
        assert outcome.status == "SU"
        assert scene.shop.done == ["reserve", "pay", "ship"]
        tokens = [token for method, token in scene.shop.asked if method == "pay"]
        assert len(tokens) == 16
        assert len(dict.fromkeys(tokens)) == 1
        _, run, events = await scene.engine.inspect(outcome.instance_id)
        assert len(events) == 4 + 15
        assert run.steps[2].attempt == 16
        history = await scene.history(outcome.instance_id)
        begun = history.events[0].workflow_execution_started_event_attributes
        assert begun.continued_execution_run_id, "it went on in a history of its own"


async def test_a_workflow_that_somebody_ended_is_begun_anew(server: Server) -> None:
    machine = order_saga(Pay={"Retry": [{**UNKNOWN_AGAIN, "MaxAttempts": 1_000}]})
    async with a_scene(server.url, [machine]) as scene:
        scene.shop.plan["pay"] = [Unknown("SILENT") for _ in range(1_000)]
        instance_id = await scene.engine.begin("order", {"orderId": "o-1"}, business_key="o-1")
        await eventually(lambda: len(scene.shop.asked) > 3, within_s=20)
        (row,) = await scene.engine.list(Filter())
        await scene.engine.client.get_workflow_handle(workflow_id(row)).terminate("by hand")
        scene.shop.plan["pay"] = []
        assert await scene.engine.wait(instance_id, 1.0) is None
        await scene.engine.starter.look_for_lost(after_ms=0)
        assert (await scene.end(instance_id)).status == "SU"
        # From the rows that the database has, under the tokens of before: no effect twice.
        assert scene.shop.done == ["reserve", "pay", "ship"]


async def test_without_a_log_it_is_refused(server: Server) -> None:
    machine = a_machine({"A": a_task("reserve")}, name="quiet", IsPersist=False)
    async with a_scene(server.url, [machine]) as scene:
        with pytest.raises(Refused) as refused:
            await scene.engine.begin("quiet", {})
        assert refused.value.code == "SAGA_NOT_DURABLE"
