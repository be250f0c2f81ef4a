"""`kessai config`: every setting with its value, where it came from and what it means."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from kessai.cli.errors import load_settings
from kessai.kernel.settings import Settings
from kessai.stack.main import CACHE_SETTING


def print_settings() -> None:
    settings = load_settings()
    in_file = _names_in_env_file()
    table = Table("setting", "value", "source", "meaning", title="Kessai settings")
    for field, described in type(settings).model_fields.items():
        name = f"KESSAI_{field.upper()}"
        value = getattr(settings, field)
        source = "environment" if name in os.environ else ".env" if name in in_file else "default"
        table.add_row(name, _shown(value), source, described.description or "")
    # What is in brackets is meant so.
    console = Console(width=max(140, Console().width), markup=False, emoji=False)
    console.print(table)
    for name in sorted(_unknown(os.environ) | _unknown(in_file)):
        meant = get_close_matches(name, _known(), n=1, cutoff=0.85)
        hint = f": {meant[0]}?" if meant else ""
        console.print(f"{name} is no setting{hint}", soft_wrap=True)


def _known() -> frozenset[str]:
    return frozenset(f"KESSAI_{field.upper()}" for field in Settings.model_fields)


def _unknown(names: Iterable[str]) -> frozenset[str]:
    """Of ours by their beginning: nobody reads them, so a misspelt one changes nothing."""
    known = _known() | {CACHE_SETTING}
    return frozenset(name for name in names if name.startswith("KESSAI_") and name not in known)


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "****"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    text = str(value)
    # A URL may carry a password: scheme://user:password@host
    if "@" in text and "://" in text:
        scheme, _, rest = text.partition("://")
        return f"{scheme}://****@{rest.rpartition('@')[2]}"
    return text


def _names_in_env_file() -> frozenset[str]:
    path = Path(".env")
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return frozenset(line.partition("=")[0].strip().upper() for line in lines)
