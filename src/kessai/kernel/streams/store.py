"""One partition's state in RocksDB: values, a time-ordered index of timers, positions, output.

A commit is one write batch, so that after a crash state, timers, positions and what is still to be
published are of the same moment. What an open commit touches is in memory, decoded once.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Generic, cast

import msgspec
from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteOptions,
)

from kessai.kernel.bus import Message
from kessai.kernel.errors import KessaiError
from kessai.kernel.streams.ports import Codec, Output, S
from kessai.kernel.streams.timers import Timers

FORMAT: Final = b"1"
_FORMAT, _NOW, _LOGGED = b"v", b"n", b"l"
_STATE, _TIMER, _POSITION, _OUTPUT = b"s", b"t", b"p", b"o"
_TIME = struct.Struct(">q")
_NEVER: Final = -1
# Behind everything of its prefix.
_LAST: Final = b"\xff" * 9
# What was read stays in memory beyond its commit, up to so many keys.
_READ_KEYS: Final = 4_096
# For all stores of the process.
_CACHE: Final = Cache(16 * 1024 * 1024)
_output = msgspec.msgpack.Decoder(tuple[str, str, str, bytes, dict[str, str]]).decode
_encode = msgspec.msgpack.Encoder().encode
_pack, _unpack_from = _TIME.pack, _TIME.unpack_from


class StoreInUse(KessaiError):
    """Another process has it."""


class StoreMisfit(KessaiError):
    """It was written by a program that this one does not know."""


class AsBytes:
    """The codec of states that are bytes."""

    def decode(self, state: bytes) -> bytes:
        return state

    def encode(self, state: bytes) -> bytes:
        return state


class Row:
    """`kept_ms`: the timer that the disk has for it."""

    __slots__ = ("kept_ms", "state", "wake_ms")

    def __init__(self, state: Any, wake_ms: int | None) -> None:
        self.state = state
        self.wake_ms = wake_ms
        self.kept_ms = wake_ms


class ShardStore(Generic[S]):
    """What was put and not committed yet is seen by every read, and gone after `abort`."""

    def __init__(self, path: Path, codec: Codec[S] | None = None) -> None:
        """Raises `StoreInUse`, `StoreMisfit`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._codec = cast(Codec[S], codec or AsBytes())
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
        self._rows: dict[str, Row] = {}
        self._dirty: dict[str, Row] = {}
        self._encoded: list[tuple[bytes, bytes | None]] | None = None
        self.timers = Timers(self._kept_timers)
        self._load()

    def _load(self) -> None:
        """What the disk has of everything that is kept in memory."""
        self._moved: dict[str, int] = {}
        self._now_ms = self._kept_now_ms = self._number(_NOW)
        self._logged = self._kept_logged = self._number(_LOGGED)
        self._sent: dict[bytes, Output] = {}
        self._kept_outputs = {key: _decoded(value) for key, value in self._range(_OUTPUT)}
        last = max(self._kept_outputs, default=None)
        self._next_output = 0 if last is None else _unpack_from(last, 1)[0] + 1
        self._dropped: dict[bytes, None] = {}

    # Values: `wake_ms` lies before the state, so that its timer can be found again.

    def get(self, key: str) -> tuple[S | None, int | None]:
        row = self.row(key)
        return row.state, row.wake_ms

    def put(self, key: str, state: S | None, wake_ms: int | None) -> None:
        self.keep(key, self.row(key), state, wake_ms)

    def row(self, key: str) -> Row:
        """What `keep` is to be told with. It holds until the next commit."""
        row = self._rows.get(key)
        return row if row is not None else self._read(key)

    def keep(self, key: str, row: Row, state: S | None, wake_ms: int | None) -> None:
        if state is None:
            wake_ms = None
        if row.wake_ms != wake_ms:
            row.wake_ms = wake_ms
            if wake_ms is not None:
                self.timers.add(wake_ms, key)
        elif row.state is state:
            return
        row.state = state
        self._dirty[key] = row

    def _read(self, key: str) -> Row:
        value = self._db.get(_STATE + key.encode())
        if value is None:
            row = Row(None, None)
        else:
            wake_ms = _unpack_from(value)[0]
            row = Row(self._codec.decode(value[8:]), None if wake_ms == _NEVER else wake_ms)
        self._rows[key] = row
        return row

    def is_due(self, until_ms: int) -> bool:
        """Whether `pop_due` may have one."""
        return self.timers.first_ms <= until_ms and self.timers.is_due(until_ms, self._wake_of)

    def pop_due(self, until_ms: int) -> tuple[int, str] | None:
        """The earliest timer at or before `until_ms`; whoever gets it puts its key anew."""
        return self.timers.pop(until_ms, self._wake_of)

    def next_due_ms(self) -> int | None:
        """When `pop_due` will have something, or may have."""
        return self.timers.next_ms(self._wake_of)

    def _wake_of(self, key: str) -> int | None:
        """Without what it costs to read a state that nobody needs."""
        row = self._rows.get(key)
        if row is not None:
            return row.wake_ms
        value = self._db.get(_STATE + key.encode())
        return None if value is None else _unpack_from(value)[0]

    def _kept_timers(self, from_ms: int, below_ms: int | None) -> Iterator[tuple[int, str]]:
        end = _TIMER + (_LAST if below_ms is None else _pack(below_ms))
        for key, _ in self._range(_TIMER, _pack(from_ms), end):
            yield _unpack_from(key, 1)[0], key[9:].decode()

    # Where the stream is.

    def positions(self) -> dict[str, int]:
        """By topic: the offset of the next record."""
        kept = {key[1:].decode(): _unpack_from(value)[0] for key, value in self._range(_POSITION)}
        return kept | self._moved

    def move(self, topic: str, position: int) -> None:
        self._moved[topic] = position

    @property
    def now_ms(self) -> int:
        """The stream's time: no timer before it is left."""
        return self._now_ms

    def set_now(self, now_ms: int) -> None:
        self._now_ms = now_ms

    # The changelog: every state that changed, as it stands on the disk.

    @property
    def logged(self) -> int:
        """The changelog's position up to which this store has it."""
        return self._logged

    def set_logged(self, position: int) -> None:
        self._logged = position

    def changed_states(self) -> list[tuple[bytes, bytes | None]]:
        """What is not written yet, for the changelog; None: it is gone."""
        encode = self._codec.encode
        self._encoded = [
            (
                key.encode(),
                None
                if row.state is None
                else _pack(_NEVER if row.wake_ms is None else row.wake_ms) + encode(row.state),
            )
            for key, row in self._dirty.items()
        ]
        return self._encoded

    def restore(self, name: bytes, value: bytes | None) -> None:
        """One record of the changelog."""
        key = name.decode()
        if value is None:
            self.put(key, None, None)
        else:
            wake_ms = _unpack_from(value)[0]
            state = self._codec.decode(value[8:])
            self.put(key, state, None if wake_ms == _NEVER else wake_ms)

    # What is to be published.

    def add_output(self, output: Output) -> None:
        self._sent[_OUTPUT + _pack(self._next_output)] = output
        self._next_output += 1

    def outputs(self) -> dict[bytes, Output]:
        """What was committed or not and is not dropped yet, by a name for `drop_outputs`."""
        found = self._kept_outputs | self._sent
        return {key: output for key, output in found.items() if key not in self._dropped}

    def take_outputs(self) -> list[Output]:
        """What was not written yet, for who publishes it with the write itself."""
        taken = list(self._sent.values())
        self._sent.clear()
        return taken

    def drop_outputs(self, names: Iterable[bytes]) -> None:
        """They were published; written with the next commit, until then they may be again."""
        self._dropped.update(dict.fromkeys(names))

    # Commit.

    @property
    def has_news(self) -> bool:
        """More than the time: that alone is not worth a write."""
        return bool(self._dirty or self._moved or self._sent or self._logged != self._kept_logged)

    @property
    def changes(self) -> int:
        """How many states are not written yet."""
        return len(self._dirty)

    def write(self, *, durable: bool = True) -> None:
        """All of it is on the disk, or nothing."""
        if not (self.has_news or self._dropped or durable):
            return
        batch = WriteBatch(raw_mode=True)
        self._batch_states(batch)
        self._batch_rest(batch)
        self._db.write(batch, self._durable if durable else self._quick)
        self._settle()

    def _batch_states(self, batch: WriteBatch) -> None:
        put, delete = batch.put, batch.delete
        encoded = self._encoded if self._encoded is not None else self.changed_states()
        for (name, value), row in zip(encoded, self._dirty.values(), strict=True):
            if value is None:
                delete(_STATE + name)
            else:
                put(_STATE + name, value)
            # A timer that came and went within one commit never was on the disk.
            if row.kept_ms != row.wake_ms:
                if row.kept_ms is not None:
                    delete(_TIMER + _pack(row.kept_ms) + name)
                if row.wake_ms is not None:
                    put(_TIMER + _pack(row.wake_ms) + name, b"")

    def _batch_rest(self, batch: WriteBatch) -> None:
        for topic, position in self._moved.items():
            batch.put(_POSITION + topic.encode(), _pack(position))
        if self._now_ms != self._kept_now_ms:
            batch.put(_NOW, _pack(self._now_ms))
        if self._logged != self._kept_logged:
            batch.put(_LOGGED, _pack(self._logged))
        for key, output in self._sent.items():
            if key not in self._dropped:
                message = output.message
                row = (output.id, message.topic, message.key, message.value, dict(message.headers))
                batch.put(key, _encode(row))
        for key in self._dropped:
            batch.delete(key)

    def _settle(self) -> None:
        for row in self._dirty.values():
            row.kept_ms = row.wake_ms
        self._dirty.clear()
        self.timers.written()
        self._encoded = None
        if len(self._rows) > _READ_KEYS:
            self._rows.clear()
        self._moved.clear()
        self._kept_now_ms, self._kept_logged = self._now_ms, self._logged
        self._kept_outputs |= self._sent
        self._sent.clear()
        for key in self._dropped:
            self._kept_outputs.pop(key, None)
        self._dropped.clear()

    def abort(self) -> None:
        self._rows.clear()
        self._dirty.clear()
        self._encoded = None
        self.timers.forget()
        dropped = self._dropped
        self._load()
        self._dropped = dropped

    def count(self) -> int:
        """How many keys have a state on the disk; reads them all."""
        return sum(1 for _ in self._range(_STATE))

    def count_timers(self, until_ms: int) -> int:
        """How many timers the disk has up to then; reads them all."""
        return sum(1 for _ in self._kept_timers(0, until_ms + 1))

    def size_bytes(self) -> int:
        """Of the files."""
        return sum(file.stat().st_size for file in self.path.iterdir() if file.is_file())

    def states(self) -> Iterator[tuple[str, S]]:
        """All that are on the disk, in the order of their keys."""
        for key, value in self._range(_STATE):
            yield key[1:].decode(), self._codec.decode(value[8:])

    def close(self) -> None:
        self._db.close()

    def wipe(self) -> None:
        self._db.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def _number(self, key: bytes) -> int:
        value = self._db.get(key)
        return 0 if value is None else int(_unpack_from(value)[0])

    def _range(
        self, prefix: bytes, start: bytes = b"", end: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Of one prefix in its order, what is on the disk."""
        options = ReadOptions()
        options.set_iterate_upper_bound(end if end is not None else prefix + _LAST)
        for key, value in self._db.items(from_key=prefix + start, read_opt=options):
            yield cast(bytes, key), value


def _decoded(value: bytes) -> Output:
    id_, topic, key, content, headers = _output(value)
    return Output(id_, Message(topic, key, content, headers))


def require_stores(folder: Path, group: str, *, alone: bool) -> None:
    """Before anything is started. Raises `StoreMisfit`, and `StoreInUse` where nobody else may have
    one (`alone`)."""
    for path in sorted(folder.glob(f"{group}-*")):
        try:
            ShardStore[bytes](path).close()
        except StoreInUse:
            if alone:
                raise


def _open(path: Path) -> Rdict:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    # Six of these live in one process beside everything else: small buffers are enough.
    options.set_write_buffer_size(4 * 1024 * 1024)
    options.set_max_write_buffer_number(2)
    options.set_max_open_files(64)
    options.set_keep_log_file_num(2)
    options.set_compression_type(DBCompressionType.lz4())
    # Most keys that are asked for are new: also what is not in a file yet is not searched for them.
    options.set_memtable_prefix_bloom_ratio(0.05)
    options.set_memtable_whole_key_filtering(True)
    table = BlockBasedOptions()
    table.set_block_cache(_CACHE)
    # Most keys that are asked for are new.
    table.set_bloom_filter(10, False)
    options.set_block_based_table_factory(table)
    try:
        return Rdict(str(path), options)
    except Exception as error:
        if "lock" in str(error).lower():
            raise StoreInUse(f"{path} is in use by another process") from None
        raise StoreMisfit(f"{path} cannot be opened: {error}") from error
