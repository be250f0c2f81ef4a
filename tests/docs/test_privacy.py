"""The privacy page names every column that holds personal data, and its statements run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import MetaData, create_engine, text

from kessai.account.gateway import ACCOUNT
from kessai.alert.gateway.alerts import SYSTEM
from kessai.order.gateway.tables import METADATA as ORDER
from kessai.payment.gateway.tables import METADATA as PAYMENT
from kessai.storage.gateway.tables import STORAGE as STORAGE

PAGE = Path(__file__).parents[2] / "docs" / "architecture" / "privacy.md"
OF_PEOPLE = {"account": ACCOUNT, "order": ORDER}
ALL = {**OF_PEOPLE, "payment": PAYMENT, "storage": STORAGE, "system": SYSTEM}
# What a column that tells of a person is called; `name` alone stands for things as well.
_PERSONAL = re.compile(
    r"email|customer|shipping|address|phone|birth|gender|kana|(?:first|last)_name|^name$"
)
THINGS = {"category.name"}


def personal(metadata: MetaData) -> set[str]:
    return {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if _PERSONAL.search(column.name)
    } - THINGS


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_column_that_tells_of_a_person_is_on_the_page(name: str) -> None:
    said = PAGE.read_text("utf-8")
    missing = [one for one in sorted(personal(ALL[name])) if f"`{one}`" not in said]
    assert missing == [], f"{PAGE.name} does not name them"


def test_the_tables_that_the_page_names_exist() -> None:
    tables = {name for metadata in ALL.values() for name in metadata.tables}
    columns = set[str]().union(*map(personal, ALL.values()))
    named = re.findall(r"`([a-z]+(?:_[a-z]+)*\.[a-z_]+)`", PAGE.read_text("utf-8"))
    assert set(named) == columns
    for table in ("wallet", "hold", "credit", "balance_ledger", "webhook_inbox", "order_audit"):
        assert table in tables


def test_the_statements_erase_every_personal_column_and_nothing_else() -> None:
    found = re.search(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    statements = [one.strip() for one in found[1].split(";") if one.strip()]
    engine = create_engine("sqlite://")
    set_by = set()
    with engine.begin() as connection:
        for metadata in OF_PEOPLE.values():
            metadata.create_all(connection)
        for statement in statements:
            connection.execute(text(statement), {"user_id": "u-1"})
            table = statement.split()[1]
            set_by |= {f"{table}.{name}" for name in re.findall(r"(\w+) = (?:NULL|'-')", statement)}
    engine.dispose()
    assert set_by == personal(ACCOUNT) | personal(ORDER)
