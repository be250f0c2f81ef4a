"""Traces of the real Java engine: whatever the supported language covers must end the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.saga.demo import SEATA, run_case

from kessai.saga import DefinitionError, load

pytestmark = pytest.mark.skipif(
    not SEATA.is_dir(), reason="Seata's recorded cases are not beside the repository"
)


def cases(name: str, folder: str) -> list[Any]:
    return list(_cases(name, folder))


def _cases(name: str, folder: str) -> Iterator[Any]:
    """One parameter per case whose machine loads and whose operations exist here."""
    path = SEATA / name
    if not path.is_file():
        return
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        file = SEATA / folder / Path(case["json_file"] or "-").name
        if file.is_file() and _loads(file) and _can_be_repeated(case):
            yield pytest.param(case, file, id=case["id"])


def _loads(file: Path) -> bool:
    try:
        load(file)
    except DefinitionError:
        return False
    return True


def _can_be_repeated(case: dict[str, Any]) -> bool:
    """Steps that this engine can repeat; the timeout of a whole machine is not among them."""
    known = ("start", "forward", "compensate", "reload")
    return all(
        step["op"] in known
        and (step["observed"].get("thrown") or {}).get("errcode") != "StateMachineExecutionTimeout"
        for step in case["steps"]
    )


@pytest.mark.parametrize(("case", "file"), cases("cases.json", "statelang"))
async def test_a_recorded_case_ends_as_in_java(case: dict[str, Any], file: Path) -> None:
    assert await run_case(case, load(file)) == []


@pytest.mark.parametrize(("case", "file"), cases("cases_probes.json", "probes"))
async def test_a_probe_ends_as_in_java(case: dict[str, Any], file: Path) -> None:
    assert await run_case(case, load(file)) == []
