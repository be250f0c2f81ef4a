"""Expressions with the values that Seata's resolver and Spring's SpEL gave them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from kessai.kernel.errors import JsonValue
from kessai.saga.conformance.report import Entry, Report, Result
from kessai.saga.conformance.seen import Json, comparable
from kessai.saga.expression import (
    Bean,
    ExpressionError,
    NotAllowed,
    Scope,
    compile_condition,
)

# Every property of the demo's classes: a Java object has them all, if null.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "$people": ("name", "age", "childrenArray", "childrenList", "childrenMap"),
    "$engineer": ("name",),
}
_GENERATED = "(generated)"


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A value, or the error that there was none."""

    value: object = None
    error: ExpressionError | None = None


@dataclass(frozen=True, slots=True)
class _Facts:
    case: Json
    ours: Evaluated

    @property
    def text(self) -> str:
        return cast("str", self.case["expr"])

    @property
    def message(self) -> str:
        return str(self.case.get("error_message") or "")

    @property
    def failed(self) -> bool:
        return "error" in self.case


@dataclass(frozen=True, slots=True)
class _Deviation:
    number: int
    title: str
    explains: Callable[[_Facts], bool]


def check_expressions(cases: Sequence[Json]) -> Report:
    report = Report("expressions")
    for position, case in enumerate(cases):
        report.entries.append(_check(f"{position} {case['expr']}", case))
    return report


def _check(case_id: str, case: Json) -> Entry:
    ours = evaluate(cast("str", case["expr"]), case.get("root"))
    if ("error" in case) == (ours.error is not None) and (
        ours.error is not None or _same(ours.value, case.get("value"))
    ):
        return Entry(case_id, Result.PASSED)
    facts = _Facts(case, ours)
    for deviation in _DEVIATIONS:
        if deviation.explains(facts):
            return Entry(case_id, Result.DEVIATING, deviation.title, deviation.number)
    wanted = case.get("error") or json.dumps(case.get("value"), ensure_ascii=False)
    found = ours.error or repr(ours.value)
    return Entry(case_id, Result.FAILED, f"{found}, Seata {wanted} {case.get('error_message', '')}")


def evaluate(text: str, root: JsonValue) -> Evaluated:
    try:
        expression = compile_condition(text)
        scope = Scope(root=_objects(root), sequence=lambda _: _GENERATED)
        return Evaluated(expression.evaluate(scope))
    except ExpressionError as error:
        return Evaluated(error=error)


