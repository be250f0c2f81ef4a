"""Seata's own definitions, and what its engine said of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kessai.saga.language import DefinitionError, explain, load

SEATA = Path(__file__).resolve().parents[3] / "shared" / "seata"

pytestmark = pytest.mark.skipif(
    not SEATA.is_dir(), reason="Seata's definitions are not beside the repository"
)


def recorded() -> list[dict[str, Any]]:
    path = SEATA / "parsing.json"
    return json.loads(path.read_text(encoding="utf-8"))["cases"] if path.is_file() else []


def files() -> list[Path]:
    return sorted([*SEATA.glob("statelang/*.json"), *SEATA.glob("probes/*.json")])


@pytest.mark.parametrize("case", recorded(), ids=lambda case: case["id"])
def test_a_recorded_definition_is_accepted_or_refused_as_in_java(case: dict[str, Any]) -> None:
    text = json.dumps(case["json"])
    if case["ok"]:
        assert list(load(case["json"]).states) == case["states"] == list(load(text).states)
    else:
        with pytest.raises(DefinitionError):
            load(text)


@pytest.mark.parametrize("file", files(), ids=lambda file: file.stem)
def test_seatas_machines_load(file: Path) -> None:
    report = explain(file)
    assert report.errors == ()
    assert report.machine is not None
    assert report.machine.name
    assert len(report.machine.states) > 1


# What is odd about Seata's own machines: a state that no test reaches, and the like.
DOUBTED = {
    "pForUpdate": ["IsForUpdate but no CompensateState"],
    "pNoCatch": ["'Fail': cannot be reached"],
    "pScriptMap": ["'Fail': cannot be reached"],
    "pScriptSum": ["'Fail': cannot be reached"],
    "pStatusX": ["'Fail': cannot be reached"],
    "pTriggerThenTask": ["'Fail': cannot be reached"],
    "simple_statelang_with_choice_no_default": ["'ChoiceState': has no Default"],
    "simple_statelang_with_userdef_sub_machine_compensation": ["'CompensateSecondState' does not"],
}


@pytest.mark.parametrize("file", files(), ids=lambda file: file.stem)
def test_doubts_about_seatas_machines_are_few_and_right(file: Path) -> None:
    doubts = load(file).doubts
    expected = DOUBTED.get(file.stem, [])
    assert len(doubts) == len(expected)
    assert all(part in doubt for part, doubt in zip(expected, doubts, strict=True))
