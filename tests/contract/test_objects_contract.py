"""Every object store keeps the same promises: in process, in a folder, in S3 (moto's, MinIO)."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest
from obstore.store import S3Store
from tests.support.servers import server_url

from kessai.contracts.search import MAX_IMAGE_BYTES
from kessai.kernel.errors import Unknown
from kessai.kernel.objects import MemoryObjects, Objects, open_objects

pytestmark = pytest.mark.network
KEYS = "AWSKEY:secret%2Fkey"
BUCKET = "shop-pictures"
READY_S = 60.0


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server of our own, with one bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + READY_S
        while True:
            assert server.poll() is None, "moto's server ended"
            try:
                made = httpx2.put(f"{address}/{BUCKET}")
                assert made.status_code == 200, made.text
                break
            except httpx2.TransportError:
                assert time.monotonic() < end, "moto's server is not ready"
                time.sleep(0.1)
        yield address
    finally:
        server.kill()
        server.wait(10)


def own_bucket(test: str) -> str:
    """A place of this test alone in the bucket of the real server."""
    parts = urlsplit(server_url("KESSAI_OBJECTS_URL"))
    return parts._replace(path=f"/t{uuid4().hex[:8]}/{test}").geturl()


@pytest.fixture(params=["memory", "file", "s3", pytest.param("minio", marks=pytest.mark.stack)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Objects]:
    prefix = request.node.name.partition("[")[0]
    if request.param == "memory":
        yield MemoryObjects()
    elif request.param == "file":
        yield open_objects("file:", tmp_path / "objects")
    elif request.param == "minio":
        yield open_objects(own_bucket(prefix), tmp_path)
    else:
        endpoint = request.getfixturevalue("s3")
        yield open_objects(f"s3://{KEYS}@{BUCKET}/{prefix}?endpoint={endpoint}", tmp_path)


async def test_what_was_put_is_read(store: Objects) -> None:
    content = bytes(range(256)) * 40
    await store.put("products/a/160.webp", content, media_type="image/webp")
    assert await store.get("products/a/160.webp") == content


async def test_what_is_not_there_is_none(store: Objects) -> None:
    assert await store.get("originals/nothing") is None
    await store.put("originals/a", b"1", media_type="image/png")
    # A folder is no object.
    assert await store.get("originals/b") is None


async def test_the_last_put_counts(store: Objects) -> None:
    for content in (b"first", b"second, longer", b""):
        await store.put("originals/a", content, media_type="image/png")
        assert await store.get("originals/a") == content


async def test_the_largest_picture_is_kept_whole(store: Objects) -> None:
    content = bytes(range(256)) * (MAX_IMAGE_BYTES // 256)
    await store.put("originals/large", content, media_type="image/png")
    assert await store.get("originals/large") == content


async def test_of_two_who_write_the_same_one_is_read_whole(store: Objects) -> None:
    """Two processes may make the same thumbnail; no reader may see half of one."""
    name, one, other = "products/a/160.webp", b"1" * 300_000, b"2" * 300_000
    await store.put(name, one, media_type="image/webp")
    writes = [store.put(name, content, media_type="image/webp") for content in (other, one) * 4]
    reads = [store.get(name) for _ in range(8)]
    mixed = [act for pair in zip(writes, reads, strict=True) for act in pair]
    read = (await asyncio.gather(*mixed))[1::2]
    assert set(read) <= {one, other}
    assert await store.get(name) in {one, other}


async def test_a_folder_of_objects_is_none_of_them(store: Objects) -> None:
    await store.put("products/a/160.webp", b"1", media_type="image/webp")
    assert await store.get("products/a") is None
    assert await store.get("thumbnails") is None


async def test_many_at_once(store: Objects) -> None:
    names = [f"originals/{number}" for number in range(40)]
    await asyncio.gather(
        *(store.put(name, name.encode(), media_type="image/png") for name in names)
    )
    found = await asyncio.gather(*(store.get(name) for name in names))
    assert found == [name.encode() for name in names]


@pytest.mark.parametrize(
    "name", ["", "../bus.db", "a/../../bus.db", "/etc/passwd", "a//b", "a/", ".", "a\\b", "茶"]
)
async def test_names_that_lead_elsewhere_are_no_names(store: Objects, name: str) -> None:
    with pytest.raises(ValueError, match="is no name of an object"):
        await store.get(name)
    with pytest.raises(ValueError, match="is no name of an object"):
        await store.put(name, b"x", media_type="image/png")


async def test_a_store_that_is_there_answers(store: Objects) -> None:
    await store.ping()


async def test_a_bucket_keeps_the_media_type(s3: str, tmp_path: Path) -> None:
    store = open_objects(f"s3://{KEYS}@{BUCKET}?endpoint={s3}", tmp_path)
    await store.put("originals/typed", b"x", media_type="image/webp")
    as_others_see_it = S3Store(
        BUCKET,
        config={"endpoint": s3, "access_key_id": "k", "secret_access_key": "s"},
        client_options={"allow_http": True},
    )
    found = await as_others_see_it.get_async("originals/typed")
    assert found.attributes["Content-Type"] == "image/webp"


@pytest.mark.stack
async def test_a_wrong_secret_and_a_missing_bucket_are_unknown(tmp_path: Path) -> None:
    url = own_bucket("refused")
    secret = urlsplit(url).password or ""
    wrong = open_objects(url.replace(secret, "s3cret"), tmp_path)
    missing = open_objects(url.replace("@kessai", "@no-such-bucket"), tmp_path)
    for act in (
        wrong.get("a"),
        wrong.put("a", b"x", media_type="image/png"),
        wrong.ping(),
        missing.put("a", b"x", media_type="image/png"),
    ):
        with pytest.raises(Unknown) as unknown:
            await act
        assert "s3cret" not in str(unknown.value)
        assert secret not in str(unknown.value)


async def test_what_is_kept_in_a_folder_outlives_the_process(tmp_path: Path) -> None:
    await open_objects("file:", tmp_path / "o").put("originals/a", b"x", media_type="image/png")
    assert await open_objects(f"file:{tmp_path}/o", Path("/none")).get("originals/a") == b"x"


async def test_a_bucket_that_is_missing_or_far_is_unknown(s3: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        far = open_objects(f"s3://{KEYS}@{BUCKET}?endpoint={nobody}", tmp_path)
        for act in (far.get("a"), far.put("a", b"x", media_type="image/png"), far.ping()):
            with pytest.raises(Unknown) as unknown:
                await act
            assert unknown.value.code == "OBJECTS_UNAVAILABLE"
            assert "secret" not in str(unknown.value)
    missing = open_objects(f"s3://{KEYS}@no-such-bucket?endpoint={s3}", tmp_path)
    with pytest.raises(Unknown):
        await missing.put("a", b"x", media_type="image/png")


async def test_a_folder_that_cannot_be_written_is_unknown(tmp_path: Path) -> None:
    store = open_objects("file:", tmp_path / "o")
    (tmp_path / "o" / "originals").write_bytes(b"a file where a folder should be")
    with pytest.raises(Unknown):
        await store.put("originals/a", b"x", media_type="image/png")


@pytest.mark.parametrize(
    "url", ["", "memory:", "http://host/x", "s3://", "s3:bucket", "file://host/x", "gs://bucket"]
)
def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="KESSAI_OBJECTS_URL is not"):
        open_objects(url, tmp_path)


@pytest.mark.parametrize("bucket", ["key:secret@127.0.0.1:9000/bucket", "a", "-bucket", "a" * 64])
def test_what_is_no_bucket_is_refused(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^KESSAI_OBJECTS_URL: .* is no name of a bucket") as told:
        open_objects(f"s3://{bucket}", tmp_path)
    assert "secret" not in str(told.value)


def test_a_misspelt_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown option endpoints"):
        open_objects("s3://bucket?endpoints=http://127.0.0.1:9000", tmp_path)
