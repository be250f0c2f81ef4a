"""The engine on its own on a MySQL schema: tables, instances, two processes, a look at it."""

from __future__ import annotations

import asyncio
import json
import multiprocessing

from tests.saga.test_library import an_order, open_and_run, services
from tests.support.mariadb import MARIADB, mysql_url
from typer.testing import CliRunner

from kessai.cli.saga import app
from kessai.saga import Engine, Filter

__all__ = ["mysql_url"]
pytestmark = MARIADB


def test_processes_that_open_a_new_schema_at_once_all_find_their_tables(mysql_url: str) -> None:
    processes = multiprocessing.get_context("spawn")
    started = [processes.Process(target=open_and_run, args=(mysql_url, f"o-{n}")) for n in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [0, 0]

    async def found() -> list[str | None]:
        async with Engine.open(mysql_url, services(), [an_order()]) as engine:
            return [row.business_key for row in await engine.list(Filter(status="SU"))]

    assert sorted(map(str, asyncio.run(found()))) == ["o-0", "o-1"]


def test_the_command_reads_the_schema(mysql_url: str) -> None:
    open_and_run(mysql_url, "read")
    store = ["--store", mysql_url, "--json"]
    listed = CliRunner().invoke(app, ["list", "--business-key", "read", *store])
    assert (listed.exit_code, listed.stderr) == (0, "")
    (row,) = json.loads(listed.stdout)["items"]
    assert (row["machine"], row["status"], row["stale"]) == ("order", "SU", False)
    shown = CliRunner().invoke(app, ["timeline", row["id"], *store])
    assert [entry["kind"] for entry in json.loads(shown.stdout)["entries"]] == [
        "start",
        "step",
        "end",
    ]


def test_a_schema_without_sagas_is_said_so_without_the_password(mysql_url: str) -> None:
    server = mysql_url.rpartition("/")[0]
    for schema, code, why in (
        ("information_schema", 2, "no saga tables"),
        ("nowhere", 3, "cannot connect"),
    ):
        refused = CliRunner().invoke(app, ["list", "--store", f"{server}/{schema}"])
        assert (refused.exit_code, refused.stdout, why in refused.stderr) == (code, "", True)
        assert "s3cret" not in refused.stderr
