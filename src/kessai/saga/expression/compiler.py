"""From the parts of an expression to closures; the forms that machines live on get the leanest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from kessai.saga.expression import methods, operators, tree
from kessai.saga.expression.java import MAX_WEIGHT, Float, Long, weight
from kessai.saga.expression.lookup import elements, item, member, settled
from kessai.saga.expression.pattern import Pattern
from kessai.saga.expression.scope import Element, ExpressionError, Frame, Term, visited
from kessai.saga.expression.tree import Node
from kessai.saga.expression.types import TYPES, is_list, is_map, shown, to_boolean

_Step: TypeAlias = Callable[[Frame, object], object]

_PIECE = 8  # of what one call or comparison inside a loop looks at, for one unit of its budget


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a part stands: whether a bare name is looked up on an element or on the root."""

    on_element: bool = False
    in_loop: bool = False

    @property
    def target(self) -> Term:
        return (lambda frame: frame.this) if self.on_element else (lambda frame: frame.root)

    @property
    def key(self) -> _Place:
        return _Place(on_element=False, in_loop=self.in_loop)

    @property
    def argument(self) -> _Place:
        return _Place(on_element=self.in_loop, in_loop=self.in_loop)


_TOP = _Place()
_LOOP = _Place(on_element=True, in_loop=True)


def compile_node(node: Node) -> Term:
    term = _term(node, _TOP)
    return (lambda frame: settled(term(frame))) if _may_be_strange(node) else term


def _may_be_strange(node: Node) -> bool:
    """Whether the value may be one that JSON does not have, or may be immense."""
    match node:
        case tree.Literal(value):
            return isinstance(value, Long | float)
        case tree.Ternary(_, one, other) | tree.Elvis(one, other):
            return _may_be_strange(one) or _may_be_strange(other)
        case tree.Path(start, steps):
            return any(isinstance(step, tree.Method | tree.Each) for step in steps) or (
                start is not None and _may_be_strange(start)
            )
        case tree.Unary(symbol, _):
            return symbol != "!"
        case tree.Chain() | tree.ListOf() | tree.MapOf():
            return True
    return False


def _term(node: Node, place: _Place) -> Term:
    match node:
        case tree.Literal(value):
            return lambda _frame: value
        case tree.Name(name):
            target = place.target
            return lambda frame: member(target(frame), name)
        case tree.Variable(name):
            return _variable(name, place)
        case tree.Path(start, steps):
            return _path(start, steps, place)
        case tree.Compare(symbol, left, right):
            return _compare(symbol, left, right, place)
        case tree.Both(parts):
            return _both([_term(part, place) for part in parts])
        case tree.Either(parts):
            return _either([_term(part, place) for part in parts])
        case tree.Chain(first, rest):
            return _chain(first, rest, place)
        case tree.Unary(symbol, of):
            operation, operand = _UNARY[symbol], _term(of, place)
            return lambda frame: operation(operand(frame))
        case tree.Ternary():
            return _ternary(node, place)
        case tree.Elvis(value, otherwise):
            return _elvis(_term(value, place), _term(otherwise, place))
        case tree.InstanceOf(of, name):
            test, tested = TYPES[name], _term(of, place)
            return lambda frame: test(tested(frame))
        case tree.ListOf(items):
            return _list(items, place)
        case tree.MapOf(entries):
            return _map(entries, place)


_UNARY: dict[str, Callable[[object], object]] = {
    "!": lambda value: not to_boolean(value),
    "-": operators.negative,
    "+": operators.positive,
}


def _variable(name: str, place: _Place) -> Term:
    if name == "this":
        return place.target
    if name == "root":
        return lambda frame: frame.root
    return lambda frame: frame.variables.get(name)


