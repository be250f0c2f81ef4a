"""The shell blocks of the documents, and what their markers say of them (README.md beside this)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = ("README.md", "docs/operations", "docs/deploy")
SHELL = ("sh", "bash", "shell", "console")

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})(?P<language>[^`\s]*)")
_COMMENT = re.compile(r"^<!-- (?P<text>.*) -->$")
_MARKER = re.compile(
    r"(?P<kind>not run|proven by|exit|stays)(?: (?:\"(?P<lane>[^\"]+)\"|(?P<code>\d+)))?"
    r"(?: `(?P<command>[^`]+)`)?(?:: (?P<reason>\S.*))?"
)
_OUTPUT = re.compile(r"output of: (?P<command>\S.*)")
_LANE = re.compile(r'^lane "([^"]+)" (.+)$', re.MULTILINE)
_MAKE = re.compile(r"\bmake ([a-z0-9-]+)")
# What begins a line that somebody would type.
_TYPED = re.compile(r"(?:\$ |kessai |make |docker |kubectl |curl |cp |cd |export |KESSAI_\w+=\S* )")


@dataclass(frozen=True, slots=True)
class Marker:
    """`command`: the beginning of the lines that it speaks of; empty: of the whole block."""

    at: str
    kind: str
    command: str = ""
    reason: str = ""
    lane: str = ""
    code: int = 0

    def speaks_of(self, command: str) -> bool:
        return command.startswith(self.command)


@dataclass(frozen=True, slots=True)
class Block:
    """`line` is that of the fence; `comments` are those directly in front of it."""

    path: str
    line: int
    language: str
    lines: tuple[str, ...]
    comments: tuple[tuple[int, str], ...]

    @property
    def at(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def is_shell(self) -> bool:
        return self.language in SHELL

    @property
    def looks_typed(self) -> bool:
        return not self.language and any(map(_TYPED.match, self.lines))

    @property
    def markers(self) -> tuple[Marker, ...]:
        return tuple(made for _, made in self._read() if made is not None)

    @property
    def unread(self) -> tuple[str, ...]:
        """Comments in front of a shell block that are no marker: a slip of the pen would else
        leave a block as if nothing were said of it."""
        return tuple(f"{self.path}:{line}" for line, made in self._read() if made is None)

    @property
    def output_of(self) -> str | None:
        for _, text in self.comments:
            if found := _OUTPUT.fullmatch(text):
                return found["command"]
        return None

    def _read(self) -> Iterator[tuple[int, Marker | None]]:
        for line, text in self.comments:
            found = _MARKER.fullmatch(text)
            yield line, _marker(f"{self.path}:{line}", found) if found else None


def _marker(at: str, found: re.Match[str]) -> Marker:
    said = {name: found[name] or "" for name in ("kind", "command", "reason", "lane")}
    return Marker(at, **said, code=int(found["code"] or 0))


def blocks_of(path: str, text: str) -> Iterator[Block]:
    comments: list[tuple[int, str]] = []
    fence, language, start = "", "", 0
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if fence:
            if stripped.startswith(fence) and not stripped.strip(fence[0]):
                yield Block(path, start, language, tuple(inside), tuple(comments))
                fence, comments, inside = "", [], []
            else:
                inside.append(line)
        elif opening := _FENCE.match(stripped):
            fence, language, start = opening["fence"], opening["language"], number
        elif comment := _COMMENT.match(stripped):
            comments.append((number, comment["text"]))
        elif stripped:
            comments = []


def documents(places: Sequence[str] = PLACES, root: Path = ROOT) -> Iterator[Path]:
    for place in places:
        path = root / place
        yield from sorted(path.rglob("*.md")) if path.is_dir() else [path]


def blocks(places: Sequence[str] = PLACES, root: Path = ROOT) -> list[Block]:
    return [
        block
        for path in documents(places, root)
        for block in blocks_of(path.relative_to(root).as_posix(), path.read_text("utf-8"))
    ]


def lanes() -> dict[str, str]:
    """Name of each lane of `.ci/run` and the command that it is."""
    return dict(_LANE.findall((ROOT / ".ci/run").read_text("utf-8")))


def made_by_lanes() -> frozenset[str]:
    """The targets of make that `.ci/run` runs."""
    return frozenset(_MAKE.findall((ROOT / ".ci/run").read_text("utf-8")))
