"""Definitions that Seata's parser took or refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from kessai.saga.conformance.files import is_uncompilable
from kessai.saga.conformance.report import Entry, Report, Result
from kessai.saga.conformance.seen import Json
from kessai.saga.language import DefinitionError, Machine, load


@dataclass(frozen=True, slots=True)
class _Deviation:
    number: int
    title: str
    explains: Callable[[Json, DefinitionError], bool]


def check_parsing(cases: Sequence[Json]) -> Report:
    report = Report("parsing")
    for case in cases:
        report.entries.append(_check(str(case.get("id")), case))
    return report


def _check(case_id: str, case: Json) -> Entry:
    source = case.get("json_text", case.get("json"))
    text = source if isinstance(source, str) else json.dumps(source, ensure_ascii=False)
    try:
        machine = load(text)
    except DefinitionError as error:
        return _refused(case_id, case, error)
    if not case["ok"]:
        reason = f"is taken, Seata {case.get('error')}: {case.get('error_message')}"
        return Entry(case_id, Result.FAILED, reason)
    return _taken(case_id, case, machine)


def _taken(case_id: str, case: Json, machine: Machine) -> Entry:
    wanted = case.get("states")
    if isinstance(wanted, list) and sorted(cast("list[str]", wanted)) != sorted(machine.states):
        return Entry(case_id, Result.FAILED, f"states {sorted(machine.states)}, Seata {wanted}")
    return Entry(case_id, Result.PASSED)


def _refused(case_id: str, case: Json, error: DefinitionError) -> Entry:
    if not case["ok"]:
        return Entry(case_id, Result.PASSED)
    for deviation in _DEVIATIONS:
        if deviation.explains(case, error):
            return Entry(case_id, Result.DEVIATING, deviation.title, deviation.number)
    return Entry(case_id, Result.FAILED, f"is refused: {error}")


def _is_compiled(case: Json, error: DefinitionError) -> bool:
    del case
    return is_uncompilable(error)


def _is_named_twice(case: Json, error: DefinitionError) -> bool:
    """Java's JSON readers keep the last of two equal names and say nothing."""
    return isinstance(case.get("json_text"), str) and "twice" in str(error)


def _is_limit(case: Json, error: DefinitionError) -> bool:
    del case
    return "at most" in str(error) or "too deeply" in str(error) or "more than" in str(error)


def _is_no_json(case: Json, error: DefinitionError) -> bool:
    """Seata's reader takes comments, single quotes and trailing commas, which JSON has not got."""
    source = case.get("json_text")
    if not isinstance(source, str):
        return False
    try:
        json.loads(source)
    except ValueError:
        return True
    return "JSON" in str(error) and not isinstance(case.get("json"), Mapping)


_DEVIATIONS = (
    _Deviation(6, "definitions are compiled when they are loaded", _is_compiled),
    _Deviation(19, "a name stands once", _is_named_twice),
    _Deviation(18, "everything has a limit", _is_limit),
    _Deviation(20, "a definition is JSON or YAML", _is_no_json),
)
