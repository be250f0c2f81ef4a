"""deploy/compose.tls.yaml: the door with TLS, and the settings of production behind it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kessai.kernel.settings import Settings
from kessai.topology import BFF, SERVICES, SIMULATORS, ServiceCard

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "deploy/env.tls.example").read_text("utf-8")
VALUE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


class Loader(yaml.SafeLoader):
    """Knows compose's own tag, which takes away what the first file has."""


Loader.add_constructor("!reset", lambda loader, node: None)


def read(name: str) -> dict[str, Any]:
    # A loader of ours on top of the safe one.
    found: dict[str, Any] = yaml.load((ROOT / name).read_text("utf-8"), Loader)
    return found


COMPOSE, OVERLAY = read("compose.yaml"), read("deploy/compose.tls.yaml")
GIVEN = dict(
    line.split("=", 1) for line in EXAMPLE.splitlines() if line and not line.startswith("#")
)


def name_of(card: ServiceCard) -> str:
    return "shop" if card is BFF else card.name


def filled(text: str) -> str:
    """As compose fills it in; what is asked for and not given is a mistake."""

    def value(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        if kind == "?":
            return GIVEN[name]
        return GIVEN.get(name, default or "")

    return VALUE.sub(value, text)


@pytest.mark.parametrize("card", SERVICES, ids=lambda card: card.name)
def test_every_service_starts_as_production(card: ServiceCard) -> None:
    environment = {
        **COMPOSE["services"][name_of(card)]["environment"],
        **OVERLAY["services"][name_of(card)]["environment"],
    }
    given = {name: filled(str(value)) for name, value in environment.items()}
    settings = Settings(
        **{name.removeprefix("KESSAI_").lower(): value for name, value in given.items()}  # type: ignore[arg-type]
    )
    assert settings.env == "production"
    assert settings.public_url == "https://shop.example"
    assert "simulator" not in repr(settings)
    assert settings.trusted_proxies == ("172.30.91.0/24",)


def test_the_example_gives_all_that_is_asked_for_and_nothing_else() -> None:
    text = (ROOT / "deploy/compose.tls.yaml").read_text("utf-8")
    assert {found[0] for found in VALUE.findall(text) if found[1] == "?"} == set(GIVEN)


def test_no_simulator_runs_and_only_the_door_is_published() -> None:
    for card in SIMULATORS:
        assert OVERLAY["services"][card.name] == {"profiles": ["simulators"]}
    assert OVERLAY["services"]["shop"]["ports"] is None
    assert OVERLAY["services"]["door"]["ports"] == ["80:8080", "443:8443"]


def test_the_door_with_tls_has_the_rules_of_the_one_without() -> None:
    def location(name: str) -> list[str]:
        text = (ROOT / "deploy" / name).read_text("utf-8")
        inner = text[text.index("location / {") :]
        return [line.strip() for line in inner[: inner.index("}")].splitlines()]

    assert location("nginx.tls.conf") == location("nginx.conf")
    tls = (ROOT / "deploy/nginx.tls.conf").read_text("utf-8")
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in tls
    assert f"server shop:{BFF.port} " in tls
    assert tls.count("{") == tls.count("}")
