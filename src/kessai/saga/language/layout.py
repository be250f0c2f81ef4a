"""Where a designer drew the states."""

from __future__ import annotations

from collections.abc import Mapping

from kessai.kernel.errors import JsonValue

_BOUNDS = ("x", "y", "width", "height")


def read_layout(values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Bounds by state; a drawing that is broken is no drawing, never an error."""
    states = values.get("States")
    if not isinstance(states, Mapping):
        return {}
    found: dict[str, JsonValue] = {}
    for name, state in states.items():
        style = state.get("style") if isinstance(state, Mapping) else None
        bounds = style.get("bounds") if isinstance(style, Mapping) else None
        if isinstance(bounds, Mapping) and all(_is_length(bounds.get(key)) for key in _BOUNDS):
            found[name] = {key: bounds[key] for key in _BOUNDS}
    return found


def _is_length(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
