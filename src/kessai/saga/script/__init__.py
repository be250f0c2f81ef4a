"""Scripts of ScriptTasks: a safe subset of Groovy, parsed when the definition is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kessai.kernel.errors import JsonValue
from kessai.saga.script.compiler import Code, Frame, Returned, compile_block
from kessai.saga.script.errors import ScriptError, ScriptThrown
from kessai.saga.script.outcome import json_of
from kessai.saga.script.statements import parse
from kessai.saga.script.values import LIMIT_EXCEEDED

__all__ = ["Script", "ScriptError", "ScriptThrown", "compile_script"]


@dataclass(frozen=True, slots=True)
class Script:
    text: str
    code: Code
    slots: int

    def run(self, bindings: Mapping[str, JsonValue]) -> JsonValue:
        """The value of `return` or of the last statement. Raises `ScriptThrown`, nothing else.

        A whole decimal is an int (6 / 2 is 3), another one a float (7 / 2 is 3.5).
        """
        try:
            return json_of(self._value(Frame([None] * self.slots, dict(bindings))))
        except RecursionError as error:
            raise ScriptThrown(LIMIT_EXCEEDED, "nested too deeply") from error
        except OverflowError as error:
            raise ScriptThrown(LIMIT_EXCEEDED, str(error)) from error
        except (ArithmeticError, ValueError) as error:
            raise ScriptThrown("java.lang.ArithmeticException", str(error)) from error

    def _value(self, frame: Frame) -> object:
        try:
            return self.code(frame)
        except Returned as returned:
            return returned.value


def compile_script(text: str, script_type: str | None) -> Script:
    """Raises `ScriptError` for every other language, too."""
    if script_type not in (None, "", "groovy"):
        raise ScriptError(f"there are no scripts of type {script_type!r}", line=1, column=1)
    block, slots = parse(text)
    return Script(text, compile_block(block), slots)
