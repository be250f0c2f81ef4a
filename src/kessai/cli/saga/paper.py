"""Where the commands write: tables and trees for people, JSON for programs, one line for errors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from kessai.cli.errors import USAGE, fail

UNAVAILABLE = 3
MIN_WIDTH = 120
MAX_VALUE = 160


def stop(message: str, code: int = USAGE) -> NoReturn:
    """Brackets of a definition are no markup of ours."""
    fail(escape(printable(message, keep="\n")), code)


def warn(message: str) -> None:
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    console.print(printable(message))


def say(line: str) -> None:
    """One line that is never wrapped, so that other programs can read it."""
    Console(highlight=False, markup=False, soft_wrap=True).print(printable(line))


def paper() -> Console:
    """Wide enough for a table where the output is not a terminal."""
    return Console(width=max(MIN_WIDTH, Console().width), highlight=False, markup=False)


def print_json(content: BaseModel | Mapping[str, object]) -> None:
    if isinstance(content, BaseModel):
        content = content.model_dump(mode="json", by_alias=True)
    text = json.dumps(content, ensure_ascii=False, indent=2)
    Console(highlight=False, markup=False, soft_wrap=True).print(text)


def cell(text: object, style: str = "") -> Text:
    return Text("" if text is None else printable(str(text)), style=style)


def short(value: object) -> str:
    """A value as JSON, cut where it gets long; `--json` shows all of it."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}… ({len(text)} characters)"


def printable(text: str, keep: str = "") -> str:
    """Without control characters: what a service answered may not move the cursor."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else "\ufffd" for one in text)


def listed(names: Sequence[str]) -> str:
    return ", ".join(names)
