"""The whole shop on the real servers, by settings alone: it sells, and every book agrees."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest
from tests.support.indexes import own_prefix
from tests.support.kafka import empty_kafka
from tests.support.mongo import own_url
from tests.support.process import Processes, processes
from tests.support.servers import server_url

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]


def own_schemas() -> str:
    """Of this run alone, on the server that everybody shares."""
    return f"{server_url('KESSAI_SQL_URL').rstrip('/')}/t{uuid4().hex[:8]}_"


def require_agreement(system: Processes) -> None:
    try:
        report = json.loads(system.run("verify", "--json"))
    except subprocess.CalledProcessError as error:
        raise AssertionError(f"verify: {error.stdout.decode()} {system.log_tail()}") from error
    assert report["ok"], report
    assert report["orders"] >= 4


def require_search(system: Processes) -> None:
    """As the demo goods are called, and as nobody has typed them to the end."""
    answer = found(system, "search?q=%E6%80%A5%E9%A0%88")
    assert answer["total"] >= len(answer["items"]) >= 1, answer
    assert found(system, "suggest?q=%E3%81%8D%E3%82%85%E3%81%86")["suggestions"]


def found(system: Processes, path: str) -> dict[str, Any]:
    with urlopen(f"{system.urls.shop}/api/products/{path}", timeout=30) as answer:
        told: dict[str, Any] = json.load(answer)
        return told


EMBEDDED = {
    "KESSAI_SQL_URL": "sqlite:",
    "KESSAI_BUS_URL": "local:",
    "KESSAI_REDIS_URL": "memory:",
    "KESSAI_AUDIT_URL": "sql:",
    "KESSAI_OBJECTS_URL": "file:",
    "KESSAI_SEARCH_URL": "tantivy:",
}
SERVERS = {
    "mysql": ("KESSAI_SQL_URL", own_schemas),
    "kafka": ("KESSAI_BUS_URL", empty_kafka),
    "redis": ("KESSAI_REDIS_URL", lambda: server_url("KESSAI_REDIS_URL")),
    "mongodb": ("KESSAI_AUDIT_URL", lambda: own_url(server_url("KESSAI_AUDIT_URL"))),
    "minio": ("KESSAI_OBJECTS_URL", lambda: server_url("KESSAI_OBJECTS_URL")),
    "elasticsearch": ("KESSAI_SEARCH_URL", lambda: own_prefix(server_url("KESSAI_SEARCH_URL"))),
}


ALL = "+".join(SERVERS)
# The demo waits for rule A: its window as it ships where all servers are, a shorter one elsewhere.
SHORTER = {"KESSAI_ALERT_WINDOW_S": "8"}


@pytest.mark.parametrize("mix", [*SERVERS, ALL])
def test_the_demo_converges_and_every_book_agrees(tmp_path: Path, mix: str) -> None:
    given = dict(SERVERS[name] for name in mix.split("+"))
    settings = {**EMBEDDED, **{name: url() for name, url in given.items()}}
    if mix != ALL:
        settings |= SHORTER
    with processes(tmp_path, **settings) as system:
        system.start("up")
        assert "Everything agrees" in system.run("demo")
        require_agreement(system)
        require_search(system)
        assert system.stop("up") == 0


def test_services_in_processes_of_their_own_share_the_servers(tmp_path: Path) -> None:
    """And a killed one is replaced by one of another name."""
    env = {"KESSAI_SQL_URL": own_schemas(), "KESSAI_BUS_URL": empty_kafka(), **SHORTER}
    with processes(tmp_path, **env) as system:
        system.start("sim", "paypay")
        system.start("sim", "firebase")
        for name in ("account-service", "storage-service", "payment-service", "order-service"):
            system.start("serve", name, KESSAI_INSTANCE="a")
        system.start("serve", "es-service", KESSAI_INSTANCE="a")
        system.start("serve", "alert-service", KESSAI_INSTANCE="a")
        system.start("serve", "bff", KESSAI_INSTANCE="a")
        assert "Everything agrees" in system.run("demo")
        system.kill("serve payment-service")
        system.start("serve", "payment-service", KESSAI_INSTANCE="b")
        assert "Everything agrees" in system.run("demo")
        require_agreement(system)
