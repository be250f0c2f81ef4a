"""The saga definitions: they load without a doubt, and every step can be asked again."""

from __future__ import annotations

import pytest

from kessai.order.main import MACHINES, machines
from kessai.saga.language import Machine, ServiceTask

LOADED = {machine.name: machine for machine in machines()}


def test_the_files_hold_the_machines_of_their_names() -> None:
    assert tuple(LOADED) == MACHINES
    assert [machine.doubts for machine in LOADED.values()] == [()] * 5


@pytest.mark.parametrize("machine", LOADED.values(), ids=lambda one: one.name)
def test_silence_is_asked_again_at_every_step(machine: Machine) -> None:
    tasks = [state for state in machine.states.values() if isinstance(state, ServiceTask)]
    for task in tasks:
        (retry,) = task.retry
        assert "Unknown" in retry.exceptions, task.name
        assert retry.max_attempts == 100_000


@pytest.mark.parametrize(
    ("machine", "undone"),
    [
        ("order_create_saga", {"ReserveStock": "ReleaseStock", "CreatePayment": "CancelPayment"}),
        (
            "reduce_inventory_and_balance",
            {"ReserveStock": "ReleaseStock", "HoldBalance": "ReleaseHold"},
        ),
        ("order_settle_saga", {}),
        ("order_cancel_saga", {}),
        ("order_refund_saga", {}),
    ],
)
def test_what_is_undone_by_what(machine: str, undone: dict[str, str]) -> None:
    tasks = [state for state in LOADED[machine].states.values() if isinstance(state, ServiceTask)]
    assert {task.name: task.compensate_state for task in tasks if task.compensate_state} == undone
