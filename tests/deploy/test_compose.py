"""compose.yaml against the map of the system; its form is the linters' business."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kessai.embedded import service_urls
from kessai.kernel.settings import Settings
from kessai.topology import (
    BFF,
    FIREBASE_SIMULATOR,
    PAYPAY_SIMULATOR,
    SERVICES,
    SIMULATORS,
    ServiceCard,
)

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
    # And of each container, when a service is scaled.
    assert all(name.endswith("%h") for name in names)


@pytest.mark.parametrize("card", SERVICES, ids=lambda card: card.name)
def test_each_has_a_network_of_its_own_and_knows_the_others_by_name(card: ServiceCard) -> None:
    part = part_of(card)
    assert "network_mode" not in part
    assert part["networks"] == ["services", "servers"]
    environment = {name: str(value) for name, value in part["environment"].items()}
    given = Settings(
        **{  # type: ignore[arg-type]
            name.removeprefix("KESSAI_").lower(): value
            for name, value in environment.items()
            if "${" not in value
        }
    )
    assert given.bind_host == "0.0.0.0"
    internal = [other for other in SERVICES if other is not BFF]
    assert service_urls(given) == {
        other.name: [f"http://{other.name}:{other.port}"] for other in internal
    }
    assert f"//{PAYPAY_SIMULATOR.name}:{PAYPAY_SIMULATOR.port}" in given.paypay_url
    assert f"//{FIREBASE_SIMULATOR.name}:{FIREBASE_SIMULATOR.port}/" in given.firebase_keys_url


def test_webhooks_come_from_the_network_that_the_shop_believes() -> None:
    source = PARTS["shop"]["environment"]["KESSAI_PAYPAY_WEBHOOK_SOURCES"]
    assert COMPOSE["networks"]["services"]["ipam"]["config"] == [{"subnet": source}]
    hook = PARTS[PAYPAY_SIMULATOR.name]["environment"]["KESSAI_SIM_WEBHOOK_URL"]
    assert hook == f"http://shop:{BFF.port}/paypay/callback"
    assert COMPOSE["networks"]["servers"] == {"internal": True}
    assert all(PARTS[name]["networks"] == ["servers"] for name in SERVERS)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_each_has_a_health_check_and_limits(name: str) -> None:
    part = PARTS[name]
    assert part["healthcheck"]["test"]
    assert set(part["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert part["restart"] == "unless-stopped"


def test_only_what_is_public_is_published_and_on_loopback() -> None:
    published = {name: part["ports"] for name, part in PARTS.items() if "ports" in part}
    assert published == {
        "shop" if card is BFF else card.name: [f"127.0.0.1:{card.port}:{card.port}"]
        for card in (*SERVICES, *SIMULATORS)
        if card.public
    }


def test_every_volume_is_declared_and_used() -> None:
    used = {
        volume.partition(":")[0]
        for part in PARTS.values()
        for volume in part.get("volumes", ())
        if not volume.startswith(".")
    }
    assert used == set(COMPOSE["volumes"])


def test_the_image_is_not_run_as_root_and_names_no_service() -> None:
    lines = (ROOT / "deploy/Dockerfile").read_text("utf-8").splitlines()
    assert "USER 10001:10001" in lines
    assert 'ARG SERVICE=""' in lines
    assert sum(line.startswith("FROM ") for line in lines) == 3
