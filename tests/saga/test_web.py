"""The operators' door: lists, one instance, its timeline and picture, and orders with a reason."""

from __future__ import annotations

import asyncio
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from tests.saga.world import Shop, order_saga, prepare, run_virtual
from tests.support.storage import a_runtime
from tests.support.web import a_client
from tests.support.web import a_runtime as a_web_runtime

import kessai.order.main
from kessai.contracts.account import AccountService
from kessai.contracts.payment import PaymentService
from kessai.contracts.storage import StorageService
from kessai.kernel import telemetry
from kessai.kernel.app import create_app
from kessai.kernel.calls import absent
from kessai.kernel.chance import SeededChance
from kessai.kernel.db import Db, open_database
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.ids import RandomIds
from kessai.proof.virtual_time import VirtualClock
from kessai.saga import Engine, EngineLimits, Machine, load
from kessai.saga.log import SqlLog
from kessai.saga.records import Records
from kessai.saga.web import PREFIX, operator_routes, present
from kessai.saga.web.models import StateView

TOKEN = "token-of-the-test"
NOBODY = "0" * 26
WAITS = EngineLimits(redrives=0)


@dataclass
class Desk:
    """An engine in memory, and a browser in front of its door."""

    db: Db
    shop: Shop
    engine: Engine
    client: httpx2.AsyncClient
    machines: Sequence[Machine]

    async def begin(self, key: str = "o-1", machine: str = "order", **params: Any) -> str:
        await asyncio.sleep(0.001)  # ids of one millisecond have no order
        async with self.db.transaction() as tx:
            given = {"orderId": key, **params}
            instance_id = await self.engine.start(tx, machine, key, given)
        await self.engine.wait(instance_id, 30)
        return instance_id

    async def look(self, path: str = "", role: str = "viewer", **query: Any) -> Any:
        answer = await self.client.get(f"{PREFIX}{path}", params=query, headers=caller(role))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def order(self, operation: str, instance_id: str, body: Any) -> httpx2.Response:
        url = f"{PREFIX}/{instance_id}/{operation}"
        return await self.client.post(url, json=body, headers=caller("operator"))


def caller(role: str, actor: str = "uid-mei") -> dict[str, str]:
    return {
        "Authorization": f"Bearer {TOKEN}",
        "X-Kessai-Role": role,
        "X-Kessai-Actor": actor,
    }


def at_the_desk(
    story: Callable[[Desk], Awaitable[None]], *machines: Machine, limits: EngineLimits = WAITS
) -> None:
    async def main() -> None:
        db, shop, clock = await open_database("sqlite:"), Shop(), VirtualClock()
        prepare(db)
        chance = SeededChance(1)
        loaded = machines or (order_saga(),)
        engine = Engine(
            db, {"shop": shop}, loaded, clock, RandomIds(clock, chance), chance, "one", limits
        )
        records = Records(SqlLog(db), loaded, clock)
        app = create_app(
            title="order-service",
            runtime=a_web_runtime(),
            routers=[operator_routes(engine, records, token=TOKEN)],
        )
        await engine.tick()
        async with a_client(app) as client:
            await story(Desk(db, shop, engine, client, loaded))
        await engine.close()
        await db.close()

    run_virtual(main())


