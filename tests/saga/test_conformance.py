"""The engine beside recordings of Seata's: ours always, Seata's own where they lie next to us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kessai.saga.conformance import Report, Unreadable, run

OURS = Path(__file__).parent / "cases" / "runs.json"
SEATA = Path(__file__).resolve().parents[3] / "shared" / "seata"
beside = pytest.mark.skipif(
    not SEATA.is_dir(), reason="Seata's recorded cases are not beside the repository"
)


def deviations(report: Report) -> dict[int, int]:
    found: dict[int, int] = {}
    for entry in report.entries:
        if entry.deviation is not None:
            found[entry.deviation] = found.get(entry.deviation, 0) + 1
    return found


def test_runs_of_our_own_machines_end_as_in_seata() -> None:
    report = run(OURS)
    assert report.lines == []
    assert (report.skipped, report.passed > 250) == (0, True)
    # How often each deviation explains a case: a new one would hide a difference.
    assert deviations(report) == DEVIATIONS_OF_OURS


DEVIATIONS_OF_OURS = {1: 20, 3: 1, 4: 2, 5: 1, 6: 3, 8: 2}


@beside
@pytest.mark.parametrize(
    ("name", "passed", "deviating"),
    [
        ("cases.json", 115, 0),
        ("cases_probes.json", 37, 1),
        ("expressions.json", 75, 5),
        ("parsing.json", 14, 0),
    ],
)
def test_the_recorded_cases(name: str, passed: int, deviating: int) -> None:
    report = run(SEATA / name)
    assert report.lines == []
    assert (report.passed, report.deviating, report.failed) == (passed, deviating, 0)


def a_case(**changes: Any) -> dict[str, Any]:
    state = {
        "name": "A",
        "type": "ServiceTask",
        "status": "SU",
        "input": [{"x": 1}],
        "output": {"x": 1},
    }
    observed = {
        "status": "SU",
        "compensation_status": None,
        "db": {"status": "SU", "compensation_status": None, "is_running": 0},
        "running": False,
        "states": [state],
        "end_params": {"a": 1, "r": {"x": 1}},
        "trace": ["tx begin", ["call", "foo", {"x": 1}], ["return", "foo", {"x": 1}]],
    }
    step = {"op": "start", "params": {"a": 1}, "observed": {**observed, **changes}}
    engine = "DbStateMachineConfig (log store)"
    return {
        "id": "one",
        "json_file": "m.json",
        "machine_name": "m",
        "engine": engine,
        "steps": [step],
    }


def judged(tmp_path: Path, case: dict[str, Any]) -> Report:
    machine = {
        "Name": "m",
        "StartState": "A",
        "States": {
            "A": {
                "Type": "ServiceTask",
                "ServiceName": "demoService",
                "ServiceMethod": "foo",
                "Input": [{"x": "$.[a]"}],
                "Output": {"r": "$.#root"},
            }
        },
    }
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"machines": {"m.json": machine}, "cases": [case]}))
    return run(path)


def test_a_case_that_agrees_passes(tmp_path: Path) -> None:
    assert judged(tmp_path, a_case()).summary == "1 passed, 0 deviating, 0 failed"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "FA"}, "status SU, Seata FA"),
        ({"compensation_status": "SU"}, "compensation None, Seata SU"),
        ({"trace": [["call", "foo", {"x": 2}]]}, 'calls with ["foo", {"x": 1}]'),
        ({"trace": []}, "Seata nothing"),
        ({"end_params": {"a": 1}}, 'context {"a": 1, "r": {"x": 1}}, Seata {"a": 1}'),
        ({"states": []}, "states with"),
        ({"db_sub_machines": [{"status": "SU", "compensation_status": None}]}, "sub machines"),
        ({"thrown": {"class": "x", "errcode": "VariablesAssignError"}}, "thrown None, Seata"),
    ],
)
def test_every_difference_fails(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    report = judged(tmp_path, a_case(**changes))
    assert report.failed == 1
    assert reason in report.lines[0]


def test_a_hanging_start_deviates_only_if_ours_ended(tmp_path: Path) -> None:
    running = {"status": "RU", "compensation_status": None, "is_running": 1}
    thrown = {"class": "org.apache.seata.common.exception.FrameworkException"}
    hangs = a_case(status=None, db=running, db_states=[["A", "RU"]], thrown=thrown)
    report = judged(tmp_path, hangs)
    assert [entry.deviation for entry in report.entries] == [1]
    more = a_case(status=None, db=running, thrown=thrown, trace=[["call", "bar", {}]])
    assert "deviation 1, but calls lack" in judged(tmp_path, more).lines[0]


def test_an_unknown_step_ends_a_case_and_a_missing_machine_skips_it(tmp_path: Path) -> None:
    case = a_case()
    case["steps"].append({"op": "sql", "observed": {}})
    assert judged(tmp_path, case).passed == 1
    case["steps"] = case["steps"][1:]
    assert judged(tmp_path, case).skipped == 1
    assert (
        judged(tmp_path, {**a_case(), "json_file": "other.json", "machine_name": "o"}).skipped == 1
    )


@pytest.mark.parametrize("text", ["", "[]", '{"cases": 1}', '{"cases": [1]}'])
def test_a_file_that_holds_no_cases_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cases.json"
    path.write_text(text)
    with pytest.raises(Unreadable, match=r"cases\.json"):
        run(path)


def test_a_kind_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [a_case()]}))
    with pytest.raises(Unreadable, match="a case has no 'expr'"):
        run(path, kind="expressions")
    with pytest.raises(Unreadable, match="no cases of the kind 'other'"):
        run(path, kind="other")
