"""`kessai search evaluate`: what it prints and returns, and what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kessai.cli import app as kessai

GOOD = {"query": "急須", "class": "kanji", "fixed": True, "products": {"1001": 3, "1071": 3}}
# Nothing that is sold is anything like it.
LOST = {"query": "zzqx", "class": "typo", "fixed": False, "products": {"1001": 3}}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with chdir(tmp_path):
        yield tmp_path


def evaluate(*options: str) -> tuple[int, str, str]:
    runner = CliRunner(env={"KESSAI_SEARCH_URL": "tantivy:"})
    done = runner.invoke(kessai, ["search", "evaluate", *options])
    return done.exit_code, done.stdout, done.stderr


def a_file(folder: Path, *lines: object) -> str:
    path = folder / "judged.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    return str(path)


@pytest.mark.usefixtures("folder")
def test_no_judgements_is_one_clear_line() -> None:
    code, out, err = evaluate()
    assert (code, out) == (2, "")
    assert err == "kessai: no judgements here; name a file of them with --judgements\n"


def test_judgements_that_cannot_be_read_are_named(folder: Path) -> None:
    code, _, err = evaluate("--judgements", "missing.jsonl")
    assert (code, err) == (2, "kessai: missing.jsonl: No such file or directory\n")
    code, _, err = evaluate("--judgements", a_file(folder, GOOD, {"query": "?"}))
    assert code == 2
    assert "judged.jsonl: line 2: is no object of" in err
    (folder / "bytes.jsonl").write_bytes(b"\xff\xfe")
    code, _, err = evaluate("--judgements", "bytes.jsonl")
    assert (code, err) == (2, "kessai: bytes.jsonl: is not UTF-8 (at byte 0)\n")


def test_a_table_by_class_and_a_floor(folder: Path) -> None:
    file = a_file(folder, GOOD, LOST)
    code, out, _ = evaluate("--judgements", file, "--floor", "0.9", "--worst", "1")
    assert code == 1
    rows = {cells[0]: cells[1:] for line in out.splitlines() if (cells := line.split())}
    assert rows["typo"] == ["1", "0.000", "0.000", "100.0%"]
    assert rows["kanji"][2] == "1.000"
    assert rows["all"][0] == "2"
    assert rows["all"][3] == "50.0%"
    assert rows["0.00"] == ["typo", "zzqx", "->", "nothing"]
    assert out.endswith("nDCG@10 is below 0.9\n")


def test_json_for_machines_and_nothing_is_left_behind(folder: Path) -> None:
    file = a_file(folder, GOOD)
    places = folder / "places"
    places.mkdir()
    command = [sys.executable, "-m", "kessai", "search", "evaluate"]
    done = subprocess.run(
        [*command, "--judgements", file, "--json", "--floor", "0.3"],
        env={**os.environ, "KESSAI_SEARCH_URL": "tantivy:", "TMPDIR": str(places)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    told = json.loads(done.stdout)
    assert (told["engine"], told["floor"], told["ok"]) == ("tantivy", 0.3, True)
    assert told["figures"]["all"]["queries"] == 1
    assert told["figures"]["kanji"] == told["figures"]["fixed ones"] == told["figures"]["all"]
    (query,) = told["queries"]
    assert query["query"] == "急須"
    assert {1001, 1071} <= set(query["found"])
    assert list(places.iterdir()) == []
    assert set(folder.iterdir()) == {Path(file), places}