def codes(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_a_list_shows_the_newest_first_page_by_page_and_filters() -> None:
    async def story(desk: Desk) -> None:
        good = [await desk.begin(f"good-{n}") for n in range(3)]
        desk.shop.plan["pay"] = [Refused("NO_MONEY")]
        undone = await desk.begin("undone")
        desk.shop.plan["pay"] = [Unknown("NO_ANSWER")] * 4
        stuck = await desk.begin("stuck")

        everything = [stuck, undone, *reversed(good)]
        assert await ids(desk) == everything
        pages, cursor = [], None
        while True:
            page = await desk.look(limit=2, **after(cursor))
            pages.append([item["id"] for item in page["items"]])
            if (cursor := page["nextCursor"]) is None:
                break
        assert pages == [everything[:2], everything[2:4], everything[4:]]

        assert await ids(desk, status="SU") == list(reversed(good))
        assert await ids(desk, compensation="SU") == [undone]
        assert await ids(desk, needsOperator="true") == [stuck]
        assert await ids(desk, needsOperator="false", status="UN") == [undone]
        assert await ids(desk, businessKey="good-1") == [good[1]]
        assert await ids(desk, machine="order", running="true") == []
        assert await ids(desk, machine="other") == []
        (row,) = (await desk.look(businessKey="stuck"))["items"]
        assert (row["status"], row["compensation"], row["needsOperator"]) == ("UN", None, True)
        assert (row["machine"], row["machineVersion"], row["running"]) == ("order", "1", False)
        assert row["startedAt"] == "2026-01-15T03:00:00.005Z"
        for query in ({"limit": 0}, {"limit": 201}, {"status": "XX"}, {"colour": "red"}):
            answer = await desk.client.get(PREFIX, params=query, headers=caller("viewer"))
            assert codes(answer) == (422, "VALIDATION")

    at_the_desk(story)


def after(cursor: str | None) -> dict[str, Any]:
    return {} if cursor is None else {"cursor": cursor}


async def ids(desk: Desk, **query: Any) -> list[str]:
    return [item["id"] for item in (await desk.look(**query))["items"]]


def test_one_instance_shows_each_state_with_what_went_in_and_came_out() -> None:
    async def story(desk: Desk) -> None:
        desk.shop.plan["ship"] = [Unknown("LATE"), Refused("NO_COURIER", facts={"days": 3})]
        instance_id = await desk.begin()
        saga = await desk.look(f"/{instance_id}")

        assert (saga["status"], saga["compensation"], saga["operation"]) == ("UN", "SU", "start")
        assert (saga["defined"], saga["context"]["orderId"]) == (True, "o-1")
        assert (saga["cause"]["code"], saga["cause"]["facts"]) == ("NO_COURIER", {"days": 3})
        states = {state["name"]: state for state in saga["states"]}
        assert list(states) == ["Reserve", "Pay", "Ship", "Refund", "Release", "Tell"]
        reserve, ship, release = states["Reserve"], states["Ship"], states["Release"]
        assert (reserve["status"], reserve["undoStatus"]) == ("SU", "SU")
        assert (reserve["input"], reserve["output"]) == (["o-1"], {"method": "reserve"})
        assert (reserve["calls"], reserve["type"]) == ("shop.reserve", "ServiceTask")
        assert reserve["token"] == f"{instance_id}.Reserve.1"
        assert (ship["status"], ship["attempt"], ship["error"]["code"]) == ("FA", 2, "NO_COURIER")
        assert ship["startedAt"] < ship["endedAt"] == saga["endedAt"]
        assert (release["undoes"], reserve["undoneBy"]) == (reserve["n"], release["n"])
        answer = await desk.client.get(f"{PREFIX}/{NOBODY}", headers=caller("viewer"))
        assert codes(answer) == (404, "NOT_FOUND")

    at_the_desk(story)


def test_a_step_that_waits_for_its_next_try_says_when() -> None:
    async def story(desk: Desk) -> None:
        desk.shop.plan["pay"] = [Unknown("NO_ANSWER")]
        async with desk.db.transaction() as tx:
            instance_id = await desk.engine.start(tx, "order", "o-1", {"orderId": "o-1"})
        await asyncio.sleep(0.01)
        saga = await desk.look(f"/{instance_id}")
        pay = saga["states"][1]
        assert (saga["running"], saga["actions"]) == (True, [])
        assert (pay["status"], pay["attempt"], pay["endedAt"]) == ("RU", 2, None)
        assert pay["dueAt"] > pay["startedAt"]
        last = (await desk.look(f"/{instance_id}/timeline"))["entries"][-1]
        assert (last["kind"], last["state"], last["dueAt"]) == ("retry", "Pay", pay["dueAt"])

    at_the_desk(story)


def test_sub_machines_stand_in_the_state_that_ran_them() -> None:
    child = load(
        {
            "Name": "parcel",
            "StartState": "Pack",
            "States": {"Pack": a_task("ship"), "Unpack": a_task("release")},
        }
    )
    parent = load(
        {
            "Name": "order",
            "StartState": "Deliver",
            "States": {
                "Deliver": {
                    "Type": "SubStateMachine",
                    "StateMachineName": "parcel",
                    "Input": [{"orderId": "$.[orderId]"}],
                }
            },
        }
    )

    async def story(desk: Desk) -> None:
        instance_id = await desk.begin()
        saga = await desk.look(f"/{instance_id}")
        (state,) = saga["states"]
        assert (state["type"], state["calls"]) == ("SubStateMachine", "parcel")
        inner = state["saga"]
        assert (inner["machine"], inner["status"]) == ("parcel", "SU")
        assert [one["name"] for one in inner["states"]] == ["Pack"]
        assert inner["parentId"] == f"{instance_id}:1"
        assert await desk.look(f"/{inner['id']}") == inner

    at_the_desk(story, child, parent)


def a_task(method: str) -> dict[str, Any]:
    return {
        "Type": "ServiceTask",
        "ServiceName": "shop",
        "ServiceMethod": method,
        "Input": ["$.[orderId]"],
        "IsForUpdate": False,
    }


def test_an_order_goes_on_and_leaves_actor_and_reason_in_the_log() -> None:
    async def story(desk: Desk) -> None:
        desk.shop.plan["pay"] = [Unknown("NO_ANSWER")] * 4
        instance_id = await desk.begin()
        saga = await desk.look(f"/{instance_id}")
        assert saga["actions"] == ["forward", "compensate", "skip"]
        body = {"reason": "  PayPay answers again ", "version": saga["version"]}
        answer = await desk.order("forward", instance_id, {**body, "params": {"note": "by Mei"}})

        assert (answer.status_code, answer.json()["changed"]) == (200, True)
        assert answer.json()["saga"]["version"] == saga["version"] + 1
        await desk.engine.wait(instance_id, 10)
        after = await desk.look(f"/{instance_id}")
        assert (after["status"], after["context"]["note"]) == ("SU", "by Mei")
        assert (after["operation"], after["actions"]) == ("forward", ["compensate"])
        line = await desk.look(f"/{instance_id}/timeline")
        (claim,) = [entry for entry in line["entries"] if entry["kind"] == "claim"]
        assert (claim["operation"], claim["enters"]) == ("forward", ["Pay"])
        assert (claim["actor"], claim["reason"]) == ("uid-mei", "PayPay answers again")
        assert [entry["seq"] for entry in line["entries"]] == list(range(1, line["version"] + 1))
        assert line["entries"][-1]["ended"] == ["SU", None]

    at_the_desk(story)


@pytest.mark.parametrize(
    ("operation", "done", "ends"),
    [
        ("compensate", ["reserve", "refund", "release"], ("UN", "SU")),
        ("skip", ["reserve", "ship"], ("SU", None)),
    ],
)
def test_the_other_two_orders(
    operation: str, done: list[str], ends: tuple[str, str | None]
) -> None:
    async def story(desk: Desk) -> None:
        desk.shop.plan["pay"] = [Unknown("NO_ANSWER")] * 4
        instance_id = await desk.begin()
        version = (await desk.look(f"/{instance_id}"))["version"]
        body = {"reason": "agreed with the customer", "version": version}
        assert (await desk.order(operation, instance_id, body)).status_code == 200
        await desk.engine.wait(instance_id, 10)
        saga = await desk.look(f"/{instance_id}")
        assert ((saga["status"], saga["compensation"]), desk.shop.done) == (ends, done)

    at_the_desk(story)


def test_orders_are_refused_while_it_runs_after_it_moved_and_where_they_make_no_sense() -> None:
    async def story(desk: Desk) -> None:
        desk.shop.plan["pay"] = [Unknown("NO_ANSWER")] * 4
        stuck = await desk.begin("stuck")
        version = (await desk.look(f"/{stuck}"))["version"]
        body = {"reason": "try", "version": version}
        conflict = await desk.order("forward", stuck, {**body, "version": version - 1})
        assert codes(conflict) == (409, "VERSION_CONFLICT")
        assert codes(await desk.order("forward", NOBODY, body)) == (404, "NOT_FOUND")
        assert (await desk.look(f"/{stuck}"))["version"] == version

        desk.shop.plan["pay"] = [Unknown("NO_ANSWER")]
        assert (await desk.order("forward", stuck, body)).status_code == 200
        running = await desk.order("compensate", stuck, {**body, "version": version + 1})
        assert codes(running) == (409, "SAGA_RUNNING")

        await desk.engine.wait(stuck, 30)
        version = (await desk.look(f"/{stuck}"))["version"]
        nothing = await desk.order("forward", stuck, {**body, "version": version})
        assert (nothing.status_code, nothing.json()["changed"]) == (200, False)
        assert nothing.json()["saga"]["version"] == version + 1  # the order itself is kept
        note = (await desk.look(f"/{stuck}/timeline"))["entries"][-1]
        assert (note["kind"], note["changed"], note["reason"]) == ("note", False, "try")

        body = {"reason": "undo", "version": version + 1}
        assert (await desk.order("compensate", stuck, body)).status_code == 200
        await desk.engine.wait(stuck, 30)
        version = (await desk.look(f"/{stuck}"))["version"]
        denied = await desk.order("forward", stuck, {"reason": "again", "version": version})
        assert codes(denied) == (409, "OPERATION_DENIED")

    at_the_desk(story)


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"version": 3}, "reason"),
        ({"reason": "", "version": 3}, "reason"),
        ({"reason": "  \t ", "version": 3}, "reason"),
        ({"reason": "x" * 501, "version": 3}, "reason"),
        ({"reason": "why"}, "version"),
        ({"reason": "why", "version": 0}, "version"),
        ({"reason": "why", "version": "3"}, "version"),
        ({"reason": "why", "version": 3, "params": [1]}, "params"),
        ({"reason": "why", "version": 3, "parms": {}}, "parms"),
        ({"reason": "why", "version": 3, "params": {"x": 10.0**308 * 10}}, "params"),
        ({"reason": "why", "version": 3, "params": {"x": nested(60)}}, "params"),
    ],
)
def test_an_order_without_reason_or_version_changes_nothing(body: Any, field: str) -> None:
    async def story(desk: Desk) -> None:
        desk.shop.plan["pay"] = [Unknown("NO_ANSWER")] * 4
        instance_id = await desk.begin()
        before = await desk.look(f"/{instance_id}")
        # By hand: JSON has no Infinity, and clients that send it are not ours.
        answer = await desk.client.post(
            f"{PREFIX}/{instance_id}/forward",
            content=json.dumps(body),
            headers={**caller("operator"), "Content-Type": "application/json"},
        )
        assert codes(answer) == (422, "VALIDATION")
        assert answer.json()["errors"][0]["field"].partition(".")[0] == field
        assert await desk.look(f"/{instance_id}") == before

    at_the_desk(story)


