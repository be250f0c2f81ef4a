"""The lines of many processes in one log: who said it in front, JSON as words for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text

_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green",
            "bright_magenta", "bright_blue", "bright_yellow")  # fmt: skip
_LEVELS = {"warning": "yellow", "error": "bold red", "critical": "bold red"}
# Said in front already, or of no use to people.
_HIDDEN = frozenset({"at", "level", "event", "service", "logger", "exception"})
_CLOCK = slice(11, 23)  # of 2026-01-01T12:34:56.789Z


OURSELVES = "kessai"


class MergedLog:
    """Colours where the stream is a terminal. One colour for all instances of a service.

    It is a stream as well: what is written to it are lines of the supervisor.
    """

    def __init__(self, names: Iterable[str], stream: TextIO) -> None:
        known = [OURSELVES, *names]
        self._width = max(map(len, known))
        services = list(dict.fromkeys(name.partition(" ")[0] for name in known))
        self._colours = {
            name: _COLOURS[services.index(name.partition(" ")[0]) % len(_COLOURS)] for name in known
        }
        self._console = Console(file=stream, highlight=False, soft_wrap=True, markup=False)

    def __call__(self, name: str, line: str) -> None:
        front = Text(f"{name:<{self._width}} | ", style=self._colours[name])
        for part in _shown(line):
            self._console.print(Text.assemble(front, part), soft_wrap=True)

    def write(self, text: str) -> None:
        for line in text.splitlines():
            self(OURSELVES, line)

    def flush(self) -> None:
        """Every line is written at once."""


def _shown(line: str) -> Iterable[Text]:
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict) or "event" not in said:
        yield Text(line)
        return
    level = str(said.get("level", ""))
    facts = " ".join(f"{key}={_fact(said[key])}" for key in said if key not in _HIDDEN)
    at = str(said.get("at", ""))[_CLOCK]
    yield Text.assemble(
        f"{at} ",
        (f"{level:<7} ", _LEVELS.get(level, "")),
        (str(said["event"]), "bold"),
        f" {facts}",
    )
    for below in str(said.get("exception", "")).splitlines():
        yield Text(f"  {below}")


def _fact(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
