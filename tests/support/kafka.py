"""A Kafka that has never had a shop: verify compares all that is there with this shop's books."""

from __future__ import annotations

from tests.support.servers import private_servers, private_url


def empty_kafka() -> str:
    """The URL. Always a private one: what others have there is not ours to remove."""
    wiped = private_servers().run("wipe", "kafka")
    assert wiped.returncode == 0, wiped.stdout + wiped.stderr
    private_url.cache_clear()
    return private_url("KESSAI_BUS_URL")
