"""Text as it is compared in a search: width, case and the two kana scripts make no difference."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# ァ..ヶ lie 0x60 above ぁ..ゖ; ヽヾ likewise above ゝゞ. ー and ・ have no hiragana.
_TO_HIRAGANA = {code: code - 0x60 for code in (*range(0x30A1, 0x30F7), 0x30FD, 0x30FE)}
_ESCAPE = "!"
MAX_TERMS = 8


def fold(text: str) -> str:
    """`ｷｭｳｽ`, `キュウス` and `きゅうす` become one, as do `ＴＥＡ` and `tea`."""
    normal = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", normal).translate(_TO_HIRAGANA)


def fold_all(parts: Iterable[str | None]) -> str:
    return fold("\n".join(part for part in parts if part))


def terms(query: str) -> tuple[str, ...]:
    """The words of a query, all of which must be found; what is beyond the limit is left out."""
    return tuple(dict.fromkeys(fold(query).split()))[:MAX_TERMS]


def containing(term: str) -> str:
    """The LIKE pattern (escape character `!`) of texts that contain the term as it stands."""
    for special in (_ESCAPE, "%", "_"):
        term = term.replace(special, _ESCAPE + special)
    return f"%{term}%"
