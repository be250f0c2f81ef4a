"""Reads YAML from parser events: plain words mean what they mean in YAML 1.2, tags are refused."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from kessai.kernel.errors import JsonValue
from kessai.saga.language.findings import Finding, Path, Position

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_STANDARD = "tag:yaml.org,2002:"
_SCALAR_TAGS = ("str", "int", "float", "bool", "null")

_LOADER = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader


class YamlTextError(Exception):
    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


@dataclass(frozen=True, slots=True)
class YamlText:
    value: JsonValue
    positions: dict[Path, Position]


def read_yaml(text: str, *, max_depth: int, max_nodes: int, max_states: int) -> YamlText:
    loader = _LOADER(text)
    try:
        builder = _Builder(_events(loader), max_depth, max_nodes, max_states)
        return YamlText(builder.document(), builder.positions)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"not a YAML document: {error.problem or error.context}"
        at = Position(mark.line + 1, mark.column + 1) if mark else None
        raise YamlTextError(Finding((), what, at)) from error
    except yaml.YAMLError as error:
        what = f"not a YAML document: {str(error).splitlines()[0]}"
        raise YamlTextError(Finding((), what)) from error
    finally:
        loader.dispose()


def _events(loader: yaml.BaseLoader | yaml.CBaseLoader) -> Iterator[yaml.Event]:
    while (event := loader.get_event()) is not None:
        yield event


@dataclass(frozen=True, slots=True)
class _Node:
    """A value with the number of values in it, so that an alias has a price."""

    value: JsonValue
    size: int = 1


class _Builder:
    def __init__(
        self, events: Iterator[yaml.Event], max_depth: int, max_nodes: int, max_states: int
    ) -> None:
        self.positions: dict[Path, Position] = {}
        self._events = events
        self._max_depth = max_depth
        self._max_nodes = max_nodes
        self._max_states = max_states
        self._nodes = 0
        # None while the anchored value is being read.
        self._anchors: dict[str, _Node | None] = {}

    def document(self) -> JsonValue:
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value = self._node(event, (), 0).value
        event = self._next()
        while isinstance(event, yaml.DocumentEndEvent):
            event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise _error((), event, "a file holds one definition, here a second begins")
        return value

    def _next(self) -> yaml.Event:
        return next(self._events)

    def _node(self, event: yaml.Event, path: Path, depth: int) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        self._count(1, event, path)
        anchor = event.anchor if isinstance(event, yaml.NodeEvent) else None
        if anchor is not None:
            self._anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(_scalar(event, path))
        elif depth == self._max_depth:
            raise _error(path, event, "is nested too deeply")
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, path, depth)
        else:
            node = self._mapping(event, path, depth)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _count(self, size: int, event: yaml.Event, path: Path) -> None:
        self._nodes += size
        if self._nodes > self._max_nodes:
            raise _error(path, event, f"has more than {self._max_nodes} values, aliases unfolded")

    def _alias(self, event: yaml.AliasEvent, path: Path) -> _Node:
        name = event.anchor
        if name not in self._anchors:
            raise _error(path, event, f"*{name} is not anchored above")
        node = self._anchors[name]
        if node is None:
            raise _error(path, event, f"*{name} contains itself")
        self._count(node.size, event, path)
        return node

    def _sequence(self, event: yaml.Event, path: Path, depth: int) -> _Node:
        _check_tag(event, path, "seq")
        items: list[JsonValue] = []
        size = 1
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            place = (*path, len(items))
            self.positions[place] = _position(event)
            node = self._node(event, place, depth + 1)
            items.append(node.value)
            size += node.size
        return _Node(items, size)

    def _mapping(self, event: yaml.Event, path: Path, depth: int) -> _Node:
        _check_tag(event, path, "map")
        values: dict[str, JsonValue] = {}
        size = 1
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, path)
            place = (*path, key)
            if key in values:
                first = self.positions[place]
                raise _error(place, event, f"is defined twice, first at {first}")
            self.positions[place] = _position(event)
            if path == ("States",) and len(values) == self._max_states:
                raise _error(
                    place,
                    event,
                    f"is one too many: a machine has at most {self._max_states} states",
                )
            node = self._node(self._next(), place, depth + 1)
            values[key] = node.value
            size += node.size
        return _Node(values, size)

    def _key(self, event: yaml.Event, path: Path) -> str:
        """Keys are names: `on`, `1` and `2026-01-01` stay what is written."""
        if isinstance(event, yaml.AliasEvent):
            node = self._alias(event, path)
            if isinstance(node.value, str):
                return node.value
        if not isinstance(event, yaml.ScalarEvent):
            raise _error(path, event, "a key must be a string")
        _check_tag(event, path, *_SCALAR_TAGS)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Node(event.value)
        if event.value == "<<" and not event.style:
            raise _error(
                path, event, "merge keys (<<) are not part of YAML 1.2: repeat the entries"
            )
        return str(event.value)


def _scalar(event: yaml.ScalarEvent, path: Path) -> JsonValue:
    _check_tag(event, path, *_SCALAR_TAGS)
    text = str(event.value)
    tag = _tag(event)
    if tag == "str" or (tag is None and (event.style or event.tag == "!")):
        return text
    if tag in ("null", None) and _NULL.fullmatch(text):
        return None
    if tag in ("bool", None) and _BOOL.fullmatch(text):
        return text.lower() == "true"
    if tag in ("int", None) and _INT.fullmatch(text):
        return _whole(event, path, text)
    if tag in ("float", None) and _FLOAT.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
    if tag is not None or _FLOAT.fullmatch(text) or _INFINITE.fullmatch(text):
        raise _error(path, event, f"{text[:40]!r} is not a finite number or not of its tag")
    return text


def _whole(event: yaml.Event, path: Path, text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    try:
        return int(text, base)
    except ValueError as error:
        raise _error(path, event, "is a number that is too long") from error


def _check_tag(event: yaml.Event, path: Path, *allowed: str) -> None:
    tag = getattr(event, "tag", None)
    if tag not in (None, "!", *(f"{_STANDARD}{name}" for name in allowed)):
        raise _error(path, event, f"has the tag {tag!r}, which a definition cannot have")


def _tag(event: yaml.ScalarEvent) -> str | None:
    tag = event.tag
    return tag.removeprefix(_STANDARD) if tag is not None and tag != "!" else None


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


def _error(path: Path, event: yaml.Event, what: str) -> YamlTextError:
    return YamlTextError(Finding(path, what, _position(event)))
