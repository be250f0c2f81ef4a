"""The value of a script as JSON."""

from __future__ import annotations

from decimal import Decimal

from kessai.kernel.errors import JsonValue
from kessai.saga.expression.java import weighed
from kessai.saga.expression.types import is_list, is_map
from kessai.saga.script.arithmetic import MAX_PRECISION, scale_of
from kessai.saga.script.values import fail, text_of


def json_of(value: object) -> JsonValue:
    """Widths are forgotten; a decimal is an int unless it was written with a point."""
    if is_list(value) or is_map(value):
        weighed(value)
    return _json(value)


def _json(value: object) -> JsonValue:
    if value is None or isinstance(value, str | bool):
        return value
    if is_list(value):
        return [_json(one) for one in value]
    if is_map(value):
        return {text_of(key): _json(one) for key, one in value.items()}
    return _number(value)


def _number(value: object) -> JsonValue:
    if isinstance(value, Decimal):
        if value.adjusted() > MAX_PRECISION:
            fail("java.lang.ArithmeticException", "a number that is too great")
        value = int(value) if scale_of(value) <= 0 else float(value)
    if isinstance(value, float):
        if value - value != 0:
            fail("java.lang.ArithmeticException", f"{text_of(value)} is no value of JSON")
        return float(text_of(value))
    return int(value) if isinstance(value, int) else text_of(value)
