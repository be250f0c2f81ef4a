"""Named places where a test breaks the process, in the seams that every service goes through.

A name tells the seam, the place and the side: `commit:order:before`, `call:storage-service.
reserve_stock:after`, `provider:create:after`. Unarmed, a point costs one comparison.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

# kill: as by kill -9. stop: as by SIGSTOP, until somebody sends SIGCONT. full: from here on no
# database can be written for `FULL_S`.
Mode = Literal["kill", "stop", "full"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
FULL_S: Final = 5.0


@dataclass(slots=True)
class _Armed:
    point: str
    left: int
    act: Callable[[], None]


_armed: _Armed | None = None
_seen: Callable[[str], None] | None = None
_full_until_s: float | None = None


def arm(wish: str, act: Callable[[Mode], None] | None = None) -> None:
    """`<point>#<n>` kills this process when the point is reached the n-th time.

    `<point>#<n>=stop` and `<point>#<n>=full` do the other two; `act` is done instead. Raises
    `ValueError` when the wish has another form.
    """
    global _armed
    place, _, word = wish.partition("=")
    point, separator, count = place.rpartition("#")
    mode = next((one for one in MODES if one == (word or "kill")), None)
    if not separator or not count.isdigit() or int(count) < 1 or mode is None:
        raise ValueError(f"KESSAI_CRASH_AT: {wish!r} is not <point>#<n>[={'|'.join(MODES)}]")
    _armed = _Armed(point, int(count), lambda: (act or _act)(mode))


def record(seen: Callable[[str], None]) -> None:
    """Tells every point that is reached from now on."""
    global _seen
    _seen = seen


def record_to(path: Path) -> None:
    """Each point once, a line each, in the order in which they were reached."""
    told: dict[str, None] = {}

    def write(point: str) -> None:
        if point not in told:
            told[point] = None
            with path.open("a", encoding="utf-8") as lines:
                lines.write(f"{point}\n")

    record(write)


def reached(point: str) -> None:
    if _seen is not None:
        _seen(point)
    if _armed is None or _armed.point != point:
        return
    _armed.left -= 1
    if _armed.left == 0:
        _armed.act()


def require_space() -> None:
    """Before a commit. Raises what SQLite raises while the disk is full."""
    if _full_until_s is not None and asyncio.get_running_loop().time() < _full_until_s:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        error.sqlite_errorname = "SQLITE_FULL"
        raise error


def fill_disk() -> None:
    """No database can be written from now on, for `FULL_S`."""
    global _full_until_s
    _full_until_s = asyncio.get_running_loop().time() + FULL_S


def _act(mode: Mode) -> None:
    if mode == "full":
        fill_disk()
    else:
        os.kill(os.getpid(), signal.SIGKILL if mode == "kill" else signal.SIGSTOP)
