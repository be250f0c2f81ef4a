"""Stories of the operators' console: who may see alerts, who may act, and how they are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

from fastapi import FastAPI, Request
from tests.support.alert import raised, resolved
from tests.support.asgi_stream import AsgiStream
from tests.support.shop import SHOP, Customer, Shop, story
from tests.support.surface import assert_problem

from kessai.bff.main import build
from kessai.contracts.account import Role, SetRole
from kessai.contracts.alert import (
    AlertChanges,
    AlertRaised,
    AlertResolved,
    AlertService,
    ChangesAfter,
)
from kessai.kernel.bus import Message
from kessai.kernel.errors import Unknown
from kessai.topology import ALERTS_TOPIC

ALERTS = "/api/console/alerts"


async def an_operator(shop: Shop) -> Customer:
    return await shop.customer("operator@example.com")


async def publish(shop: Shop, *events: AlertRaised | AlertResolved) -> None:
    messages = [
        Message(
            ALERTS_TOPIC,
            event.order_id or event.source or "",
            event.model_dump_json(by_alias=True).encode(),
            {},
        )
        for event in events
    ]
    await shop.runtime.bus.publish(messages)


async def an_alert(shop: Shop, rule: str = "C", **more: Any) -> str:
    event = raised(rule, **more)
    await publish(shop, event)
    operator = await an_operator(shop)
    for _ in range(100):
        if (await operator.send("GET", f"{ALERTS}/{event.alert_id}")).status == 200:
            return event.alert_id
        await asyncio.sleep(0.1)
    raise AssertionError("the alert is not in the table after 10 s")


@asynccontextmanager
async def following(
    customer: Customer,
    *,
    query: str = "",
    last_event_id: int | None = None,
    door: Any = None,
) -> AsyncIterator[AsgiStream]:
    app = door or next(unit.app for unit in customer.shop.system.units if unit.name == "bff")
    headers = {"cookie": customer.cookie}
    if last_event_id is not None:
        headers["last-event-id"] = str(last_event_id)
    stream = AsgiStream(app, f"{ALERTS}/stream", query, headers)
    await stream.open()
    try:
        yield stream
    finally:
        await stream.leave()


@story(1)
async def test_customers_see_nothing_viewers_read_and_operators_act(shop: Shop) -> None:
    alert = await an_alert(shop)
    customer, viewer = await shop.new_customer(), await shop.customer("viewer@example.com")
    operator = await an_operator(shop)
    reads = [ALERTS, f"{ALERTS}/{alert}", f"{ALERTS}/stream"]
    acts = ["ack", "assign", "note", "resolve", "remedy/refund"]
    body = {"reason": "because", "version": 1}
    for path in reads:
        assert_problem(await customer.send("GET", path), 403, "FORBIDDEN", path=path)
    for act in acts:
        path = f"{ALERTS}/{alert}/{act}"
        sent = {**body, **({"note": "n"} if act == "note" else {})}
        for reader in (customer, viewer):
            assert_problem(await reader.send("POST", path, sent), 403, "FORBIDDEN", path=path)
        stranger = await shop.send("POST", f"{SHOP}{path}", sent)
        assert (stranger.status, stranger.code) == (401, "SESSION_MISSING")
        evil = await operator.send("POST", path, sent, {"Origin": "https://evil.example"})
        assert (evil.status, evil.code) == (403, "FORBIDDEN_ORIGIN")
    for path in reads[:2]:
        assert (await viewer.send("GET", path)).status == 200
    detail = (await viewer.send("GET", f"{ALERTS}/{alert}")).ok()
    assert [one["action"] for one in detail["history"]] == ["RAISED"]


@story(1)
async def test_an_alert_is_found_taken_noted_and_closed(shop: Shop) -> None:
    alert = await an_alert(shop)
    operator = await an_operator(shop)
    found = (await operator.send("GET", f"{ALERTS}?rule=C&status=NEW")).ok()
    assert [row["alertId"] for row in found["alerts"]] == [alert]
    assert (await operator.send("GET", f"{ALERTS}?rule=A")).ok()["alerts"] == []
    path = f"{ALERTS}/{alert}"
    taken = (await operator.send("POST", f"{path}/ack", {"reason": "mine", "version": 1})).ok()
    assert (taken["status"], taken["assignee"]) == ("ACKNOWLEDGED", "operator@example.com")
    stale = await operator.send("POST", f"{path}/resolve", {"reason": "done", "version": 1})
    assert_problem(stale, 409, "VERSION_CONFLICT", path=f"{path}/resolve")
    body = {"reason": "over to you", "version": 2, "assignee": "taro"}
    assert (await operator.send("POST", f"{path}/assign", body)).ok()["assignee"] == "taro"
    body = {"reason": "wrote", "version": 3, "note": "called the customer"}
    assert (await operator.send("POST", f"{path}/note", body)).ok()["version"] == 4
    done = await operator.send("POST", f"{path}/resolve", {"reason": "done", "version": 4})
    assert (done.ok()["status"], done.body["resolvedBy"]) == ("RESOLVED", "operator@example.com")


@story(1)
async def test_what_is_no_act_is_refused_by_its_field(shop: Shop) -> None:
    alert = await an_alert(shop)
    operator = await an_operator(shop)
    path = f"{ALERTS}/{alert}"
    for sent, field in (
        ({"version": 1}, "reason"),
        ({"reason": " ", "version": 1}, "reason"),
        ({"reason": "x" * 501, "version": 1}, "reason"),
        ({"reason": "x"}, "version"),
        ({"reason": "x", "version": "1"}, "version"),
        ({"reason": "x", "version": 1, "actor": "root"}, "actor"),
    ):
        answer = await operator.send("POST", f"{path}/ack", sent)
        assert_problem(answer, 422, "VALIDATION", field, path=f"{path}/ack")
    for query in ("status=GONE", "limit=0", "limit=201", "cursor=x", "severity=P9"):
        assert (await operator.send("GET", f"{ALERTS}?{query}")).status == 422, query
    good = {"reason": "x", "version": 1}
    for unknown in ("0" * 26, "nonsense", "%2e%2e"):
        gone = await operator.send("POST", f"{ALERTS}/{unknown}/ack", good)
        assert gone.code == "NOT_FOUND", unknown
    assert (await operator.send("POST", f"{path}/remedy/pray", good)).status == 422
    misfit = await operator.send("POST", f"{path}/remedy/release", good)
    assert misfit.code == "REMEDY_DOES_NOT_FIT"
    assert misfit.body["remedies"] == ["refund"]


@story(1)
async def test_a_remedy_reaches_the_order_and_its_audit_trail(shop: Shop) -> None:
    customer, operator = await shop.new_customer(), await an_operator(shop)
    await shop.faults(webhooks={"drop": 100})
    order_id = await customer.buy()
    await shop.wallet(order_id)
    alert = await an_alert(shop, "A", order_id=order_id)
    detail = (await operator.send("GET", f"{ALERTS}/{alert}")).ok()
    evidence = detail["evidence"]
    assert evidence["payment"]["content"]["attempts"][0]["merchantPaymentId"] == f"{order_id}-1"
    assert evidence["stock"]["content"]["items"][0]["reservationId"] == f"{order_id}-1"
    body = {"reason": "the customer called", "version": detail["alert"]["version"]}
    done = (await operator.send("POST", f"{ALERTS}/{alert}/remedy/ask_provider", body)).ok()
    assert done["steps"] == [
        {
            "code": "PROVIDER_SAYS_COMPLETED",
            "subject": f"{order_id}-1",
            "amount": shop.prices[shop.product],
        }
    ]
    await customer.until(order_id, "PAID", within_s=2)


@story(1)
async def test_the_stream_tells_every_change_once_and_goes_on_where_it_broke(shop: Shop) -> None:
    operator = await an_operator(shop)
    first = raised("A")
    async with following(operator) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        ready = await stream.next("ready", within_s=1)
        await publish(shop, first)
        new = await stream.next(within_s=2)
        assert json.loads(new.data)["alertId"] == first.alert_id
        body = {"reason": "mine", "version": 1}
        (await operator.send("POST", f"{ALERTS}/{first.alert_id}/ack", body)).ok()
        taken = await stream.next(within_s=1)
        assert json.loads(taken.data)["status"] == "ACKNOWLEDGED"
        assert ready.id is not None
        assert new.id is not None
        assert taken.id is not None
        assert ready.id < new.id < taken.id
    second = raised("C", episode="e2")
    await publish(shop, resolved(first), second)
    await an_alert(shop, "B", episode="e3")
    async with following(operator, last_event_id=taken.id) as stream:
        missed = [json.loads((await stream.next(within_s=2)).data) for _ in range(3)]
        assert {row["alertId"]: row["status"] for row in missed} == {
            first.alert_id: "RESOLVED",
            second.alert_id: "NEW",
            raised("B", episode="e3").alert_id: "NEW",
        }
        assert (await stream.next("", within_s=11)).data == "heartbeat"
        assert stream.events.empty()
        last = max(row["change"] for row in missed)
    async with following(operator, query=f"after={ready.id}", last_event_id=last) as stream:
        assert (await stream.next("ready", within_s=1)).id == last
        await stream.next("", within_s=11)
        assert stream.events.empty()


@story(1)
async def test_between_the_list_and_the_stream_nothing_is_missed(shop: Shop) -> None:
    operator = await an_operator(shop)
    listed = (await operator.send("GET", ALERTS)).ok()
    alert = await an_alert(shop)
    async with following(operator, query=f"after={listed['change']}") as stream:
        assert json.loads((await stream.next(within_s=1)).data)["alertId"] == alert
    async with following(operator, query="after=999999") as stream:
        ready = await stream.next("ready", within_s=1)
        assert ready.id == listed["change"] + 1
    for bad in ("after=-1", "after=x"):
        assert (await operator.send("GET", f"{ALERTS}/stream?{bad}")).status == 422


@story(1)
async def test_the_stream_ends_with_its_session_and_with_its_role(shop: Shop) -> None:
    operator, viewer = await an_operator(shop), await shop.customer("viewer@example.com")
    async with following(operator) as stream, following(viewer) as other:
        await stream.next("ready")
        assert (await operator.send("POST", "/api/auth/logout")).status == 200
        await stream.wait_ended(within_s=11)
        await other.next("", within_s=11)
        set_role = SetRole(user="viewer@example.com", role=Role.CUSTOMER)
        await shop.ports.account.set_role(set_role)
        await other.wait_ended(within_s=11)
    assert (await viewer.send("GET", ALERTS)).status == 403


@story(1)
async def test_one_person_has_ten_streams_and_a_closed_one_makes_room(shop: Shop) -> None:
    operator = await an_operator(shop)
    open_ = [following(operator) for _ in range(10)]
    for one in open_:
        await one.__aenter__()
    refused = await operator.send("GET", f"{ALERTS}/stream")
    assert (refused.status, refused.code) == (429, "TOO_MANY_REQUESTS")
    for one in open_:
        await one.__aexit__(None, None, None)
    async with following(operator) as stream:
        assert stream.status == 200


class FarAlerts:
    """alert-service as another process: it may be out of reach for a while."""

    def __init__(self, alerts: AlertService) -> None:
        self._alerts = alerts
        self.out_of_reach = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._alerts, name)

    async def list_changes(self, command: ChangesAfter) -> AlertChanges:
        if self.out_of_reach:
            raise Unknown("ALERT_SERVICE_UNAVAILABLE")
        return await self._alerts.list_changes(command)


@story(1)
async def test_another_instance_tells_the_same_also_after_silence(shop: Shop) -> None:
    alerts = FarAlerts(shop.ports.alert)
    settings = shop.runtime.settings.model_copy(update={"instance": "second"})
    door = await build(
        replace(shop.runtime, settings=settings),
        order=shop.ports.order,
        account=shop.ports.account,
        storage=shop.ports.storage,
        payment=shop.ports.payment,
        search=shop.ports.search,
        alert=cast(AlertService, alerts),
    )
    *others, first_door = shop.system.units
    shop.system = replace(shop.system, units=[*others, first_door, door])
    await door.start()
    shop.http.route(SHOP, door.app)
    operator = await an_operator(shop)
    shop.http.route(SHOP, first_door.app)
    elsewhere = await an_operator(shop)
    async with following(operator, door=door.app) as stream, following(elsewhere) as near:
        await stream.next("ready", within_s=1)
        alerts.out_of_reach = True
        event = raised("A")
        await publish(shop, event)
        assert json.loads((await near.next(within_s=2)).data)["alertId"] == event.alert_id
        await asyncio.sleep(3)
        alerts.out_of_reach = False
        told = await stream.next(within_s=6)
        assert json.loads(told.data)["alertId"] == event.alert_id
        body = {"reason": "mine", "version": 1}
        await elsewhere.send("POST", f"{ALERTS}/{event.alert_id}/ack", body)
        taken = await stream.next(within_s=6)
        assert json.loads(taken.data)["status"] == "ACKNOWLEDGED"


HOOK = "http://127.0.0.1:9999"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@story(1, alert_webhook_url=f"{HOOK}/alerts", alert_webhook_secret=SECRET)
async def test_a_receiver_that_was_away_is_told_when_it_is_back(shop: Shop) -> None:
    event = raised("A")
    await publish(shop, event)
    await asyncio.sleep(4)
    got: list[bytes] = []
    hook = FastAPI()

    @hook.post("/alerts")
    async def take(request: Request) -> None:
        got.append(await request.body())

    shop.http.route(HOOK, hook)
    await publish(shop, resolved(event))
    await asyncio.sleep(20)
    assert sorted(json.loads(one)["type"] for one in got) == ["alert.raised", "alert.resolved"]
