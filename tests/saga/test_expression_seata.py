"""What Seata's resolver made of expressions, value by value, and the few answers that differ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kessai.saga.expression import Bean, ExpressionError, NotAllowed, Scope, compile_condition

RECORDED = Path(__file__).parents[3] / "shared" / "seata" / "expressions.json"


def recorded() -> list[dict[str, object]]:
    if not RECORDED.is_file():
        return []
    found: list[dict[str, object]] = json.loads(RECORDED.read_text(encoding="utf-8"))["cases"]
    return found


def rebuilt(value: object) -> object:
    """`{"$people": {...}}` marks an object; SpEL tells objects from maps."""
    if isinstance(value, dict):
        if list(value) in (["$people"], ["$engineer"]):
            return Bean(next(iter(value.values())))
        return {key: rebuilt(one) for key, one in value.items()}
    return [rebuilt(one) for one in value] if isinstance(value, list) else value


def maps_have_properties(case: dict[str, object]) -> bool:
    """SpEL refuses the property of a map; for us it is the value of the key, if there is one."""
    message = str(case.get("error_message", ""))
    return message.startswith("EL1008E") and "Map'" in message


def java_hides_the_class(case: dict[str, object]) -> bool:
    """Java 17 does not let methods of constant lists and maps be called by reflection."""
    message = str(case.get("error_message", ""))
    return message.startswith(("EL1029E", "EL1021E")) and "java.util." in message


def is_allowed(text: str) -> bool:
    """SpEL reaches beans and types, makes objects and changes the data: we refuse to read that."""
    try:
        compile_condition(text)
    except NotAllowed:
        return False
    return True


@pytest.mark.skipif(not recorded(), reason="Seata's expressions are not beside the repository")
@pytest.mark.parametrize("case", recorded(), ids=lambda case: str(case["expr"]))
def test_a_recorded_expression_has_javas_value(case: dict[str, object]) -> None:
    scope = Scope(rebuilt(case["root"]), sequence=lambda _content: case.get("value"))
    text = str(case["expr"])
    if not is_allowed(text):
        assert text == "$.@demoService"
    elif "error" not in case:
        found = compile_condition(text).evaluate(scope)
        assert (found, type(found)) == (case["value"], type(case["value"]))
    elif maps_have_properties(case) or java_hides_the_class(case):
        assert value_or_none(text, scope) == WIDER.get(text)
    else:
        with pytest.raises(ExpressionError):
            compile_condition(text).evaluate(scope)


# Where Java has no value and we have one.
WIDER = {
    "$.m.k": "v",
    "[m].n.x == 5": True,
    "[m]?.n?.x": 5,
    "{1,2,3}.contains([a])": True,
}


def value_or_none(text: str, scope: Scope) -> object:
    try:
        return compile_condition(text).evaluate(scope)
    except ExpressionError:
        return None
