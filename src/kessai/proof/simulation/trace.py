"""What a seed did: one hash over all of it, the faults that fired, and the story for people."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from kessai.kernel.telemetry import correlation_id


@dataclass(frozen=True, slots=True)
class Happening:
    """`kind`: call, answer, http, reply, event, fault, crash, start, customer, log."""

    at_s: float
    kind: str
    source: str
    target: str
    text: str
    correlation: str


class Trace:
    """`now_s` is the virtual time. `keep` remembers what happened; the hash is the same."""

    def __init__(self, now_s: Callable[[], float], *, keep: bool = False) -> None:
        self.happenings: list[Happening] = []
        self.fired: Counter[str] = Counter()
        self._keep = keep
        self._hash = hashlib.blake2b(digest_size=16)
        self._noted: list[str] = []
        self._now_s = now_s

    def note(self, kind: str, source: str, target: str, text: str) -> None:
        at_s = self._now_s()
        self._noted.append(f"{at_s:.6f}|{kind}|{source}|{target}|{text}\n")
        if self._keep:
            self.happenings.append(Happening(at_s, kind, source, target, text, correlation_id()))

    def fault(self, kind: str, source: str, target: str, text: str = "") -> None:
        """A fault that really fired."""
        self.fired[kind] += 1
        self.note("fault", source, target, f"{kind} {text}".strip())

    def absorb(self, content: bytes | bytearray) -> None:
        self._hash.update("".join(self._noted).encode())
        self._noted.clear()
        self._hash.update(content)

    def digest(self) -> str:
        self.absorb(b"")
        return self._hash.hexdigest()
