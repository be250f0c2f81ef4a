"""Text as it is compared: width, case, accents, the two kana scripts and the two forms of Chinese
letters make no difference."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from operator import add
from typing import Final, Literal, NamedTuple

from kessai.search.domain.hanzi import TO_JAPANESE

# ァ..ヶ lie 0x60 above ぁ..ゖ; ヽヾ likewise above ゝゞ. ー has no hiragana.
_TO_HIRAGANA: Final = {code: code - 0x60 for code in (*range(0x30A1, 0x30F7), 0x30FD, 0x30FE)}
_LETTER: Final[dict[int, int | str]] = {**_TO_HIRAGANA, **TO_JAPANESE}
_LONG: Final = "ー"
# What people type for the long vowel mark.
_DASHES: Final = frozenset("-‐‑‒–—―−〜~")
_MEANT_LONG: Final = re.compile(f"(?<=[\u3041-\u3096{_LONG}])[{re.escape(''.join(_DASHES))}]+")
_SHORT: Final = 24
# More than a shop ever uses.
_MAX_LETTERS: Final = 8_192
_LETTERS: Final = {"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "×": "x"}

Kind = Literal["cjk", "latin", "digit"]
# Kana, Chinese letters, and Hangul, inside of whose words there are no blanks to rely on either.
_CJK: Final = (
    "\u3005\u3007\u3041-\u3096\u309d\u309e\u30a1-\u30fa\u30fc-\u30fe\u3105-\u312f"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN: Final = re.compile(f"([{_CJK}]+)|([0-9]+)|([^\\W_0-9{_CJK}]+)")
_SIGNS: Final = re.compile(f"(?:[^\\w{_CJK}]|_)+")
_ONLY_KANA: Final = re.compile(f"[\u3041-\u3096{_LONG}]+")
_ONLY_CJK: Final = re.compile(f"[{_CJK}]+")
_KINDS: Final[dict[int, Kind]] = {1: "cjk", 2: "digit", 3: "latin"}


class Run(NamedTuple):
    """Letters of one kind side by side, folded; `glued` to the run before it."""

    kind: Kind
    text: str
    glued: bool


class _Folding(dict[int, str]):
    """Letters as they are folded, each when it is first met."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _MAX_LETTERS:
            self.clear()
        return self.setdefault(code, _fold_char(chr(code)))


def _fold_char(char: str) -> str:
    folded = unicodedata.normalize("NFKC", char).casefold()
    bare = [c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c)]
    # The marks of voiced kana are combining ones too, and those tell words apart.
    if not any("a" <= c <= "z" for c in bare):
        bare = list(unicodedata.normalize("NFKC", folded))
    return "".join(_LETTERS.get(c, c) for c in bare).translate(_LETTER)


_FOLDING: Final = _Folding()


def fold(text: str) -> str:
    """`ｷｭｳｽ`, `キュウス` and `きゅうす` become one, as do `ＴＥＡ` and `tea`, `café` and `cafe`."""
    return _fold(text) if len(text) > _SHORT else _fold_short(text)


def _fold(text: str) -> str:
    folded = fold_apart(unicodedata.normalize("NFKC", text))
    return folded if _DASHES.isdisjoint(folded) else _MEANT_LONG.sub(_long_marks, folded)


# Words come again and again, whole texts do not.
_fold_short = lru_cache(maxsize=32_768)(_fold)


def fold_apart(text: str) -> str:
    """Each letter by itself, whatever stands beside it."""
    return text.translate(_FOLDING)


def _long_marks(found: re.Match[str]) -> str:
    """A dash after a kana is meant as the long vowel mark: `スニ-カ-`."""
    return _LONG * len(found[0])


def is_kana_text(text: str) -> bool:
    """Folded text that is hiragana alone, long vowel marks included."""
    return _ONLY_KANA.fullmatch(text) is not None


def runs(folded: str) -> tuple[Run, ...]:
    """What stands between blanks and signs, and letters apart from digits: `a5`, `280ml`."""
    return _runs(folded) if len(folded) > _SHORT else _runs_short(folded)


def _runs(folded: str) -> tuple[Run, ...]:
    found: list[Run] = []
    end = -1
    for one in _RUN.finditer(folded):
        found.append(Run(_KINDS[one.lastindex or 1], one[0], one.start() == end))
        end = one.end()
    return tuple(found)


_runs_short = lru_cache(maxsize=8_192)(_runs)


def bigrams(text: str) -> list[str]:
    """Pairs of neighbours; a single letter stands alone."""
    return list(map(add, text, text[1:])) or [text]


def literal(folded: str) -> list[str]:
    """The tokens of a text as it is written, in order."""
    made: list[str] = []
    for cjk, *other in _RUN.findall(folded):
        if cjk:
            made += bigrams(cjk)
        else:
            made += filter(None, other)
    return made


def tokens(found: Iterable[Run]) -> list[str]:
    made: list[str] = []
    for run in found:
        if run.kind == "cjk":
            made += bigrams(run.text)
        else:
            made.append(run.text)
    return made


def joined(text: str) -> str:
    """Its letters and digits alone, folded: all its runs as one word."""
    return _SIGNS.sub("", fold(text))


def is_cjk(text: str) -> bool:
    """All its runs are, and there is one."""
    return _ONLY_CJK.fullmatch(joined(text)) is not None


@lru_cache(maxsize=4_096)
def runs_of(text: str) -> tuple[Run, ...]:
    """Of a text that is not folded yet and is looked at more than once, as a title is."""
    return runs(fold(text))