def _path(start: Node | None, steps: tuple[tree.Step, ...], place: _Place) -> Term:
    if start is not None:
        first = _term(start, place)
    elif isinstance(steps[0], tree.Index) and not place.on_element and _key(steps[0]) is not None:
        first, steps = _root_key(steps[0], place), steps[1:]
    else:
        first = place.target
    following = [_step(step, place) for step in steps]
    if not following:
        return first
    if len(following) == 1:
        only = following[0]
        return lambda frame: only(frame, first(frame))

    def evaluate(frame: Frame) -> object:
        value = first(frame)
        for step in following:
            value = step(frame, value)
        return value

    return evaluate


def _key(step: tree.Index) -> str | None:
    """The key in `[name]` and `['name']`."""
    match step.key:
        case tree.Name(name):
            return name
        case tree.Literal(str(text)):
            return text
    return None


def _root_key(step: tree.Index, place: _Place) -> Term:
    key = _key(step)
    otherwise = _index(step, place)

    def evaluate(frame: Frame) -> object:
        root = frame.root
        if root.__class__ is dict:
            return root.get(key)
        return otherwise(frame, root)

    return evaluate


def _step(step: tree.Step, place: _Place) -> _Step:
    match step:
        case tree.Property(name, safe):
            if safe:
                return lambda _frame, value: None if value is None else member(value, name)
            return lambda _frame, value: member(value, name)
        case tree.Index():
            return _index(step, place)
        case tree.Method():
            return _method(step, place)
        case tree.Each("!", body, safe):
            return _projection(_term(body, _LOOP), safe=safe)
        case tree.Each(which, body, safe):
            return _selection(which, _term(body, _LOOP), safe=safe)
        case tree.Variable("this"):
            return lambda _frame, value: value
        case tree.Variable(name):
            term = _variable(name, place)
            return lambda frame, _value: term(frame)


def _index(step: tree.Index, place: _Place) -> _Step:
    key = _term(step.key, place.key)
    if isinstance(step.key, tree.Name):
        name = step.key.name
        # A bare word is a key of a map; of anything else it is a property of the root.
        return lambda frame, value: value.get(name) if is_map(value) else item(value, key(frame))

    def evaluate(frame: Frame, value: object) -> object:
        at = key(frame)
        if at is None and value is frame.root:
            raise ExpressionError("null is no key")
        return item(value, at)

    return evaluate


def _method(step: tree.Method, place: _Place) -> _Step:
    name, safe, in_loop = step.name, step.safe, place.in_loop
    arguments = [_term(one, place.argument) for one in step.arguments]

    def evaluate(frame: Frame, value: object) -> object:
        if value is None:
            if safe:
                return None
            raise ExpressionError(f"{name}() of null")
        given = [argument(frame) for argument in arguments]
        if in_loop and isinstance(frame, Element):
            _spend(frame, value, *given)
        return methods.call(value, name, given)

    return evaluate


def _spend(frame: Element, *values: object) -> None:
    """Comparing costs what both sides have; a list of n is searched for m in n times m."""
    cost = 1
    for value in values:
        if isinstance(value, str):
            cost *= 1 + len(value) // _PIECE
        elif value.__class__ not in _LIGHT:
            cost *= 1 + weight(value, MAX_WEIGHT) // _PIECE
    frame.spend(cost)


_LIGHT = (int, float, bool, None.__class__, Long, Float)


def _projection(body: Term, *, safe: bool) -> _Step:
    def evaluate(frame: Frame, value: object) -> object:
        if value is None and safe:
            return None
        return [body(inner) for inner in visited(frame, elements(value))]

    return evaluate


def _selection(which: str, criterion: Term, *, safe: bool) -> _Step:
    def evaluate(frame: Frame, value: object) -> object:
        if value is None and safe:
            return None
        found: list[object] = []
        for inner in visited(frame, elements(value)):
            verdict = criterion(inner)
            if verdict is True:
                found.append(inner.this)
                if which == "^":
                    break
            elif verdict is not False:
                raise ExpressionError(f"a selection by {shown(verdict)}")
        if which != "?":
            found = found[-1:]
            if not found:
                return None
        if is_map(value):
            return {entry["key"]: entry["value"] for entry in found}  # type: ignore[index]
        return found if which == "?" else found[0]

    return evaluate


