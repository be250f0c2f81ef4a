"""What is said of a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    READY = "ready"
    # Its programs are here; whether it runs was not asked.
    FETCHED = "fetched"
    NOT_READY = "not ready"
    # It was started and is gone, though nobody took it down.
    ENDED = "ended"
    STOPPED = "stopped"
    # It is here, and could not be brought up or down.
    FAILED = "failed"
    # It is not to be had on this machine.
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Report:
    server: str
    version: str
    state: State
    why: str = ""
    pids: Mapping[str, int] = field(default_factory=dict)
    rss_bytes: int = 0
    ports: Mapping[str, int] = field(default_factory=dict)
    fetch_s: float = 0.0
    start_s: float = 0.0

    def row(self) -> dict[str, object]:
        return {
            "server": self.server,
            "version": self.version,
            "state": self.state.value,
            "why": self.why,
            "pids": dict(self.pids),
            "rssBytes": self.rss_bytes,
            "ports": dict(self.ports),
        }
