"""A whole example of every command, answer and event, and what other versions would make of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, JsonValue

from kessai.contracts.account import AccountService
from kessai.contracts.alert import AlertService
from kessai.contracts.order import OrderService
from kessai.contracts.payment import PaymentService
from kessai.contracts.schema_files import EVENTS
from kessai.contracts.search import IMAGE_KEY, SearchService
from kessai.contracts.storage import StorageService
from kessai.kernel.calls import operations

VERSION_1 = Path(__file__).parents[1] / "contracts" / "version_1.json"
PORTS: dict[str, type] = {
    "account-service": AccountService,
    "order-service": OrderService,
    "payment-service": PaymentService,
    "storage-service": StorageService,
    "es-service": SearchService,
    "alert-service": AlertService,
}
_LATER = {"addedByALaterVersion": {"list": [1, "two", None]}}
# How a map of any keys, or of any value, is shown.
_FREE = {"key", "any"}
_TEXTS = {
    r"^[0-9a-z]{26}$": "0" * 26,
    r"^\d{4}-\d{2}-\d{2}$": "2026-11-22",
    r"^[0-9a-f]{64}$": "0" * 64,
    f"^{IMAGE_KEY}$": "0" * 64,
}


def models() -> Iterator[tuple[str, type[BaseModel]]]:
    """`order-service.get_order.command`, `events.Signal`: everything that crosses a border."""
    for service, port in PORTS.items():
        for operation in operations(port):
            yield f"{service}.{operation.name}.command", operation.command
            yield f"{service}.{operation.name}.answer", operation.answer
    for event in EVENTS:
        yield f"events.{event.__name__}", event


def sample(model: type[BaseModel]) -> dict[str, JsonValue]:
    """Every field filled, as it stands on the wire. Raises where the schema says too little."""
    schema = model.model_json_schema(by_alias=True)
    made = _value(schema, schema.get("$defs", {}))
    assert isinstance(made, dict)
    return made


def _value(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _value(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            kinds = [one for one in schema[union] if one.get("type") != "null"]
            return _value(kinds[0], definitions)
    match schema.get("type"):
        case "object":
            return _object(schema, definitions)
        case "array":
            return _array(schema, definitions)
        case "string":
            return _text(schema)
        case "integer":
            return max(1, schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
        case "number":
            return 0.5
        case "boolean":
            return True
    return {"any": "value"}


def _object(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "properties" in schema or schema.get("title") == "Nothing":
        schema = {"properties": {}, **schema}
        return {name: _value(part, definitions) for name, part in schema["properties"].items()}
    more = schema.get("additionalProperties", True)
    return {"key": _value(more, definitions) if isinstance(more, dict) else "value"}


def _array(schema: dict[str, Any], definitions: dict[str, Any]) -> list[Any]:
    if "prefixItems" in schema:
        return [_value(part, definitions) for part in schema["prefixItems"]]
    return [_value(schema.get("items", {}), definitions)] * max(1, schema.get("minItems", 1))


def _text(schema: dict[str, Any]) -> str:
    if schema.get("format") in ("base64", "binary", "base64url"):
        return "AAEC"
    if "pattern" in schema:
        return _TEXTS[schema["pattern"]]
    return ("text" * 100)[: max(schema.get("minLength", 0), min(4, schema.get("maxLength", 4)))]


def of_a_later_version(content: Any, known: Any) -> Any:
    """With fields that nobody here knows, in every object of ours; free maps stay as they are."""
    if isinstance(content, list) and isinstance(known, list) and known:
        return [of_a_later_version(part, known[0]) for part in content]
    if not _is_object(content, known):
        return content
    later = {name: of_a_later_version(part, known.get(name)) for name, part in content.items()}
    return {**later, **_LATER}


def of_version_1(content: Any, known: Any) -> Any:
    """Only the fields that version 1 had; `known` is its example of the same thing."""
    if isinstance(content, list) and isinstance(known, list) and known:
        return [of_version_1(part, known[0]) for part in content]
    if not _is_object(content, known):
        return content
    return {
        name: of_version_1(part, known[name]) for name, part in content.items() if name in known
    }


def _is_object(content: Any, known: Any) -> bool:
    return isinstance(content, dict) and isinstance(known, dict) and not known.keys() & _FREE


@cache
def version_1() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(VERSION_1.read_text("utf-8"))
    return found


def write_what_is_new() -> None:
    """Examples of what has none yet. What stands there was written by version 1, and stays."""
    known = version_1() if VERSION_1.exists() else {}
    made = {name: known.get(name) or sample(model) for name, model in models()}
    text = json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False)
    VERSION_1.write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    write_what_is_new()
