"""Every limit of the stream runtime, with its unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamLimits:
    # Timers ring at least so often, and earlier when one is due.
    tick_s: float = 10.0
    batch: int = 500
    # A timer rings so long after it is due: what came in time may still be on its way to us.
    settle_s: float = 0.25
    # Whoever saw the end of the log at its last look, a tick ago or so much more, is live.
    live_s: float = 5.0
    # Another process may hold a partition's store, and end.
    reopen_s: float = 2.0
    retry_s: float = 0.5
    # On Kafka a transaction is committed so often; in a backlog later, or after so many records.
    commit_s: float = 0.2
    backlog_commit_s: float = 1.0
    backlog_commit_records: int = 20_000
    # So few that they are still in the processor's cache when their turn comes.
    fetch: int = 500
    session_s: float = 10.0
    # A restore happens within it, too.
    max_poll_s: float = 120.0
    ask_s: float = 10.0
    # Who is not let into its group for so long, though the broker is there, begins anew.
    silent_s: float = 60.0
