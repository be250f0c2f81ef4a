"""What is committed beside the code: project files, checksums, the plugin's source."""

from __future__ import annotations

from importlib.resources import files


def pinned(name: str) -> str:
    return (files("kessai.stack") / "pins" / name).read_text("utf-8")


def plugin_sources() -> dict[str, str]:
    folder = files("kessai.stack") / "plugin"
    sources = {file.name: file.read_text("utf-8") for file in folder.iterdir()}
    return {name: sources[name] for name in sorted(sources) if name.endswith(".java")}
