"""Properties, indices and elements: SpEL's rules, with the properties of maps that it refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kessai.saga.expression import java
from kessai.saga.expression.java import MAX_WEIGHT, Bean, weight
from kessai.saga.expression.methods import entries, get
from kessai.saga.expression.scope import ExpressionError
from kessai.saga.expression.types import is_list, is_map, shown, to_index


def member(value: object, name: str) -> object:
    """A property. That a map has its keys as properties is ours: services answer with dicts."""
    if value is None:
        raise ExpressionError(f"property {name!r} of null")
    if name == "empty" and (is_map(value) or is_list(value) or isinstance(value, str)):
        return not value
    if isinstance(value, Mapping) and name in value:
        return value[name]
    first_small = name[:1].lower() + name[1:]
    if isinstance(value, Bean) and first_small in value:
        return value[first_small]
    if name == "length" and isinstance(value, java.Array):
        return len(value)
    if name == "blank" and isinstance(value, str):
        return not value.strip()
    raise ExpressionError(f"{shown(value)} has no property {name!r}")


def item(value: object, key: object) -> object:
    if is_map(value):
        return get(value, key)
    if value is None:
        raise ExpressionError(f"index {shown(key)} of null")
    if is_list(value):
        return value[_place(value, key)]
    if isinstance(value, str):
        at = to_index(key)
        if 0 <= at < java.length_of(value):
            return java.part_of(value, at, at + 1)
        raise ExpressionError(f"{shown(value)} has no character {at}")
    if isinstance(value, Bean) and isinstance(key, str):
        return member(value, key)
    raise ExpressionError(f"{shown(value)} has no index {shown(key)}")


def _place(values: Sequence[object], key: object) -> int:
    at = to_index(key)
    if 0 <= at < len(values):
        return at
    raise ExpressionError(f"index {at} is out of range")


def elements(value: object) -> Sequence[object]:
    """What a selection or projection goes through: the items of a list, the entries of a map."""
    if is_list(value):
        return value
    if is_map(value):
        return entries(value)
    raise ExpressionError(f"{shown(value)} has no elements")


def settled(value: object) -> object:
    """As JSON holds it: widths forgotten, texts as keys, nothing infinite, nothing immense."""
    if value is None or isinstance(value, str | bool):
        return value
    if is_list(value) or isinstance(value, Mapping):
        if weight(value, MAX_WEIGHT) > MAX_WEIGHT:
            raise ExpressionError(f"the value has more than {MAX_WEIGHT} parts")
        return _plain(value)
    return _scalar(value)


def _plain(value: object) -> object:
    if is_list(value):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        plain = {java.text_of(key): _plain(one) for key, one in value.items()}
        return Bean(plain) if isinstance(value, Bean) else plain
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, float):
        if value - value != 0:
            raise ExpressionError(f"{java.double_text(value)} is no value of JSON")
        return float(java.double_text(value)) if isinstance(value, java.Float) else value
    if isinstance(value, java.Char):
        return value.value
    return int(value) if isinstance(value, java.Long | java.Big) else value
