"""`kessai config`: every setting, where it comes from, and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kessai.cli import app
from kessai.kernel.settings import Settings


def config(**env: str) -> str:
    done = CliRunner().invoke(app, ["config"], env={"COLUMNS": "400", **env})
    assert done.exit_code == 0, done.exception
    return done.stdout


def test_every_setting_is_shown_with_what_it_means() -> None:
    shown = config()
    for field, described in Settings.model_fields.items():
        (line,) = (row for row in shown.splitlines() if f" KESSAI_{field.upper()} " in row)
        assert described.description
        assert described.description in line


def test_secrets_are_masked_and_the_source_is_told() -> None:
    secret = "correct-horse-battery"
    shown = config(
        KESSAI_SERVICE_TOKEN=secret, KESSAI_SQL_URL=f"mysql+asyncmy://kessai:{secret}@db:3306"
    )
    assert secret not in shown
    (line,) = (row for row in shown.splitlines() if " KESSAI_SQL_URL " in row)
    assert "mysql+asyncmy://****@db:3306" in line
    assert " environment " in line


def test_a_misspelt_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("KESSAI_POLL_FRIST_S=3\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    last = config(KESSAI_NOTHING_LIKE_IT="1").splitlines()[-2:]
    assert last == [
        "KESSAI_NOTHING_LIKE_IT is no setting",
        "KESSAI_POLL_FRIST_S is no setting: KESSAI_POLL_FIRST_S?",
    ]


def test_a_mark_at_the_beginning_of_the_file_is_no_part_of_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("KESSAI_LOG_LEVEL=WARNING\n", "utf-8-sig")
    monkeypatch.chdir(tmp_path)
    (line,) = (row for row in config().splitlines() if " KESSAI_LOG_LEVEL " in row)
    assert " WARNING " in line
    assert " .env " in line


def test_a_file_that_is_no_text_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("KESSAI_LOG_LEVEL=WARNING\n", "utf-16")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["config"], env={"COLUMNS": "400"})
    told = "kessai: settings: .env is no text in UTF-8: invalid start byte at byte 0\n"
    assert (done.exit_code, done.stderr) == (2, told)
