"""Payloads as JSON that people read in Temporal's pages, with keys in the order of the saga."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    BinaryNullPayloadConverter,
    CompositePayloadConverter,
    DataConverter,
    EncodingPayloadConverter,
)

_ENCODING = "json/plain"


class JsonPayloads(EncodingPayloadConverter):
    """Temporal's own one sorts the keys of a map, and a saga can see their order."""

    @property
    def encoding(self) -> str:
        return _ENCODING

    def to_payload(self, value: Any) -> Payload | None:
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return Payload(metadata={"encoding": _ENCODING.encode()}, data=data)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        del type_hint
        return json.loads(payload.data)


class SagaPayloads(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(BinaryNullPayloadConverter(), JsonPayloads())


DATA_CONVERTER = replace(DataConverter.default, payload_converter_class=SagaPayloads)
