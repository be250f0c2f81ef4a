"""What a run recorded replays without a difference, in another process just as here."""

from __future__ import annotations

import pytest
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from tests.temporal.server import Server
from tests.temporal.stories import STORIES, machines
from tests.temporal.world import a_scene

from kessai.saga.temporal.converter import DATA_CONVERTER
from kessai.saga.temporal.workflow import SagaWorkflow

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]


@pytest.mark.parametrize("name", STORIES)
async def test_a_history_replays(server: Server, name: str) -> None:
    async with a_scene(server.url, machines()) as scene:
        history = await scene.history(await STORIES[name](scene))
    replayer = Replayer(
        workflows=[SagaWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=DATA_CONVERTER,
    )
    result = await replayer.replay_workflow(history)
    assert result.replay_failure is None
