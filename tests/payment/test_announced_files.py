"""Files that PayPay announces: fetched while their link lives, reconciled, or told once."""

from __future__ import annotations

import asyncio
import os
from itertools import pairwise

from tests.support.file_host import HOST, LINK, Office, in_the_office
from tests.support.payment import OTHER

from kessai.contracts.moves import AttemptStatus
from kessai.contracts.payment import ListSettlements, SettlementById

HOURS_S = 3600


@in_the_office()
async def test_a_file_that_agrees_leaves_a_report_and_nothing_else(office: Office) -> None:
    office.offer([await office.sell()])
    assert await office.announce()
    await asyncio.sleep(2)
    file = await office.file()
    assert (file["status"], file["reason"], file["due_at_ms"]) == ("DONE", None, None)
    (run,) = (await office.till.service.list_settlements(ListSettlements())).runs
    assert (run.run_id, run.matched, run.rows) == (file["run_id"], 1, 1)
    assert run.file_name == "transaction_m_20260115000000_20260115235959_v2.csv"
    assert (office.count("MATCHED"), office.papers) == (1, [])
    assert await office.till.signals() == []
    rows = await office.till.rows("SELECT reason FROM webhook_inbox WHERE status = 'PARKED'")
    assert [row["reason"] for row in rows] == ["FILE_ANNOUNCED"]


@in_the_office()
async def test_differences_are_told_as_by_the_command(office: Office) -> None:
    await office.sell()
    office.offer([])
    await office.announce()
    await asyncio.sleep(2)
    assert (await office.file())["status"] == "DONE"
    signals = await office.till.signals()
    assert [one.signal for one in signals] == ["SettlementDifference"] * 2
    assert signals[0].facts["kind"] == "MISSING_THERE"
    assert (office.count("DIFFERENCES"), office.papers) == (1, [])


@in_the_office()
async def test_neither_the_door_nor_a_payment_waits_for_a_download(office: Office) -> None:
    office.offer([])
    office.host.gate.clear()
    began_ms = office.till.now_ms
    assert await office.announce()
    assert office.till.now_ms == began_ms
    await asyncio.sleep(1)
    assert office.host.asked != []
    await office.sell()
    assert await office.till.statuses() == [AttemptStatus.SUCCEEDED]
    assert (await office.file())["status"] == "NEW"


@in_the_office()
async def test_a_repeated_notice_is_one_file(office: Office) -> None:
    office.offer([])
    assert await office.announce()
    assert not await office.announce()
    await asyncio.sleep(2)
    assert not await office.announce()
    assert not await office.announce(LINK + "&again", requestedAt="later")
    await asyncio.sleep(2)
    assert (await office.file())["link"] == LINK
    assert len(office.host.asked) == 1
    assert office.till.metric('webhooks_received_total{outcome="FILE_ANNOUNCED"}') == 1
    assert office.till.metric('webhooks_received_total{outcome="REPEATED"}') == 3


@in_the_office()
async def test_the_same_file_by_another_notice_changes_nothing(office: Office) -> None:
    await office.sell()
    office.offer([])
    await office.announce(of="n-1")
    await asyncio.sleep(2)
    told = await office.till.signals()
    assert await office.announce(of="n-2")
    await asyncio.sleep(2)
    first, second = await office.files()
    assert first["run_id"] == second["run_id"]
    assert await office.till.signals() == told
    assert office.count("REPEATED") == 1


@in_the_office()
async def test_a_host_that_is_down_is_asked_again_with_growing_pauses(office: Office) -> None:
    office.offer([await office.sell()])
    office.host.statuses = [503, 404, 302, 500, 200]
    await office.announce()
    await asyncio.sleep(HOURS_S)
    file = await office.file()
    assert (file["status"], file["tries"]) == ("DONE", 5)
    pauses = [later - earlier for earlier, later in pairwise(office.host.asked)]
    assert [round(pause) for pause in pauses] == [5, 15, 60, 180]
    assert await office.told() == []


@in_the_office()
async def test_a_file_that_never_comes_is_lost_when_its_link_ends(office: Office) -> None:
    office.host.statuses = [404]
    await office.announce()
    await asyncio.sleep(2 * HOURS_S - 70)
    assert await office.told() == []
    await asyncio.sleep(70)
    asked = len(office.host.asked)
    assert 10 < asked < 25
    (lost,) = await office.told()
    assert (lost.signal, lost.facts["remedy"]) == ("SettlementFileLost", "NEW_FILE")
    assert (lost.facts["why"], lost.facts["tries"]) == ("NO_FILE: status 404", asked)
    assert lost.facts["link"] == LINK.partition("?")[0]
    assert "secret" not in lost.model_dump_json()
    await asyncio.sleep(HOURS_S)
    assert len(office.host.asked) == asked
    assert (await office.told(), office.count("LOST")) == ([lost], 1)
    assert (await office.file())["status"] == "LOST"


@in_the_office()
async def test_a_lost_file_begins_again_with_a_newer_link(office: Office) -> None:
    office.host.statuses = [404]
    await office.announce()
    await asyncio.sleep(2 * HOURS_S)
    office.host.statuses = [200]
    office.offer([])
    assert await office.announce(f"{LINK}&new")
    await asyncio.sleep(2)
    file = await office.file()
    assert (file["status"], file["link"], file["tries"]) == ("DONE", f"{LINK}&new", 1)