def _compare(symbol: str, left: Node, right: Node, place: _Place) -> Term:
    value = _term(left, place)
    match symbol, right:
        case "matches", tree.Literal(str(text)) if not place.in_loop:
            pattern = Pattern(text)
            return lambda frame: operators.match_of(pattern, value(frame))
        case "==", tree.Literal(None):
            return lambda frame: value(frame) is None
        case "!=", tree.Literal(None):
            return lambda frame: value(frame) is not None
        case "==", tree.Literal(bool(flag)):
            return lambda frame: value(frame) is flag
        case "==", tree.Literal(str(text)):
            return lambda frame: value(frame) == text
        case "==", tree.Literal(int(number)):
            return lambda frame: (found := value(frame)) == number and found.__class__ is not bool
    operation, other = operators.OPERATIONS[symbol], _term(right, place)
    if not place.in_loop:
        return lambda frame: operation(value(frame), other(frame))
    return _metered(operation, value, other)


def _metered(operation: operators.Operation, left: Term, right: Term) -> Term:
    def evaluate(frame: Frame) -> object:
        one, two = left(frame), right(frame)
        if isinstance(frame, Element) and one is not two:
            _spend(frame, one)
        return operation(one, two)

    return evaluate


def _both(parts: list[Term]) -> Term:
    def evaluate(frame: Frame) -> bool:
        for part in parts:
            value = part(frame)
            if value is not True and not to_boolean(value):
                return False
        return True

    return evaluate


def _either(parts: list[Term]) -> Term:
    def evaluate(frame: Frame) -> bool:
        for part in parts:
            value = part(frame)
            if value is not False and to_boolean(value):
                return True
        return False

    return evaluate


def _chain(first: Node, rest: tuple[tuple[str, Node], ...], place: _Place) -> Term:
    start = _term(first, place)
    following = [(operators.OPERATIONS[symbol], _term(one, place)) for symbol, one in rest]
    if len(following) == 1 and not place.in_loop:
        operation, right = following[0]
        return lambda frame: operation(start(frame), right(frame))

    def evaluate(frame: Frame) -> object:
        value = start(frame)
        for operation, right in following:
            value = operation(value, right(frame))
            if isinstance(frame, Element) and isinstance(value, str):
                _spend(frame, value)
        return value

    return evaluate


def _ternary(node: tree.Ternary, place: _Place) -> Term:
    condition = _term(node.condition, place)
    then, otherwise = _term(node.then, place), _term(node.otherwise, place)
    return lambda frame: then(frame) if to_boolean(condition(frame)) else otherwise(frame)


def _elvis(value: Term, otherwise: Term) -> Term:
    """Null and the empty text give way; 0 and false do not."""

    def evaluate(frame: Frame) -> object:
        found = value(frame)
        return otherwise(frame) if found is None or found == "" else found

    return evaluate


def _list(items: tuple[Node, ...], place: _Place) -> Term:
    terms = [_term(one, place) for one in items]

    def evaluate(frame: Frame) -> list[object]:
        if isinstance(frame, Element):
            frame.spend(len(terms))
        return [term(frame) for term in terms]

    return evaluate


def _map(entries: tuple[tuple[Node, Node], ...], place: _Place) -> Term:
    def key_of(node: Node) -> Term:
        if isinstance(node, tree.Name):
            name = node.name
            return lambda _frame: name
        return _term(node, place)

    terms = [(key_of(key), _term(one, place)) for key, one in entries]

    def evaluate(frame: Frame) -> dict[object, object]:
        if isinstance(frame, Element):
            frame.spend(len(terms))
        found: dict[object, object] = {}
        for key, term in terms:
            name = key(frame)
            if is_list(name) or is_map(name):
                raise ExpressionError(f"{shown(name)} is no key")
            found[name] = term(frame)
        return found

    return evaluate
