"""docs/reference/errors.md: every code of a refusal, found where the code raises it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from tests.docs.blocks import ROOT
from tests.docs.markdown import code, page, table

from kessai.kernel.errors import (
    DatabaseUnavailable,
    IllegalMove,
    Invalid,
    Kind,
    NotFound,
    Refused,
    Unknown,
    VersionConflict,
)
from kessai.kernel.problem import HTTP_STATUS

LEAD = (
    "Every error on the wire is a problem document (RFC 9457, `application/problem+json`) with a "
    "stable `code`, the `correlationId` of the request and what else the caller may know. "
    "Go by `code`, never by `title` or `detail`."
)
OF_ALL: tuple[Refused | Unknown, ...] = (
    NotFound("no such thing, or it belongs to somebody else"),
    Invalid("field", "CODE", "`errors` names each field and its code"),
    IllegalMove("the status does not allow it"),
    VersionConflict("it moved on since it was read"),
    DatabaseUnavailable("the database is locked, full or gone; ask again"),
)
NAMES = {
    "bff": "bff",
    "account": "account-service",
    "alert": "alert-service",
    "order": "order-service",
    "payment": "payment-service",
    "search": "es-service",
    "storage": "storage-service",
    "saga": "saga engine",
    "kernel": "every service",
}


class Raised(NamedTuple):
    code: str
    status: int
    by: str
    message: str


def errors_page() -> str:
    shared = [(code(one.code), str(_status(one)), str(one.message)) for one in OF_ALL]
    rows: dict[tuple[str, int], list[Raised]] = {}
    for one in raised():
        rows.setdefault((one.code, one.status), []).append(one)
    own = [
        (code(name), str(status), ", ".join(sorted({one.by for one in several})), _said(several))
        for (name, status), several in sorted(rows.items())
        if (code(name), str(status)) not in {one[:2] for one in shared}
    ]
    return page(
        "Errors",
        LEAD,
        ["## Of every service", "", *table(("code", "HTTP", "means"), shared)],
        [
            "## Of one",
            "",
            "503 here means that the outcome is not known or the part is away: ask again, with "
            "the same `Idempotency-Key` where one was sent.",
            "",
            *table(("code", "HTTP", "from", "said with it"), own),
        ],
    )


def raised() -> Iterator[Raised]:
    """Each `Refused("CODE", ...)` and `Unknown("CODE", ...)` of the services."""
    for package, by in NAMES.items():
        for path in sorted((ROOT / "src/kessai" / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and (found := _raised(node, by)):
                    yield found


def _raised(call: ast.Call, by: str) -> Raised | None:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name not in ("Refused", "Unknown") or not call.args:
        return None
    first = call.args[0]
    if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
        return None
    kind = next((word.value for word in call.keywords if word.arg == "kind"), None)
    chosen = Kind[kind.attr] if isinstance(kind, ast.Attribute) else Kind.CONFLICT
    status = 503 if name == "Unknown" else HTTP_STATUS[chosen]
    said = call.args[1] if len(call.args) > 1 else None
    text = said.value if isinstance(said, ast.Constant) else ""
    return Raised(first.value, status, by, text if isinstance(text, str) else "")


def _said(several: list[Raised]) -> str:
    return "; ".join(dict.fromkeys(one.message for one in several if one.message))


def _status(one: Refused | Unknown) -> int:
    return HTTP_STATUS[one.kind] if isinstance(one, Refused) else 503
