"""One stack: its folder, ports, secrets and size; what every configuration is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
USER = "kessai"
BUCKET = "kessai"


@dataclass(frozen=True, slots=True)
class Place:
    folder: Path
    ports: Mapping[str, int]
    secrets: Mapping[str, str] = field(repr=False)
    brokers: int = 1
    # Who runs the servers; some want to be told, and refuse root unless they are.
    system_user: str = "root"

    @property
    def is_root(self) -> bool:
        return self.system_user == "root"

    def of(self, server: str) -> Path:
        return self.folder / server

    def data(self, server: str) -> Path:
        return self.folder / server / "data"


@dataclass(frozen=True, slots=True)
class Launch:
    """A process: one for most servers, one for each broker."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a server is run: files with what is secret in them, first steps, processes."""

    files: Mapping[Path, str] = field(repr=False)
    folders: tuple[Path, ...]
    # Run once, before the first start; a data folder without their mark is made again.
    first: tuple[tuple[str, ...], ...]
    launches: tuple[Launch, ...]
