"""What becomes of a script that is refused, and of one that ends with an exception."""

from __future__ import annotations


class ScriptError(Exception):
    """A script beyond the subset, found when the definition is loaded; lines count from 1."""

    def __init__(self, message: str, *, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column


class ScriptThrown(Exception):
    """`name` is Java's class name in full, of what the script threw or of what failed in it."""

    def __init__(self, name: str, message: str | None) -> None:
        super().__init__(f"{name}: {message}" if message is not None else name)
        self.name = name
        self.message = message
