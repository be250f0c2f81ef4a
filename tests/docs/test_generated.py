"""Generated pages are as the code renders them; a difference is told with file and line."""

from __future__ import annotations

from pathlib import Path

from tests.docs.generated import PAGES, differences, write


def test_every_generated_page_is_as_the_code_has_it() -> None:
    assert list(differences()) == []


def test_a_page_that_was_not_written_is_told(tmp_path: Path) -> None:
    assert [line.split(";")[0] for line in differences(tmp_path, {"a.md": lambda: "x\n"})] == [
        "a.md:1: is not there"
    ]


def test_the_first_line_that_differs_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one\ntwo\n", "utf-8")
    told = list(differences(tmp_path, {"a.md": lambda: "one\n2\nthree\n"}))
    assert [line.split(";")[0] for line in told] == ["a.md:2: has 'two\\n', the code says '2\\n'"]
    shorter = list(differences(tmp_path, {"a.md": lambda: "one\n"}))
    assert shorter[0].startswith("a.md:2: has 'two\\n', the code says None")


def test_writing_brings_every_page_in_step(tmp_path: Path) -> None:
    assert write(tmp_path) == list(PAGES)
    assert list(differences(tmp_path)) == []
    assert write(tmp_path) == []
