"""Codes of MySQL 8 and MariaDB 10.11, and what each means here. No server is needed."""

from __future__ import annotations

import pytest
from asyncmy import errors as driver

from kessai.kernel.db.mysql_errors import DuplicateKey, StatementTooLarge, is_lost, meaning
from kessai.kernel.errors import ConstraintViolated, DatabaseUnavailable

CODES: list[tuple[int, type[Exception]]] = [
    (1048, ConstraintViolated),
    (1264, ConstraintViolated),
    (1366, ConstraintViolated),
    (1406, ConstraintViolated),
    (1451, ConstraintViolated),
    (1452, ConstraintViolated),
    (3819, ConstraintViolated),
    (4025, ConstraintViolated),
    (1153, StatementTooLarge),
    (1040, DatabaseUnavailable),
    (1053, DatabaseUnavailable),
    (1205, DatabaseUnavailable),
    (1213, DatabaseUnavailable),
    (1290, DatabaseUnavailable),
    (1792, DatabaseUnavailable),
    (1927, DatabaseUnavailable),
    (3572, DatabaseUnavailable),
    (2003, DatabaseUnavailable),
    (2006, DatabaseUnavailable),
    (2013, DatabaseUnavailable),
]


@pytest.mark.parametrize(("code", "meant"), CODES)
@pytest.mark.parametrize("kind", [driver.OperationalError, driver.IntegrityError])
def test_the_code_decides_whatever_the_drivers_class(
    code: int, meant: type[Exception], kind: type[Exception]
) -> None:
    found = meaning(kind(code, "what the server says"))
    assert type(found) is meant
    assert str(found) == "what the server says"


@pytest.mark.parametrize("code", [1054, 1064, 1146, 1049, 1142, 1305])
def test_a_mistake_has_no_other_meaning(code: int) -> None:
    assert meaning(driver.ProgrammingError(code, "no")) is None
    assert meaning(driver.OperationalError(code, "no")) is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Duplicate entry 'a-1' for key 'PRIMARY'", "PRIMARY"),
        ("Duplicate entry 'a-1' for key 'note.PRIMARY'", "PRIMARY"),
        ("Duplicate entry 'it's for key 'x'' for key 'note.uq_note_name'", "uq_note_name"),
        ("Duplicate entry '\n' for key 'uq_note_name'", "uq_note_name"),
        ("Can't write; duplicate key in table 'note'", "unknown"),
    ],
)
def test_a_duplicate_tells_its_key_and_nothing_else(text: str, key: str) -> None:
    found = meaning(driver.IntegrityError(1062, text))
    assert isinstance(found, DuplicateKey)
    assert found.key == key
    assert str(found) == f"UNIQUE constraint failed: {key}"


def test_a_broken_stream_is_a_lost_connection_and_a_misused_driver_is_not() -> None:
    broken = driver.InternalError("Packet sequence number wrong - got 2 expected 1")
    assert is_lost(broken)
    assert isinstance(meaning(broken), DatabaseUnavailable)
    assert is_lost(driver.InterfaceError(0, "Not connected"))
    misused = driver.ProgrammingError("Cursor closed")
    assert not is_lost(misused)
    assert meaning(misused) is None
    assert not is_lost(driver.OperationalError(1213, "Deadlock found"))
