"""One partition's state in RocksDB: values, a time-ordered index of timers, positions, output.

A commit is one write batch, so that after a crash state, timers, positions and what is still to be
published are of the same moment.
"""

from __future__ import annotations

import heapq
import shutil
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, cast

import msgspec
from rocksdict import (
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from kessai.kernel.bus import Message
from kessai.kernel.errors import KessaiError
from kessai.kernel.streams.ports import Output

FORMAT: Final = b"1"
_FORMAT, _NOW, _LOGGED = b"v", b"n", b"l"
_STATE, _TIMER, _POSITION, _OUTPUT = b"s", b"t", b"p", b"o"
_TIME = struct.Struct(">q")
_NEVER: Final = -1
# Behind everything of its prefix.
_LAST: Final = b"\xff" * 9
_NEAR_MS: Final = 60_000
_output = msgspec.msgpack.Decoder(tuple[str, str, str, bytes, dict[str, str]]).decode
_encode = msgspec.msgpack.Encoder().encode


class StoreInUse(KessaiError):
    """Another process has it."""


class StoreMisfit(KessaiError):
    """It was written by a program that this one does not know."""


class ShardStore:
    """What was put and not committed yet is seen by every read, and gone after `abort`."""

    def __init__(self, path: Path) -> None:
        """Raises `StoreInUse`, `StoreMisfit`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._db = _open(path)
        self._durable = WriteOptions()
        self._durable.sync = True
        self._quick = WriteOptions()
        found = self._db.get(_FORMAT)
        if found is None:
            self._db[_FORMAT] = FORMAT
        elif found != FORMAT:
            self._db.close()
            raise StoreMisfit(f"{path} has format {found!r}, this program knows {FORMAT!r}")
        self._changed: dict[bytes, bytes | None] = {}
        self._dropped: dict[bytes, None] = {}
        self._near: list[tuple[int, str]] = []
        self._known_until_ms = 0
        self._next_output = self._first_free_output()

    def _first_free_output(self) -> int:
        last = -1
        for key, _ in self._range(_OUTPUT, None):
            last = _TIME.unpack(key[1:])[0]
        return last + 1

    # Values: `wake_ms` lies before the state, so that its timer can be found again.

    def get(self, key: str) -> tuple[bytes | None, int | None]:
        value = self._read(_STATE + key.encode())
        if value is None:
            return None, None
        wake_ms = _TIME.unpack_from(value)[0]
        return value[8:], None if wake_ms == _NEVER else wake_ms

    def put(self, key: str, state: bytes | None, wake_ms: int | None, old_ms: int | None) -> None:
        """`old_ms`: the wake-up that `get` told."""
        name = key.encode()
        if old_ms is not None and (old_ms != wake_ms or state is None):
            self._changed[_timer(old_ms, name)] = None
        if state is None:
            self._changed[_STATE + name] = None
            return
        if wake_ms is not None and wake_ms != old_ms:
            self._changed[_timer(wake_ms, name)] = b""
            if wake_ms < self._known_until_ms:
                heapq.heappush(self._near, (wake_ms, key))
        self._changed[_STATE + name] = _TIME.pack(_NEVER if wake_ms is None else wake_ms) + state

    def pop_due(self, until_ms: int) -> tuple[int, str] | None:
        """The earliest timer at or before `until_ms`; whoever gets it puts its key anew."""
        while True:
            self._look_ahead(until_ms)
            if not self._near or self._near[0][0] > until_ms:
                return None
            at_ms, key = heapq.heappop(self._near)
            # Others were put off or taken back since.
            if self.get(key)[1] == at_ms:
                return at_ms, key

    def next_due_ms(self) -> int | None:
        """When `pop_due` will have something, or may have."""
        if self._near:
            return self._near[0][0]
        for key, _ in self._range(_TIMER + _TIME.pack(self._known_until_ms), _TIMER + _LAST):
            return int(_TIME.unpack_from(key, 1)[0])
        return None

    def _look_ahead(self, until_ms: int) -> None:
        """Timers of the near future are in memory, so that no event has to search for them."""
        if until_ms < self._known_until_ms:
            return
        low = _TIMER + _TIME.pack(self._known_until_ms)
        self._known_until_ms = until_ms + _NEAR_MS
        for key, _ in self._range(low, _TIMER + _TIME.pack(self._known_until_ms)):
            heapq.heappush(self._near, (_TIME.unpack_from(key, 1)[0], key[9:].decode()))

    # Where the stream is.

    def positions(self) -> dict[str, int]:
        """By topic: the offset of the next record."""
        return {
            key[1:].decode(): _TIME.unpack(value)[0] for key, value in self._range(_POSITION, None)
        }

    def move(self, topic: str, position: int) -> None:
        self._changed[_POSITION + topic.encode()] = _TIME.pack(position)

    @property
    def now_ms(self) -> int:
        """The stream's time: no timer before it is left."""
        value = self._read(_NOW)
        return 0 if value is None else int(_TIME.unpack(value)[0])

    def set_now(self, now_ms: int) -> None:
        self._changed[_NOW] = _TIME.pack(now_ms)

    # The changelog: every state that changed, as it stands on the disk.

    @property
    def logged(self) -> int:
        """The changelog's position up to which this store has it."""
        value = self._read(_LOGGED)
        return 0 if value is None else int(_TIME.unpack(value)[0])

    def set_logged(self, position: int) -> None:
        self._changed[_LOGGED] = _TIME.pack(position)

    def changed_states(self) -> Iterator[tuple[bytes, bytes | None]]:
        """What is not written yet, for the changelog; None: it is gone."""
        for key, value in self._changed.items():
            if key[:1] == _STATE:
                yield key[1:], value

    def restore(self, name: bytes, value: bytes | None) -> None:
        """One record of the changelog."""
        key = name.decode()
        old_ms = self.get(key)[1]
        if value is None:
            self.put(key, None, None, old_ms)
        else:
            wake_ms = _TIME.unpack_from(value)[0]
            self.put(key, value[8:], None if wake_ms == _NEVER else wake_ms, old_ms)

    # What is to be published.

    def add_output(self, output: Output) -> None:
        message = output.message
        row = (output.id, message.topic, message.key, message.value, dict(message.headers))
        self._changed[_OUTPUT + _TIME.pack(self._next_output)] = _encode(row)
        self._next_output += 1

    def outputs(self) -> dict[bytes, Output]:
        """What was committed or not and is not dropped yet, by a name for `drop_outputs`."""
        found = {}
        for key, value in self._range(_OUTPUT, None):
            if key in self._dropped:
                continue
            id_, topic, name, content, headers = _output(value)
            found[key] = Output(id_, Message(topic, name, content, headers))
        return found

    def take_outputs(self) -> list[Output]:
        """What was not written yet, for who publishes it with the write itself."""
        taken = self.outputs()
        for key in taken:
            del self._changed[key]
        return list(taken.values())

    def drop_outputs(self, names: Iterable[bytes]) -> None:
        """They were published; written with the next commit, until then they may be again."""
        self._dropped.update(dict.fromkeys(names))

    # Commit.

    @property
    def has_news(self) -> bool:
        """More than the time: that alone is not worth a write."""
        return len(self._changed) > (_NOW in self._changed)

    def write(self, *, durable: bool = True) -> None:
        """All of it is on the disk, or nothing."""
        self._changed |= self._dropped
        self._dropped.clear()
        if not (self._changed or durable):
            return
        batch = WriteBatch(raw_mode=True)
        for key, value in self._changed.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        self._db.write(batch, self._durable if durable else self._quick)
        self._changed.clear()

    def abort(self) -> None:
        self._changed.clear()
        self._near.clear()
        self._known_until_ms = 0
        self._next_output = self._first_free_output()

    def count(self) -> int:
        """How many keys have a state; reads them all."""
        return sum(1 for _ in self._range(_STATE, None))

    def close(self) -> None:
        self._db.close()

    def wipe(self) -> None:
        self._db.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def _read(self, key: bytes) -> bytes | None:
        if key in self._changed:
            return self._changed[key]
        value: bytes | None = self._db.get(key)
        return value

    def _range(self, prefix: bytes, below: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """Of one prefix in its order, what was committed and what was not."""
        end = below if below is not None else prefix + _LAST
        fresh = sorted((key, value) for key, value in self._changed.items() if prefix <= key < end)
        kept = self._committed(prefix, end)
        at, kept_row = 0, next(kept, None)
        while at < len(fresh) or kept_row is not None:
            if kept_row is None or (at < len(fresh) and fresh[at][0] <= kept_row[0]):
                key, value = fresh[at]
                at += 1
                if kept_row is not None and kept_row[0] == key:
                    kept_row = next(kept, None)
                if value is not None:
                    yield key, value
            else:
                yield kept_row
                kept_row = next(kept, None)

    def _committed(self, prefix: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        options = ReadOptions()
        options.set_iterate_upper_bound(end)
        for key, value in self._db.items(from_key=prefix, read_opt=options):
            yield cast(bytes, key), value


def _timer(at_ms: int, name: bytes) -> bytes:
    return _TIMER + _TIME.pack(at_ms) + name


def _open(path: Path) -> Rdict:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    # Six of these live in one process beside everything else: small buffers are enough.
    options.set_write_buffer_size(4 * 1024 * 1024)
    options.set_max_write_buffer_number(2)
    options.set_max_open_files(64)
    options.set_keep_log_file_num(2)
    options.set_compression_type(DBCompressionType.lz4())
    try:
        return Rdict(str(path), options)
    except Exception as error:
        if "lock" in str(error).lower():
            raise StoreInUse(f"{path} is in use by another process") from None
        raise StoreMisfit(f"{path} cannot be opened: {error}") from error
