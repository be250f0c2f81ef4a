"""Blocks and their markers are read as tests/docs/README.md says."""

from __future__ import annotations

import pytest
from tests.docs.blocks import Block, blocks_of
from tests.docs.commands import Command, commands, to_run, wrong_markers

LANES = {"browser": "make test-e2e"}


def a_block(*lines: str, markers: tuple[str, ...] = (), language: str = "sh") -> Block:
    comments = [f"<!-- {marker} -->" for marker in markers]
    text = "\n".join(["before", *comments, f"```{language}", *lines, "```", "after"])
    (block,) = blocks_of("page.md", text)
    return block


def test_a_command_goes_on_until_it_is_whole() -> None:
    block = a_block(
        "# a comment",
        "kessai slo   # said",
        "curl -X PUT \\",
        "  there",
        "for a in 1 2; do",
        "  echo $a",
        "done",
        "cat <<EOF",
        "x",
        "EOF",
    )
    assert list(commands(block)) == [
        (4, "kessai slo   # said"),
        (5, "curl -X PUT \\\n  there"),
        (7, "for a in 1 2; do\n  echo $a\ndone"),
        (10, "cat <<EOF\nx\nEOF"),
    ]


def test_markers_choose_what_is_run_and_how_it_must_end() -> None:
    block = a_block(
        "kessai chaos --seed 7",
        "kessai reconcile file.csv",
        "kessai serve bff",
        "make test",
        "kessai slo",
        markers=(
            "not run `kessai chaos`: it takes minutes",
            "exit 1 `kessai reconcile`: they differ",
            "stays `kessai serve`: it serves",
        ),
    )
    assert list(wrong_markers([block], LANES)) == []
    assert to_run(block, ["test"]) == [
        Command("page.md:7", "kessai reconcile file.csv", code=1),
        Command("page.md:8", "kessai serve bff", stays=True),
        Command("page.md:10", "kessai slo"),
    ]
    assert to_run(a_block("rm -r x", markers=("not run: it deletes",)), []) == []
    assert to_run(a_block("cd frontend", markers=('proven by "browser"',)), []) == []


@pytest.mark.parametrize(
    ("marker", "what"),
    [
        ("not run", "says no reason"),
        ("not run `kessai sloo`: slow", "begins with 'kessai sloo'"),
        ('proven by "brouser"', "no lane 'brouser'"),
        ("exit 1: it differs", "names a code and a command"),
        ("stays: it serves", "names a command"),
        ("proven: it reads", "no marker"),
        ("notrun: slow", "no marker"),
    ],
)
def test_a_marker_that_says_nothing_is_told_with_its_line(marker: str, what: str) -> None:
    (told,) = wrong_markers([a_block("kessai slo", markers=(marker,))], LANES)
    assert told.startswith("page.md:2: ")
    assert what in told


def test_commands_in_a_block_without_a_language_are_told() -> None:
    assert [line[:9] for line in wrong_markers([a_block("kessai slo", language="")], LANES)] == [
        "page.md:2"
    ]
    assert list(wrong_markers([a_block("shop data.csv", language="")], LANES)) == []
