"""A remedy that a person orders: written down, done by order-service, its outcome written down."""

from __future__ import annotations

from kessai.alert.application.evidence import is_order_id
from kessai.alert.application.ports import Act, Alerts
from kessai.alert.application.present import alert_row
from kessai.alert.domain.alert import Alert
from kessai.alert.domain.rules import BY_ID
from kessai.contracts.alert import AlertStatus, RemedyAlert, RemedyDone
from kessai.contracts.order import OrderService, RemedyApplied, RemedyOrder
from kessai.kernel.clock import Clock
from kessai.kernel.db import Db, Tx
from kessai.kernel.errors import NotFound, Refused, Unknown, VersionConflict
from kessai.kernel.telemetry import get_log

ASKED, DONE, REFUSED, UNANSWERED = "REMEDY", "REMEDY_DONE", "REMEDY_REFUSED", "REMEDY_UNKNOWN"
# What order-service keeps of a reason.
_REASON_LENGTH = 200
_log = get_log("kessai.alert")


class Remedies:
    """Whoever repeats an order (the same person, remedy and version) only asks for it again."""

    def __init__(self, db: Db, clock: Clock, alerts: Alerts, orders: OrderService) -> None:
        self._db = db
        self._clock = clock
        self._alerts = alerts
        self._orders = orders

    async def apply(self, command: RemedyAlert) -> RemedyDone:
        alert = await self._begin(command)
        if alert.status is AlertStatus.RESOLVED:
            # The answer to the first order was lost, and meanwhile the alert resolved itself.
            return RemedyDone(alert=alert_row(alert), remedy=command.remedy)
        asked = RemedyOrder(
            order_id=alert.order_id or "",
            remedy=command.remedy,
            actor=command.actor,
            reason=command.reason[:_REASON_LENGTH],
            own=BY_ID[alert.rule].refunds_own,
        )
        try:
            applied = await self._orders.remedy_order(asked)
        except Refused as refused:
            await self._end(command, alert, REFUSED, refused.code)
            raise
        except Unknown as unknown:
            await self._end(command, alert, UNANSWERED, unknown.code)
            raise
        after = await self._end(command, alert, DONE, _told(applied))
        return RemedyDone(
            alert=alert_row(after),
            remedy=command.remedy,
            order_status=applied.order.status.value,
            steps=applied.steps,
        )

    async def _begin(self, command: RemedyAlert) -> Alert:
        async with self._db.transaction() as tx:
            alert = await self._alerts.lock(tx, command.alert_id)
            if alert is None:
                raise NotFound(f"no alert {command.alert_id}")
            _must_fit(alert, command)
            if await self._is_repeat(tx, command):
                return alert
            if alert.status is AlertStatus.RESOLVED:
                raise Refused("ILLEGAL_STATE", "the alert is resolved")
            if alert.version != command.version:
                raise VersionConflict(f"the alert is at version {alert.version}")
            await self._write(tx, command, ASKED, command.remedy.value)
        return alert

    async def _is_repeat(self, tx: Tx, command: RemedyAlert) -> bool:
        asked = (ASKED, command.actor, command.version, command.remedy.value)
        acts = await self._alerts.acts(tx, command.alert_id)
        return any((one.action, one.actor, one.version, one.note) == asked for one in acts)

    async def _end(self, command: RemedyAlert, alert: Alert, action: str, what: str) -> Alert:
        """The alert as it is now: its facts may have come while the remedy was at work."""
        async with self._db.transaction() as tx:
            await self._write(tx, command, action, f"{command.remedy.value}: {what}")
            after = await self._alerts.get(tx, alert.id)
        _log.info(
            "alert.remedied",
            alert_id=alert.id,
            remedy=command.remedy.value,
            actor=command.actor,
            outcome=action,
        )
        return after or alert

    async def _write(self, tx: Tx, command: RemedyAlert, action: str, note: str) -> None:
        act = Act(
            command.alert_id,
            command.version,
            self._clock.now_ms(),
            action,
            command.actor,
            command.reason,
            note,
        )
        await self._alerts.add_act(tx, act)


def _must_fit(alert: Alert, command: RemedyAlert) -> None:
    rule = BY_ID.get(alert.rule)
    fitting = rule.remedies if rule is not None and is_order_id(alert.order_id) else ()
    if command.remedy not in fitting:
        raise Refused(
            "REMEDY_DOES_NOT_FIT",
            f"{command.remedy.value} is no remedy for this alert",
            facts={"rule": alert.rule, "remedies": [one.value for one in fitting]},
        )


def _told(applied: RemedyApplied) -> str:
    steps = [
        f"{one.code} {one.subject}{f' ¥{one.amount:,}' if one.amount is not None else ''}"
        for one in applied.steps
    ]
    return "; ".join(steps) or "nothing to do"
