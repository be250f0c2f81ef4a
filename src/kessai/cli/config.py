"""`kessai config`: every setting with its value, where it came from and what it means."""

from __future__ import annotations

import os

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from kessai.cli.errors import load_settings
from kessai.cli.misspelt import names_in_env_file, unknown_settings


def print_settings() -> None:
    settings = load_settings()
    in_file = names_in_env_file()
    table = Table("setting", "value", "source", "meaning", title="Kessai settings")
    for field, described in type(settings).model_fields.items():
        name = f"KESSAI_{field.upper()}"
        value = getattr(settings, field)
        source = "environment" if name in os.environ else ".env" if name in in_file else "default"
        table.add_row(name, _shown(value), source, described.description or "")
    # What is in brackets is meant so.
    console = Console(width=max(140, Console().width), markup=False, emoji=False)
    console.print(table)
    for name, meant in unknown_settings().items():
        hint = f": {meant}?" if meant else ""
        console.print(f"{name} is no setting{hint}", soft_wrap=True)


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
