"""Settings that nobody reads, since they are misspelt: they change nothing, so people are told."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from kessai.kernel.settings import Settings
from kessai.stack.domain.env import CACHE_SETTING

_CLOSENESS = 0.85


def unknown_settings() -> dict[str, str | None]:
    """Ours by their beginning, of the environment and of `.env`: what each may have meant."""
    known = [f"KESSAI_{field.upper()}" for field in Settings.model_fields]
    given = {name for name in {*os.environ, *names_in_env_file()} if name.startswith("KESSAI_")}
    unknown = sorted(given.difference(known, {CACHE_SETTING}))
    return {name: _closest(name, known) for name in unknown}


def names_in_env_file() -> frozenset[str]:
    path = Path(".env")
    lines = path.read_text("utf-8-sig").splitlines() if path.is_file() else []
    return frozenset(line.partition("=")[0].strip().upper() for line in lines)


def _closest(name: str, known: list[str]) -> str | None:
    return next(iter(get_close_matches(name, known, n=1, cutoff=_CLOSENESS)), None)
