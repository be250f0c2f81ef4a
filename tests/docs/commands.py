"""Which lines of a shell block are run, and with which exit code they must end."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.docs.blocks import Block, Marker

_HEREDOC = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")
_MAKE = re.compile(r"make (?P<target>[a-z0-9-]+)")


@dataclass(frozen=True, slots=True)
class Command:
    """One whole command, maybe of several lines, with the line that it begins in."""

    at: str
    text: str
    code: int = 0
    stays: bool = False


def commands(block: Block) -> Iterator[tuple[int, str]]:
    """(line, text) of each command: lines are joined until the shell finds them whole."""
    taken: list[str] = []
    start = 0
    for number, line in enumerate(block.lines, block.line + 1):
        text = line.removeprefix("$ ") if block.language == "console" and not taken else line
        if not taken and (not text.strip() or text.lstrip().startswith("#")):
            continue
        start = start or number
        taken.append(text)
        if is_whole("\n".join(taken)):
            yield start, "\n".join(taken).strip()
            taken, start = [], 0
    if taken:
        yield start, "\n".join(taken).strip()


def is_whole(text: str) -> bool:
    if text.rstrip().endswith("\\"):
        return False
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if (ends := _HEREDOC.search(line)) and ends[1] not in map(str.strip, lines[number + 1 :]):
            return False
    # Most lines need no shell to be asked: nothing in them is open.
    if not re.search(r"['\"({]|\b(?:for|while|until|if|case|do|then)\b", text):
        return True
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False)
    return done.returncode == 0


def to_run(block: Block, by_lane: Collection[str]) -> list[Command]:
    """`by_lane`: targets of make that `.ci/run` runs; that is their proof, without a marker."""
    found = []
    for line, text in commands(block):
        said = [marker for marker in block.markers if marker.speaks_of(text)]
        if any(marker.kind in ("not run", "proven by") for marker in said):
            continue
        if (target := _MAKE.match(text)) and target["target"] in by_lane:
            continue
        code = next((marker.code for marker in said if marker.kind == "exit"), 0)
        stays = any(marker.kind == "stays" for marker in said)
        found.append(Command(f"{block.path}:{line}", text, code, stays))
    return found


def wrong_markers(blocks: Iterable[Block], lanes: Mapping[str, str]) -> Iterator[str]:
    """`file:line: what` of each marker that says nothing, or something that is not so."""
    for block in blocks:
        if block.looks_typed:
            yield f"{block.at}: commands in a block without a language; begin it with ```sh"
        if not block.is_shell:
            continue
        for at in block.unread:
            yield f"{at}: no marker that tests/docs/README.md knows"
        texts = [text for _, text in commands(block)]
        for marker in block.markers:
            if problem := _problem(marker, texts, lanes):
                yield f"{marker.at}: {problem}"


def _problem(marker: Marker, texts: list[str], lanes: Mapping[str, str]) -> str:
    if not any(map(marker.speaks_of, texts)):
        return f"no command of the block begins with {marker.command!r}"
    if marker.kind == "proven by":
        if marker.lane not in lanes:
            return f"no lane {marker.lane!r} in .ci/run; there are: {', '.join(lanes)}"
        return ""
    if not marker.reason:
        return f"{marker.kind!r} says no reason"
    if marker.kind == "exit" and not (marker.code and marker.command):
        return "`exit` names a code and a command"
    if marker.kind == "stays" and not marker.command:
        return "`stays` names a command"
    return ""
