"""Seata's Saga State Language: parse, check, refuse; a loaded machine can run."""

from __future__ import annotations

from kessai.saga.language.document import Source
from kessai.saga.language.findings import Finding, Position
from kessai.saga.language.model import (
    Branch,
    Catch,
    Choice,
    CompensateSubMachine,
    CompensationTrigger,
    DefinitionError,
    Fail,
    Loop,
    Machine,
    Retry,
    ScriptTask,
    ServiceTask,
    State,
    Status,
    SubStateMachine,
    Succeed,
    Task,
    Template,
)
from kessai.saga.language.report import Report, explain, load
from kessai.saga.language.rules import check_machines

__all__ = [
    "Branch",
    "Catch",
    "Choice",
    "CompensateSubMachine",
    "CompensationTrigger",
    "DefinitionError",
    "Fail",
    "Finding",
    "Loop",
    "Machine",
    "Position",
    "Report",
    "Retry",
    "ScriptTask",
    "ServiceTask",
    "Source",
    "State",
    "Status",
    "SubStateMachine",
    "Succeed",
    "Task",
    "Template",
    "check_machines",
    "explain",
    "load",
]
