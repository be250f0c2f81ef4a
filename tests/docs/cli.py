"""docs/reference/cli.md: every command with its arguments and options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from tests.docs.markdown import code, page, table
from tests.docs.vocabulary import program
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

LEAD = (
    "Each command says this itself: `kessai --help`, `kessai alerts --help`. Settings that every "
    "command reads: [settings](settings.md). A command that fails says why in one line on stderr."
)


def cli_page() -> str:
    top = program()
    parts: list[list[str]] = []
    for name in top.commands:
        command = top.commands[name]
        if isinstance(command, TyperGroup):
            parts.append(_heading("##", f"kessai {name}", command))
            parts += [
                part
                for child in command.commands
                for part in _command("###", f"kessai {name} {child}", command.commands[child])
            ]
        else:
            parts += _command("##", f"kessai {name}", command)
    return page("Commands", LEAD, *parts)


def _command(level: str, name: str, command: object) -> Iterator[list[str]]:
    assert isinstance(command, TyperCommand)
    usage = " ".join([name, *(_usage(one) for one in command.params if _is_argument(one))])
    yield [*_heading(level, name, command), "", f"    {usage} [options]"]
    rows = [row for one in command.params if (row := _row(one))]
    if rows:
        yield table(("argument or option", "default", "meaning"), rows)


def _heading(level: str, name: str, command: TyperGroup | TyperCommand) -> list[str]:
    words = inspect.cleandoc(command.help or "").replace("\n\n", "\0").replace("\n", " ")
    return [f"{level} {name}", "", *_plain(words.replace("\0", "\n\n")).splitlines()]


def _plain(text: str) -> str:
    """Words in angles are no tags."""
    return text.replace("<", "&lt;")


def _is_argument(one: object) -> bool:
    return isinstance(one, TyperArgument)


def _usage(one: object) -> str:
    assert isinstance(one, TyperArgument)
    name = (one.metavar or (one.name or "").upper()).removesuffix("...")
    shown = f"{name}..." if one.nargs == -1 else name
    return shown if one.required else f"[{shown}]"


def _row(one: object) -> tuple[str, str, str] | None:
    if isinstance(one, TyperArgument):
        return code(_usage(one).strip("[]")), _default(one), one.help or ""
    assert isinstance(one, TyperOption)
    if one.hidden or one.name == "help":
        return None
    names = ", ".join(map(code, (*one.opts, *one.secondary_opts)))
    if not one.is_flag:
        names += f" {_kind(one)}"
    return names, _default(one), one.help or ""


def _kind(one: TyperOption) -> str:
    if one.metavar:
        return one.metavar
    annotation: Any = one.type_descriptor.annotation
    if get_origin(annotation) is Literal:
        return " or ".join(code(str(choice)) for choice in get_args(annotation))
    if get_origin(annotation) is list:
        (annotation,) = get_args(annotation)
    kind = {int: "number", float: "number", Path: "path"}.get(annotation, "text")
    low, high = getattr(one, "min", None), getattr(one, "max", None)
    least = "" if low is None else f", at least {low:g}"
    most = "" if high is None else f", at most {high:.12g}"
    return f"{kind}{least}{most}"


def _default(one: TyperArgument | TyperOption) -> str:
    if one.required:
        return "must be given"
    if isinstance(one, TyperOption) and one.is_flag:
        return code(one.opts[0]) if one.default and one.secondary_opts else ""
    return "" if one.default in (None, "", (), []) else code(str(one.default))
