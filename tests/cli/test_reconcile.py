"""`kessai reconcile`: what it prints, stores and returns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.settlement import Desk, Row, a_desk, a_file, paid
from typer.testing import CliRunner, Result

from kessai.cli import app
from kessai.payment.domain.settlement import DifferenceKind, Remedy

NAME = "transaction_x_20261125000000_20261125235959_v2.csv"
DOCS = Path(__file__).parents[2] / "docs" / "operations" / "reconciliation.md"


class Shell:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str) -> Result:
        environment = {"KESSAI_DATA_DIR": str(self.folder), "KESSAI_PORT_OFFSET": "31000"}
        return CliRunner().invoke(app, ["reconcile", *words], env=environment)

    def file(self, rows: Sequence[Row], name: str = NAME) -> str:
        path = self.folder / name
        path.write_bytes(a_file(list(rows)).encode("cp932"))
        return str(path)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    async def fill() -> None:
        async with a_desk(tmp_path, f"sqlite:///{tmp_path / 'payment.db'}") as desk:
            await books(desk)

    async def books(desk: Desk) -> None:
        for number in (1, 2):
            await desk.paid(number)

    asyncio.run(fill())
    return Shell(tmp_path)


def test_a_file_that_agrees_ends_with_0(shell: Shell) -> None:
    done = shell.run(shell.file([paid(1), paid(2)]))
    assert done.exit_code == 0, done.output
    assert "2026-11-25" in done.output
    assert "theirs 2,000 yen, ours 2,000 yen" in done.output


def test_differences_end_with_1_and_say_what_to_do(shell: Shell) -> None:
    file = shell.file([paid(1, 999), paid(3)])
    first = shell.run(file)
    assert first.exit_code == 1, first.output
    assert "theirs 999, ours 1000 -> OPERATOR" in first.output
    assert "MISSING_HERE COMPLETED" in first.output
    assert "MISSING_THERE CAPTURE" in first.output
    again = shell.run(file, "--json")
    assert again.exit_code == 1
    report = json.loads(again.stdout)
    assert (report["isNew"], report["missingThere"], len(report["differences"])) == (False, 1, 3)
    listed = json.loads(shell.run("list", "--json").stdout)
    assert [one["runId"] for one in listed] == [report["runId"]]
    shown = shell.run("show", report["runId"])
    assert shown.exit_code == 0
    assert "theirs 999, ours 1000 -> OPERATOR" in shown.output


def test_a_dry_run_stores_nothing(shell: Shell) -> None:
    done = shell.run(shell.file([paid(1)]), "--dry-run", "--day", "2026-11-25")
    assert done.exit_code == 1
    assert "nothing was stored" in done.output
    assert json.loads(shell.run("list", "--json").stdout) == []


def test_what_is_no_file_of_that_day_is_one_line_and_2(shell: Shell) -> None:
    good = shell.file([paid(1)])
    bad = shell.folder / "bad.csv"
    bad.write_text("a,b,c\n")
    wrong: list[tuple[str, ...]] = [
        (str(bad),),
        (str(shell.folder / "nowhere.csv"),),
        (str(shell.folder),),
        (good, "--day", "2026-11-24"),
        (good, "--day", "yesterday"),
        ("show", "nothing"),
    ]
    for words in wrong:
        done = shell.run(*words)
        assert done.exit_code == 2, (words, done.output)
        assert len(done.stderr.strip().splitlines()) == 1
        assert "Traceback" not in done.output


def test_the_docs_name_every_kind_and_remedy() -> None:
    text = DOCS.read_text("utf-8")
    assert [word for word in (*DifferenceKind, *Remedy) if word not in text] == []
    for command in ("kessai reconcile FILE", "kessai reconcile list", "kessai reconcile show RUN"):
        assert command in text
