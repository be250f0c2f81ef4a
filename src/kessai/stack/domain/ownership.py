"""Whose process is it? A pid alone proves nothing: it may have been given to another since."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# In the environment of all that we start: found there even when the note was never written.
MARK = "KESSAI_STACK_PROCESS"


@dataclass(frozen=True, slots=True)
class Note:
    """What was written down at the start of a process."""

    pid: int
    started_ticks: int
    boot: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the kernel says of a pid now."""

    started_ticks: int
    is_zombie: bool


class Owned(StrEnum):
    ALIVE = "ALIVE"
    GONE = "GONE"


def owned(note: Note, boot: str, seen: Seen | None) -> Owned:
    """Ours only if the machine was not started again and the pid is as old as our note says."""
    if note.boot != boot or seen is None or seen.is_zombie:
        return Owned.GONE
    return Owned.ALIVE if seen.started_ticks == note.started_ticks else Owned.GONE


def parse_stat(text: str) -> Seen:
    """/proc/PID/stat; the name in parentheses may hold spaces and parentheses itself."""
    state, *fields = text[text.rindex(")") + 1 :].split()
    return Seen(started_ticks=int(fields[18]), is_zombie=state in "ZX")


def mark(folder: str, process: str) -> str:
    return f"{folder}#{process}"
