"""The API as a page: written from OpenAPI on the server, without a script or a foreign address.

FastAPI's own page loads its program from a CDN, which a machine without internet cannot reach and
a page that may act for a customer should not load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

_STYLE = (
    ":root{color-scheme:light dark;--ink:#1b2421;--soft:#55625d;--line:#cfd8d3;--paper:#eef1ee;"
    "--card:#fff;--mark:#0b5c46}@media(prefers-color-scheme:dark){:root{--ink:#e6ebe8;"
    "--soft:#a3b0ab;--line:#33403b;--paper:#151b19;--card:#1d2522;--mark:#7fd3b5}}"
    "body{font:15px/1.6 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:60rem;margin:2.5rem auto;padding:0 1rem}a{color:var(--mark)}"
    "details{background:var(--card);border:1px solid var(--line);border-radius:6px;margin:.5rem 0;"
    "padding:.5rem .9rem}summary{cursor:pointer}summary b{display:inline-block;width:4.2rem;"
    "color:var(--mark)}code{font-size:.93em}h2{margin:2rem 0 .5rem}table{border-collapse:collapse;"
    "width:100%;margin:.4rem 0 1rem}td,th{border-top:1px solid var(--line);padding:.3rem .6rem;"
    "text-align:left;vertical-align:top}th{color:var(--soft);font-weight:500}"
)

Schema = Mapping[str, Any]


def docs_routes(app: FastAPI) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()))

    return router


def docs_page(api: Schema) -> str:
    title = escape(str(api["info"]["title"]))
    groups: dict[str, list[str]] = {}
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            tag = str((operation.get("tags") or ["other"])[0])
            groups.setdefault(tag, []).append(_operation(api, method, path, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(found)}" for tag, found in groups.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}: API</title><style>{_STYLE}</style></head><body><main>"
        f'<h1>{title}: API</h1><p><a href="/openapi.json">openapi.json</a> · errors are '
        "<code>application/problem+json</code> with a stable <code>code</code></p>"
        f"{body}</main></body></html>"
    )


def _operation(api: Schema, method: str, path: str, operation: Schema) -> str:
    parts = [_parameters(operation)]
    request = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if request:
        parts.append(f"<p>Body</p>{_fields(api, request['schema'])}")
    for status, answer in operation.get("responses", {}).items():
        content = answer.get("content", {}).get("application/json", {}).get("schema")
        if content and status.startswith("2"):
            parts.append(f"<p>{escape(status)}</p>{_fields(api, content)}")
    about = operation.get("description") or operation.get("summary", "")
    return (
        f"<details><summary><b>{escape(method.upper())}</b><code>{escape(path)}</code></summary>"
        f"<p>{escape(about)}</p>{''.join(parts)}</details>"
    )


def _parameters(operation: Schema) -> str:
    rows = [
        (
            f"{parameter['name']}{' *' if parameter.get('required') else ''}",
            f"{parameter['in']}, {_type(parameter['schema'])}",
        )
        for parameter in operation.get("parameters", [])
    ]
    return f"<p>Parameters</p>{_table(rows)}" if rows else ""


def _fields(api: Schema, schema: Schema) -> str:
    """The fields of an object; of anything else its type."""
    found = _resolved(api, schema)
    needed = found.get("required", [])
    rows = [
        (f"{name}{' *' if name in needed else ''}", _type(field))
        for name, field in found.get("properties", {}).items()
    ]
    return _table(rows) if rows else f"<p><code>{escape(_type(found))}</code></p>"


def _resolved(api: Schema, schema: Schema) -> Schema:
    for option in _options(schema):
        if reference := option.get("$ref"):
            found: Schema = api["components"]["schemas"][reference.rpartition("/")[2]]
            return found
    return schema


def _options(schema: Schema) -> Iterator[Schema]:
    yield schema
    yield from schema.get("anyOf", ())
    if schema.get("type") == "array":
        yield from _options(schema.get("items", {}))


def _type(schema: Schema) -> str:
    if reference := schema.get("$ref"):
        return str(reference).rpartition("/")[2]
    if options := schema.get("anyOf"):
        return " | ".join(_type(option) for option in options)
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    if choices := schema.get("enum"):
        return " | ".join(map(str, choices))
    return str(schema.get("type", "any"))


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td></tr>"
        for name, kind in rows
    )
    return f"<table><tr><th>name (* required)</th><th>type</th></tr>{cells}</table>"
