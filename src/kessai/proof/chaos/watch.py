"""The oracle while it breaks and after: `verify`'s own invariants, asked again and again."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from kessai.proof.invariants.books import Books, BooksUnreadable
from kessai.proof.invariants.table import known_ids
from kessai.proof.verify import Report, check

# What may never be, not even in the middle of faults.
SAFETY: Final = ("I2", "I5", "I6", "I7", "I9", "I14", "I16", "I18", "I19", "I20")
_EVERY_S: Final = 6.0


@dataclass(slots=True)
class Watch:
    """`looks` by invariant: how often it was asked; `things`: of how many things altogether."""

    looks: Counter[str] = field(default_factory=Counter)
    things: Counter[str] = field(default_factory=Counter)
    sentences: dict[str, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)

    async def keep_looking(self, books: Books) -> None:
        """The safety invariants until cancelled."""
        known = known_ids()
        safety = [name for name in SAFETY if name in known]
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while True:
            await asyncio.sleep(_EVERY_S)
            when = f"after {loop.time() - began_s:.0f} s"
            # As while the provider is down: our own books can be asked all the same.
            for readable in (books, replace(books, provider=None)):
                try:
                    self.take(await check(readable, safety), when)
                except BooksUnreadable as error:
                    self.unreadable[str(error)] += 1
                else:
                    break

    async def last_look(self, books: Books) -> Report:
        report = await check(books)
        self.take(report, "in the end")
        return report

    def take(self, report: Report, when: str) -> None:
        for finding in report.findings:
            if finding.not_asked is not None:
                continue
            self.looks[finding.id] += 1
            self.things[finding.id] += finding.checked
            self.sentences[finding.id] = finding.sentence
            self.wrong[finding.id] += finding.violations
            if finding.first is not None:
                first = finding.first
                self.violations.append(f"{finding.id} {when}: {first.subject}: {first.why}")
