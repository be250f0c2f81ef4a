"""Workflows that were under way before a change still go on after it: recorded histories replay.

Needs no server. A difference here would stop every saga of that kind on Temporal, so a change that
makes one needs `workflow.patched` and a new recording beside the old one (temporal/record.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from kessai.saga.temporal.converter import DATA_CONVERTER
from kessai.saga.temporal.workflow import SagaWorkflow

HISTORIES = sorted((Path(__file__).parents[1] / "temporal" / "histories").glob("*.json"))


def test_there_are_histories() -> None:
    assert len(HISTORIES) >= 4


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    text = path.read_text("utf-8")  # noqa: ASYNC240
    history = WorkflowHistory.from_json(path.stem, text)
    replayer = Replayer(
        workflows=[SagaWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=DATA_CONVERTER,
    )
    result = await replayer.replay_workflow(history)
    assert result.replay_failure is None
