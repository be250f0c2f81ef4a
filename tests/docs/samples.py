"""Sample outputs: `python -m tests.docs.samples` refreshes each from a run on a system of its own.

A sample is a `text` block below `<!-- output of: COMMAND -->`. Its lines are found in what the
command prints, in their order; lines in brackets are words of ours and stay.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.docs.blocks import ROOT, Block, blocks
from tests.docs.commands import Command
from tests.docs.running import a_system

PLACES = ("README.md", "README.ja.md", "README.zh-CN.md", "docs")

# What is another in every run.
_CHANGING = (
    (re.compile(r"\bK-\d{8}-[0-9a-z]{6}\b"), "K"),
    (re.compile(r"\b[0-9a-z]{26}\b"), "ID"),
    (re.compile(r"\d[\d,.:]*"), "0"),
    (re.compile(r"[─━═]+"), "─"),
    (re.compile(r"\s+"), " "),
)
_RULE = re.compile(r"─{3,}")


def samples() -> list[Block]:
    return [block for block in blocks(PLACES) if block.output_of]


def command_of(block: Block) -> Command:
    return Command(block.at, block.output_of or "")


def normal(line: str) -> str:
    for pattern, stands in _CHANGING:
        line = pattern.sub(stands, line)
    return line.strip()


def is_ours(line: str) -> bool:
    text = line.strip()
    return not text or (text[0] in "(（" and text[-1] in ")）")


def found(lines: Sequence[str], output: str) -> Iterator[tuple[int, str | None]]:
    """(place, line of the output) for each line that is the command's; None: it is not there."""
    printed = iter(output.splitlines())
    for place, line in enumerate(lines):
        if not is_ours(line):
            wanted = normal(line)
            yield place, next((one for one in printed if normal(one) == wanted), None)


def stale(block: Block, output: str) -> list[str]:
    return [
        f"{block.path}:{block.line + 1 + place}: `{block.output_of}` does not print this here: "
        f"{block.lines[place]!r}"
        for place, line in found(block.lines, output)
        if line is None
    ]


def refreshed(text: str, block: Block, output: str) -> str:
    lines = text.splitlines()
    for place, line in found(block.lines, output):
        if line is not None:
            lines[block.line + place] = _RULE.sub("──", line).rstrip()
    return "\n".join(lines) + "\n"


def refresh(several: Iterable[Block], root: Path = ROOT) -> None:
    with tempfile.TemporaryDirectory() as folder, a_system(Path(folder)) as system:
        outputs: dict[str, str] = {}
        for block in several:
            command = command_of(block)
            if command.text not in outputs:
                ended = system.run(command, {})
                if ended.code != 0:
                    raise SystemExit(ended.told)
                outputs[command.text] = ended.out
            output = outputs[command.text]
            if wrong := stale(block, output):
                raise SystemExit("\n".join(wrong))
            path = root / block.path
            path.write_text(refreshed(path.read_text("utf-8"), block, output), "utf-8")


if __name__ == "__main__":
    refresh(samples())
