"""docs/reference/http.md: what may be called from outside, from the apps' own OpenAPI."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from tests.docs.markdown import code, page, table

from kessai.embedded import build_system, open_runtime
from kessai.kernel.settings import Settings
from kessai.topology import BFF, PAYPAY_SIMULATOR

Api = Mapping[str, Any]

LEAD = (
    "The door of the shop is the bff; the other services answer each other only, with the "
    "service token. Bodies are JSON, amounts whole yen, times `YYYY-MM-DDTHH:MM:SS.mmmZ`. "
    "A running system shows each body at `/docs` and `/openapi.json` of its port. "
    "Errors: [their codes](errors.md)."
)
METHODS = ("get", "post", "put", "patch", "delete")


def http_page() -> str:
    apis = asyncio.run(_apis())
    parts = [
        ["## The shop", "", f"Port {BFF.port}."],
        *_parts(apis[BFF.name], "###"),
        ["## The PayPay simulator", "", f"Port {PAYPAY_SIMULATOR.port}."],
        *_parts(apis[PAYPAY_SIMULATOR.name], "###"),
    ]
    return page("HTTP", LEAD, *parts)


async def _apis() -> dict[str, Api]:
    """Apps are built, and nothing is started."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.model_construct(
            **{
                **{name: field.default for name, field in Settings.model_fields.items()},
                "data_dir": folder,
                "search_url": "memory:",
            }
        )
        runtime = await open_runtime(settings)
        system = await build_system(runtime)
        try:
            wanted = (BFF.name, PAYPAY_SIMULATOR.name)
            return {unit.name: unit.app.openapi() for unit in system.units if unit.name in wanted}
        finally:
            for unit in reversed(system.units):
                await unit.stop()
            await runtime.bus.close()
            await runtime.http.close()


def _parts(api: Api, level: str) -> Iterator[list[str]]:
    groups: dict[str, list[tuple[str, ...]]] = {}
    for path, methods in api["paths"].items():
        for method in METHODS:
            if (operation := methods.get(method)) is not None:
                tag = str((operation.get("tags") or ["other"])[0])
                groups.setdefault(tag, []).append(_row(api, method, path, operation))
    head = ("call", "query and headers", "body", "answers")
    for tag, rows in groups.items():
        yield [f"{level} {tag}", "", *table(head, rows)]


def _row(api: Api, method: str, path: str, operation: Api) -> tuple[str, ...]:
    named = [
        code(one["name"]) + ("" if one.get("required") else "?")
        for one in operation.get("parameters", ())
        if one["in"] in ("query", "header")
    ]
    call = code(f"{method.upper()} {path}")
    said = str(operation.get("description") or "").split("\n\n")[0]
    return (
        f"{call} {said}".strip(),
        ", ".join(named),
        ", ".join(_body(api, operation)),
        ", ".join(sorted(code for code in operation.get("responses", ()) if code != "422")),
    )


def _body(api: Api, operation: Api) -> Iterator[str]:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content.get("schema", {})
        if "$ref" in schema:
            schema = api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        required = schema.get("required", ())
        for name in schema.get("properties", {}):
            yield code(name) + ("" if name in required else "?")
