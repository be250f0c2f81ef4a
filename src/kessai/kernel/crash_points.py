"""Named places where a test may kill the process, in the seams that every service goes through.

A name tells the seam, the place and the side: `commit:order:before`, `call:storage-service.
reserve_stock:after`, `send:POST /v2/codes:after`. Unarmed, a point costs one comparison.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass


@dataclass(slots=True)
class _Armed:
    point: str
    left: int


_armed: _Armed | None = None


def arm(wish: str) -> None:
    """`<point>#<n>` kills this process, as by kill -9, when the point is reached the n-th time.

    Raises `ValueError` when the wish has another form.
    """
    global _armed
    point, separator, count = wish.rpartition("#")
    if not separator or not count.isdigit() or int(count) < 1:
        raise ValueError(f"KESSAI_CRASH_AT: {wish!r} is not <point>#<n>")
    _armed = _Armed(point, int(count))


def is_armed() -> bool:
    """For seams whose names cost something to make."""
    return _armed is not None


def reached(point: str) -> None:
    if _armed is None or _armed.point != point:
        return
    _armed.left -= 1
    if _armed.left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
