"""docs/architecture/saga.md: programs print what stands below, commands do what they say."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kessai.cli import app
from kessai.kernel import telemetry

DOCS = Path(__file__).parents[2] / "docs" / "architecture"
TEXT = (DOCS / "saga.md").read_text("utf-8")


@dataclass(frozen=True)
class Block:
    language: str
    file: str
    content: str


def blocks() -> Iterator[Block]:
    for language, file, content in re.findall(
        r"^```(\w+) ?([\w.]*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE
    ):
        yield Block(language, file, content)


def test_the_programs_print_what_stands_below_them(tmp_path: Path) -> None:
    found = list(blocks())
    for block in found:
        if block.file:
            (tmp_path / block.file).write_text(block.content, "utf-8")
    programs = [
        (block.content, after.content)
        for block, after in pairwise(found)
        if block.language == "python" and after.language == "text"
    ]
    assert len(programs) == 5
    for content, expected in programs:
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", content],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.stdout, ended.returncode) == (expected, 0), ended.stderr


def test_the_commands_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for block in blocks():
        if block.file:
            (tmp_path / block.file).write_text(block.content, "utf-8")
    (program, *_) = [one for one in blocks() if one.language == "python" and not one.file]
    subprocess.run([sys.executable, "-c", program.content], cwd=tmp_path, check=True, timeout=60)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (console,) = [block.content for block in blocks() if block.language == "console"]
    commands = re.findall(r"^\$ kessai (.*)\n((?:(?!\$ ).*\n)*)", console, re.MULTILINE)
    assert len(commands) == 5
    try:
        for command, expected in commands:
            result = CliRunner().invoke(app, shlex.split(command), env={"COLUMNS": "200"})
            assert (result.exit_code, result.stderr) == (0, ""), command
            assert result.stdout.startswith(expected), command
    finally:
        telemetry.configure("INFO")
    assert (tmp_path / "order.svg").read_text("utf-8").startswith("<svg")


def test_every_command_of_the_operators_exists() -> None:
    (shell,) = [block.content for block in blocks() if block.language == "sh"]
    for line in shell.splitlines():
        words = shlex.split(line)
        assert words[:2] == ["kessai", "saga"]
        result = CliRunner().invoke(app, [*words[1:3], "--help"], env={"COLUMNS": "200"})
        assert result.exit_code == 0
        for option in (word for word in words if word.startswith("--")):
            assert option in result.stdout, line


def test_every_link_leads_somewhere() -> None:
    headings = [
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in TEXT.splitlines()
        if line.startswith("#")
    ]
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in headings
        else:
            assert (DOCS / target).is_file(), target