def test_nobody_comes_in_without_token_and_role_and_viewers_change_nothing() -> None:
    async def story(desk: Desk) -> None:
        desk.shop.plan["pay"] = [Unknown("NO_ANSWER")] * 4
        instance_id = await desk.begin()
        before = await desk.look(f"/{instance_id}")
        body = {"reason": "why", "version": before["version"]}
        strangers = [
            {},
            {**caller("operator"), "Authorization": "Bearer wrong"},
            {"Authorization": f"Bearer {TOKEN}"},
            caller("customer"),
        ]
        paths = ("", f"/{instance_id}", f"/{instance_id}/timeline", f"/{instance_id}/graph")
        for headers in strangers:
            for path in paths:
                answer = await desk.client.get(f"{PREFIX}{path}", headers=headers)
                assert codes(answer) == (403, "FORBIDDEN")
        url = f"{PREFIX}/{instance_id}/skip"
        nameless = [caller("operator", name) for name in ("", "x" * 101, "mei\x7f")]
        for headers in [*strangers, caller("viewer"), *nameless]:
            answer = await desk.client.post(url, json=body, headers=headers)
            assert codes(answer) == (403, "FORBIDDEN")
        assert await desk.look(f"/{instance_id}") == before

    at_the_desk(story)


def test_the_picture_is_coloured_by_what_became_of_each_state() -> None:
    async def story(desk: Desk) -> None:
        desk.shop.plan["ship"] = [Refused("NO_COURIER")]
        instance_id = await desk.begin()
        url = f"{PREFIX}/{instance_id}/graph"
        svg = await desk.client.get(url, headers=caller("viewer"))
        assert svg.headers["content-type"].startswith("image/svg+xml")
        assert svg.headers["cache-control"] == "no-store"
        words = "".join(ET.fromstring(svg.text).itertext())
        assert ("Compensated" in words, "Failed" in words) == (True, True)
        query = {"format": "mermaid"}
        text = await desk.client.get(url, params=query, headers=caller("viewer"))
        assert text.text.startswith("flowchart LR")
        assert '["Reserve<br/>Compensated"]' in text.text
        assert '["Ship<br/>Failed"]' in text.text
        wrong = await desk.client.get(url, params={"format": "gif"}, headers=caller("viewer"))
        assert codes(wrong) == (422, "VALIDATION")

    at_the_desk(story)


