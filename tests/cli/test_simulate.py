"""`kessai simulate`: ranges, one seed, one order, and bad usage in one line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from kessai.cli import app


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments])


@pytest.mark.story
@pytest.mark.timeout(300)
def test_a_range_is_shared_among_processes_and_added_up() -> None:
    done = simulate("--seeds", "2..3", "--jobs", "2", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (told["seeds"], told["violations"]) == (2, [])
    assert told["orders"] == sum(told["ends"].values()) >= 40
    assert told["simulatedDays"] > 0
    assert sum(told["faultsFired"].values()) > 0
    assert list(told["digests"]) == ["2", "3"]


@pytest.mark.story
def test_one_order_is_told_by_number_and_by_id() -> None:
    few = ("--seed", "6", "--customers", "2")
    by_number = simulate(*few, "--order", "1", "--trace")
    assert by_number.exit_code == 0
    assert "POST /api/orders/purchase" in by_number.stdout
    listed = simulate(*few).stdout.splitlines()
    order_id = listed[0].split()[1]
    assert order_id in by_number.stdout
    assert simulate(*few, "--order", order_id, "--trace").stdout == by_number.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either --seeds A..B or --seed S"),
        (("--seeds", "1..2", "--seed", "1"), "either"),
        (("--seeds", "5..4"), "is not a range"),
        (("--seeds", "one..two"), "is not a range"),
        (("--seeds", "7"), "is not a range"),
        (("--seeds", "0..10000000"), "more than 10,000,000 seeds"),
        (("--seeds", "1..2", "--order", "1"), "are for one --seed"),
    ],
)
def test_bad_usage_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = simulate(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.story
def test_an_order_that_the_seed_does_not_have() -> None:
    done = simulate("--seed", "6", "--customers", "2", "--order", "z" * 26)
    assert done.exit_code == 2
    assert "seed 6 has no order" in done.stderr
