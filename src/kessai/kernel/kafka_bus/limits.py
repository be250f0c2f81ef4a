"""Every limit of the Kafka bus, with its unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kessai.kernel.bus import Retry

# What a broker takes unless it is told otherwise; the client's own floor is lower, and a dead
# letter of the largest record must pass.
MESSAGE_MAX_BYTES: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class KafkaLimits:
    """A dead member's partitions go to others after `session_s`; the broker's own floor is 6 s."""

    session_s: float = 10.0
    # Read ahead per partition; above it the partition is paused, below half of it resumed.
    ahead: int = 500
    fetch: int = 500
    # How long a commit or a pause may wait for the thread that fetches.
    poll_s: float = 0.02
    # Handled offsets are written together; a crash before it means delivering them again.
    commit_after_s: float = 0.1
    # Records in hand may end before the partition is let go, or the process.
    stop_s: float = 3.0
    # A partition that its handler gave up is tried again after so long.
    barred_s: float = 3.0
    # From `publish` to the acknowledgement of all replicas; after it the outcome is unknown.
    delivery_s: float = 10.0
    linger_s: float = 0.002
    request_s: float = 10.0
    # A client that gives no sign of life for so long is left alone, and a new one begins.
    silent_s: float = 30.0
    retry: Retry = field(default_factory=Retry)
    # -1: the cluster's own default.
    replication: int = -1
    keep_s: float = 7 * 24 * 3600.0
