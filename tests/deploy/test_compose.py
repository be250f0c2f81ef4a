"""compose.yaml against the map of the system; its form is the linters' business."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kessai.topology import SERVICES, SIMULATORS, ServiceCard

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
PARTS: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVERS = {
    "mysql": "mysql:8.",
    "redis": "redis:7.",
    "kafka": "apache/kafka:4.",
    "minio": "minio/minio:RELEASE.",
    "mongodb": "mongo:7.",
    "elasticsearch": "kessai-elasticsearch",
}


def part_of(card: ServiceCard) -> dict[str, Any]:
    return PARTS["shop" if card.name == "bff" else card.name]


def test_it_holds_every_service_and_every_server() -> None:
    ours = {"shop" if card.name == "bff" else card.name for card in (*SERVICES, *SIMULATORS)}
    assert set(PARTS) == ours | set(SERVERS)
    assert {name: PARTS[name]["image"].startswith(image) for name, image in SERVERS.items()} == (
        dict.fromkeys(SERVERS, True)
    )
    dockerfile = (ROOT / "deploy/elasticsearch/Dockerfile").read_text("utf-8")
    assert dockerfile.startswith("FROM elasticsearch:8.")


@pytest.mark.parametrize("card", SERVICES, ids=lambda card: card.name)
def test_each_service_is_started_by_its_name_and_asked_at_its_port(card: ServiceCard) -> None:
    part = part_of(card)
    assert part["command"] == ["kessai", "serve", card.name]
    port = card.management_port or card.port
    assert f"http://127.0.0.1:{port}/actuator/health" in part["healthcheck"]["test"][-1]
    assert set(part["environment"]) >= {"KESSAI_SQL_URL", "KESSAI_BUS_URL", "KESSAI_INSTANCE"}


def test_every_process_has_a_name_of_its_own() -> None:
    names = [part_of(card)["environment"]["KESSAI_INSTANCE"] for card in SERVICES]
    assert len(set(names)) == len(SERVICES)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_each_has_a_health_check_and_limits(name: str) -> None:
    part = PARTS[name]
    assert part["healthcheck"]["test"]
    assert set(part["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert part["restart"] == "unless-stopped"


def test_only_what_is_public_is_published_and_on_loopback() -> None:
    published = {name: part["ports"] for name, part in PARTS.items() if "ports" in part}
    ports = [card.port for card in (*SERVICES, *SIMULATORS) if card.public]
    assert published == {"shop": [f"127.0.0.1:{port}:{port}" for port in ports]}


def test_every_volume_is_declared_and_used() -> None:
    used = {
        volume.partition(":")[0]
        for part in PARTS.values()
        for volume in part["volumes"]
        if not volume.startswith(".")
    }
    assert used == set(COMPOSE["volumes"])


def test_the_image_is_not_run_as_root_and_names_no_service() -> None:
    lines = (ROOT / "deploy/Dockerfile").read_text("utf-8").splitlines()
    assert "USER 10001:10001" in lines
    assert 'ARG SERVICE=""' in lines
    assert sum(line.startswith("FROM ") for line in lines) == 3
