"""Elasticsearch behind its URL: every silence is `Unknown`, and its password is in no message."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from elastic_transport import TransportError
from elasticsearch import ApiError, AsyncElasticsearch, UnsupportedProductError

from kessai.kernel.errors import Unknown

_PORT: Final = 9200
_PREFIX: Final = "kessai"
_SHAPE: Final = (
    "it is not http[s]://user:password@host:port[,host:port]/prefix[?ca=file&replicas=n]"
)
# What Elasticsearch takes as the beginning of an index's name, and what leaves room for the rest.
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_OPTIONS: Final = ("ca", "replicas")
_CONNECTIONS: Final = 32
# A connection that was lost while it lay idle is made anew, once; a timeout is not repeated.
_RETRIES: Final = 1
# A second node, where there is one, and none where there is not: never a yellow index.
_AS_NODES: Final = {"auto_expand_replicas": "0-1"}
_NO_ENTRY: Final = (401, 403)


@dataclass(frozen=True, slots=True)
class ElasticServer:
    """`prefix` begins the name of every index; `copies` are the settings of its replicas."""

    client: AsyncElasticsearch
    prefix: str
    copies: dict[str, Any]


def elastic_at(url: str) -> ElasticServer:
    """Without a look at it. Close its `client`.

    Raises `ValueError` with a line for people, never with the password.
    """
    # A line for each request, a traceback for each that fails: `Unknown` says it once.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    scheme, nodes, login = _place(url)
    parts = urlsplit(url)
    prefix = parts.path.strip("/") or _PREFIX
    if not _NAME.fullmatch(prefix):
        raise ValueError("the prefix is lower-case letters, digits, - and _, please: 60 at most")
    options = _options(parts.query)
    more: dict[str, Any] = {}
    if ca := options.get("ca"):
        if scheme != "https":
            raise ValueError("ca is for https")
        more["ca_certs"] = ca
    if login:
        more["basic_auth"] = login
    try:
        client = AsyncElasticsearch(
            nodes,
            connections_per_node=_CONNECTIONS,
            max_retries=_RETRIES,
            retry_on_timeout=False,
            retry_on_status=(),
            **more,
        )
    except (OSError, ValueError):
        raise ValueError("ca: no such file, or there is no certificate in it") from None
    return ElasticServer(client, prefix, _copies(options))


@asynccontextmanager
async def asking(code: str) -> AsyncIterator[None]:
    """What is no answer, and what is none that helps, is `Unknown(code)`."""
    try:
        yield
    except UnsupportedProductError as error:
        raise Unknown(code, "what answers is no Elasticsearch") from error
    except ApiError as error:
        if error.status_code in _NO_ENTRY:
            raise Unknown(code, "Elasticsearch refuses the login") from error
        why = f"{error.status_code} {error.error}"[:200]
        raise Unknown(code, f"Elasticsearch answers {why}") from error
    except TransportError as error:
        raise Unknown(code, f"Elasticsearch does not answer ({type(error).__name__})") from error


def _place(url: str) -> tuple[str, list[str], tuple[str, str] | None]:
    try:
        parts = urlsplit(url)
        login, at, hosts = parts.netloc.rpartition("@")
        places = [urlsplit(f"//{host}") for host in hosts.split(",")]
        ports = [place.port or _PORT for place in places]
    except ValueError:
        raise ValueError(_SHAPE) from None
    user, _, password = login.partition(":")
    wrong = any(not place.hostname or place.path or "@" in place.netloc for place in places)
    if parts.scheme not in ("http", "https") or wrong or (at and not (user and password)):
        raise ValueError(_SHAPE)
    names = [f"[{p.hostname}]" if ":" in (p.hostname or "") else p.hostname for p in places]
    nodes = [f"{parts.scheme}://{name}:{port}" for name, port in zip(names, ports, strict=True)]
    return parts.scheme, nodes, (unquote(user), unquote(password)) if at else None


def _options(query: str) -> dict[str, str]:
    found = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(found.keys() - _OPTIONS):
        raise ValueError(f"unknown option {', '.join(unknown)[:60]}")
    return found


def _copies(options: dict[str, str]) -> dict[str, Any]:
    if (text := options.get("replicas")) is None:
        return _AS_NODES
    if not re.fullmatch("[0-9]", text):
        raise ValueError("replicas is a number from 0 to 9, please")
    return {"number_of_replicas": int(text)}
