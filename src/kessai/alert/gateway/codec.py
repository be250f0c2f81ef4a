"""An order's facts as bytes: arrays of msgpack, of which a million lie on disk."""

from __future__ import annotations

import msgspec

from kessai.alert.domain.facts import Facts

_decode = msgspec.msgpack.Decoder(Facts).decode
_encode = msgspec.msgpack.Encoder().encode


class FactsCodec:
    """Fields are added at the end and with a default, so that older states can be read."""

    def decode(self, state: bytes) -> Facts:
        return _decode(state)

    def encode(self, facts: Facts) -> bytes:
        return _encode(facts)
