"""What the one file that sees several services promises: where they listen and are found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kessai.embedded import System, build_service, open_runtime, own_url, service_urls
from kessai.kernel.settings import Settings
from kessai.topology import BFF, ORDER, SERVICES, SIMULATORS, STORAGE, ServiceCard


def settings(**more: object) -> Settings:
    return Settings(**more)  # type: ignore[arg-type]


def test_the_addresses_of_each_service() -> None:
    text = " order-service = http://a:8082 | http://b:9082/ ;storage=https://[::1]:1;"
    assert service_urls(settings(service_urls=text)) == {
        "order-service": ["http://a:8082", "http://b:9082"],
        "storage-service": ["https://[::1]:1"],
    }
    assert service_urls(settings()) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://a", "is not name=url"),
        ("mail=http://a", "no service 'mail'"),
        ("order=", "no http address"),
        ("order=a:8082", "no http address"),
        ("order=http://a|", "no http address"),
        ("order=ftp://a", "no http address"),
        ("order=http://user:pw@a", "no http address"),
        ("order=http://a/path", "no http address"),
        ("order=http://", "no http address"),
    ],
)
def test_what_is_no_address_is_refused_by_its_setting(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        service_urls(settings(service_urls=text))
    assert str(error.value).startswith("KESSAI_SERVICE_URLS: ")


@asynccontextmanager
async def served(
    card: ServiceCard, port: int | None = None, **more: object
) -> AsyncIterator[System]:
    runtime = await open_runtime(settings(**more))
    system = await build_service(runtime, card, port=port)
    try:
        yield system
    finally:
        await system.stop()


def doors(system: System) -> dict[str, str]:
    return {binding.service: f"{binding.host}:{binding.port}" for binding in system.bindings()}


async def test_only_what_is_public_leaves_loopback_by_itself(tmp_path: Path) -> None:
    folder = str(tmp_path)
    async with served(BFF, data_dir=folder, host="0.0.0.0") as bff:
        assert doors(bff) == {"bff": "0.0.0.0:8080", "bff (management)": "127.0.0.1:9080"}
    async with served(STORAGE, data_dir=folder, host="0.0.0.0") as storage:
        assert doors(storage) == {"storage-service": "127.0.0.1:8083"}


async def test_a_service_with_a_host_of_its_own(tmp_path: Path) -> None:
    more: dict[str, Any] = {
        "data_dir": str(tmp_path),
        "host": "10.0.0.5",
        "bind_host": "10.0.0.6",
    }
    async with served(BFF, **more) as bff:
        assert doors(bff) == {"bff": "10.0.0.5:8080", "bff (management)": "10.0.0.6:9080"}
    async with served(STORAGE, **more) as storage:
        assert doors(storage) == {"storage-service": "10.0.0.6:8083"}
        assert own_url(storage.runtime, ORDER) == "http://10.0.0.6:8082"
        assert own_url(storage.runtime, BFF) == "http://10.0.0.5:8080"


async def test_a_second_instance_keeps_the_distance_of_its_ports(tmp_path: Path) -> None:
    async with served(BFF, 8180, data_dir=str(tmp_path), port_offset=3000) as bff:
        assert doors(bff) == {"bff": "127.0.0.1:8180", "bff (management)": "127.0.0.1:9180"}


def test_production_refuses_the_service_token_that_everybody_knows() -> None:
    real = {
        "env": "production",
        "paypay_api_key": "a-real-key-of-ours",
        "paypay_api_secret": "a-real-secret-of-ours",
        "firebase_keys_url": "https://www.googleapis.com/keys",
    }
    with pytest.raises(ValidationError, match=r"default or short values: KESSAI_SERVICE_TOKEN\b"):
        settings(**real)
    with pytest.raises(ValidationError, match="KESSAI_SERVICE_TOKEN"):
        settings(**real, service_token="short")
    assert settings(**real, service_token="a-token-of-our-own").env == "production"


_BUILD_ONE = """
import asyncio, json, sys
from kessai.embedded import build_service, open_runtime
from kessai.kernel.settings import Settings
from kessai.topology import ACCOUNT

async def build():
    system = await build_service(await open_runtime(Settings(data_dir=sys.argv[1])), ACCOUNT)
    await system.stop()

asyncio.run(build())
print(json.dumps(sorted(sys.modules)))
"""


def test_a_process_of_one_service_loads_no_other(tmp_path: Path) -> None:
    """All of them cost it two seconds of its start, and 50 MB."""
    said = subprocess.run(
        [sys.executable, "-c", _BUILD_ONE, str(tmp_path)], capture_output=True, check=True
    )
    loaded: list[str] = json.loads(said.stdout)
    packages = {f"kessai.{card.package}" for card in (*SERVICES, *SIMULATORS)}
    assert packages.intersection(loaded) == {"kessai.account"}
