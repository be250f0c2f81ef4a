"""The old designer's drawing (nodes and edges) into a definition (seata.md 4.2).

The new designer writes the language itself and keeps the drawing in attributes that are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kessai.kernel.errors import JsonValue
from kessai.saga.language.document import Document
from kessai.saga.language.findings import Finding, Log, Path
from kessai.saga.language.model import DefinitionError

_SIZE = re.compile(r"([+-]?\d{1,9})\*([+-]?\d{1,9})(?:\*.*)?")
_CATCHING = ("ServiceTask", "ScriptTask")


def is_drawing(values: Mapping[str, JsonValue]) -> bool:
    return "nodes" in values and "edges" in values


def from_drawing(document: Document, log: Log) -> Document:
    """Raises `DefinitionError` for what cannot be connected; the rest is for the parser to say."""
    drawing = _Drawing(document.values, log)
    try:
        drawing.read()
    except _UndrawableError as error:
        found = document.places.locate([error.finding])
        raise DefinitionError.because(found) from error
    return Document(drawing.machine, document.places.through(drawing.origin))


class _UndrawableError(Exception):
    def __init__(self, path: Path, what: str) -> None:
        super().__init__(what)
        self.finding = Finding(path, what)


class _Item:
    def __init__(self, path: Path, value: JsonValue) -> None:
        if not isinstance(value, Mapping):
            raise _UndrawableError(path, "must be an object")
        self.path = path
        self.values = value

    def text(self, attribute: str) -> str | None:
        value = self.values.get(attribute)
        if value is None or isinstance(value, str):
            return value
        raise _UndrawableError((*self.path, attribute), "must be a string")

    def object(self, attribute: str) -> Mapping[str, JsonValue] | None:
        value = self.values.get(attribute)
        if value is None or isinstance(value, Mapping):
            return value
        raise _UndrawableError((*self.path, attribute), "must be an object")


class _Edge(_Item):
    """Its props are looked at only where they mean something."""

    def __init__(self, path: Path, value: JsonValue) -> None:
        super().__init__(path, value)
        self.source = self.text("source")
        self.target = self.text("target")

    def props(self) -> Mapping[str, JsonValue] | None:
        return self.object("stateProps")


class _Node(_Item):
    def __init__(self, path: Path, value: JsonValue) -> None:
        super().__init__(path, value)
        self.id = self.text("id")
        self.state = self.text("stateId")
        self.type = self.text("stateType")
        self.props = self.object("stateProps")

    def number(self, attribute: str) -> float:
        value = self.values.get(attribute)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _UndrawableError((*self.path, attribute), "must be a number")
        return value

    def size(self) -> tuple[int, int]:
        match = _SIZE.fullmatch(self.text("size") or "")
        if match is None:
            raise _UndrawableError((*self.path, "size"), "must be like 110*48")
        return int(match[1]), int(match[2])

    def touches(self, other: _Node) -> bool:
        """Boxes overlap; x and y are their centres."""
        width, height = self.size()
        other_width, other_height = other.size()
        near = abs(self.number("x") - other.number("x")) < (width + other_width) / 2
        return near and abs(self.number("y") - other.number("y")) < (height + other_height) / 2


class _Drawing:
    def __init__(self, values: Mapping[str, JsonValue], log: Log) -> None:
        self._values = values
        self._log = log
        self._nodes: dict[str | None, _Node] = {}
        self._all: list[_Node] = []
        self._origins: dict[Path, Path] = {}
        self._states: dict[str, dict[str, JsonValue]] = {}
        self.machine: dict[str, JsonValue] = {}

    def read(self) -> None:
        nodes = self._items("nodes")
        for at, value in enumerate(nodes):
            node = _Node(("nodes", at), value)
            self._nodes[node.id] = node
            self._all.append(node)
            self._add(node)
        if self._states:
            self.machine["States"] = self._states
        for at, value in enumerate(self._items("edges") if nodes else ()):
            self._connect(_Edge(("edges", at), value))

    def origin(self, path: Path) -> Path:
        """Where in the drawing an attribute of the definition comes from."""
        for length in range(len(path), 0, -1):
            place = self._origins.get(path[:length])
            if place is not None:
                return (*place, *path[length:])
        return path

    def _items(self, attribute: str) -> Sequence[JsonValue]:
        value = self._values.get(attribute)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise _UndrawableError((attribute,), "must be an array")
        return value

    def _add(self, node: _Node) -> None:
        if node.type == "Start":
            self._start(node)
        elif node.type != "Catch":
            self._state(node)

    def _start(self, node: _Node) -> None:
        if node.props is None or "StateMachine" not in node.props:
            return
        place = (*node.path, "stateProps", "StateMachine")
        attributes = node.props["StateMachine"]
        if not isinstance(attributes, Mapping):
            raise _UndrawableError(place, "must be an object")
        for name, value in attributes.items():
            # A States beside the nodes would be overwritten by them.
            if name != "States":
                self.machine[name] = value
                self._origins[(name,)] = (*place, name)

    def _state(self, node: _Node) -> None:
        name = node.state
        if name is None:
            raise _UndrawableError((*node.path, "stateId"), "is missing")
        if name in self._states:
            raise _UndrawableError((*node.path, "stateId"), f"{name[:60]!r} exists already")
        state: dict[str, JsonValue] = {}
        if label := node.text("label"):
            state["Comment"] = label
        state.update(node.props or {})
        state["Type"] = "ServiceTask" if node.type == "Compensation" else node.type
        state["style"] = {"bounds": _bounds(node)}
        self._states[name] = state
        self._origins["States", name] = (*node.path, "stateProps")
        self._origins["States", name, "Type"] = (*node.path, "stateType")

    def _connect(self, edge: _Edge) -> None:
        source = self._nodes.get(edge.source) if edge.source else None
        if source is None:
            return
        path = edge.path
        target = self._nodes.get(edge.target)
        if target is None:
            raise _UndrawableError((*path, "target"), "is no node")
        to = target.state
        if source.type == "Start":
            self._put((), self.machine, "StartState", to, path)
        elif source.type == "Catch":
            self._catch(source, edge, to)
        elif source.type == "Choice":
            self._choose(source, edge, to)
        elif source.type == "ServiceTask" and target.type == "Compensation":
            self._put(*self._of(source), "CompensateState", to, path)
        else:
            self._put(*self._of(source), "Next", to, path)
            if target.type == "Compensation":
                what = "leads to a compensation: only a ServiceTask is undone by an edge"
                self._log.doubt(("States", source.state or "", "Next"), what)

    def _of(self, node: _Node) -> tuple[Path, dict[str, JsonValue]]:
        name = node.state or ""
        return ("States", name), self._states[name]

    def _put(
        self, path: Path, values: dict[str, JsonValue], name: str, to: str | None, edge: Path
    ) -> None:
        values[name] = to
        self._origins[(*path, name)] = edge

    def _catch(self, catch: _Node, edge: _Edge, to: str | None) -> None:
        for node in self._all:
            if node is not catch and node.type in _CATCHING and catch.touches(node):
                props = edge.props()
                entry = {"Exceptions": (props or {}).get("Exceptions"), "Next": to}
                self._append(node, "Catch", entry if props is not None else None, edge)
                return
        raise _UndrawableError(catch.path, "lies on no ServiceTask and no ScriptTask")

    def _choose(self, choice: _Node, edge: _Edge, to: str | None) -> None:
        props = edge.props()
        if props is not None and props.get("Default") is True:
            self._append(choice, "Choices", None, edge)
            self._put(*self._of(choice), "Default", to, edge.path)
        else:
            entry = {"Expression": (props or {}).get("Expression"), "Next": to}
            self._append(choice, "Choices", entry if props is not None else None, edge)

    def _append(
        self, node: _Node, attribute: str, entry: dict[str, JsonValue] | None, edge: _Edge
    ) -> None:
        """Without an entry the array is made and stays as it is: an edge that says nothing."""
        path, state = self._of(node)
        found = state.get(attribute)
        if found is None:
            found = ()
        if not isinstance(found, list | tuple):
            raise _UndrawableError((*node.path, "stateProps", attribute), "must be an array")
        entries = list(found)
        if entry is not None:
            self._origins[(*path, attribute, len(entries))] = (*edge.path, "stateProps")
            entries.append(entry)
        state[attribute] = entries


def _bounds(node: _Node) -> JsonValue:
    """Nothing where the drawing is broken: only catches need their place."""
    try:
        width, height = node.size()
        left, top = node.number("x") - width / 2, node.number("y") - height / 2
    except _UndrawableError:
        return None
    return {"x": left, "y": top, "width": width, "height": height}