def a_state(state: str, status: str, **more: Any) -> StateView:
    empty = dict.fromkeys(StateView.model_fields)
    given = {"n": 1, "name": state, "type": "ServiceTask", "attempt": 1, "token": "", "input": ()}
    return StateView.model_validate(
        {**empty, **given, "superseded": False, "state": state, "status": status, **more}
    )


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([a_state("B", "SU"), a_state("A", "SK")], [("B", "SU"), ("A", "SK")]),
        ([a_state("A", "UN", superseded=True), a_state("A", "SU")], [("A", "SU")]),
        ([a_state("A", "SU", undo_status="SU")], [("A", "undone")]),
        ([a_state("A", "SU", undo_status="UN")], [("A", "SU")]),
        # Iterations of a Loop: the worst of them, and undone only when all are.
        ([a_state("A", "SU"), a_state("A", "FA"), a_state("A", "SU")], [("A", "FA")]),
        ([a_state("A", "UN"), a_state("A", "FA")], [("A", "UN")]),
        ([a_state("A", "SU"), a_state("A", "RU")], [("A", "RU")]),
        ([a_state("A", "SU", undo_status="SU"), a_state("A", "SU")], [("A", "SU")]),
        ([a_state("A", "SU"), a_state("A", "SU", undo_status="SU")], [("A", "SU")]),
        ([a_state("A", "SU", undo_status="SU")] * 2, [("A", "undone")]),
    ],
)
def test_what_a_picture_shows_of_a_state(
    states: list[StateView], shown: list[tuple[str, str]]
) -> None:
    assert list(present.outcome(states).items()) == shown


