"""What is wrong or doubtful in a definition, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
Origin: TypeAlias = Callable[[Path], Path]

MAX_SHOWN = 10
MAX_KEY = 60
MAX_LABEL = 120

# Attributes whose keys are the author's own words, not attributes.
_FREE = ("Input", "Output", "Status")


class Position(NamedTuple):
    """Both count from 1, columns in characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """`path` leads from the machine to the attribute: ("States", "A", "Retry", 0, "Exceptions")."""

    path: Path
    what: str
    position: Position | None = None

    @property
    def state(self) -> str | None:
        named = len(self.path) > 1 and self.path[0] == "States"
        return str(self.path[1]) if named else None

    @property
    def attribute(self) -> str | None:
        return _label(self.path[2:] if self.state is not None else self.path) or None

    @property
    def sentence(self) -> str:
        """State, attribute and reason, without the position."""
        attribute = self.attribute
        if self.state is not None:
            words = [f"state {_short(self.state)}:"]
        else:
            words = ["machine:"] if attribute else []
        if attribute:
            words.append(attribute)
        return " ".join([*words, self.what])

    def __str__(self) -> str:
        return f"{self.sentence} ({self.position})" if self.position else self.sentence


def summary(findings: Sequence[Finding]) -> str:
    shown = [str(finding) for finding in findings[:MAX_SHOWN]]
    if len(findings) > MAX_SHOWN:
        shown.append(f"and {len(findings) - MAX_SHOWN} more")
    return "; ".join(shown)


@dataclass(slots=True)
class Log:
    """Collects while a definition is read, so that an author sees all errors at once."""

    # Where a state is named that has to exist.
    references: list[tuple[Path, str]] = field(default_factory=list)
    errors: list[Finding] = field(default_factory=list)
    doubts: list[Finding] = field(default_factory=list)

    def refuse(self, path: Path, what: str) -> None:
        self.errors.append(Finding(path, what))

    def doubt(self, path: Path, what: str) -> None:
        self.doubts.append(Finding(path, what))


class Places:
    """Positions in a text, found only when something has to be said about it."""

    def __init__(
        self, find: Callable[[], Mapping[Path, Position]], origin: Origin | None = None
    ) -> None:
        self._find = find
        self._origin = origin
        self._found: Mapping[Path, Position] | None = None

    def through(self, origin: Origin) -> Places:
        """The same text, asked with the paths of a document that was made from it."""
        return Places(self._find, origin)

    def locate(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        return tuple(
            finding if finding.position else replace(finding, position=self._at(finding.path))
            for finding in findings
        )

    def _at(self, path: Path) -> Position | None:
        """Of the attribute or, where it is missing, of the nearest thing around it."""
        place = self._origin(path) if self._origin else path
        if not place:
            return None
        if self._found is None:
            self._found = self._find()
        while place and place not in self._found:
            place = place[:-1]
        return self._found.get(place)


NOWHERE = Places(dict)


def _label(path: Path) -> str:
    if not path:
        return ""
    label = str(path[0])
    for part in path[1:]:
        if isinstance(part, int):
            label += f"[{part}]"
        elif path[0] in _FREE:
            label += f" {_short(part)}"
        else:
            label += f": {part}"
    return label if len(label) <= MAX_LABEL else f"{label[:MAX_LABEL]}..."


def _short(key: str) -> str:
    return repr(key if len(key) <= MAX_KEY else f"{key[:MAX_KEY]}...")
