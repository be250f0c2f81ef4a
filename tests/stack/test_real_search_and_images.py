"""Elasticsearch with our plugin, and MinIO, as `kessai stack up` gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support.servers import private_servers, private_url
from tests.support.stack import Shell

from kessai.kernel.objects import open_objects

pytestmark = [pytest.mark.stack, pytest.mark.network, pytest.mark.timeout(1500)]

ANALYSIS = {
    "tokenizer": {
        "ja": {
            "type": "kuromoji_tokenizer",
            "mode": "search",
            "user_dictionary_rules": ["決済くん,決済くん,ケッサイクン,カスタム名詞"],
        }
    },
    "filter": {"same": {"type": "synonym_graph", "synonyms": ["スマホ, スマートフォン"]}},
    "normalizer": {"key": {"type": "custom", "filter": ["lowercase", "cjk_width", "icu_folding"]}},
    "analyzer": {
        "text": {
            "type": "custom",
            "char_filter": ["icu_normalizer", "html_strip"],
            "tokenizer": "ja",
            "filter": ["kuromoji_baseform", "kuromoji_part_of_speech", "lowercase"],
        },
        "asked": {"type": "custom", "tokenizer": "ja", "filter": ["kuromoji_baseform", "same"]},
    },
}
MAPPINGS = {
    "properties": {
        "title": {"type": "text", "analyzer": "text", "search_analyzer": "asked"},
        "code": {"type": "keyword", "normalizer": "key"},
    }
}


@pytest.fixture(scope="module")
def shell() -> Shell:
    """Those that all tests share: each start of Elasticsearch is a minute where others work too."""
    for setting in ("KESSAI_OBJECTS_URL", "KESSAI_SEARCH_URL"):
        private_url(setting)
    return private_servers()


async def ask(shell: Shell, method: str, path: str, body: object = None) -> dict[str, Any]:
    url = shell.settings()["KESSAI_SEARCH_URL"] + path
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, json=body) as answer,
    ):
        found: dict[str, Any] = await answer.json()
        return found


async def test_japanese_is_found_by_its_words(shell: Shell) -> None:
    index = {"settings": {"number_of_replicas": 0, "analysis": ANALYSIS}, "mappings": MAPPINGS}
    assert (await ask(shell, "PUT", "/t1_products", index))["acknowledged"]
    product = {"title": "最新の<b>スマートフォン</b>を決済くんで", "code": "ＡＢＣ"}
    await ask(shell, "PUT", "/t1_products/_doc/1?refresh=true", product)
    for query in ({"match": {"title": "スマホ"}}, {"match": {"title": "決済くん"}}):
        found = await ask(shell, "POST", "/t1_products/_search", {"query": query})
        assert found["hits"]["total"]["value"] == 1, query
    found = await ask(shell, "POST", "/t1_products/_search", {"query": {"term": {"code": "abc"}}})
    assert found["hits"]["total"]["value"] == 1
    assert (await ask(shell, "GET", "/"))["version"]["number"] == "8.19.7"


@pytest.mark.parametrize(
    ("kind", "options", "unread"),
    [
        ("tokenizer", {"type": "kuromoji_tokenizer", "nbest_cost": 3}, "nbest_cost"),
        ("filter", {"type": "lowercase", "language": "greek"}, "language"),
        ("filter", {"type": "synonym", "synonyms": ["a, b"], "lenient": True}, "lenient"),
        ("char_filter", {"type": "html_strip", "escaped_tags": ["b"]}, "escaped_tags"),
    ],
)
async def test_an_option_that_nobody_reads_is_refused(
    shell: Shell, kind: str, options: dict[str, Any], unread: str
) -> None:
    index = {"settings": {"analysis": {kind: {"one": options}}}}
    answer = await ask(shell, "PUT", "/t1_refused", index)
    assert f"{options['type']} does not know [{unread}] here" in str(answer["error"])


async def test_images_go_into_the_bucket_and_come_back(shell: Shell, tmp_path: Path) -> None:
    url = shell.settings()["KESSAI_OBJECTS_URL"]
    objects = open_objects(url, tmp_path)
    await objects.put("t1/one.png", b"picture", media_type="image/png")
    assert await objects.get("t1/one.png") == b"picture"
    assert await objects.get("t1/none.png") is None


def test_both_are_ready_and_small(shell: Shell) -> None:
    found = shell.status()
    both = found["elasticsearch"], found["minio"]
    assert {one["state"] for one in both} == {"ready"}
    assert sum(one["rssBytes"] for one in both) < 1_500_000_000
