"""The scheme of a URL picks the adapter, and a wrong URL names its setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from kessai.kernel.adapters import database_url, open_bus, open_schema
from kessai.kernel.clock import SystemClock
from kessai.kernel.kafka_bus.cluster import cluster_of
from kessai.kernel.local_bus import LocalBus
from kessai.kernel.settings import Settings

TOPICS = ("t.orders.v1",)


def settings(tmp_path: Path, **given: str) -> Settings:
    return Settings(data_dir=str(tmp_path), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sql_url", "url"),
    [
        ("mysql+asyncmy://u:p@h:1", "mysql+asyncmy://u:p@h:1/ec_order"),
        ("mysql+asyncmy://u:p@h:1/", "mysql+asyncmy://u:p@h:1/ec_order"),
        ("mysql+asyncmy://u:p@h:1/test_", "mysql+asyncmy://u:p@h:1/test_order"),
        ("mysql+asyncmy://u:p@h:1?ssl_ca=/a", "mysql+asyncmy://u:p@h:1/ec_order?ssl_ca=/a"),
    ],
)
def test_each_service_has_a_schema_of_its_own(tmp_path: Path, sql_url: str, url: str) -> None:
    assert database_url(settings(tmp_path, sql_url=sql_url), "order") == url


def test_the_embedded_default_is_files_of_one_folder(tmp_path: Path) -> None:
    assert database_url(settings(tmp_path), "order") == f"sqlite:///{tmp_path}/order.db"


@pytest.mark.parametrize("url", ["nonsense:", "mysql+asyncmy://127.0.0.1:3306", "postgres://h/x"])
async def test_a_wrong_sql_url_names_its_setting(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"^KESSAI_SQL_URL: "):
        await open_schema(settings(tmp_path, sql_url=url), "order")


@pytest.mark.parametrize(("name", "scheme"), [("audit_url", "postgres"), ("search_url", "mongodb")])
def test_a_server_that_nothing_would_use_is_refused(tmp_path: Path, name: str, scheme: str) -> None:
    with pytest.raises(ValueError, match=f"there is no adapter for {scheme}: yet") as told:
        settings(tmp_path, **{name: f"{scheme}://user:s3cret@h/ec"})
    assert "s3cret" not in told.value.errors(include_input=False)[0]["msg"]  # type: ignore[attr-defined]


async def test_the_local_bus_is_the_default(tmp_path: Path) -> None:
    given = settings(tmp_path)
    bus = await open_bus(given, SystemClock(), instance="a", partitions=6, topics=TOPICS)
    assert isinstance(bus, LocalBus)
    await bus.close()
    assert (tmp_path / "bus.db").is_file()


@pytest.mark.parametrize("url", ["kafka:", "kafka://h", "redis://h:1", "kafka://h:9092?acks=0"])
async def test_a_wrong_bus_url_names_its_setting(tmp_path: Path, url: str) -> None:
    given = settings(tmp_path, bus_url=url)
    with pytest.raises(ValueError, match=r"^KESSAI_BUS_URL: "):
        await open_bus(given, SystemClock(), instance="a", partitions=6, topics=TOPICS)


def test_a_login_goes_by_tls_and_stays_out_of_every_text() -> None:
    cluster = cluster_of("kafka://us%40er:s%3Acret@a:1,b:2?ssl.ca.location=/ca.pem")
    config = cluster.config(group_id="g")
    assert config["bootstrap.servers"] == "a:1,b:2"
    assert (config["sasl.username"], config["sasl.password"]) == ("us@er", "s:cret")
    assert config["security.protocol"] == "SASL_SSL"
    assert config["ssl.ca.location"] == "/ca.pem"
    assert config["group.id"] == "g"
    assert "s:cret" not in repr(cluster)
    assert "us@er" not in repr(cluster)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("kafka://", "is not"),
        ("http://h:1", "is not"),
        ("kafka://h:1,h", "no host:port at 'h'"),
        ("kafka://h:99999", "no host:port"),
        ("kafka://h:1/topic", "path"),
        ("kafka://h:1?enable.idempotence=false&acks=0", "acks, enable.idempotence"),
    ],
)
def test_a_cluster_url_that_means_nothing_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        cluster_of(url)
