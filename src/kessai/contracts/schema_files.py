"""JSON schemas of the events, written out so that a consumer in any language can check them.

`python -m kessai.contracts.schema_files` writes the folder `schemas` anew. Within a schema version
fields may only be added, and never as required ones; a test compares each file with the models.
"""

from __future__ import annotations

import json
from pathlib import Path

from kessai.contracts.events import (
    SCHEMA_VERSION,
    OrderStatusChanged,
    OrderViewChanged,
    PaymentAttemptChanged,
    PaymentExpired,
    PaymentFailed,
    PaymentSucceeded,
    ProductChanged,
    RefundCompleted,
    Signal,
)
from kessai.contracts.wire import Wire

FOLDER = Path(__file__).parent / "schemas"
EVENTS: tuple[type[Wire], ...] = (
    OrderStatusChanged,
    OrderViewChanged,
    PaymentSucceeded,
    PaymentFailed,
    PaymentExpired,
    PaymentAttemptChanged,
    RefundCompleted,
    ProductChanged,
    Signal,
)


def schema_texts() -> dict[str, str]:
    """File name -> JSON text of each event's schema as the models have it now."""
    return {
        f"{event.__name__}.v{SCHEMA_VERSION}.json": json.dumps(
            event.model_json_schema(by_alias=True), indent=2, sort_keys=True, ensure_ascii=False
        )
        + "\n"
        for event in EVENTS
    }


def write_schemas() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in schema_texts().items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write_schemas()
