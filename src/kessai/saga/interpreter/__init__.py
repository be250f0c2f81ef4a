"""The pure interpreter: a machine, its history and a result in; the next event and commands out."""

from __future__ import annotations

from kessai.saga.interpreter.commands import (
    Advance,
    Call,
    Command,
    Ended,
    Result,
    SubEnded,
    Value,
    Wait,
    commands,
)
from kessai.saga.interpreter.operations import compensate, forward, recover, redrive, skip
from kessai.saga.interpreter.steps import advance, begin, broken, conclude

__all__ = [
    "Advance",
    "Call",
    "Command",
    "Ended",
    "Result",
    "SubEnded",
    "Value",
    "Wait",
    "advance",
    "begin",
    "broken",
    "commands",
    "compensate",
    "conclude",
    "forward",
    "recover",
    "redrive",
    "skip",
]