def test_an_instance_whose_engine_is_gone_is_stale_until_somebody_takes_it() -> None:
    async def story(desk: Desk) -> None:
        desk.shop.crash_after = 1
        async with desk.db.transaction() as tx:
            lost = await desk.engine.start(tx, "order", "lost", {"orderId": "lost"})
        await asyncio.sleep(0.01)
        assert await ids(desk, stale="true") == []
        assert await ids(desk, stale="false") == [lost]
        assert (await desk.look(f"/{lost}"))["actions"] == []
        await asyncio.sleep(WAITS.lease_s + 0.1)  # nobody renews the lease in this story

        assert await ids(desk, stale="true") == [lost]
        assert await ids(desk, stale="true", running="false") == []
        saga = await desk.look(f"/{lost}")
        assert (saga["running"], saga["stale"]) == (True, True)
        assert saga["actions"] == ["forward", "compensate", "skip"]
        await desk.engine.tick()
        assert await ids(desk, stale="true") == []

    at_the_desk(story)


def test_looking_for_stale_ones_goes_on_over_pages() -> None:
    async def story(desk: Desk) -> None:
        desk.shop.plan["ship"] = [{}] * 3
        for n in range(3):
            await desk.begin(f"done-{n}")
        found, cursor = [], None
        while True:
            page = await desk.look(limit=1, stale="false", **after(cursor))
            found += [item["businessKey"] for item in page["items"]]
            if (cursor := page["nextCursor"]) is None:
                break
        assert found == ["done-2", "done-1", "done-0"]

    at_the_desk(story)


