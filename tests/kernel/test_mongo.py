"""A wrong audit URL is one line that names its setting, and never shows the password."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.support.mongo import own_url
from tests.support.servers import server_url

from kessai.kernel.adapters import open_audit
from kessai.kernel.errors import Unknown
from kessai.kernel.mongo import asking, open_mongo, require_version
from kessai.kernel.settings import Settings


def settings(tmp_path: Path, url: str) -> Settings:
    return Settings(data_dir=str(tmp_path), audit_url=url)


async def refusal(tmp_path: Path, url: str) -> str:
    with pytest.raises(ValueError, match=r"^KESSAI_AUDIT_URL: ") as told:
        await open_audit(settings(tmp_path, url))
    text = str(told.value)
    assert "\n" not in text
    assert len(text) < 300
    return text


async def test_with_the_orders_there_is_nothing_to_open(tmp_path: Path) -> None:
    assert await open_audit(settings(tmp_path, "sql:")) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mongodb://", "at least one host"),
        ("mongodb://user:s3cret@h:99999/kessai", "Port must be"),
        ("mongodb://user:s3cret@h:s3cret/kessai", "Port contains"),
        ("mongodb://user:s3@cret@h:1/kessai", "must be escaped"),
        ("mongodb://user:s3cret@h:1/kessai?safety=off", "Unknown option"),
        ("mongodb://user:s3cret@h:1/kessai?tls=perhaps", "tls must be"),
        ("mongodb://user:s3cret@h:1/ke ssai", "database"),
    ],
)
async def test_a_url_that_means_nothing_is_refused(tmp_path: Path, url: str, why: str) -> None:
    text = await refusal(tmp_path, url)
    assert why.lower() in text.lower()
    assert "s3cret" not in text


@pytest.mark.parametrize(
    "url", ["postgres://u:s3cret@h/x", "sql:elsewhere", "mongodb:", "MongoDB", ""]
)
def test_a_scheme_without_an_adapter_is_refused(tmp_path: Path, url: str) -> None:
    if url == "mongodb:":
        # Its scheme is known; what is missing is said when it is opened.
        assert settings(tmp_path, url).audit_url == url
        return
    with pytest.raises(ValueError, match=r"there is no adapter for|nothing follows sql:"):
        settings(tmp_path, url)


@pytest.mark.network
# The driver (4.20) forgets the socket of a connection attempt that its own close cancels.
@pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning")
async def test_a_server_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    text = await refusal(tmp_path, "mongodb://user:s3cret@127.0.0.1:9/kessai")
    assert "no server answers: 127.0.0.1:9" in text
    assert "s3cret" not in text
    # Found here and not in the middle of another test.
    gc.collect()


@pytest.mark.parametrize("version", ["5.0.31", "4.4.0", "3.6.23"])
def test_an_old_server_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match=f"MongoDB {version} is too old: 6.0 or newer"):
        require_version(version)


@pytest.mark.parametrize("version", ["6.0.5", "7.0.14", "8.1.0-rc3", "10.0.0"])
def test_a_new_one_is_not(version: str) -> None:
    require_version(version)


@pytest.mark.stack
async def test_a_wrong_password_and_a_wrong_set_are_told_apart(tmp_path: Path) -> None:
    url = server_url("KESSAI_AUDIT_URL")
    password = urlsplit(url).password or ""
    text = await refusal(tmp_path, url.replace(password, "s3cret"))
    assert text == "KESSAI_AUDIT_URL: it refuses the login"
    text = await refusal(tmp_path, url.replace("replicaSet=rs0", "replicaSet=elsewhere"))
    assert "elsewhere" in text
    assert password not in text


@pytest.mark.stack
async def test_the_path_names_the_database_and_writes_are_durable() -> None:
    url = own_url(server_url("KESSAI_AUDIT_URL"))
    database = await open_mongo(url)
    assert f"/{database.name}" == urlsplit(url).path
    assert database.write_concern.document == {"w": "majority", "j": True}
    await database.client.close()
    without = await open_mongo(urlsplit(url)._replace(path="").geturl())
    assert without.name == "kessai"
    await without.client.close()


@pytest.mark.stack
async def test_a_client_that_is_closed_is_a_silence() -> None:
    database = await open_mongo(server_url("KESSAI_AUDIT_URL"))
    await database.client.close()
    with pytest.raises(Unknown) as told:
        async with asyncio.timeout(5), asking("AUDIT_UNAVAILABLE"):
            await database.order_audit.find_one({})
    assert told.value.code == "AUDIT_UNAVAILABLE"
