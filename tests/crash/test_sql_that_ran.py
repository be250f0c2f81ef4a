"""The shop on a MariaDB that writes down every statement: what ran is what MySQL 8 knows, too."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.mariadb import MARIADB, server
from tests.support.process import Processes, processes
from tests.support.sql_subset import violations

from kessai.proof.shopper.mix import Kind

# Not the timeout of a quick test: this one lets all kinds of customers come and go.
pytestmark = [
    *MARIADB[:-1],
    pytest.mark.crash,
    pytest.mark.long,
    pytest.mark.timeout(400, func_only=True),
]

# SQLAlchemy's first question, which it puts to each server in that server's own words.
_OF_THE_LIBRARY = {"SELECT @@tx_isolation"}
SCHEMAS = ("order", "payment", "storage", "account")
_LITERAL = re.compile(r"'(?:[^'\\]|''|\\.)*'|\b\d+\b")
_RAN = (
    "SELECT DISTINCT argument FROM mysql.general_log "
    "WHERE command_type IN ('Query', 'Execute', 'Prepare')"
)


@pytest.fixture
def prefix() -> Iterator[str]:
    """The server writes its general log while the test runs."""
    database = server()
    database.sql("SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log")
    # Four services in one process, each with a pool of its own, and whoever reads beside them.
    database.sql("SET GLOBAL max_connections = 200; SET GLOBAL general_log = 1")
    yield f"{database.fresh_schema()}_"
    database.sql("SET GLOBAL general_log = 0")


def ran() -> set[str]:
    """The statements without their values, so that each counts once."""
    found = (row[0].replace("\\n", "\n").replace("\\t", "\t") for row in server().sql(_RAN))
    return {_LITERAL.sub("?", text) for text in found}


def use_everything(system: Processes) -> None:
    """All kinds of customers, and what operators ask."""
    kinds = system.folder / "kinds.json"
    kinds.write_text(json.dumps({"customers": dict.fromkeys(Kind, 1)}))
    seen = json.loads(
        system.run(
            *("shopper", "--json", "--orders", "40", "--seed", "5", "--mix", str(kinds)),
            *("--concurrency", "50", "--patience", "30", "--wait", "10"),
        )
    )
    assert seen["wrong"] == []
    assert len(seen["customers"]) > 15
    for command in ("saga list", "slo", "verify --json"):
        try:
            system.run(*command.split())
        except subprocess.CalledProcessError as error:
            raise AssertionError(f"{command}: {error.stdout!r} {error.stderr!r}") from error


def test_what_ran_is_in_the_common_subset(tmp_path: Path, prefix: str) -> None:
    env = {
        "KESSAI_SQL_URL": server().url(prefix),
        "KESSAI_ORDER_DEADLINE_S": "12",
        "KESSAI_POLL_FIRST_S": "1",
        "KESSAI_FALLBACK_AFTER_S": "5",
        "KESSAI_SIGN_INS_PER_MINUTE": "1000000",
        "KESSAI_LOG_LEVEL": "WARNING",
    }
    with processes(tmp_path, **env) as system:
        system.start("up")
        use_everything(system)
        assert system.stop("up") == 0
        assert '"level": "error"' not in system.log_tail(1000), system.log_tail()
    statements = ran() - _OF_THE_LIBRARY
    wrong = {text: [*violations(text)] for text in statements}
    assert [f"{text}: {found}" for text, found in sorted(wrong.items()) if found] == []
    # Migrations, claims and ordinary rows of every schema were among them.
    everything = "\n".join(statements)
    assert len(statements) > 80
    for schema in SCHEMAS:
        assert f"`{prefix}{schema}`" in everything, schema
    for part in ("CREATE TABLE", "CREATE INDEX", "SKIP LOCKED", "INSERT IGNORE", "GET_LOCK"):
        assert part in everything, part