def _objects(value: JsonValue) -> object:
    if isinstance(value, Mapping):
        mark = next(iter(value), "")
        if len(value) == 1 and mark in _FIELDS:
            given = cast("Mapping[str, JsonValue]", value[mark])
            fields = dict.fromkeys(_FIELDS[mark]) | dict(given)
            return Bean({name: _objects(one) for name, one in fields.items()})
        return {name: _objects(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_objects(one) for one in value]
    return value


def _same(ours: object, theirs: JsonValue) -> bool:
    mine, wanted = comparable(ours), comparable(_unmarked(theirs))
    if isinstance(mine, bool) or isinstance(wanted, bool):
        return mine is wanted
    if isinstance(mine, float) and isinstance(wanted, int | float):
        return math.isclose(mine, wanted, rel_tol=1e-6)
    return bool(mine == wanted)


def _unmarked(value: JsonValue) -> JsonValue:
    if isinstance(value, Mapping):
        if len(value) == 1 and next(iter(value)) in _FIELDS:
            return _unmarked(next(iter(value.values())))
        return {name: _unmarked(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_unmarked(one) for one in value]
    return value


# --- what we do otherwise on purpose, numbered as in docs/architecture/saga-deviations.md ---------


def _is_entry_of_map(facts: _Facts) -> bool:
    """Java's maps have no properties; a service in Python answers a dict where Java has objects.

    So what Java misses as a property has to be an entry of some map of the root.
    """
    if not facts.failed or facts.ours.error is not None:
        return False
    missed = re.match(r"EL1008E: Property or field '(.+?)' .*Map'", facts.message)
    return missed is not None and _has_entry(facts.case.get("root"), missed[1])


def _has_entry(value: JsonValue, name: str) -> bool:
    if isinstance(value, Mapping):
        return name in value or any(_has_entry(one, name) for one in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(_has_entry(one, name) for one in value)
    return False


def _is_hidden_class(facts: _Facts) -> bool:
    """Reflection refuses classes of the JDK that are not public; a list is a list here."""
    if facts.ours.error is not None:
        return False
    if not facts.failed:
        return '"@class": "java.util.' in json.dumps(facts.case.get("value"))
    refused = ("EL1029E", "EL1021E", "module java.base")
    return any(word in facts.message for word in refused)


def _is_refused(facts: _Facts) -> bool:
    """Types, constructors, beans, assignments, unknown methods: nothing a definition may do."""
    return isinstance(facts.ours.error, NotAllowed)


def _is_reflection(facts: _Facts) -> bool:
    looks = re.search(
        r"\.(class|bytes|declaringClass|getBytes|getClass|[A-Z][A-Z_]+)\b", facts.text
    )
    return looks is not None and facts.ours.error is not None


def _is_no_number(facts: _Facts) -> bool:
    theirs = facts.case.get("value")
    infinite = isinstance(theirs, str) and theirs.lstrip("-") in ("Infinity", "NaN")
    floats = isinstance(theirs, float) and not math.isfinite(theirs)
    nothing = theirs is None and str(facts.case.get("java_type", "")).endswith(("Double", "Float"))
    return facts.ours.error is not None and (infinite or floats or nothing)


def _is_order_of_map(facts: _Facts) -> bool:
    """Java's hash order; here entries stay in the order in which they were put."""
    if facts.failed or facts.ours.error is not None:
        return False
    mine, wanted = comparable(facts.ours.value), comparable(facts.case.get("value"))
    if isinstance(mine, list) and isinstance(wanted, list):
        return sorted(map(str, mine)) == sorted(map(str, wanted))
    both = isinstance(mine, str) and isinstance(wanted, str)
    looks_into = re.search(r"\.\s*[\^$]\[|keySet|values|entrySet|toString|\+", facts.text)
    return looks_into is not None and (
        not both or sorted(cast("str", mine)) == sorted(cast("str", wanted))
    )


def _is_unknown_exception(facts: _Facts) -> bool:
    """Java has to load the class; here a name that nothing bears matches nothing."""
    return facts.text.startswith("$Exception") and facts.failed and facts.ours.value is False


def _is_null_key(facts: _Facts) -> bool:
    return "[null]" in facts.text.replace(" ", "")


def _is_text_of_object(facts: _Facts) -> bool:
    theirs = facts.case.get("value")
    return isinstance(theirs, str) and re.search(r"@[0-9a-f]{4,}", theirs) is not None


def _is_beyond_limits(facts: _Facts) -> bool:
    """Patterns that only backtracking can match, and sizes that no expression may reach."""
    words = ("pattern", "too long", "too many", "too deeply", "at most", "split", "hashCode")
    error = facts.ours.error
    return error is not None and any(word in str(error) for word in words)


_DEVIATIONS = (
    _Deviation(9, "a property of a map is its entry", _is_entry_of_map),
    _Deviation(10, "no class is hidden", _is_hidden_class),
    _Deviation(11, "an expression reaches nothing and changes nothing", _is_refused),
    _Deviation(12, "there is no reflection", _is_reflection),
    _Deviation(13, "infinity is no value", _is_no_number),
    _Deviation(14, "maps keep their order", _is_order_of_map),
    _Deviation(15, "an unknown exception matches nothing", _is_unknown_exception),
    _Deviation(16, "null is no key", _is_null_key),
    _Deviation(17, "the text of an object shows its fields", _is_text_of_object),
    _Deviation(18, "everything has a limit", _is_beyond_limits),
)
