"""A run together with its events, as the log would keep them, and its parts as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from kessai.kernel.errors import JsonValue
from kessai.saga import Machine, Thrown, Verdict
from kessai.saga.folding import apply, fold, loggable, reload
from kessai.saga.history import Body, Event, Run, Step
from kessai.saga.interpreter import Advance, Call, Result, Value, advance, begin, commands, conclude
from kessai.saga.language.model import Task

NOW = 1_000_000
REFUSED = Thrown(("Refused", "NO", "java.lang.Throwable"), "no", Verdict.REFUSED, "NO")
UNKNOWN = Thrown(("Unknown",), "silence", Verdict.UNKNOWN, "SILENCE")
BUG = Thrown(("ValueError", "Exception", "java.lang.Throwable"), "bug", Verdict.PLAIN)
OK = Value({"ok": True})


def stored(event: Event) -> Event:
    """What comes back from the log's JSON."""
    return Event(event.kind, event.name, event.status, json.loads(json.dumps(event.body)))


class Tape:
    """`events` are the rows that were written; `run` is what their writer has in memory."""

    def __init__(
        self,
        machine: Machine,
        params: Mapping[str, JsonValue] | None = None,
        *,
        now_ms: int = NOW,
        timeout_s: float | None = None,
    ) -> None:
        self.machine = machine
        self.now_ms = now_ms
        self.timeout_s = timeout_s
        self.run = Run(machine, "i-1", "key")
        self.events: list[Event] = []
        given = {"orderId": "o-1"} if params is None else params
        self.add(begin(self.run, given, now_ms=now_ms, timeout_s=timeout_s))

    def add(self, event: Event) -> Event:
        row, carried = loggable(self.run, event)
        if row is not None:
            self.events.append(stored(row))
        apply(self.run, event)
        self.run.carried = carried
        self.run.seq += row is not None
        return event

    def conclude(self, n: int, result: Result) -> Event:
        return conclude(
            self.run,
            n,
            result,
            now_ms=self.now_ms,
            jitter=0.5,
            cap_s=5,
            timeout_s=self.timeout_s,
        )

    def advance(self) -> Event:
        return advance(self.run, now_ms=self.now_ms, timeout_s=self.timeout_s)

    def answer(self, *results: Result) -> Tape:
        """One result after another for the only open step, whatever pause a retry asks for."""
        for result in results:
            (command,) = commands(self.run, NOW * 1000)
            while isinstance(command, Advance):
                self.add(self.advance())
                (command,) = commands(self.run, NOW * 1000)
            assert isinstance(command, Call)
            self.add(self.conclude(command.step.n, result))
        return self

    def reload(self) -> Run:
        """What an operation sees: Seata's view of the stored instance."""
        reload(self.run)
        return self.run

    def replayed(self, length: int | None = None) -> Run:
        """What a new engine rebuilds from the first rows of the log."""
        return fold(Run(self.machine, "i-1", "key"), map(stored, self.events[:length]))

    @property
    def calls(self) -> list[str]:
        return [step.name for step in self.run.steps.values()]

    @property
    def ended(self) -> tuple[str, str | None] | None:
        return None if self.run.running else (self.run.status, self.run.compensation)


def plain(value: object) -> Any:
    """Comparable and independent: dataclasses become dicts, a task its name."""
    if isinstance(value, Task):
        return value.name
    if isinstance(value, Machine):
        return value.name
    if isinstance(value, Step | Run) or (is_dataclass(value) and not isinstance(value, type)):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def bodies(events: list[Event]) -> list[Body]:
    return [event.body for event in events]
