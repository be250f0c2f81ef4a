"""From the parts of a script to closures over its variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from kessai.saga.expression.types import is_list, is_map
from kessai.saga.script import arithmetic, methods, tree
from kessai.saga.script.access import is_in, item_of, property_of, range_of
from kessai.saga.script.errors import ScriptThrown
from kessai.saga.script.statics import call_static
from kessai.saga.script.tree import Block, Node, Statement
from kessai.saga.script.types import INSTANCES, cast
from kessai.saga.script.values import ambiguous, fail, limited, text_of, truth


@dataclass(slots=True)
class Frame:
    """The variables of one run: those that the script declares, and its bindings."""

    slots: list[object]
    bindings: dict[str, object]


class Returned(Exception):
    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


Code: TypeAlias = Callable[[Frame], object]
_Step: TypeAlias = Callable[[Frame, object], object]


def compile_block(block: Block) -> Code:
    """Its value is that of the last statement."""
    codes = [_statement(statement) for statement in block.statements]
    if len(codes) == 1:
        return codes[0]

    def run(frame: Frame) -> object:
        value: object = None
        for code in codes:
            value = code(frame)
        return value

    return run


def _statement(statement: Statement) -> Code:
    match statement:
        case tree.If(branches, otherwise):
            return _if(branches, otherwise)
        case tree.Return(value):
            return _return(_node(value) if value is not None else None)
        case tree.Throw(name, message):
            return _throw(name, _node(message) if message is not None else None)
        case Block():
            return compile_block(statement)
    return _node(statement)


def _if(branches: tuple[tuple[Node, Block], ...], otherwise: Block | None) -> Code:
    tests = [(_node(condition), compile_block(block)) for condition, block in branches]
    last = compile_block(otherwise) if otherwise is not None else None

    def run(frame: Frame) -> object:
        for condition, block in tests:
            if truth(condition(frame)):
                return block(frame)
        return last(frame) if last is not None else None

    return run


def _return(value: Code | None) -> Code:
    def run(frame: Frame) -> object:
        raise Returned(value(frame) if value is not None else None)

    return run


def _throw(name: str, message: Code | None) -> Code:
    def run(frame: Frame) -> object:
        text = message(frame) if message is not None else None
        if message is not None and not isinstance(text, str):
            if text is None:
                fail("groovy.lang.GroovyRuntimeException", f"Ambiguous constructor for {name}")
            fail(
                "groovy.lang.GroovyRuntimeException",
                f"Could not find matching constructor for: {name}",
            )
        raise ScriptThrown(name, text if isinstance(text, str) else None)

    return run


def _node(node: Node) -> Code:
    match node:
        case tree.Literal(constant):
            return lambda _frame: constant
        case tree.Variable():
            return _variable(node)
        case tree.Text(parts):
            return _text([_node(part) for part in parts])
        case tree.Path(start, steps):
            return _path(_node(start), [_step(step) for step in steps])
        case tree.Chain(first, rest):
            return _chain(_node(first), [(_OPERATIONS[symbol], _node(one)) for symbol, one in rest])
        case tree.Both(parts):
            return _both([_node(part) for part in parts])
        case tree.Either(parts):
            return _either([_node(part) for part in parts])
        case tree.Ternary(condition, then, otherwise):
            chosen = _node(then) if then is not None else None
            return _ternary(_node(condition), chosen, _node(otherwise))
        case tree.Assign():
            return _assign(node)
        case tree.ListOf(items):
            codes = [_node(item) for item in items]
            return lambda frame: [code(frame) for code in codes]
        case tree.MapOf(entries):
            return _map([(_node(key), _node(one)) for key, one in entries])
    return _typed(node)


def _typed(node: tree.Range | tree.Unary | tree.Cast | tree.InstanceOf | tree.Static) -> Code:
    match node:
        case tree.Range(first, last, inclusive):
            low, high = _node(first), _node(last)
            return lambda frame: range_of(low(frame), high(frame), inclusive=inclusive)
        case tree.Unary(symbol, of):
            operation, operand = _UNARY[symbol], _node(of)
            return lambda frame: operation(operand(frame))
        case tree.Cast(type_name, of, converts):
            value = _node(of)
            return lambda frame: cast(value(frame), type_name, converts=converts)
        case tree.InstanceOf(of, type_name):
            test, tested = INSTANCES[type_name], _node(of)
            return lambda frame: test(tested(frame))
        case tree.Static(name, arguments):
            codes = [_node(argument) for argument in arguments]
            return lambda frame: call_static(name, [code(frame) for code in codes])


_UNARY: dict[str, Callable[[object], object]] = {
    "!": lambda value: not truth(value),
    "-": arithmetic.negative,
    "+": arithmetic.positive,
}
_OPERATIONS = {**arithmetic.OPERATIONS, "in": is_in}


def _variable(node: tree.Variable) -> Code:
    name, slot = node.name, node.slot
    if slot is not None:
        return lambda frame: frame.slots[slot]

    def binding(frame: Frame) -> object:
        try:
            return frame.bindings[name]
        except KeyError:
            fail("groovy.lang.MissingPropertyException", f"No such property: {name}")

    return binding


def _assign(node: tree.Assign) -> Code:
    target, symbol, before = node.target, node.symbol, node.before
    old, value = _variable(target), _node(node.value)
    operation = arithmetic.OPERATIONS[symbol] if symbol else None

    def assign(frame: Frame) -> object:
        first = old(frame) if operation is not None else None
        result = value(frame)
        if operation is not None:
            result = operation(first, result)
        if target.type_name is not None:
            result = cast(result, target.type_name, converts=False)
        if target.slot is not None:
            frame.slots[target.slot] = result
        else:
            frame.bindings[target.name] = result
        return first if before else result

    return assign


def _text(parts: list[Code]) -> Code:
    def evaluate(frame: Frame) -> str:
        found = ""
        for part in parts:
            found = limited(found + text_of(part(frame)))
        return found

    return evaluate


def _path(start: Code, steps: list[_Step]) -> Code:
    if len(steps) == 1:
        only = steps[0]
        return lambda frame: only(frame, start(frame))

    def evaluate(frame: Frame) -> object:
        value = start(frame)
        for step in steps:
            value = step(frame, value)
        return value

    return evaluate


def _step(step: tree.Property | tree.Index | tree.Method) -> _Step:
    match step:
        case tree.Index(keys):
            codes = [_node(key) for key in keys]
            if len(codes) == 1:
                only = codes[0]
                return lambda frame, value: item_of(value, only(frame))
            return lambda frame, value: item_of(value, [code(frame) for code in codes])
        case tree.Property(name, safe, spread):
            key = _node(name)
            return _on_each(
                lambda frame, value: property_of(value, text_of(key(frame))), safe, spread
            )
        case tree.Method(name, arguments, safe, spread):
            given = [_node(argument) for argument in arguments]
            return _on_each(
                lambda frame, value: methods.call(value, name, [code(frame) for code in given]),
                safe,
                spread,
            )


def _on_each(step: _Step, safe: bool, spread: bool) -> _Step:
    """`?.` passes null on, and so does `*.`, which asks every item of a list."""

    def evaluate(frame: Frame, value: object) -> object:
        if value is None and (safe or spread):
            return None
        if spread and isinstance(value, str):
            value = list(value)
        if spread and is_list(value):
            return [None if one is None else step(frame, one) for one in value]
        found = step(frame, value)
        return [found] if spread else found

    return evaluate


def _chain(start: Code, rest: list[tuple[Callable[[object, object], object], Code]]) -> Code:
    if len(rest) == 1:
        operation, right = rest[0]
        return lambda frame: operation(start(frame), right(frame))

    def evaluate(frame: Frame) -> object:
        value = start(frame)
        for operation, right in rest:
            value = operation(value, right(frame))
        return value

    return evaluate


def _both(parts: list[Code]) -> Code:
    return lambda frame: all(truth(part(frame)) for part in parts)


def _either(parts: list[Code]) -> Code:
    return lambda frame: any(truth(part(frame)) for part in parts)


def _ternary(condition: Code, then: Code | None, otherwise: Code) -> Code:
    def evaluate(frame: Frame) -> object:
        value = condition(frame)
        if not truth(value):
            return otherwise(frame)
        return value if then is None else then(frame)

    return evaluate


def _map(entries: list[tuple[Code, Code]]) -> Code:
    def evaluate(frame: Frame) -> dict[object, object]:
        found: dict[object, object] = {}
        for key, code in entries:
            name = key(frame)
            if is_list(name) or is_map(name):
                ambiguous(found, "put")
            found[name] = code(frame)
        return found

    return evaluate
