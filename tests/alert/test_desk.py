"""People at work on alerts: evidence, acts with version and reason, remedies that fit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.alert import ORDER, AlertRoom, Services, a_room, act, raised, resolved

from kessai.alert.domain.rules import RULES
from kessai.contracts.alert import (
    AlertStatus,
    AssignAlert,
    ListAlerts,
    NoteAlert,
    RemedyAlert,
)
from kessai.contracts.order import Remedy, RemedyApplied, RemedyStep
from kessai.kernel.db import open_database
from kessai.kernel.errors import NotFound, Refused, Unknown, VersionConflict


@pytest.fixture
async def room() -> AsyncIterator[AlertRoom]:
    db = await open_database("sqlite:")
    yield a_room(db)
    await db.close()


async def an_alert(room: AlertRoom, rule: str = "A", **facts: Any) -> str:
    event = raised(rule, **facts)
    await room.book.record(event)
    return event.alert_id


def order_remedy(
    alert: str, remedy: Remedy = Remedy.ASK_PROVIDER, version: int = 1, actor: str = "hanako"
) -> RemedyAlert:
    return RemedyAlert(
        alert_id=alert, version=version, actor=actor, reason="the customer called", remedy=remedy
    )


async def test_the_evidence_lies_side_by_side_with_its_source_and_time(room: AlertRoom) -> None:
    evidence = (await room.detail(await an_alert(room))).evidence
    sides = (evidence.order, evidence.payment, evidence.stock)
    assert [side.source for side in sides if side] == [
        "order-service",
        "payment-service",
        "storage-service",
    ]
    assert all(side and side.answered for side in sides)
    assert {side.asked_at for side in sides if side} == {"2027-01-15T08:00:00.000Z"}
    assert evidence.order is not None
    assert evidence.order.content is not None
    assert evidence.order.content["status"] == "PAID"
    assert evidence.stock is not None
    assert evidence.stock.content == {
        "items": [{"reservationId": f"{ORDER}-1", "orderId": ORDER, "status": "CONFIRMED"}]
    }
    assert "secret" not in evidence.model_dump_json()


async def test_who_does_not_answer_is_shown_as_such_and_the_rest_is_shown(
    room: AlertRoom,
) -> None:
    room.services.trouble = {
        "order": Unknown("ORDER_SERVICE_UNAVAILABLE"),
        "payment": NotFound("no such order"),
    }
    room.services.silent = {"storage"}
    evidence = (await room.detail(await an_alert(room))).evidence
    told = [
        (side.answered, side.code, side.content)
        for side in (evidence.order, evidence.payment, evidence.stock)
        if side
    ]
    assert told == [
        (False, "ORDER_SERVICE_UNAVAILABLE", None),
        (True, "NOT_FOUND", None),
        (False, "TIMEOUT", None),
    ]


async def test_of_an_alert_about_a_source_nobody_is_asked(room: AlertRoom) -> None:
    event = raised("H", order_id=None)
    await room.book.record(event)
    detail = await room.detail(event.alert_id)
    assert (detail.evidence.order, detail.alert.remedies) == (None, ())
    assert detail.alert.source == "payment-service"


async def test_taking_noting_and_resolving_each_leave_their_row(room: AlertRoom) -> None:
    alert = await an_alert(room)
    taken = await room.desk.acknowledge_alert(act(alert, 1))
    assert (taken.status, taken.assignee, taken.version) == ("ACKNOWLEDGED", "hanako", 2)
    again = await room.desk.acknowledge_alert(act(alert, 1))
    assert again == taken
    given = await room.desk.assign_alert(AssignAlert(**act(alert, 2).model_dump(), assignee="taro"))
    noted = await room.desk.note_alert(NoteAlert(**act(alert, 3).model_dump(), note="called"))
    done = await room.desk.resolve_alert(act(alert, 4, reason="settled by hand"))
    assert (given.assignee, noted.note) == ("taro", "called")
    assert (done.status, done.resolved_by, done.version) == ("RESOLVED", "hanako", 5)
    assert await room.history(alert) == [
        ("RAISED", "system", None),
        ("ACKNOWLEDGED", "hanako", None),
        ("ASSIGNED", "hanako", "taro"),
        ("NOTED", "hanako", "called"),
        ("RESOLVED", "hanako", None),
    ]


async def test_who_acts_on_an_older_view_is_refused_and_nothing_is_written(
    room: AlertRoom,
) -> None:
    alert = await an_alert(room)
    await room.desk.acknowledge_alert(act(alert, 1))
    with pytest.raises(VersionConflict):
        await room.desk.resolve_alert(act(alert, 1, "taro"))
    with pytest.raises(NotFound):
        await room.desk.resolve_alert(act("0" * 26, 1))
    assert len(await room.history(alert)) == 2
    assert room.closings.alerts == []


async def test_of_many_who_act_at_once_one_wins(room: AlertRoom) -> None:
    alert = await an_alert(room)
    acts = [
        room.desk.note_alert(NoteAlert(**act(alert, 1, f"p{n}").model_dump(), note=f"note {n}"))
        for n in range(5)
    ]
    outcomes = await asyncio.gather(*acts, return_exceptions=True)
    lost = [one for one in outcomes if isinstance(one, VersionConflict)]
    assert len(lost) == 4
    assert len(await room.history(alert)) == 2


async def test_a_resolved_alert_is_not_taken_any_more(room: AlertRoom) -> None:
    event = raised()
    await room.book.record(event)
    await room.book.record(resolved(event))
    for change in (
        room.desk.acknowledge_alert(act(event.alert_id, 2)),
        room.desk.assign_alert(AssignAlert(**act(event.alert_id, 2).model_dump(), assignee="taro")),
    ):
        with pytest.raises(Refused) as refused:
            await change
        assert refused.value.code == "ILLEGAL_STATE"


async def test_what_is_resolved_by_hand_is_not_opened_by_the_late_word_of_its_end(
    room: AlertRoom,
) -> None:
    event = raised()
    await room.book.record(event)
    await room.desk.resolve_alert(act(event.alert_id, 1))
    await room.book.record(resolved(event))
    await room.book.record(event)
    row = (await room.detail(event.alert_id)).alert
    assert (row.status, row.resolved_by, row.version) == ("RESOLVED", "hanako", 2)


async def test_what_a_person_closes_is_told_once_and_what_the_facts_close_is_not(
    room: AlertRoom,
) -> None:
    by_hand, by_facts = raised(episode="e1"), raised(episode="e2")
    for event in (by_hand, by_facts):
        await room.book.record(event)
    await room.book.record(resolved(by_facts))
    for _ in range(2):
        await room.desk.resolve_alert(act(by_hand.alert_id, 1))
    assert [one.id for one in room.closings.alerts] == [by_hand.alert_id]


async def test_each_rule_names_the_remedies_that_fit_and_no_other_is_done(
    room: AlertRoom,
) -> None:
    for rule in RULES:
        alert = await an_alert(room, rule.id)
        row = (await room.detail(alert)).alert
        assert row.remedies == rule.remedies
        for remedy in Remedy:
            if remedy in rule.remedies:
                continue
            with pytest.raises(Refused) as refused:
                await room.desk.remedy_alert(order_remedy(alert, remedy))
            assert refused.value.code == "REMEDY_DOES_NOT_FIT", (rule.id, remedy)
    assert room.services.remedies == []


async def test_a_remedy_is_done_by_order_service_and_its_outcome_kept(room: AlertRoom) -> None:
    alert = await an_alert(room, "C", paymentSuccessCount=2)
    step = RemedyStep(code="REFUND_STARTED", subject=f"{ORDER}-1", amount=1200)
    order = room.services.applied.order
    room.services.applied = RemedyApplied(order=order, steps=(step,))

    done = await room.desk.remedy_alert(order_remedy(alert, Remedy.REFUND))

    assert (done.order_status, done.steps, done.alert.version) == ("PAID", (step,), 1)
    (asked,) = room.services.remedies
    assert (asked.order_id, asked.remedy, asked.own) == (ORDER, Remedy.REFUND, False)
    assert (asked.actor, asked.reason) == ("hanako", "the customer called")
    assert (await room.history(alert))[1:] == [
        ("REMEDY", "hanako", "refund"),
        ("REMEDY_DONE", "hanako", f"refund: REFUND_STARTED {ORDER}-1 ¥1,200"),
    ]


async def test_only_a_stuck_refund_touches_the_orders_own_payment(room: AlertRoom) -> None:
    for rule in RULES:
        if Remedy.REFUND in rule.remedies:
            alert = await an_alert(room, rule.id)
            await room.desk.remedy_alert(order_remedy(alert, Remedy.REFUND))
            assert room.services.remedies[-1].own is (rule.id == "F")


async def test_silence_and_a_no_are_kept_and_the_order_may_be_given_again(
    room: AlertRoom,
) -> None:
    alert = await an_alert(room)
    for error in (Unknown("PAYMENT_UNAVAILABLE"), Refused("ILLEGAL_STATE")):
        room.services.trouble = {"remedy": error}
        with pytest.raises(type(error)):
            await room.desk.remedy_alert(order_remedy(alert))
    room.services.trouble = {}
    await room.desk.remedy_alert(order_remedy(alert))
    assert [(what, note) for what, _, note in await room.history(alert)][1:] == [
        ("REMEDY", "ask_provider"),
        ("REMEDY_UNKNOWN", "ask_provider: PAYMENT_UNAVAILABLE"),
        ("REMEDY_REFUSED", "ask_provider: ILLEGAL_STATE"),
        ("REMEDY_DONE", "ask_provider: nothing to do"),
    ]


async def test_a_repeat_after_the_alert_resolved_itself_is_no_error(room: AlertRoom) -> None:
    event = raised("C")
    await room.book.record(event)

    async def the_facts_come() -> None:
        await room.book.record(resolved(event))

    room.services.before_answer = the_facts_come
    done = await room.desk.remedy_alert(order_remedy(event.alert_id, Remedy.REFUND))
    again = await room.desk.remedy_alert(order_remedy(event.alert_id, Remedy.REFUND))
    assert done.alert.status == again.alert.status == AlertStatus.RESOLVED
    assert len(room.services.remedies) == 1
    with pytest.raises(Refused) as refused:
        await room.desk.remedy_alert(order_remedy(event.alert_id, Remedy.REFUND, actor="taro"))
    assert refused.value.code == "ILLEGAL_STATE"


async def test_a_remedy_on_an_older_view_is_refused_and_nothing_is_asked(
    room: AlertRoom,
) -> None:
    alert = await an_alert(room)
    await room.desk.acknowledge_alert(act(alert, 1))
    with pytest.raises(VersionConflict):
        await room.desk.remedy_alert(order_remedy(alert, version=1))
    assert room.services.remedies == []


async def test_the_list_tells_where_its_changes_go_on() -> None:
    db = await open_database("sqlite:")
    room = a_room(db, Services())
    assert (await room.desk.list_alerts(ListAlerts())).change == 0
    alert = await an_alert(room)
    page = await room.desk.list_alerts(ListAlerts())
    assert page.change == page.alerts[0].change
    taken = await room.desk.acknowledge_alert(act(alert, 1))
    assert taken.change > page.change
    await db.close()
