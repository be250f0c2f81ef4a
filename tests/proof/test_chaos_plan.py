"""A plan is what its seed says: nothing runs here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from kessai.cli import app
from kessai.kernel.chance import SeededChance
from kessai.kernel.settings import Settings
from kessai.proof.chaos.faults import OF_STORE, SERVICE_NAMES, STORES, Fault, Group, Kind
from kessai.proof.chaos.plan import (
    HOT_PIECES,
    LAST_ORDERS_S,
    SETTINGS,
    Plan,
    Profile,
    draw_plan,
)
from kessai.proof.chaos.weather import BLACKOUT, LOSSY, REORDER, SLOW, STORM, draw_weather
from kessai.proof.shopper.mix import Kind as Customer
from kessai.sim.paypay.domain.faults import Faults

runner = CliRunner()
SEEDS = st.integers(0, 2**31)
PROFILES = st.sampled_from(list(Profile))
# A plan has hundreds of customers; how long that takes here is not the question.
QUICK = settings(max_examples=25, deadline=None)
STOCKS = (LOSSY, STORM, REORDER, BLACKOUT, SLOW)


def groups(plan: Plan) -> set[Group]:
    return {fault.group for fault in plan.faults}


def test_a_seed_plans_the_same_run_in_every_process() -> None:
    told = []
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "kessai", "chaos", "--plan", "--seed", "9", "--minutes", "1"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            timeout=60,
        )
        told.append(done.stdout)
    assert told[0] == told[1]
    plan = json.loads(told[0])
    assert (plan["seed"], plan["minutes"], plan["profile"]) == (9, 1.0, "all")
    assert plan["faults"]
    assert plan["customers"]


@QUICK
@given(SEEDS, PROFILES)
def test_another_seed_plans_another_run(seed: int, profile: Profile) -> None:
    one, again = draw_plan(seed, 1, profile), draw_plan(seed, 1, profile)
    assert one == again
    assert one.fingerprint == again.fingerprint != draw_plan(seed + 1, 1, profile).fingerprint


@QUICK
@given(SEEDS, PROFILES, st.floats(0.1, 5))
def test_everything_is_broken_and_mended_within_its_time(
    seed: int, profile: Profile, minutes: float
) -> None:
    plan = draw_plan(seed, minutes, profile)
    for fault in plan.faults:
        assert fault.at_s > 0
        assert fault.for_s >= 0
        assert fault.end_s <= plan.length_s + 0.01
    last_s = max(1.0, plan.length_s - LAST_ORDERS_S)
    assert all(0 <= one.at_s <= last_s + 0.001 for one in plan.customers)
    assert len({one.id for one in plan.customers}) == len(plan.customers)


@QUICK
@given(SEEDS, PROFILES, st.booleans())
def test_nobody_breaks_a_process_that_is_broken(
    seed: int, profile: Profile, on_servers: bool
) -> None:
    until_s: dict[str, float] = {}
    for fault in draw_plan(seed, 3, profile, on_servers=on_servers).faults:
        if fault.kind in (Kind.WEATHER, Kind.LOCKED, Kind.RUSH):
            continue
        process = OF_STORE.get(fault.target, fault.target)
        assert fault.at_s >= until_s.get(process, 0)
        assert sum(end_s > fault.at_s for end_s in until_s.values()) < 2
        until_s[process] = fault.end_s


EXPECTED: dict[Profile, set[Group]] = {
    Profile.LOSSY: {Group.PROVIDER},
    Profile.STORM: {Group.PROVIDER, Group.LOAD},
    Profile.REORDER: {Group.PROVIDER, Group.CLOCK},
    Profile.BLACKOUT: {Group.PROVIDER},
    Profile.SLOW: {Group.PROVIDER, Group.PROCESS, Group.STORES},
    Profile.RESTARTS: {Group.PROCESS, Group.STORES},
    Profile.ALL: set(Group) - {Group.USER},
}


@pytest.mark.parametrize("profile", Profile)
def test_a_profile_breaks_what_it_is_named_for(profile: Profile) -> None:
    assert groups(draw_plan(1, 5, profile)) == EXPECTED[profile]


def test_in_a_long_run_every_service_and_every_store_has_its_turn() -> None:
    faults = [one for seed in (1, 2) for one in draw_plan(seed, 20, Profile.ALL).faults]
    for kind in (Kind.KILL, Kind.FREEZE, Kind.RESTART, Kind.CLOCK_STEP):
        assert {one.target for one in faults if one.kind is kind} == set(SERVICE_NAMES)
    assert {one.target for one in faults if one.kind is Kind.LOCKED} == set(STORES)
    full = {one.target for one in faults if one.kind in (Kind.DISK_FULL, Kind.READ_ONLY)}
    assert full == set(OF_STORE)
    assert {one.kind for one in faults} == set(Kind) - {Kind.KILL_SERVER}


def test_on_servers_they_are_killed_and_no_file_is_full_or_locked() -> None:
    faults = draw_plan(1, 20, Profile.ALL, on_servers=True).faults
    killed = {one.target for one in faults if one.kind is Kind.KILL_SERVER}
    assert killed == {"mariadb", "kafka", "redis"}
    of_files = {Kind.LOCKED, Kind.DISK_FULL, Kind.READ_ONLY}
    assert {one.kind for one in faults} == set(Kind) - of_files
    assert draw_plan(1, 20, Profile.LOSSY, on_servers=True).faults == (
        draw_plan(1, 20, Profile.LOSSY).faults
    )


@given(SEEDS, st.sampled_from(STOCKS), st.floats(1, 15))
def test_the_simulator_takes_every_weather(seed: int, stock: Any, for_s: float) -> None:
    knobs = draw_weather(SeededChance(seed), stock, for_s, seed)
    taken = Faults.model_validate({key: value for key, value in knobs.items() if _is_set(value)})
    # Older news than the grace would be mended by a follow-up an hour later.
    assert all(part.stale_ms < 2000 for part in taken.api.values())
    assert taken.blackout.for_ms <= for_s * 1000 + 1


def _is_set(value: Any) -> bool:
    if isinstance(value, dict):
        for name in [name for name, part in value.items() if part is None]:
            del value[name]
    return value is not None


@pytest.mark.parametrize("stock", STOCKS)
def test_every_fault_of_a_stock_is_drawn_sooner_or_later(stock: Any) -> None:
    words = "".join(
        json.dumps(draw_weather(SeededChance(seed), stock, 10, seed)) for seed in range(80)
    )
    renamed = {
        "delay": "delayMs",
        "copyDelay": "copyDelayMs",
        "stale": "staleMs",
        "hang": '"hang"',
        "tooMany": '"429"',
        "unavailable": '"503"',
        "unauthorized": '"401"',
    }
    for name in (*stock.webhooks, *stock.api, *stock.silences):
        assert renamed.get(name, name) in words
    assert ('clockSkewS": 2' in words) is stock.skew


def test_a_rush_is_more_people_than_pieces() -> None:
    plan = draw_plan(2, 3, Profile.STORM)
    rushes = [fault for fault in plan.faults if fault.kind is Kind.RUSH]
    assert rushes
    for number, rush in enumerate(rushes):
        crowd = [one for one in plan.customers if one.id.startswith(f"r{number:02d}-")]
        assert len(crowd) > HOT_PIECES
        assert {one.kind for one in crowd} == {Customer.LAST_PIECES}
        assert all(one.at_s <= rush.end_s + 0.001 for one in crowd)


def test_all_kinds_of_customers_come() -> None:
    assert {one.kind for one in draw_plan(1, 5, Profile.LOSSY).customers} == set(Customer)


def test_the_settings_are_settings() -> None:
    known = {f"KESSAI_{name.upper()}" for name in Settings.model_fields}
    assert set(SETTINGS) <= known


def test_a_fault_tells_itself() -> None:
    fault = Fault(1.5, 2.0, Kind.KILL, "bff")
    assert fault.row() == {
        "atS": 1.5,
        "forS": 2.0,
        "group": "Process",
        "kind": "kill -9",
        "target": "bff",
        "knobs": {},
    }


BAD = [
    (["--profile", "earthquake"], "earthquake"),
    (["--minutes", "0"], "--minutes"),
    (["--minutes", "-1"], "--minutes"),
    (["--minutes", "nan"], "--minutes"),
    (["--minutes", "inf"], "--minutes"),
    (["--rate", "0"], "--rate"),
    (["--rate", "nan"], "--rate"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD, ids=[" ".join(one) for one, _ in BAD])
def test_bad_input_is_one_line_and_exit_2(arguments: list[str], named: str) -> None:
    done = runner.invoke(app, ["chaos", "--seed", "1", *arguments])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("kessai: ")
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_report_that_could_not_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    done = runner.invoke(app, ["chaos", "--html", str(tmp_path / "no" / "page.html")])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


def test_a_folder_with_something_in_it_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "order.db").write_text("mine")
    done = runner.invoke(app, ["chaos", "--keep", str(tmp_path)])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert (tmp_path / "order.db").read_text() == "mine"
