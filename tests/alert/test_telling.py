"""People outside are told of every beginning and end: signed, under one id, until it is taken."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.support.alert import ORDER, Closed, Services, act, raised, resolved
from tests.support.mariadb import MARIADB, server
from tests.support.web import START_MS, StillClock

from kessai.alert.application.ports import Notice
from kessai.alert.application.record import AlertBook
from kessai.alert.application.telling import Telling, TellingLimits
from kessai.alert.gateway.alerts import SqlAlerts
from kessai.alert.gateway.notices import SqlNotices
from kessai.alert.gateway.notifiers import WebhookNotifier, sign
from kessai.contracts.alert import AlertRaised
from kessai.kernel.db import Db, MySqlDb, MySqlLimits, open_database
from kessai.kernel.errors import Refused, Unknown
from kessai.kernel.http import Answer, NoAnswer
from kessai.kernel.migrations import migrate
from kessai.kernel.settings import Settings

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
URL = "https://chat.example/hooks/kessai"
DAY_MS = 24 * 3_600_000


@dataclass
class Receiver:
    """Answers as it is told; `got` is whatever was sent to it."""

    statuses: list[int] = field(default_factory=list)
    got: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float,
    ) -> Answer:
        assert (method, url, timeout_s > 0) == ("POST", URL, True)
        self.got.append((headers or {}, body or b""))
        await asyncio.sleep(0)
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 0:
            raise NoAnswer("the line is dead")
        return Answer(status, {}, b"")

    async def close(self) -> None:
        return None

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]


@dataclass
class Desk:
    db: Db
    clock: StillClock
    receiver: Receiver
    telling: Telling
    book: AlertBook

    async def later(self, seconds: float) -> int:
        self.clock.pass_s(seconds)
        return await self.telling.tell_due()


def a_desk(db: Db, clock: StillClock, receiver: Receiver, owner: str = "one") -> Desk:
    migrate(db, "alert")
    notifier = WebhookNotifier(receiver, clock, url=URL, secret=SECRET)
    limits = TellingLimits(at_once=10)
    telling = Telling(db, clock, SqlNotices(), notifier, owner=owner, limits=limits)
    return Desk(db, clock, receiver, telling, AlertBook(db, SqlAlerts(), telling.note))


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=MARIADB)])
async def desks(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Desk, Desk]]:
    """Two processes on the same tables, with one receiver."""
    clock, receiver = StillClock(), Receiver()
    dbs: list[Db]
    if request.param == "mariadb":
        url = server().url(server().fresh_schema())
        dbs = [MySqlDb(url, limits=MySqlLimits(writers=4, readers=2)) for _ in range(2)]
    else:
        url = f"sqlite:///{tmp_path}/alerts.db"
        dbs = [await open_database(url) for _ in range(2)]
    yield a_desk(dbs[0], clock, receiver), a_desk(dbs[1], clock, receiver, "two")
    for db in dbs:
        await db.close()


async def test_each_beginning_and_end_is_told_once_however_often_it_is_recorded(
    desks: tuple[Desk, Desk],
) -> None:
    one, two = desks
    event = raised("C", paymentSuccessCount=2)
    for _ in range(2):
        await one.book.record(event)
        await two.book.record(resolved(event))
    await asyncio.gather(one.telling.tell_due(), two.telling.tell_due())
    await one.later(3600)
    assert sorted(one.receiver.types) == ["alert.raised", "alert.resolved"]
    assert len({*one.receiver.ids}) == 2


async def test_a_message_says_what_happened_and_is_signed(desks: tuple[Desk, Desk]) -> None:
    one, _ = desks
    await one.book.record(raised("C", paymentSuccessCount=2))
    await one.telling.tell_due()
    ((headers, body),) = one.receiver.got
    content = json.loads(body)
    assert (content["type"], content["timestamp"]) == ("alert.raised", "2027-01-15T08:00:00.000Z")
    data = content["data"]
    assert (data["rule"], data["severity"], data["orderId"]) == ("C", "P1", ORDER)
    assert data["facts"] == {"paymentSuccessCount": 2}
    assert headers["webhook-timestamp"] == str(START_MS // 1000)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_the_signature_is_that_of_the_specification() -> None:
    """An example that the libraries of Standard Webhooks test themselves by."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_what_is_not_taken_is_sent_again_later_under_the_same_id(
    desks: tuple[Desk, Desk],
) -> None:
    one, two = desks
    one.receiver.statuses = [500, 0, 302, 204]
    await one.book.record(raised())
    assert await one.telling.tell_due() == 1
    assert await one.later(4.9) == 0
    assert await two.later(0.2) == 1
    assert await one.later(9.8) == 0
    assert await one.later(0.3) == 1
    assert await one.later(20.1) == 1
    assert await one.later(7200) == 0
    assert len({*one.receiver.ids}) == 1
    assert len({body for _, body in one.receiver.got}) == 1
    times = [int(headers["webhook-timestamp"]) for headers, _ in one.receiver.got]
    assert times == sorted({*times})


