"""What Prometheus sees of a stream, and when it is ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from kessai.kernel.actuator import Degraded, Unwell
from kessai.kernel.metrics import Metrics
from kessai.kernel.streams.meters import Look, PrometheusMeters, state_of
from kessai.kernel.streams.store import ShardStore


def lines(metrics: Metrics) -> list[str]:
    return metrics.prometheus().decode().splitlines()


def test_each_partition_that_is_worked_has_its_gauges_and_no_other() -> None:
    metrics = Metrics("alert-service")
    meters = PrometheusMeters(metrics)
    meters.seen({0: Look(5, 1000, 2), 3: Look(0, 2000, 0)})
    assert 'stream_lag_records{partition="0"} 5.0' in lines(metrics)
    assert 'stream_state_bytes{partition="3"} 2000.0' in lines(metrics)
    assert 'stream_timers_due{partition="0"} 2.0' in lines(metrics)
    # The others went to another process, which tells of them.
    meters.seen({3: Look(1, 2000, 0)})
    assert 'stream_lag_records{partition="3"} 1.0' in lines(metrics)
    assert not any('partition="0"' in line for line in lines(metrics))


def test_commits_restores_aborts_and_dead_letters_are_counted() -> None:
    metrics = Metrics("alert-service")
    meters = PrometheusMeters(metrics)
    meters.restored(100, 0.5)
    meters.committed(7, 0.01)
    meters.aborted()
    meters.poisoned(2)
    for line in (
        "stream_restore_seconds_sum 0.5",
        "stream_restored_records_total 100.0",
        "stream_commit_seconds_count 1.0",
        "stream_records_total 7.0",
        "stream_aborts_total 1.0",
        "stream_poisoned_total 2.0",
    ):
        assert line in lines(metrics)


def test_a_store_knows_its_size_and_the_timers_that_wait(tmp_path: Path) -> None:
    store: ShardStore[bytes] = ShardStore(tmp_path / "s")
    for number in range(5):
        store.put(str(number), b"s", number * 10)
    store.write()
    assert store.count_timers(20) == 3
    assert store.size_bytes() > 0
    store.close()


def test_until_it_caught_up_it_is_not_ready() -> None:
    with pytest.raises(Unwell) as unwell:
        state_of(False, [1])
    assert unwell.value.details == {"state": "restoring", "partitions": [1]}
    assert state_of(True, [1]) == {"state": "live", "partitions": [1]}


def test_a_stream_that_stands_still_is_no_good_news() -> None:
    assert state_of(True, [1], silent_s=59.0)["state"] == "live"
    with pytest.raises(Degraded) as degraded:
        state_of(True, [1], silent_s=75.2)
    assert degraded.value.details == {"state": "silent", "partitions": [1], "silentS": 75}
