"""`kessai verify`: what it prints and returns, over the files of a shop, whole and broken."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.verified import Kept, keep_a_shop
from typer.testing import CliRunner

from kessai.cli import app as kessai

pytestmark = [pytest.mark.story, pytest.mark.network]

# A shop that was left long ago: what had not ended by then is too old now.
TIMELESS = "I1,I2,I6,I19,I24,I28,I29"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep_a_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def folder(kept: Kept, tmp_path: Path) -> Path:
    copied = tmp_path / "shop"
    shutil.copytree(kept.folder, copied)
    return copied


def verify(folder: Path, *options: str, **environment: str) -> tuple[int, str, str]:
    found = CliRunner().invoke(
        kessai,
        ["verify", *options],
        env={
            "KESSAI_DATA_DIR": str(folder),
            "KESSAI_PAYPAY_URL": "http://127.0.0.1:9",
            "COLUMNS": "200",
            **environment,
        },
    )
    return found.exit_code, found.stdout, found.stderr


def run(folder: Path, name: str, *statements: str) -> None:
    with closing(sqlite3.connect(folder / f"{name}.db")) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def contents(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.glob("*.db")):
        with closing(sqlite3.connect(path)) as db:
            text = "\n".join(db.iterdump())
        found[path.name] = hashlib.sha256(text.encode()).hexdigest()
    return found


def test_books_that_agree(folder: Path) -> None:
    before = contents(folder)
    code, out, error = verify(folder, "--only", TIMELESS)
    assert (code, error) == (0, "")
    assert "11 orders, 7 of 7 invariants asked" in out
    assert out.rstrip().endswith("all agree")
    # The provider does not answer here, which is said and not passed over.
    assert "ok, partly" in out
    assert contents(folder) == before


def test_one_yen_more_is_named_with_its_row(folder: Path, kept: Kept) -> None:
    order_id = kept.orders["paid"]
    run(folder, "order", f"UPDATE orders SET amount = amount + 1 WHERE order_id = '{order_id}'")
    code, out, _ = verify(folder, "--only", "i2, I29")
    assert code == 1
    assert "WRONG 1" in out
    assert f"I2 is violated 1 times, first by {order_id}" in out
    assert f"order_id={order_id}" in out.replace("\n", "")
    assert out.rstrip().endswith("1 violations of 1 invariants")


def test_all_of_the_table_is_shown_and_why_some_are_not_asked(folder: Path) -> None:
    code, out, _ = verify(folder, "--json")
    report = json.loads(out)
    assert code == 1
    found = {one["id"]: one for one in report["findings"]}
    assert list(found) == [f"I{number}" for number in range(1, 41)]
    assert all(one["sentence"] for one in found.values())
    assert found["I35"]["result"] == "NOT_ASKED"
    assert "no database has kept" in found["I35"]["notAsked"]
    assert found["I29"]["result"] == "OK"
    assert found["I13"]["first"]["row"]["status"] == "WAITING_PAYMENT"
    assert "no simulator answers" in found["I1"]["partly"]


def test_a_bus_that_is_gone_from_its_folder_is_a_book_that_is_missing(folder: Path) -> None:
    (folder / "bus.db").unlink()
    code, out, error = verify(folder, "--only", "I24,I25")
    assert (code, out) == (2, "")
    assert f"bus: no database {folder / 'bus.db'}" in error


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_where_nothing_can_be_asked_nothing_agrees(options: tuple[str, ...], folder: Path) -> None:
    code, out, error = verify(folder, "--only", "I35,I39", *options)
    assert code == 2
    assert "all agree" not in out
    assert '"ok": true' not in out
    assert error.startswith("kessai: nothing was asked: no database has kept what a browser saw")


def test_the_real_paypay_shows_no_book(folder: Path) -> None:
    url = "https://apigw.paypay.ne.jp"
    _, out, _ = verify(folder, "--json", "--only", "I1", KESSAI_PAYPAY_URL=url)
    (finding,) = json.loads(out)["findings"]
    assert finding["partly"] == "no provider: the real PayPay shows nobody its book"


BAD = {
    "half migrated": (
        "UPDATE alembic_version_order SET version_num = '0001'",
        "order: the schema is at 0001, this program reads",
    ),
    "never migrated": (
        "DROP TABLE alembic_version_order",
        "order: this is no database of Kessai, or an empty one",
    ),
    "a column is missing": (
        "ALTER TABLE orders DROP COLUMN reason",
        "a table is not as this program knows it: no such column: reason",
    ),
    "a table is missing": (
        "DROP TABLE order_audit",
        "a table is not as this program knows it: no such table: order_audit",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_database_that_is_half_migrated(what: str, folder: Path) -> None:
    statement, words = BAD[what]
    run(folder, "order", statement)
    code, out, error = verify(folder)
    assert (code, out) == (2, "")
    assert words in error
    assert error.count("\n") == 1


def test_bad_usage_is_one_line(folder: Path, tmp_path: Path) -> None:
    code, _, error = verify(folder, "--only", "I3,I99")
    assert (code, error) == (2, "kessai: no invariant I99: there are I1 to I40\n")
    nowhere = tmp_path / "nowhere"
    code, _, error = verify(nowhere)
    assert (code, error.count("\n")) == (2, 1)
    assert "no database" in error
    assert not nowhere.exists()
    (folder / "payment.db").unlink()
    code, _, error = verify(folder)
    assert code == 2
    assert "payment: no database" in error
    code, _, error = verify(folder, KESSAI_SQL_URL="oracle://somewhere")
    assert code == 2
    assert "no SQL adapter" in error


def test_a_server_that_is_away_is_one_line(folder: Path) -> None:
    url = "mysql+asyncmy://nobody:secret@127.0.0.1:9"
    code, _, error = verify(folder, KESSAI_SQL_URL=url)
    assert (code, error.count("\n")) == (2, 1)
    assert "order: cannot connect" in error
    assert "secret" not in error
