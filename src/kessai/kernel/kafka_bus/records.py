"""What a client fetched, as the bus's own record."""

from __future__ import annotations

from confluent_kafka import Message as KafkaMessage

from kessai.kernel.bus import Record


def record_of(message: KafkaMessage) -> Record:
    key, value = message.key(), message.value()
    return Record(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=_text(key),
        value=value.encode() if isinstance(value, str) else value or b"",
        headers=_headers(message),
        at_ms=message.timestamp()[1],
    )


def _headers(message: KafkaMessage) -> dict[str, str]:
    """Of a name that comes twice the last one counts."""
    given = message.headers() or []
    pairs = given.items() if isinstance(given, dict) else given
    return {str(name): _text(content) for name, content in pairs}


def _text(content: bytes | str | None) -> str:
    """Others may write to a topic, too: what is no UTF-8 must not stop its partition here."""
    return content.decode(errors="replace") if isinstance(content, bytes) else content or ""
