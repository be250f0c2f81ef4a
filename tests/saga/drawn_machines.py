"""Small machines by chance: every kind of state, undone, caught, repeated, looped, with no row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from kessai.saga import Machine, load

MAX_STATES = 4
_NAMES = ("A", "B", "C", "D")

_retry = st.lists(
    st.fixed_dictionaries(
        {
            "Exceptions": st.sampled_from([["Unknown"], ["NO"], [], ["java.lang.Throwable"]]),
            "IntervalSeconds": st.sampled_from([0, 0.5]),
            "BackoffRate": st.sampled_from([0, 2]),
            "MaxAttempts": st.integers(0, 2),
        }
    ),
    max_size=2,
)
_statuses: st.SearchStrategy[dict[str, str]] = st.sampled_from(
    [
        *[{}] * 6,
        {"$Exception{NO}": "FA", "#root != null": "SU", "#root == null": "FA"},
        {"#root != null": "SU"},
        {"#root == null": "UN", "#root != null": "SU", "$Exception{java.lang.Throwable}": "SU"},
        {"true": "SK"},
    ]
)
_inputs = st.sampled_from(
    [[], ["$.[x]"], [{"x": "$.[x]", "y": 1}, "$.[one]"], ["$Sequence.ID|SIMPLE"]] * 3
    + [["$.[x].missing"]]
)
_outputs: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"x": "$.#root"}, {"x": "$.#root", "y": "$.#root", "z": 1}] * 4 + [{"x": "$.[ok]"}]
)
_rarely = st.sampled_from([False, False, False, True])
_LOOP = {"Collection": "$.[all]", "ElementVariableName": "one", "ElementIndexName": "at"}


@dataclass(frozen=True)
class _Some:
    persisted: bool
    conditions: bool


@st.composite
def machines(draw: st.DrawFn, *, persisted: bool = False, conditions: bool = True) -> Machine:
    """A chain of states; where something is caught, it goes on, fails or undoes everything.

    `conditions` of loops let Seata forget an iteration that failed once they hold (seata.md 1.8).
    """
    some = _Some(persisted, conditions)
    names = _NAMES[: draw(st.integers(1, MAX_STATES))]
    states: dict[str, Any] = {}
    for at, name in enumerate(names):
        follower = names[at + 1] if at + 1 < len(names) else draw(st.sampled_from(["Ok", None]))
        states.update(_state(draw, name, follower, some))
    behind = draw(st.sampled_from([None, "No", "After"]))
    states["Undo"] = {"Type": "CompensationTrigger", **({"Next": behind} if behind else {})}
    states["After"] = _task(draw, some, Next="No")
    states["Ok"] = {"Type": "Succeed"}
    states["No"] = {"Type": "Fail", "ErrorCode": "E", "Message": "no"}
    attributes: dict[str, Any] = {
        "RecoverStrategy": draw(st.sampled_from(["Compensate", "Forward"])),
        "IsRetryPersistModeUpdate": draw(_rarely),
        "IsCompensatePersistModeUpdate": draw(_rarely),
    }
    return load({"Name": "m", "StartState": names[0], "States": states, **attributes})


def _state(draw: st.DrawFn, name: str, follower: str | None, some: _Some) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(
            ["service", "service", "service", "loop", "loop", "sub", "sub", "script", "choice"]
        )
    )
    target = {"Next": follower} if follower else {}
    if kind == "choice":
        branches = [{"Expression": "[x] == null", "Next": follower or "Ok"}]
        return {name: {"Type": "Choice", "Choices": branches, "Default": "Ok"}}
    caught = draw(st.sampled_from(["Undo", "Undo", "Undo", None, "No", follower]))
    names = draw(st.sampled_from([["java.lang.Throwable"], ["Unknown", "NO"], ["NO"]]))
    catch = [{"Exceptions": names, "Next": caught}] if caught else []
    if kind == "script":
        body = draw(st.sampled_from(["[ok: 1]", "throw new RuntimeException('bad')", "null"]))
        script = {"Type": "ScriptTask", "ScriptContent": body, "Output": draw(_outputs)}
        return {name: {**script, "Catch": catch, **target}}
    if kind == "sub":
        return _sub(draw, name, catch, target, some)
    task = _task(draw, some, Catch=catch, **target)
    if kind == "loop":
        task["Loop"] = {**_LOOP, "Parallel": draw(st.integers(1, 3))}
        if some.conditions and draw(_rarely):
            task["Loop"]["CompletionCondition"] = "[nrOfCompletedInstances] >= 1"
    found = {name: task}
    undone = draw(st.sampled_from(["yes", "yes", "no", "missing"]))
    if undone == "yes":
        task["CompensateState"] = f"Un{name}"
        found[f"Un{name}"] = _task(draw, some)
    task["IsForUpdate"] = undone == "missing" and draw(_rarely)
    return found


def _task(draw: st.DrawFn, some: _Some, **more: Any) -> dict[str, Any]:
    return {
        "Type": "ServiceTask",
        "ServiceName": "shop",
        "ServiceMethod": "do",
        "Input": draw(_inputs),
        "Output": draw(_outputs),
        "Status": draw(_statuses),
        "Retry": draw(_retry),
        "IsPersist": some.persisted or not draw(_rarely),
        "IsAsync": draw(_rarely) and draw(_rarely),
        **more,
    }


def _sub(
    draw: st.DrawFn,
    name: str,
    catch: list[Any],
    target: dict[str, Any],
    some: _Some,
) -> dict[str, Any]:
    sub: dict[str, Any] = {
        "Type": "SubStateMachine",
        "StateMachineName": "child",
        "Output": draw(_outputs),
        "IsPersist": some.persisted or not draw(_rarely),
        "Catch": catch,
        **target,
    }
    if not draw(_rarely):
        return {name: sub}
    undo = {"Type": "CompensateSubMachine", "Input": [{"why": "$.[x]"}]}
    return {name: {**sub, "CompensateState": f"Un{name}"}, f"Un{name}": undo}
