"""Reads JSON; when something is wrong, a second and slower pass says where it stands."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from kessai.kernel.errors import JsonValue
from kessai.saga.language.findings import Finding, Path, Position

_TOKEN = re.compile(
    r'[ \t\r\n]*(?:(?P<mark>[{}\[\],:])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<other>[^\s{}\[\],:"]+))',
    re.DOTALL,
)


class JsonTextError(Exception):
    """Raised with every duplicate key or infinite number, or the one place where JSON ends."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(str(finding) for finding in findings))
        self.findings = findings


def read_json(text: str, max_depth: int) -> JsonValue:
    odd = False

    def pairs(found: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
        nonlocal odd
        values = dict(found)
        odd = odd or len(values) != len(found)
        return values

    def number(word: str) -> float:
        nonlocal odd
        value = float(word)
        odd = odd or not math.isfinite(value)
        return value

    try:
        value: JsonValue = json.loads(
            text, object_pairs_hook=pairs, parse_float=number, parse_constant=number
        )
    except json.JSONDecodeError as error:
        at = Position(error.lineno, error.colno)
        raise JsonTextError([Finding((), f"not a JSON document: {error.msg}", at)]) from error
    except RecursionError as error:
        raise JsonTextError(_scan(text, max_depth).oddities()) from error
    except ValueError as error:
        raise JsonTextError([Finding((), "not a JSON document: a number is too long")]) from error
    if odd:
        raise JsonTextError(_scan(text, max_depth).oddities())
    return value


def json_positions(text: str, max_depth: int) -> Mapping[Path, Position]:
    """Of every key and every array item of a text that `read_json` has read."""
    scan = _scan(text, max_depth)
    return {path: scan.position(at) for path, at in scan.places.items()}


@dataclass(slots=True)
class _Scan:
    starts: list[int]
    places: dict[Path, int] = field(default_factory=dict)
    twice: list[tuple[Path, int]] = field(default_factory=list)
    infinite: list[tuple[Path, int, str]] = field(default_factory=list)
    too_deep: int | None = None

    def position(self, at: int) -> Position:
        line = bisect_right(self.starts, at)
        return Position(line, at - self.starts[line - 1] + 1)

    def oddities(self) -> list[Finding]:
        found = []
        seen = {path for path, _ in self.twice}
        for path, at in self.twice:
            # What stands in the second of two is there twice only because they are.
            if any(path[:length] in seen for length in range(1, len(path))):
                continue
            first = self.position(self.places[path])
            found.append(Finding(path, f"is defined twice, first at {first}", self.position(at)))
        for path, at, word in self.infinite:
            found.append(Finding(path, f"{word} is not a JSON number", self.position(at)))
        if self.too_deep is not None:
            found.append(Finding((), "is nested too deeply", self.position(self.too_deep)))
        return found


@dataclass(slots=True)
class _Level:
    """An open object or array; `key` is what was met last, None while a key is expected."""

    is_object: bool
    key: str | int | None


def _scan(text: str, max_depth: int) -> _Scan:
    """Trusts the text as far as `json` has read it."""
    scan = _Scan([0, *(found.end() for found in re.finditer("\n", text))])
    levels: list[_Level] = []
    path: list[str | int] = []
    at = 0
    while (token := _TOKEN.match(text, at)) is not None:
        at = token.end()
        start = token.start(token.lastgroup or 0)
        word = text[start:at]
        level = levels[-1] if levels else None
        if word in (",", ":"):
            continue
        if word in ("}", "]"):
            levels.pop()
            _leave(levels, path)
            continue
        if level is not None and level.is_object and level.key is None:
            level.key = json.loads(word)
            _enter(scan, level.key, path, start)
            continue
        if level is not None and isinstance(level.key, int):
            level.key += 1
            _enter(scan, level.key, path, start)
        if word in ("{", "["):
            if len(levels) == max_depth:
                scan.too_deep = start
                break
            levels.append(_Level(word == "{", None if word == "{" else -1))
            continue
        if token["other"] is not None and _is_infinite(word):
            scan.infinite.append((tuple(path), start, word))
        _leave(levels, path)
    return scan


def _enter(scan: _Scan, key: str | int | None, path: list[str | int], at: int) -> None:
    path.append("" if key is None else key)
    place = tuple(path)
    if place in scan.places and isinstance(key, str):
        scan.twice.append((place, at))
    else:
        scan.places[place] = at


def _leave(levels: list[_Level], path: list[str | int]) -> None:
    if levels:
        path.pop()
        if levels[-1].is_object:
            levels[-1].key = None


def _is_infinite(word: str) -> bool:
    return word not in ("true", "false", "null") and not math.isfinite(float(word))