async def test_pauses_grow_to_an_hour_and_end_after_three_days(desks: tuple[Desk, Desk]) -> None:
    one, _ = desks
    one.receiver.statuses = [503] * 1000
    await one.book.record(raised())
    hours = 0
    while hours < 24 * 5:
        await one.later(3600)
        hours += 1
    assert 24 * 3 <= len(one.receiver.got) <= 24 * 3 + 1
    one.receiver.statuses = []
    assert await one.later(DAY_MS / 1000) == 0


async def test_a_receiver_that_is_gone_is_not_asked_again(desks: tuple[Desk, Desk]) -> None:
    one, _ = desks
    one.receiver.statuses = [410]
    await one.book.record(raised())
    await one.telling.tell_due()
    assert await one.later(DAY_MS / 1000) == 0
    assert len(one.receiver.got) == 1


async def test_what_a_process_took_and_did_not_tell_another_one_tells(
    desks: tuple[Desk, Desk],
) -> None:
    """It dies between the sending and the writing: the receiver knows the second by its id."""
    one, two = desks

    await one.book.record(raised())
    notifier = WebhookNotifier(one.receiver, one.clock, url=URL, secret=SECRET)

    sent = asyncio.Event()

    class SendsAndDies:
        async def tell(self, notice: Notice) -> None:
            await notifier.tell(notice)
            sent.set()
            await asyncio.Event().wait()

    dying = Telling(one.db, one.clock, SqlNotices(), SendsAndDies(), owner="dying")
    task = asyncio.ensure_future(dying.tell_due())
    await sent.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await two.telling.tell_due() == 0
    assert await two.later(61) == 1
    assert await two.later(DAY_MS / 1000) == 0
    assert one.receiver.ids[0] == one.receiver.ids[1]


async def test_who_resolves_by_hand_is_told_of_too_and_only_once() -> None:
    from kessai.alert.application.desk import AlertDesk
    from kessai.alert.application.evidence import Witnesses
    from kessai.alert.application.remedies import Remedies

    db = await open_database("sqlite:")
    one, services = a_desk(db, StillClock(), Receiver()), Services()
    witnesses = Witnesses(services, services, services, one.clock, timeout_s=1)  # type: ignore[arg-type]
    alerts = SqlAlerts()
    remedies = Remedies(db, one.clock, alerts, services)  # type: ignore[arg-type]
    desk = AlertDesk(db, one.clock, alerts, witnesses, remedies, one.telling.note, Closed())
    event: AlertRaised = raised()
    await one.book.record(event)
    await desk.acknowledge_alert(act(event.alert_id, 1))
    for _ in range(2):
        await desk.resolve_alert(act(event.alert_id, 2))
    await one.book.record(resolved(event))
    await one.telling.tell_due()
    assert sorted(one.receiver.types) == ["alert.raised", "alert.resolved"]
    (ended,) = [json.loads(b)["data"] for _, b in one.receiver.got if b"alert.resolved" in b]
    assert ended["resolvedBy"] == "hanako"
    await db.close()


@pytest.mark.parametrize("status", [199, 301, 400, 404, 429, 500])
async def test_only_a_2xx_is_a_yes(status: int) -> None:
    notifier = WebhookNotifier(Receiver([status]), StillClock(), url=URL, secret=SECRET)
    with pytest.raises(Unknown):
        await notifier.tell(Notice("n", "a", "{}", 0))


async def test_gone_is_a_no() -> None:
    notifier = WebhookNotifier(Receiver([410]), StillClock(), url=URL, secret=SECRET)
    with pytest.raises(Refused):
        await notifier.tell(Notice("n", "a", "{}", 0))


def settings(**given: str) -> Settings:
    return Settings(_env_file=None, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        {"alert_webhook_url": URL},
        {"alert_webhook_secret": SECRET},
        {"alert_webhook_url": "chat.example", "alert_webhook_secret": SECRET},
        {"alert_webhook_url": "ftp://chat.example", "alert_webhook_secret": SECRET},
        {"alert_webhook_url": "https://me:pw@chat.example", "alert_webhook_secret": SECRET},
        {"alert_webhook_url": URL, "alert_webhook_secret": SECRET.removeprefix("whsec_")},
        {"alert_webhook_url": URL, "alert_webhook_secret": "whsec_c2hvcnQ="},
        {"alert_webhook_url": URL, "alert_webhook_secret": "whsec_not base64 at all, is it?"},
        {
            "alert_webhook_url": URL,
            "alert_webhook_secret": f"whsec_{base64.b64encode(bytes(65)).decode()}",
        },
    ],
)
def test_a_webhook_that_cannot_work_is_refused_without_its_secret_in_the_words(
    given: dict[str, str],
) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(**given)
    words = str(refused.value)
    assert given.get("alert_webhook_secret", "nothing") not in words
    (problem,) = refused.value.errors(include_input=False, include_url=False)
    assert "KESSAI" in problem["msg"] or problem["loc"][0] in given


def test_a_whole_webhook_is_taken_and_its_secret_hidden() -> None:
    made = settings(alert_webhook_url=URL, alert_webhook_secret=SECRET)
    assert made.alert_webhook_url == URL
    assert SECRET not in repr(made)
