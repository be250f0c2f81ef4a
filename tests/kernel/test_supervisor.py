"""Loops come back after a failure, ever more slowly; a stop ends all of them in bounded time."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs
from tests.support.web import run_virtual

from kessai.kernel.errors import Unknown
from kessai.kernel.supervisor import LoopHealth, Supervisor
from kessai.kernel.telemetry import service_name


def a_supervisor() -> Supervisor:
    return Supervisor(
        "order-service",
        first_pause_s=0.1,
        max_pause_s=1.0,
        failing_after=3,
        steady_s=10.0,
        stop_timeout_s=2.0,
    )


def test_pauses_double_up_to_their_limit() -> None:
    starts: list[float] = []

    async def sick() -> None:
        starts.append(round(asyncio.get_running_loop().time(), 6))
        raise Unknown("DATABASE_UNAVAILABLE")

    async def story() -> None:
        supervisor = a_supervisor()
        supervisor.start("relay", sick)
        await asyncio.sleep(4)
        await supervisor.stop()

    with capture_logs() as lines:
        run_virtual(story())
    assert starts == [0, 0.1, 0.3, 0.7, 1.5, 2.5, 3.5]
    assert [line["failures"] for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    # Where somebody is away, a traceback would be no news.
    assert {(line["event"], line["loop"], line["code"]) for line in lines} == {
        ("loop.waits", "relay", "DATABASE_UNAVAILABLE")
    }
    assert not any("exc_info" in line for line in lines)


def test_a_loop_is_failing_from_the_third_time_until_it_ran_steadily() -> None:
    failures = 3

    async def sick_at_first() -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError("disk")
        await asyncio.Event().wait()

    async def story() -> None:
        supervisor = a_supervisor()
        supervisor.start("relay", sick_at_first)
        assert supervisor.health() == {"relay": LoopHealth(0, False, "")}
        await asyncio.sleep(0.2)
        assert supervisor.health() == {"relay": LoopHealth(2, False, "OSError")}
        await asyncio.sleep(0.2)
        assert supervisor.health() == {"relay": LoopHealth(3, True, "OSError")}
        await asyncio.sleep(9.5)
        assert supervisor.health()["relay"].failing
        await asyncio.sleep(1)
        assert supervisor.health() == {"relay": LoopHealth(0, False, "")}
        await supervisor.stop()

    run_virtual(story())


def test_a_failure_after_a_steady_run_counts_anew() -> None:
    starts: list[float] = []

    async def sick_now_and_then() -> None:
        starts.append(round(asyncio.get_running_loop().time(), 6))
        await asyncio.sleep(20)
        raise OSError("disk")

    async def story() -> None:
        supervisor = a_supervisor()
        supervisor.start("relay", sick_now_and_then)
        await asyncio.sleep(100)
        assert not supervisor.health()["relay"].failing
        await supervisor.stop()

    run_virtual(story())
    assert starts == [0, 20.1, 40.2, 60.3, 80.4]


def test_a_loop_that_returns_is_started_again() -> None:
    starts = 0

    async def forgetful() -> None:
        nonlocal starts
        starts += 1

    async def story() -> None:
        supervisor = a_supervisor()
        supervisor.start("relay", forgetful)
        await asyncio.sleep(0.5)
        assert supervisor.health()["relay"] == LoopHealth(3, True, "it returned")
        await supervisor.stop()

    run_virtual(story())
    assert starts == 3


def test_stop_ends_all_loops_and_lets_them_clean_up() -> None:
    ended: list[str] = []

    async def story() -> None:
        async def waits(name: str) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(1)
                ended.append(name)

        supervisor = a_supervisor()
        supervisor.start("relay", lambda: waits("relay"))
        supervisor.start("poller", lambda: waits("poller"))
        supervisor.spawn("create-call", waits("create-call"))
        await asyncio.sleep(0.1)
        await supervisor.stop()
        assert asyncio.get_running_loop().time() == pytest.approx(1.1)
        assert len(asyncio.all_tasks()) == 1

    run_virtual(story())
    assert sorted(ended) == ["create-call", "poller", "relay"]


def test_a_loop_that_will_not_end_is_named_and_left() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(60)

    async def story() -> None:
        supervisor = a_supervisor()
        supervisor.start("relay", stubborn)
        await asyncio.sleep(0.1)
        await supervisor.stop()
        assert asyncio.get_running_loop().time() == pytest.approx(2.1)

    with capture_logs() as lines:
        run_virtual(story())
    assert lines == [
        {
            "event": "loop.stuck",
            "loop": "order-service:relay",
            "waited_s": 2.0,
            "log_level": "error",
        }
    ]


def test_a_spawned_call_outlives_its_caller_and_its_failure_is_told() -> None:
    done: list[str] = []

    async def provider_call() -> str:
        await asyncio.sleep(3)
        done.append(service_name())
        raise Unknown("PAYMENT_UNAVAILABLE")

    async def story() -> None:
        supervisor = a_supervisor()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.shield(supervisor.spawn("create-call", provider_call()))
        await asyncio.sleep(3)

    with capture_logs() as lines:
        run_virtual(story())
    assert done == ["order-service"]
    assert [(line["event"], line["task"]) for line in lines] == [("task.failed", "create-call")]


def test_names_are_unique_and_nothing_starts_after_the_stop() -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    async def story() -> None:
        supervisor = a_supervisor()
        supervisor.start("relay", waits)
        with pytest.raises(ValueError, match="'relay' runs already"):
            supervisor.start("relay", waits)
        await supervisor.stop()
        with pytest.raises(RuntimeError, match="is stopping"):
            supervisor.start("poller", waits)
        with pytest.raises(RuntimeError, match="is stopping"):
            supervisor.spawn("create-call", waits())
        await supervisor.stop()

    run_virtual(story())
