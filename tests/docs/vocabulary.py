"""What documents may name, as the code has it now: settings, commands, topics, ports, codes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import typer.main
from tests.docs import settings
from tests.docs.blocks import ROOT
from typer.core import TyperCommand, TyperGroup

from kessai.cli import app
from kessai.kernel.bus import DEAD_LETTERS
from kessai.kernel.settings import Settings
from kessai.topology import SERVICES, SIMULATORS, STATE_TOPIC, TOPICS

CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Z]{4,}")


@cache
def setting_names() -> frozenset[str]:
    """Those of the program, and the variables that compose.yaml and the manifests ask for."""
    asked = {
        name
        for path in [ROOT / "compose.yaml", *sorted((ROOT / "deploy").rglob("*"))]
        if path.is_file()
        for name in re.findall(r"\$\{?(KESSAI_[A-Z0-9_]+)", path.read_text("utf-8"))
    }
    return settings.names() | asked


@cache
def topics() -> frozenset[str]:
    own = (*TOPICS, STATE_TOPIC)
    return frozenset((*own, *(f"{topic}{DEAD_LETTERS}" for topic in own)))


@cache
def ports() -> frozenset[int]:
    """Of the map, and those that a setting's default names."""
    of_cards = (
        port for card in (*SERVICES, *SIMULATORS) for port in (card.port, card.management_port)
    )
    defaults = (str(field.default) for field in Settings.model_fields.values())
    named = (int(port) for text in defaults for port in re.findall(r":(\d{4,5})\b", text))
    return frozenset((*(port for port in of_cards if port), *named))


@cache
def targets() -> frozenset[str]:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return frozenset(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))


@cache
def codes() -> frozenset[str]:
    """Words in capitals in the program's strings (docstrings left out) and in its own files."""
    found: set[str] = set()
    for path in sorted((ROOT / "src/kessai").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for text in _strings(tree):
            found.update(CODE.findall(text))
        found.update(
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )
    for path in sorted((ROOT / "src/kessai").rglob("*.json")):
        found.update(CODE.findall(path.read_text("utf-8")))
    return frozenset(found)


@cache
def code_beginnings() -> tuple[str, ...]:
    """Of codes that the program puts together, as `PROVIDER_SAYS_` and what it says."""
    found = {
        text
        for path in sorted((ROOT / "src/kessai").rglob("*.py"))
        for text in _strings(ast.parse(path.read_text("utf-8")))
        if re.fullmatch(r"[A-Z][A-Z_]+_", text)
    }
    return tuple(sorted(found - {"KESSAI_"}))


def is_code(word: str) -> bool:
    return word in codes() or any(
        word.startswith(begin) and word.removeprefix(begin) in codes()
        for begin in code_beginnings()
    )


def _strings(tree: ast.Module) -> Iterator[str]:
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


@cache
def program() -> TyperGroup:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def command_problem(words: list[str]) -> str:
    """Why `kessai <words>` cannot be typed; empty when it can, or only its beginning is named."""
    command: TyperGroup | TyperCommand = program()
    path, options = "kessai", _options(command)
    for word in words:
        if word.startswith("--"):
            names = word.split("=")[0].split("/")
            if wrong := [name for name in names if name not in options]:
                return f"`{path}` has no option {wrong[0]}"
        elif isinstance(command, TyperGroup):
            if not re.fullmatch(r"[a-z][a-z-]*", word):
                # `kessai reconcile FILE` is `kessai reconcile file FILE`.
                if "file" not in command.commands:
                    return ""
                word = "file"
            if word not in command.commands:
                return f"`{path}` has no command {word}"
            command, path = _child(command, word), f"{path} {word}"
            options |= _options(command)
    return ""


def _child(group: TyperGroup, name: str) -> TyperGroup | TyperCommand:
    child = group.commands[name]
    assert isinstance(child, TyperGroup | TyperCommand)
    return child


def _options(command: TyperGroup | TyperCommand) -> set[str]:
    named = (name for one in command.params for name in (*one.opts, *one.secondary_opts))
    return {name for name in named if name.startswith("--")} | {"--help"}
