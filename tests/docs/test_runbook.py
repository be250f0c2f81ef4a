"""The runbook has a page for whatever can alarm or hang, and names nothing that is not there."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from tests.docs.runbook import (
    ALERTS,
    HEADINGS,
    OPERATIONS,
    ROOT,
    STUCK,
    headings,
    pages,
    queries,
    runbook_pages,
    spans,
)

from kessai.alert.domain.rules import BY_ID, RULES, Rule
from kessai.alert.main import SCHEMA as ALERT_SCHEMA
from kessai.contracts.moves import (
    ATTEMPT_MOVES,
    HOLD_MOVES,
    ORDER_MOVES,
    REFUND_MOVES,
    RESERVATION_MOVES,
    AttemptStatus,
    OrderStatus,
)
from kessai.kernel.clock import SystemClock
from kessai.kernel.db import open_database
from kessai.kernel.local_bus import open_local_bus
from kessai.kernel.migrations import migrate
from kessai.payment.application.file_ports import FileStatus
from kessai.proof.invariants.table import TABLE as INVARIANTS
from kessai.saga.language import Status
from kessai.topology import PARTITIONS

# The table has a move from here, and yet a thing may rest here for good.
RESTING: frozenset[StrEnum] = frozenset(
    {
        OrderStatus.PAID,
        AttemptStatus.SUCCEEDED,
        AttemptStatus.FAILED,
        AttemptStatus.EXPIRED,
        AttemptStatus.CANCELLED,
    }
)
TABLES: Mapping[str, Mapping[Any, frozenset[Any]]] = {
    "order": ORDER_MOVES,
    "payment": ATTEMPT_MOVES,
    "refund": REFUND_MOVES,
    "reservation": RESERVATION_MOVES,
    "hold": HOLD_MOVES,
}
# Queues whose rows have no status of their own, or only that of having been done.
QUEUES = ("outbox-unsent", "webhook-waiting", "dead-letter", "audit-waiting", "notice-waiting")
PACKAGES = {"account": "account", "order": "order", "payment": "payment", "storage": "storage"}
PACKAGES[ALERT_SCHEMA] = "alert"
LOG_LINE = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*")
METRIC = re.compile(r"(?:kessai|saga|stream|paypay|webhooks|settlement)_[a-z0-9_]+")
MADE_OF_IT = re.compile(r"_(?:total|sum|count|bucket)$")
# Names with a dot that are no line of a log: files, metrics as the actuator writes them.
NO_LOG_LINE = re.compile(r".*\.(?:md|py|db|conf|yaml|json|sh|env|toml|yml|csv|jsonl|pem|txt)")


def names_of_states() -> set[str]:
    found = {
        f"{table}-{status.value.lower().replace('_', '-')}"
        for table, moves in TABLES.items()
        for status, following in moves.items()
        if following and status not in RESTING
    }
    open_sagas = {Status.RUNNING: "saga-running", Status.UNKNOWN: "saga-unknown"}
    return found | set(open_sagas.values()) | {f"settlement-file-{FileStatus.NEW.value.lower()}"}


def sources() -> str:
    files = sorted((ROOT / "src/kessai").rglob("*.py"))
    return "\n".join(file.read_text("utf-8") for file in files)


def test_every_rule_has_its_page_and_every_page_its_rule() -> None:
    assert {page.stem for page in ALERTS.glob("*.md")} == {rule.id for rule in RULES}


def test_every_state_that_something_can_hang_in_has_its_page() -> None:
    assert {page.stem for page in STUCK.glob("*.md")} == names_of_states() | set(QUEUES)


@pytest.mark.parametrize("sheet", runbook_pages(), ids=lambda sheet: sheet.stem)
def test_a_page_says_what_is_seen_meant_done_and_known(sheet: Path) -> None:
    assert headings(sheet) == list(HEADINGS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rules_page_has_its_severity_and_its_remedies(rule: Rule) -> None:
    lines = (ALERTS / f"{rule.id}.md").read_text("utf-8").splitlines()
    assert lines[0].startswith(f"# {rule.id} ({rule.severity}): ")
    cells = [cell.strip() for cell in lines[4].strip("|").split("|")]
    assert cells[0] == rule.id
    offered = {remedy.value for remedy in rule.remedies}
    assert set(re.findall(r"`([a-z_]+)`", cells[2])) == offered
    ordered = re.findall(r"kessai alerts remedy ALERT ([a-z_]+)", "\n".join(lines))
    assert set(ordered) <= offered


def test_a_remedy_on_another_page_fits_some_rule() -> None:
    known = {remedy.value for rule in BY_ID.values() for remedy in rule.remedies}
    wrong = [
        f"{place}: {remedy}"
        for page in pages()
        for place, found in spans(page)
        for remedy in re.findall(r"alerts remedy \S+ ([a-z_]+)", found)
        if remedy not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_every_line_of_a_log_that_is_named_is_written_somewhere() -> None:
    code = sources()
    written = set(re.findall(r"\"([a-z][a-z_]*\.[a-z][a-z_]*)\"", code))
    written |= {f"health.{word}" for word in ("up", "down", "degraded")}
    metrics = {name.replace("_", ".") for name in re.findall(r"\"([a-z]+_[a-z_]+)\"", code)}
    wrong = [
        f"{place}: {found}"
        for page in [*runbook_pages(), OPERATIONS / "index.md"]
        for place, found in spans(page)
        if LOG_LINE.fullmatch(found)
        and not NO_LOG_LINE.fullmatch(found)
        and found not in written
        and found not in metrics
    ]
    assert not wrong, "\n".join(wrong)


def test_every_metric_that_is_named_is_measured() -> None:
    code = sources()
    wrong = [
        f"{place}: {found}"
        for page in [*runbook_pages(), OPERATIONS / "index.md"]
        for place, found in spans(page)
        if METRIC.fullmatch(found)
        and f'"{found}"' not in code
        and f'"{MADE_OF_IT.sub("", found)}"' not in code
    ]
    assert not wrong, "\n".join(wrong)


def test_only_invariants_that_exist_are_asked_for() -> None:
    known = {one.id for one in INVARIANTS}
    wrong = [
        f"{place}: {one}"
        for page in pages()
        for place, found in spans(page)
        for ids in re.findall(r"kessai verify --only (\S+)", found)
        for one in ids.split(",")
        if one not in known
    ]
    assert not wrong, "\n".join(wrong)


def test_every_link_leads_to_a_page() -> None:
    wrong = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages()
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not wrong, "\n".join(wrong)


def test_the_index_leads_to_every_page_of_the_runbook() -> None:
    index = (OPERATIONS / "index.md").read_text("utf-8")
    missing = [
        str(page.relative_to(OPERATIONS))
        for page in runbook_pages()
        if f"({page.relative_to(OPERATIONS)})" not in index
    ]
    assert not missing, "\n".join(missing)


async def _create(folder: Path) -> None:
    for name, package in PACKAGES.items():
        db = await open_database(f"sqlite:///{folder / name}.db")
        migrate(db, package)
        await db.close()
    path = str(folder / "bus.db")
    bus = await open_local_bus(path, SystemClock(), partitions=PARTITIONS, instance="runbook")
    await bus.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as it is before the first order."""
    made = tmp_path_factory.mktemp("runbook")
    asyncio.run(_create(made))
    return made


@pytest.mark.parametrize(
    "sheet", [one for one in pages() if queries(one)], ids=lambda one: one.stem
)
def test_every_query_runs_on_the_database_that_it_names(sheet: Path, folder: Path) -> None:
    for query in queries(sheet):
        file = folder / f"{query.file}.db"
        assert file.is_file(), f"{query.place}: there is no {query.file}.db"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            try:
                connection.execute(query.text)
            except sqlite3.Error as error:
                raise AssertionError(f"{query.place}: {error}") from error


def test_a_query_that_names_no_database_is_not_passed_over() -> None:
    for page in pages():
        blocks = page.read_text("utf-8").count("```sql")
        assert len(queries(page)) == blocks, page
