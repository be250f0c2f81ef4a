"""Page cursors that callers cannot make or bend: a bad one is refused, never guessed at."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from kessai.kernel.errors import Invalid

_CONTENT = re.compile(r"v1:(\d{1,10}|-):(\d{1,19})")
_CHECK_BYTES = 6


def write_cursor(category_id: int | None, after: int) -> str:
    """The page after this product, in the list of this category only."""
    content = f"v1:{'-' if category_id is None else category_id}:{after}".encode()
    sealed = hashlib.sha256(b"kessai products " + content).digest()[:_CHECK_BYTES] + content
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read_cursor(cursor: str, category_id: int | None) -> int:
    """The product id after which to go on. Raises `Invalid` for what `write_cursor` never wrote."""
    try:
        sealed = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        found = _CONTENT.fullmatch(sealed[_CHECK_BYTES:].decode("ascii"))
    except (ValueError, binascii.Error) as error:
        raise Invalid("cursor", "INVALID") from error
    # Written anew it must be the same text, which also refuses every second spelling of base64.
    if found is None or write_cursor(category_id, int(found[2])) != cursor:
        raise Invalid("cursor", "INVALID")
    return int(found[2])