def test_what_no_loaded_machine_explains_is_still_listed_and_told() -> None:
    async def story(desk: Desk) -> None:
        desk.shop.plan["pay"] = [Unknown("NO_ANSWER")] * 4
        instance_id = await desk.begin()
        renamed = load({"Name": "other", "StartState": "End", "States": {"End": {"Type": "Fail"}}})
        for machines in ((), (renamed,), (an_order_of_other_states(),)):
            app = create_app(
                title="order-service",
                runtime=a_web_runtime(),
                routers=[
                    operator_routes(
                        desk.engine,
                        Records(SqlLog(desk.db), machines, VirtualClock()),
                        token=TOKEN,
                    )
                ],
            )
            async with a_client(app) as client:
                strange = Desk(desk.db, desk.shop, desk.engine, client, machines)
                saga = await strange.look(f"/{instance_id}")
                assert (saga["defined"], saga["states"], saga["actions"]) == (False, [], [])
                assert (saga["status"], saga["needsOperator"]) == ("UN", True)
                line = await strange.look(f"/{instance_id}/timeline")
                assert line["version"] == saga["version"] == len(line["entries"])
                url = f"{PREFIX}/{instance_id}/graph"
                assert codes(await client.get(url, headers=caller("viewer"))) == (404, "NOT_FOUND")

    at_the_desk(story)


def an_order_of_other_states() -> Machine:
    return load({"Name": "order", "StartState": "End", "States": {"End": {"Type": "Succeed"}}})


def test_an_engine_that_has_no_fitting_machine_denies_orders() -> None:
    async def story(desk: Desk) -> None:
        desk.shop.plan["pay"] = [Unknown("NO_ANSWER")] * 4
        instance_id = await desk.begin()
        version = (await desk.look(f"/{instance_id}"))["version"]
        clock, chance = VirtualClock(), SeededChance(2)
        for machines in ([], [an_order_of_other_states()]):
            engine = Engine(
                desk.db, {}, machines, clock, RandomIds(clock, chance), chance, "two", WAITS
            )
            records = Records(SqlLog(desk.db), machines, clock)
            app = create_app(
                title="order-service",
                runtime=a_web_runtime(),
                routers=[operator_routes(engine, records, token=TOKEN)],
            )
            async with a_client(app) as client:
                strange = Desk(desk.db, desk.shop, engine, client, machines)
                body = {"reason": "why", "version": version}
                denied = await strange.order("forward", instance_id, body)
                assert codes(denied) == (409, "OPERATION_DENIED")
        assert (await desk.look(f"/{instance_id}"))["version"] == version

    at_the_desk(story)


def test_what_customers_wrote_is_in_no_line_of_the_log() -> None:
    lines = io.StringIO()

    async def story(desk: Desk) -> None:
        desk.shop.plan["pay"] = [Unknown("NO_ANSWER")] * 4
        instance_id = await desk.begin(address="canary street 1")
        saga = await desk.look(f"/{instance_id}")
        assert saga["context"]["address"] == "canary street 1"
        params = {"phone": "canary 555"}
        body = {"reason": "canary said so", "version": saga["version"], "params": params}
        assert (await desk.order("forward", instance_id, body)).status_code == 200
        await desk.engine.wait(instance_id, 10)
        await desk.look(f"/{instance_id}/timeline")

    telemetry.configure("DEBUG", stream=lines)
    try:
        at_the_desk(story)
    finally:
        telemetry.configure("INFO")
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    (ordered,) = [line for line in written if line["event"] == "saga.ordered"]
    assert (ordered["operation"], ordered["actor"]) == ("forward", "uid-mei")
    assert "canary" not in lines.getvalue()


async def test_order_service_opens_this_door_with_its_token() -> None:
    async with a_runtime() as runtime:
        unit = await kessai.order.main.build(
            runtime,
            storage=absent(StorageService, service="storage-service"),
            payment=absent(PaymentService, service="payment-service"),
            account=absent(AccountService, service="account-service"),
        )
        token = runtime.settings.service_token.get_secret_value()
        headers = {**caller("viewer"), "Authorization": f"Bearer {token}"}
        async with a_client(unit.app) as client:
            assert codes(await client.get(PREFIX)) == (403, "FORBIDDEN")
            answer = await client.get(PREFIX, headers=headers)
            assert (answer.status_code, answer.json()) == (200, {"items": [], "nextCursor": None})
        await unit.stop()