@in_the_office()
async def test_a_notice_that_comes_after_its_link_has_ended_is_tried_once(office: Office) -> None:
    office.host.statuses = [404]
    await office.announce(requestedAt=str(office.till.now_ms // 1000 - 3 * HOURS_S))
    await asyncio.sleep(HOURS_S)
    assert len(office.host.asked) == 1
    assert [one.signal for one in await office.told()] == ["SettlementFileLost"]


@in_the_office()
async def test_a_link_to_another_host_is_refused_once_and_never_asked(office: Office) -> None:
    links = [
        "http://169.254.169.254/latest/meta-data?token=secret",
        "http://localhost:8090/files/a.csv",
        "http://me:pw@127.0.0.1:8090/files/a.csv",
        "file:///etc/passwd",
    ]
    for number, link in enumerate(links):
        assert await office.announce(link, of=f"n-{number}")
        assert not await office.announce(link, of=f"n-{number}")
    await asyncio.sleep(3 * HOURS_S)
    told = await office.told()
    assert {one.signal for one in told} == {"SettlementFileRefused"}
    assert sorted(str(one.facts["why"]) for one in told) == [
        "NO_URL",
        "UNKNOWN_HOST",
        "UNKNOWN_HOST",
        "USERINFO",
    ]
    assert not any("secret" in one.model_dump_json() or "pw" in str(one.facts) for one in told)
    assert (office.count("REFUSED"), office.host.asked, office.papers) == (4, [], [])


@in_the_office(paypay_url="http://127.0.0.1:1", paypay_file_hosts="127.0.0.1,files.test")
async def test_hosts_of_the_settings_are_allowed(office: Office) -> None:
    office.offer([])
    await office.announce()
    await asyncio.sleep(2)
    assert (await office.file())["status"] == "DONE"


@in_the_office()
async def test_what_is_no_settlement_file_is_told_once_and_ends(office: Office) -> None:
    office.host.content = b"<html>maintenance</html>"
    await office.announce()
    await asyncio.sleep(3 * HOURS_S)
    (broken,) = await office.told()
    assert (broken.signal, broken.facts["remedy"]) == ("SettlementFileBroken", "NEW_FILE")
    assert str(broken.facts["why"]).startswith("no header")
    assert (len(office.host.asked), office.count("BROKEN"), office.papers) == (1, 1, [])
    assert (await office.till.service.list_settlements(ListSettlements())).runs == ()


@in_the_office(paypay_file_limit_bytes=200)
async def test_a_file_beyond_the_limit_is_refused(office: Office) -> None:
    office.host.content = b"x" * 10_000
    await office.announce()
    await asyncio.sleep(3 * HOURS_S)
    (refused,) = await office.told()
    assert (refused.signal, refused.facts["remedy"]) == ("SettlementFileRefused", "OPERATOR")
    assert refused.facts["why"] == "the answer is longer than 200 bytes"
    assert (len(office.host.asked), office.papers) == (1, [])


@in_the_office(paypay_file_timeout_s=30)
async def test_a_download_that_does_not_end_is_broken_off_and_tried_again(office: Office) -> None:
    office.offer([await office.sell()])
    office.host.chunk_pause_s = 20
    await office.announce()
    await asyncio.sleep(15)
    assert len(office.papers) == 1
    await asyncio.sleep(17)
    assert (office.papers, (await office.file())["reason"][:9]) == ([], "NO_ANSWER")
    office.host.chunk_pause_s = 0
    await asyncio.sleep(10)
    assert (await office.file())["status"] == "DONE"


@in_the_office()
async def test_a_long_download_keeps_its_lease(office: Office) -> None:
    office.offer([await office.sell()])
    office.host.chunk_pause_s = 100
    await office.announce()
    for _ in range(10):
        await asyncio.sleep(20)
        assert (await office.file())["lease_until_ms"] > office.till.now_ms + 30_000
    await asyncio.sleep(HOURS_S)
    assert ((await office.file())["status"], len(office.host.asked)) == ("DONE", 1)


@in_the_office()
async def test_after_a_crash_the_work_goes_on_and_its_rubbish_is_gone(office: Office) -> None:
    office.offer([await office.sell()])
    office.host.gate.clear()
    await office.announce()
    await asyncio.sleep(1)
    (folder,) = (each for each in office.folder.iterdir() if each.is_dir())
    others = office.folder / "settlement-other"
    others.mkdir()
    for place in (folder, others):
        (place / "file-left.csv").write_bytes(b"half")
    office.host.gate.set()
    office.host.statuses = [503, 200]
    await office.till.start_again()
    await asyncio.sleep(10)
    assert (await office.file())["status"] == "DONE"
    assert office.papers == ["file-left.csv"]
    assert os.listdir(folder) == []


@in_the_office()
async def test_without_a_place_on_disk_the_file_is_put_off(office: Office) -> None:
    office.offer([await office.sell()])
    (office.folder / "settlement-local").write_text("in the way")
    await office.announce()
    await asyncio.sleep(2)
    file = await office.file()
    assert (file["status"], file["reason"][:5]) == ("NEW", "DISK:")
    (office.folder / "settlement-local").unlink()
    await asyncio.sleep(30)
    assert (await office.file())["status"] == "DONE"


@in_the_office()
async def test_two_files_of_a_day_are_done_one_after_the_other(office: Office) -> None:
    rows = [await office.sell(), await office.sell(OTHER)]
    office.offer(rows)
    await office.announce(of="n-1")
    await office.announce(f"{HOST}/files/preauth.csv", of="n-2")
    await asyncio.sleep(3)
    assert [row["status"] for row in await office.files()] == ["DONE", "DONE"]
    run_id = (await office.files())[0]["run_id"]
    page = await office.till.service.get_settlement(SettlementById(run_id=run_id))
    assert (page.run.matched, page.run.theirs_yen) == (2, 2400)
