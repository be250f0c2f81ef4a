"""The URL of Elasticsearch: what it may say, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from kessai.kernel.elastic import elastic_at

SECRET = "s3cret/@"
QUOTED = "s3cret%2F%40"


@pytest.mark.parametrize(
    ("url", "nodes", "prefix"),
    [
        ("http://127.0.0.1:9200", ["http://127.0.0.1:9200"], "kessai"),
        ("http://search", ["http://search:9200"], "kessai"),
        ("http://search:9200/", ["http://search:9200"], "kessai"),
        ("https://elastic:pw@search:443/shop-2", ["https://search:443"], "shop-2"),
        ("http://[::1]:9201/t_1", ["http://[::1]:9201"], "t_1"),
        ("http://u:p@a:1,b:2,c/x", ["http://a:1", "http://b:2", "http://c:9200"], "x"),
    ],
)
async def test_where_it_is_and_what_its_indexes_are_called(
    url: str, nodes: list[str], prefix: str
) -> None:
    server = elastic_at(url)
    found = [node.config for node in server.client.transport.node_pool.all()]
    assert sorted(f"{one.scheme}://{_host(one.host)}:{one.port}" for one in found) == sorted(nodes)
    assert server.prefix == prefix
    await server.client.close()


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


@pytest.mark.parametrize(
    ("url", "copies"),
    [
        ("http://h", {"auto_expand_replicas": "0-1"}),
        ("http://h?replicas=0", {"number_of_replicas": 0}),
        ("http://h/shop?replicas=2", {"number_of_replicas": 2}),
    ],
)
async def test_copies_follow_the_nodes_unless_they_are_given(
    url: str, copies: dict[str, object]
) -> None:
    server = elastic_at(url)
    assert server.copies == copies
    await server.client.close()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://", "it is not http"),
        ("http:///kessai", "it is not http"),
        ("ftp://h:1", "it is not http"),
        ("tantivy:", "it is not http"),
        ("http://h:port", "it is not http"),
        ("http://h:99999", "it is not http"),
        ("http://a:1,,b:2", "it is not http"),
        ("http://[::1", "it is not http"),
        (f"http://u:{QUOTED}@", "it is not http"),
        (f"http://:{QUOTED}@h", "it is not http"),
        ("http://user@h", "it is not http"),
        (f"http://u:{SECRET}@h:9200", "it is not http|the prefix is"),
        ("http://h/Shop", "the prefix is lower-case"),
        ("http://h/a/b", "the prefix is lower-case"),
        ("http://h/_all", "the prefix is lower-case"),
        ("http://h/*", "the prefix is lower-case"),
        (f"http://h/{'x' * 61}", "the prefix is lower-case"),
        ("http://h?timeout=1", "unknown option timeout"),
        (f"http://u:{QUOTED}@h?password={QUOTED}", "unknown option password"),
        ("http://h?replicas=many", "replicas is a number"),
        ("http://h?replicas=-1", "replicas is a number"),
        ("http://h?ca=/tmp/ca.pem", "ca is for https"),
        ("https://h?ca=/no/such/file.pem", "ca: no such file"),
    ],
)
def test_a_wrong_url_is_told_in_one_line_without_its_password(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as found:
        elastic_at(url)
    assert "s3cret" not in str(found.value)
    assert "\n" not in str(found.value)


async def test_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ValueError, match="there is no certificate in it"):
        elastic_at(f"https://h?ca={tmp_path}/ca.pem")
