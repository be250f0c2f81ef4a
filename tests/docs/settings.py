"""docs/reference/settings.md: every setting, from `kessai.kernel.settings`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Literal, get_args, get_origin

import annotated_types
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from tests.docs.markdown import code, page, table

from kessai.kernel.settings import LOCAL_SECRETS, Settings
from kessai.stack.domain.env import CACHE_SETTING

LEAD = (
    "Environment variables, or lines of a `.env` file in the working folder; "
    "the environment wins. `kessai config` prints them with the value in use and where it came "
    "from, and names that are no settings; a misspelt one is told at each start, too "
    "(`settings.misspelt` in the log). "
    "The last letters of a name are its unit: `_S` seconds, `_BYTES` bytes."
)

# Read by a command itself, before or without the settings.
OTHERS = {
    CACHE_SETTING: "folder that `kessai stack` keeps fetched and built servers in",
}


def name_of(field: str) -> str:
    return f"KESSAI_{field.upper()}"


def names() -> frozenset[str]:
    """Every name that a document may name."""
    return frozenset(map(name_of, Settings.model_fields)) | frozenset(OTHERS)


def settings_page() -> str:
    parts = [
        [f"## {title}", "", *table(("setting", "value", "default", "meaning"), map(_row, fields))]
        for title, fields in groups()
    ]
    others = table(("variable", "meaning"), ((code(n), text) for n, text in OTHERS.items()))
    production = ", ".join(code(name_of(field)) for field in LOCAL_SECRETS)
    return page(
        "Settings",
        LEAD,
        *parts,
        ["## Beside the settings", "", *others],
        [
            "## In production",
            "",
            f"`KESSAI_ENV=production` refuses the local defaults of {production}, and values of "
            "them shorter than 12 characters.",
        ],
    )


def groups() -> Iterator[tuple[str, list[str]]]:
    """The fields below each comment of the class that ends with a full stop, in their order."""
    source = inspect.getsource(Settings)
    lines = source.splitlines()
    title, fields = "", list[str]()
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    for node in body.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        above = lines[node.lineno - 2].strip()
        if above.startswith("# "):
            if fields:
                yield title, fields
            title, fields = above.removeprefix("# ").rstrip("."), []
        fields.append(node.target.id)
    yield title, fields


def _row(field: str) -> tuple[str, str, str, str]:
    info = Settings.model_fields[field]
    return code(name_of(field)), _value(info), _default(info), info.description or ""


def _value(info: FieldInfo) -> str:
    if get_origin(info.annotation) is Literal:
        return " or ".join(code(str(choice)) for choice in get_args(info.annotation))
    kinds: dict[object, str] = {
        int: "whole number",
        float: "number",
        bool: "`true` or `false`",
        str: "text",
        SecretStr: "secret",
    }
    kind = kinds.get(info.annotation, "list, with commas")
    limits = [words for limit in info.metadata if (words := _limit(limit))]
    return ", ".join([kind, *limits])


def _limit(limit: object) -> str:
    match limit:
        case annotated_types.Gt(gt):
            return f"> {gt}"
        case annotated_types.Ge(ge):
            return f">= {ge}"
        case annotated_types.Le(le):
            return f"<= {le}"
        case annotated_types.Lt(lt):
            return f"< {lt}"
        case annotated_types.MaxLen(length):
            return f"at most {length} characters"
    return ""


def _default(info: FieldInfo) -> str:
    default = info.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, tuple):
        default = ",".join(default)
    return code(str(default))
