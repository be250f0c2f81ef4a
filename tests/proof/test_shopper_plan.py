"""Mixes as files, and plans as what a seed says; nothing runs here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from kessai.cli import app
from kessai.proof.shopper.mix import DEFAULT_MIX, ImpossibleMix, Kind, mix_of, read_mix
from kessai.proof.shopper.notes import percentile
from kessai.proof.shopper.plan import orders_of, plan_customers
from kessai.proof.shopper.shelf import Product, Shelf

runner = CliRunner()


def test_a_seed_plans_the_same_customers_in_every_process() -> None:
    told = []
    for hash_seed in ("1", "2"):
        wish = "shopper --plan --json --orders 40 --seed 9 --over 12.5"
        done = subprocess.run(
            [sys.executable, "-m", "kessai", *wish.split()],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            timeout=60,
        )
        told.append(json.loads(done.stdout))
    assert told[0] == told[1]
    assert told[0]["seed"] == 9
    customers = told[0]["customers"]
    assert len({one["id"] for one in customers}) == len(customers)
    assert all(0 <= one["at_s"] <= 12.5 for one in customers)
    assert customers == sorted(customers, key=lambda one: (one["at_s"], one["id"]))


def test_another_seed_plans_others() -> None:
    assert plan_customers(DEFAULT_MIX, 20, 1) != plan_customers(DEFAULT_MIX, 20, 2)


@given(st.integers(1, 60), st.integers(0, 2**40))
def test_so_many_orders_are_planned_and_more_leave_the_first_as_they_are(
    orders: int, seed: int
) -> None:
    few = plan_customers(DEFAULT_MIX, orders, seed)
    many = plan_customers(DEFAULT_MIX, orders + 30, seed)
    assert sum(orders_of(one.kind) for one in few) == orders
    # The very last place may need somebody who makes a single order.
    assert set(few[:-1]) <= set(many)


def test_weights_are_kept() -> None:
    mix = mix_of({"customers": {"abandons": 1, "pays_at_once": 3, "wallet": 0}})
    count = Counter(one.kind for one in plan_customers(mix, 4000, 3))
    assert set(count) == {Kind.ABANDONS, Kind.PAYS_AT_ONCE}
    assert 2800 < count[Kind.PAYS_AT_ONCE] < 3200


def test_everybody_of_the_default_mix_comes() -> None:
    assert {one.kind for one in plan_customers(DEFAULT_MIX, 2000, 1)} == set(Kind)


def test_where_everybody_makes_two_orders_there_may_be_one_more() -> None:
    assert len(plan_customers(mix_of({"customers": {"two_tabs": 1}}), 5, 1)) == 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mix.toml", "[customers]\npays_at_once = 3\nabandons = 0.5\n"),
        ("mix.json", '{"customers": {"pays_at_once": 3, "abandons": 0.5}}'),
    ],
)
def test_a_mix_is_read_from_toml_and_json(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert dict(read_mix(path).weights) == {Kind.PAYS_AT_ONCE: 3.0, Kind.ABANDONS: 0.5}


IMPOSSIBLE = {
    "empty.toml": "",
    "nobody.toml": "[customers]\n",
    "zero.toml": "[customers]\nabandons = 0\n",
    "negative.toml": "[customers]\nabandons = -1\npays_at_once = 2\n",
    "nan.toml": "[customers]\nabandons = nan\n",
    "inf.toml": "[customers]\nabandons = inf\n",
    "huge.json": '{"customers": {"abandons": 1' + "0" * 400 + "}}",
    "words.toml": '[customers]\nabandons = "often"\n',
    "true.toml": "[customers]\nabandons = true\n",
    "stranger.toml": "[customers]\nsteals = 1\n",
    "more.toml": "[customers]\nabandons = 1\n[shops]\nx = 1\n",
    "list.json": "[1, 2]",
    "customers.json": '{"customers": [1]}',
    "broken.json": '{"customers": ',
    "broken.toml": "[customers\n",
    "nested.json": "[" * 100_000,
    "bytes.toml": "\udcff\udcfe",
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_mix_is_one_line_and_exit_2(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(IMPOSSIBLE[name], "utf-8", errors="surrogateescape")
    done = runner.invoke(app, ["shopper", "--mix", str(path), "--plan"])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"kessai: {path}: ")
    assert done.stderr.count("\n") == 1


def test_a_missing_mix_is_one_line_and_exit_2(tmp_path: Path) -> None:
    for path in (tmp_path / "no.toml", tmp_path):
        done = runner.invoke(app, ["shopper", "--mix", str(path), "--plan"])
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_content_of_a_mix_surprises(content: object) -> None:
    for wrapped in (content, {"customers": content}, {"customers": {"abandons": content}}):
        try:
            mix = mix_of(wrapped)
        except ImpossibleMix:
            continue
        assert mix.kinds == (Kind.ABANDONS,)


def test_what_a_shop_does_not_have_makes_a_mix_impossible() -> None:
    plenty, other = Product(1, 100, 500), Product(2, 100, 500)
    for products, kind in (
        ([], Kind.PAYS_AT_ONCE),
        ([Product(1, 100, 0)], Kind.PAYS_AT_ONCE),
        ([plenty], Kind.SEVERAL_PRODUCTS),
        ([plenty, other], Kind.OUT_OF_STOCK),
    ):
        with pytest.raises(ImpossibleMix):
            Shelf(products, [kind])
    assert Shelf([plenty, other], [Kind.SEVERAL_PRODUCTS]).several(0.99, 0.9) == ((2, 1), (1, 2))


def test_who_wants_too_much_wants_more_than_there_is() -> None:
    shelf = Shelf([Product(1, 100, 500), Product(2, 50, 3)], [Kind.OUT_OF_STOCK])
    assert shelf.too_many(0.5) == ((1, 1), (2, 4))
    assert shelf.last_pieces() == ((2, 1),)
    assert shelf.price_yen(shelf.too_many(0.5)) == 300


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(0, 100))
def test_a_percentile_is_one_of_the_values(values: list[float], share: int) -> None:
    found = percentile(values, share)
    assert found in values
    assert percentile(values, 100) == max(values)
    assert percentile(values, 0) == min(values)


def test_bad_numbers_are_refused() -> None:
    for bad in (["--orders", "0"], ["--concurrency", "0"], ["--seed", "-1"], ["--patience", "0"]):
        assert runner.invoke(app, ["shopper", *bad]).exit_code == 2
