"""Every limit of the local bus, with its unit."""

from __future__ import annotations

from dataclasses import dataclass, field

from kessai.kernel.bus import Retry


@dataclass(frozen=True, slots=True)
class BusLimits:
    """A dead member's partitions go to others after `member_s` + `heartbeat_s` at the latest."""

    poll_s: float = 0.05
    heartbeat_s: float = 1.0
    member_s: float = 3.0
    batch: int = 100
    # Handled offsets are written together; a crash before it means delivering them again.
    commit_after_s: float = 0.1
    stop_s: float = 3.0
    retry: Retry = field(default_factory=Retry)
    # A partition is trimmed when either is passed, but no further than its slowest group ...
    keep_s: float = 7 * 24 * 3600.0
    keep_rows: int = 1_000_000
    # ... until this many rows, when the disk is worth more than a consumer that never comes.
    hard_rows: int = 5_000_000
    # A group without a member for so long is forgotten and holds nothing back any more.
    keep_group_s: float = 30 * 24 * 3600.0
    trim_every_s: float = 60.0
    trim_rows: int = 1000
