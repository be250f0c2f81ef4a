"""State, timers, positions and output of one partition are of one moment, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from rocksdict import Options, Rdict

from kessai.kernel.bus import Message
from kessai.kernel.streams.ports import Output
from kessai.kernel.streams.store import ShardStore, StoreInUse, StoreMisfit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stores" / "rules-0"


def opened(path: Path) -> ShardStore[bytes]:
    return ShardStore(path)


def an_output(n: int) -> Output:
    return Output(f"id-{n}", Message("alerts", "k", b"v%d" % n, {"h": "x"}))


def test_what_is_not_written_is_seen_and_gone_after_abort(path: Path) -> None:
    store = opened(path)
    store.put("a", b"1", 100)
    store.write()
    store.put("a", b"2", 300)
    store.put("b", b"1", 50)
    store.move("orders", 7)
    store.add_output(an_output(1))
    assert store.get("a") == (b"2", 300)
    assert store.positions() == {"orders": 7}
    store.abort()
    assert store.get("a") == (b"1", 100)
    assert store.get("b") == (None, None)
    assert (store.positions(), store.outputs()) == ({}, {})
    assert store.pop_due(1000) == (100, "a")
    store.close()


def test_timers_ring_in_their_order_once_and_only_where_they_still_hold(path: Path) -> None:
    store = opened(path)
    store.put("late", b"s", 900_000)
    store.put("soon", b"s", 10)
    store.put("put off", b"s", 20)
    store.put("taken back", b"s", 30)
    store.write()
    store.put("put off", b"s", 40)
    store.put("taken back", b"s", None)
    assert store.next_due_ms() in (10, 20, 30, 40)
    rung = []
    while (due := store.pop_due(1_000_000)) is not None:
        rung.append(due)
        store.put(due[1], b"s", None)
    assert rung == [(10, "soon"), (40, "put off"), (900_000, "late")]
    store.close()


def test_a_timer_that_was_put_off_or_taken_back_is_not_due(path: Path) -> None:
    store = opened(path)
    # From now on it knows what is near.
    assert store.pop_due(0) is None
    store.put("a", b"1", 100)
    assert store.is_due(100)
    assert not store.is_due(99)
    store.put("a", b"1", 200)
    store.put("b", b"1", 150)
    store.put("b", b"1", None)
    assert not store.is_due(199)
    assert store.is_due(200)
    assert store.pop_due(200) == (200, "a")


def test_output_is_there_until_it_was_dropped_and_written(path: Path) -> None:
    store = opened(path)
    for n in (1, 2):
        store.add_output(an_output(n))
    store.write()
    first, second = store.outputs().items()
    assert (first[1], second[1]) == (an_output(1), an_output(2))
    store.drop_outputs([first[0]])
    assert list(store.outputs().values()) == [an_output(2)]
    store.close()
    again = opened(path)
    assert len(again.outputs()) == 2
    again.drop_outputs(list(again.outputs()))
    again.write()
    again.close()
    last = opened(path)
    assert last.outputs() == {}
    last.close()


def test_one_process_has_it_and_another_is_told(path: Path) -> None:
    store = opened(path)
    with pytest.raises(StoreInUse, match="in use by another process"):
        opened(path)
    program = (
        "from pathlib import Path\n"
        "from kessai.kernel.streams.store import ShardStore\n"
        f"ShardStore(Path({str(path)!r}))"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert other.returncode == 1
    assert b"StoreInUse" in other.stderr
    store.close()
    ShardStore(path).close()


def test_a_store_of_another_format_is_refused(path: Path) -> None:
    store = opened(path)
    store.close()
    database = Rdict(str(path), Options(raw_mode=True))
    database[b"v"] = b"2"
    database.close()
    with pytest.raises(StoreMisfit, match="this program knows"):
        opened(path)


def test_killed_it_has_what_was_written_and_nothing_of_what_was_not(path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from kessai.kernel.streams.store import ShardStore
store = ShardStore(Path({str(path)!r}))
store.put("a", b"1", 100); store.move("t", 1); store.write()
store.put("a", b"2", 200); store.move("t", 2)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    store = opened(path)
    assert store.get("a") == (b"1", 100)
    assert store.positions() == {"t": 1}
    store.close()


KEYS = st.sampled_from("abc")
TIMES = st.one_of(st.none(), st.integers(0, 200_000))


class StoreAgainstDict(RuleBasedStateMachine):
    """Any course of puts, writes, aborts and restarts: the store and a plain dict agree."""

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "s"
        self.store: ShardStore[bytes] = ShardStore(self.path)
        self.now: dict[str, tuple[bytes, int | None]] = {}
        self.kept: dict[str, tuple[bytes, int | None]] = {}

    @rule(key=KEYS, wake=TIMES, gone=st.booleans())
    def put(self, key: str, wake: int | None, gone: bool) -> None:
        self.store.put(key, None if gone else b"s", wake)
        if gone:
            self.now.pop(key, None)
        else:
            self.now[key] = (b"s", wake)

    @rule()
    def write(self) -> None:
        self.store.write()
        self.kept = dict(self.now)

    @rule()
    def abort(self) -> None:
        self.store.abort()
        self.now = dict(self.kept)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = ShardStore(self.path)
        self.now = dict(self.kept)

    @rule(until=st.integers(0, 300_000))
    def ring(self, until: int) -> None:
        expected = sorted((w, k) for k, (_, w) in self.now.items() if w is not None and w <= until)
        assert self.store.is_due(until) or not expected
        rung = []
        while (due := self.store.pop_due(until)) is not None:
            rung.append(due)
            self.put(due[1], None, gone=False)
        assert rung == expected

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "store"):
            for key in "abc":
                assert self.store.get(key) == self.now.get(key, (None, None))

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


StoreAgainstDict.TestCase.settings = hypothesis_settings(
    max_examples=15, stateful_step_count=20, deadline=None
)
TestStoreAgainstDict = StoreAgainstDict.TestCase
