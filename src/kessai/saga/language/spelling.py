"""Attributes that are unknown, hence ignored, and look like one that is meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from kessai.kernel.errors import JsonValue

MAX_CHECKED = 40
CLOSENESS = 0.84

MACHINE = (
    "Name",
    "Comment",
    "Version",
    "StartState",
    "RecoverStrategy",
    "IsPersist",
    "IsRetryPersistModeUpdate",
    "IsCompensatePersistModeUpdate",
    "Extensions",
    "States",
)
_BASE = ("Type", "Comment", "Next", "Extensions")
_TASK = (
    *_BASE,
    "CompensateState",
    "IsForCompensation",
    "IsForUpdate",
    "IsPersist",
    "IsRetryPersistModeUpdate",
    "IsCompensatePersistModeUpdate",
    "Retry",
    "Catch",
    "Input",
    "Output",
    "Status",
    "Loop",
)
STATE: Mapping[str, tuple[str, ...]] = {
    "ServiceTask": (
        *_TASK,
        "ServiceName",
        "ServiceMethod",
        "ServiceType",
        "ParameterTypes",
        "IsAsync",
    ),
    "ScriptTask": (*_TASK, "ScriptType", "ScriptContent"),
    "SubStateMachine": (*_TASK, "StateMachineName"),
    "CompensateSubMachine": _TASK,
    "Choice": (*_BASE, "Choices", "Default"),
    "CompensationTrigger": _BASE,
    "Succeed": _BASE,
    "Fail": (*_BASE, "ErrorCode", "Message"),
}
RETRY = ("Exceptions", "IntervalSeconds", "MaxAttempts", "BackoffRate")
CATCH = ("Exceptions", "Next")
LOOP = (
    "Parallel",
    "Collection",
    "ElementVariableName",
    "ElementIndexName",
    "CompletionCondition",
)
CHOICE = ("Expression", "Next")


def misspelt(values: Mapping[str, JsonValue], known: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Pairs of what is written and what is likely meant."""
    lower = {name.lower(): name for name in known}
    unknown = [key for key in values if key not in known]
    for key in unknown[:MAX_CHECKED]:
        # The designer keeps the drawing of a state's catches under `catch`.
        if key == "catch" and isinstance(values[key], Mapping):
            continue
        close = get_close_matches(key[:MAX_CHECKED].lower(), lower, n=1, cutoff=CLOSENESS)
        if close and lower[close[0]] not in values:
            yield key, lower[close[0]]
