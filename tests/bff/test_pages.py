"""The built pages at the door: which address shows what, and with which headers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.shop import SHOP, Shop, open_shop, story

from kessai.bff.domain import is_same, pick_encoding
from kessai.bff.gateway import read_pages
from kessai.bff.web.pages import page_policy
from kessai.kernel.http import Answer
from kessai.proof.virtual_time import VirtualLoop

DESCRIPTION = Path(__file__).parents[2] / "frontend" / "src" / "api" / "openapi.json"
PROBLEM = "application/problem+json"

BODIES = {"identity": b"plain", "gzip": b"zipped", "br": b"brotli"}


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("", "identity"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("*", "br"),
        ("br;q=0, *;q=0.1", "gzip"),
        ("identity, *;q=0", "identity"),
        ("BR ; q=1.0", "br"),
        ("br;q=nonsense", "identity"),
    ],
)
def test_the_smallest_coding_that_is_taken_is_sent(accepted: str, coding: str) -> None:
    assert pick_encoding(accepted, BODIES) == coding


def test_a_coding_that_was_not_built_is_not_sent() -> None:
    assert pick_encoding("br, gzip", {"identity": b"x", "gzip": b"z"}) == "gzip"
    assert pick_encoding("br", {"identity": b"x"}) == "identity"


def test_a_known_copy_is_recognised_in_every_spelling() -> None:
    for text in ('"abc-br"', 'W/"abc-br"', '"x", W/"abc-br"', "*"):
        assert is_same(text, '"abc-br"')
    for text in ("", '"abc-gzip"', "abc-br"):
        assert not is_same(text, '"abc-br"')


def test_the_policy_names_where_people_sign_in_and_no_inline_script() -> None:
    local = page_policy("http://127.0.0.1:8091", "http://127.0.0.1:8080")
    assert "script-src 'self';" in local
    assert "connect-src 'self' ws://127.0.0.1:8080 http://127.0.0.1:8091;" in local
    real = page_policy("https://identitytoolkit.googleapis.com", "https://shop.example")
    assert (
        "connect-src 'self' wss://shop.example https://identitytoolkit.googleapis.com "
        "https://securetoken.googleapis.com;"
    ) in real
    assert "http://" not in real


def built(folder: Path) -> Path:
    """A build as small as one can be."""
    (folder / "assets").mkdir()
    (folder / "index.html").write_text("<title>shop</title>")
    (folder / "index.html.br").write_bytes(b"shop in brotli")
    (folder / "console.html").write_text("<title>console</title>")
    (folder / "assets" / "shop-1a2b3c4d.js").write_text("shop()")
    (folder / "assets" / "shop-1a2b3c4d.js.gz").write_bytes(b"zipped shop")
    (folder / "assets" / "notes.md").write_text("not for the world")
    return folder


def test_a_build_is_read_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "secret.js").write_text("no")
    folder = tmp_path / "dist"
    folder.mkdir()
    pages = read_pages(built(folder))
    assert pages is not None
    assert list(pages.assets) == ["shop-1a2b3c4d.js"]
    script = pages.assets["shop-1a2b3c4d.js"]
    assert script.media_type == "text/javascript; charset=utf-8"
    assert script.bodies == {"identity": b"shop()", "gzip": b"zipped shop"}
    assert pages.shop.bodies["br"] == b"shop in brotli"
    assert pages.shop.tag != pages.console.tag


def test_no_build_is_no_error(tmp_path: Path) -> None:
    assert read_pages(tmp_path) is None
    assert read_pages(tmp_path / "nowhere") is None


def with_pages(tale: Callable[[Shop], Awaitable[None]], folder: Path) -> None:
    async def live() -> None:
        shop = await open_shop(1, frontend_dir=str(built(folder)))
        try:
            await tale(shop)
        finally:
            await shop.system.stop()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(live())


async def get(shop: Shop, path: str, **headers: str) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await shop.http.send("GET", f"{SHOP}{path}", headers=sent, timeout_s=5)


def test_pages_and_assets_have_their_headers(tmp_path: Path) -> None:
    async def tale(shop: Shop) -> None:
        home = await get(shop, "/", accept_encoding="gzip, br")
        assert (home.status, home.body) == (200, b"shop in brotli")
        assert home.headers["content-encoding"] == "br"
        assert home.headers["cache-control"] == "no-cache"
        assert home.headers["vary"] == "Accept-Encoding"
        assert "script-src 'self';" in home.headers["content-security-policy"]
        assert "/api/products/search?" in home.headers["link"]
        for path in ("/products/1001", "/checkout/x/pay", "/orders", "/account"):
            page = await get(shop, path)
            assert (page.status, page.body) == (200, b"<title>shop</title>")
            assert "link" not in page.headers
        for path in ("/console", "/console/sagas/7"):
            assert (await get(shop, path)).body == b"<title>console</title>"
        script = await get(shop, "/assets/shop-1a2b3c4d.js")
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert script.headers["content-type"] == "text/javascript; charset=utf-8"
        same = await get(shop, "/assets/shop-1a2b3c4d.js", if_none_match=script.headers["etag"])
        assert (same.status, same.body) == (304, b"")
        assert same.headers["cache-control"] == "public, max-age=31536000, immutable"

    with_pages(tale, tmp_path)


def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(tmp_path: Path) -> None:
    async def tale(shop: Shop) -> None:
        person = await get(shop, "/no/such/page", accept="text/html,*/*;q=0.8")
        assert (person.status, person.body) == (404, b"<title>shop</title>")
        program = await get(shop, "/no/such/page", accept="*/*")
        assert (program.status, program.headers["content-type"]) == (404, PROBLEM)
        for path in ("/api/nothing", "/assets/nothing.js", "/assets/%2e%2e/index.html", "/ws/no"):
            answer = await get(shop, path, accept="text/html")
            assert (path, answer.status, answer.headers["content-type"]) == (path, 404, PROBLEM)
        # A wrong method stays a wrong method.
        assert (await get(shop, "/api/auth/logout", accept="text/html")).status == 405

    with_pages(tale, tmp_path)


@story(1)
async def test_the_types_of_the_pages_follow_the_services(shop: Shop) -> None:
    """`npm run api` in frontend/ writes this file from a running shop."""
    described = (await shop.send("GET", f"{SHOP}/openapi.json")).ok()
    assert described == json.loads(DESCRIPTION.read_text("utf-8"))
