"""One state of a definition into its dataclass (seata.md 1.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypedDict

from kessai.saga.expression import Expression, compile_condition
from kessai.saga.language import spelling
from kessai.saga.language.attributes import Attributes
from kessai.saga.language.model import (
    Branch,
    Catch,
    Choice,
    CompensateSubMachine,
    CompensationTrigger,
    Fail,
    Loop,
    Retry,
    ScriptTask,
    ServiceTask,
    State,
    Status,
    SubStateMachine,
    Succeed,
    Template,
)
from kessai.saga.script import ScriptError, compile_script

DEFAULT_SCRIPT_TYPE = "groovy"
DEFAULT_ELEMENT = "loopElement"
DEFAULT_INDEX = "loopCounter"
DEFAULT_CONDITION = "[nrOfInstances] == [nrOfCompletedInstances]"

_DECIDABLE = (Status.SUCCEEDED, Status.FAILED, Status.UNKNOWN, Status.SKIPPED)

# Seata fails when it reaches what its author left out; these fail in the same place.
_FAILING_EXPRESSION = "null.expression"
_FAILING_SCRIPT = "throw new NullPointerException('ScriptContent is missing')"


class _Common(TypedDict):
    name: str
    next: str | None
    input: tuple[Template, ...]
    output: tuple[tuple[str, Template], ...]
    status: tuple[tuple[Expression, str], ...]
    retry: tuple[Retry, ...]
    catch: tuple[Catch, ...]
    loop: Loop | None
    compensate_state: str | None
    for_update: bool
    for_compensation: bool
    persist: bool
    retry_updates: bool | None
    compensation_updates: bool | None
    timeout_s: float | None


def read_state(name: str, fields: Attributes) -> State:
    """A state that is refused becomes an end, so that the rules can go on looking at the rest."""
    fields.text("Comment")
    kind = fields.text("Type")
    if kind is None:
        if fields.values.get("Type") is None:
            fields.refuse("Type", "is missing")
        return Succeed(name)
    reader = _READERS.get(kind)
    if reader is None:
        fields.refuse("Type", f"{kind[:40]!r} is unknown")
        return Succeed(name)
    fields.check_spelling(spelling.STATE[kind])
    return reader(name, fields)


def read_timeout(fields: Attributes) -> float | None:
    """Ours: Seata ignores what stands in Extensions."""
    extensions = fields.inner("Extensions")
    value = extensions.values.get("TimeoutSeconds")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        extensions.doubt("TimeoutSeconds", "has no effect: it must be a number above 0")
        return None
    return extensions.seconds("TimeoutSeconds")


def _service_task(name: str, fields: Attributes) -> State:
    return ServiceTask(
        **_common(name, fields),
        service=fields.wanted("ServiceName", "the state fails when it is reached"),
        method=fields.wanted("ServiceMethod", "the state fails when it is reached"),
        service_type=fields.text("ServiceType"),
        parameter_types=fields.texts("ParameterTypes"),
        is_async=fields.flag("IsAsync", False),
    )


def _sub_machine(name: str, fields: Attributes) -> State:
    common = _common(name, fields)
    # Without CompensateState Seata makes one up, and a state that has one is an update.
    common["for_update"] = True
    machine = fields.wanted("StateMachineName", "the state fails when it is reached")
    return SubStateMachine(**common, machine=machine)


def _compensate_sub_machine(name: str, fields: Attributes) -> State:
    return CompensateSubMachine(**_common(name, fields))


def _script_task(name: str, fields: Attributes) -> State:
    common = _common(name, fields)
    common["for_update"] = common["for_compensation"] = common["persist"] = False
    kind = fields.name("ScriptType") or DEFAULT_SCRIPT_TYPE
    text = fields.wanted("ScriptContent", "the state fails when it is reached")
    try:
        return ScriptTask(**common, script=compile_script(text or _FAILING_SCRIPT, kind))
    except ScriptError as error:
        fields.refuse("ScriptContent", f"has a wrong script: {error}")
        return Succeed(name)


def _choice(name: str, fields: Attributes) -> State:
    fields.mapping("Extensions")
    if fields.values.get("Choices") is None:
        fields.refuse("Choices", "is missing")
    default = fields.follower("Default")
    branches = (_branch(entry, default) for entry in fields.objects("Choices"))
    found = tuple(branch for branch in branches if branch is not None)
    return Choice(name, found, default, fields.follower("Next"))


def _trigger(name: str, fields: Attributes) -> State:
    fields.mapping("Extensions")
    return CompensationTrigger(name, fields.follower("Next"))


def _succeed(name: str, fields: Attributes) -> State:
    fields.mapping("Extensions")
    return Succeed(name, fields.follower("Next"))


def _fail(name: str, fields: Attributes) -> State:
    fields.mapping("Extensions")
    return Fail(name, fields.text("ErrorCode"), fields.text("Message"), fields.follower("Next"))


_READERS: Mapping[str, Callable[[str, Attributes], State]] = {
    "ServiceTask": _service_task,
    "ScriptTask": _script_task,
    "SubStateMachine": _sub_machine,
    "CompensateSubMachine": _compensate_sub_machine,
    "Choice": _choice,
    "CompensationTrigger": _trigger,
    "Succeed": _succeed,
    "Fail": _fail,
}
TYPES = tuple(_READERS)


def _common(name: str, fields: Attributes) -> _Common:
    follower = fields.follower("Next")
    undo = fields.name("CompensateState")
    return _Common(
        name=name,
        next=follower,
        input=tuple(
            fields.template("Input", at, value=value)
            for at, value in enumerate(fields.items("Input"))
        ),
        output=tuple(
            (key, fields.template("Output", key, value=value))
            for key, value in fields.mapping("Output").items()
        ),
        status=_status(fields),
        retry=tuple(_retry(entry) for entry in fields.objects("Retry")),
        catch=_catches(fields, follower),
        loop=_loop(fields.inner("Loop")) if fields.has_object("Loop") else None,
        compensate_state=undo,
        for_update=fields.flag("IsForUpdate", False) or undo is not None,
        for_compensation=fields.flag("IsForCompensation", False),
        persist=fields.flag("IsPersist", True),
        retry_updates=fields.tri_state("IsRetryPersistModeUpdate"),
        compensation_updates=fields.tri_state("IsCompensatePersistModeUpdate"),
        timeout_s=read_timeout(fields),
    )


def _status(fields: Attributes) -> tuple[tuple[Expression, str], ...]:
    found = []
    for text, status in fields.mapping("Status").items():
        expression = fields.condition("Status", text, text=text)
        if status not in _DECIDABLE:
            fields.doubt_at("Status", text, what=f"{status!r} is no status of a state")
        if expression is not None:
            found.append((expression, str(status)))
    return tuple(found)


def _retry(fields: Attributes) -> Retry:
    fields.check_spelling(spelling.RETRY)
    attempts = fields.whole("MaxAttempts")
    if attempts < 1:
        fields.doubt("MaxAttempts", "is below 1, so nothing is tried again")
    return Retry(
        exceptions=fields.texts("Exceptions"),
        interval_s=fields.seconds("IntervalSeconds") or 0,
        backoff_rate=fields.seconds("BackoffRate") or 0,
        max_attempts=attempts,
    )


def _catches(fields: Attributes, follower: str | None) -> tuple[Catch, ...]:
    found = []
    for entry in fields.objects("Catch"):
        entry.check_spelling(spelling.CATCH)
        exceptions = entry.texts("Exceptions")
        if not exceptions:
            entry.doubt("Exceptions", "is missing, so the entry catches nothing")
        target = entry.follower("Next")
        if target is None:
            entry.doubt("Next", "is missing: the state's own Next follows")
            target = follower
        # Seata would end the machine here, which an exception does without the entry too.
        if target is not None:
            found.append(Catch(exceptions, target))
    return tuple(found)


def _branch(fields: Attributes, default: str | None) -> Branch | None:
    fields.check_spelling(spelling.CHOICE)
    text = fields.text("Expression")
    target = fields.follower("Next")
    if target is None:
        fields.doubt("Next", "is missing: the machine ends when the entry matches")
    if text is not None and text.strip():
        expression = fields.condition("Expression", text=text)
        return Branch(expression, target) if expression is not None else None
    # The designer writes the default branch a second time as an entry that has no expression.
    if target is not None and target == default:
        return None
    fields.doubt("Expression", "is missing: the state fails when it is reached")
    return Branch(compile_condition(_FAILING_EXPRESSION), target)


def _loop(fields: Attributes) -> Loop | None:
    fields.check_spelling(spelling.LOOP)
    parallel = fields.lenient_whole("Parallel", 1)
    if parallel < 1:
        fields.doubt("Parallel", f"is {parallel} and counts as 1")
    collection = fields.text("Collection")
    if collection is None or not collection.startswith("$"):
        fields.doubt("Collection", "is not an expression that starts with $: there is no loop")
        collection = None
    condition = _defaulted(fields, "CompletionCondition", DEFAULT_CONDITION)
    compiled = fields.condition("CompletionCondition", text=condition)
    elements = fields.value("Collection", text=collection) if collection is not None else None
    if compiled is None:
        return None
    return Loop(
        parallel=max(parallel, 1),
        collection=elements,
        element_name=_defaulted(fields, "ElementVariableName", DEFAULT_ELEMENT),
        index_name=_defaulted(fields, "ElementIndexName", DEFAULT_INDEX),
        condition=compiled,
    )


def _defaulted(fields: Attributes, attribute: str, default: str) -> str:
    """Seata takes an explicit null for the value, and fails."""
    value = fields.text(attribute)
    if value is None and attribute in fields.values:
        fields.doubt(attribute, f"is null and counts as {default!r}")
    return default if value is None else value
