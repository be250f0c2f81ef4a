"""The limits of one engine, with their units."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineLimits:
    lease_s: float = 2.0  # an engine without a heartbeat is dead after
    heartbeat_s: float = 0.5  # pause between heartbeats, and between looks for work
    machine_timeout_s: float | None = 1800.0  # no step begins later after a start or a restart
    step_timeout_s: float = 30.0  # a call that has not returned by then is Unknown
    retry_max_s: float = 5.0  # longest pause before a step is asked again
    redrives: int = 8  # automatic restarts of an unknown instance, then an operator
    redrive_first_s: float = 1.0  # pause before the first of them; it doubles
    redrive_max_s: float = 60.0
    calls: int = 256  # remote calls in flight
    claims: int = 100  # instances claimed in one round of recovery
    puzzle_s: float = 600.0  # pause before a history that was not understood is tried again
    puzzles: int = 5_000  # of them remembered, and so passed by
    poll_s: float = 0.2  # look at an instance that runs in another process
    write_attempts: int = 20  # of one log row while the database is unavailable
    write_pause_s: float = 0.05  # before the first repeat; it doubles up to a second
    retention_s: float | None = None  # settled instances are deleted after
    retention_rows: int = 200  # of them in one transaction
