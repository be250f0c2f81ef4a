"""What is given on the command line: definitions, parameters, services."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from kessai.cli.saga.paper import stop, warn
from kessai.kernel.errors import JsonValue
from kessai.saga.language import Machine, explain, load

SUFFIXES = (".json", ".yaml", ".yml")


def readable(file: Path) -> str | None:
    """Why a file cannot be read, or None."""
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def machine_of(file: Path) -> Machine:
    """One definition; a broken one ends the command with everything that is wrong with it."""
    if why := readable(file):
        stop(f"{file}: {why}")
    report = explain(file)
    if report.machine is None:
        stop("\n".join(report.lines(str(file))))
    return report.machine


def machines_in(folders: Iterable[Path]) -> tuple[Machine, ...]:
    """By the order of their names; files that are no definitions are named and left out."""
    found: list[Machine] = []
    for folder in folders:
        if not folder.is_dir():
            stop(f"--machines {folder}: not a folder")
        for file in sorted(one for one in folder.iterdir() if one.suffix.lower() in SUFFIXES):
            report = explain(file)
            if report.machine is None:
                warn(f"{file}: left out: {report.errors[0] if report.errors else 'no machine'}")
            else:
                found.append(report.machine)
    return tuple(found)


def own_machines() -> tuple[Machine, ...]:
    """Those of order-service, whose database one most likely looks into."""
    folder = resources.files("kessai.order").joinpath("statelang")
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".json"))
    return tuple(load(folder.joinpath(name).read_text("utf-8")) for name in names)


def params_of(given: tuple[Sequence[str], str | None]) -> dict[str, JsonValue]:
    """`--params` first, then each `--param NAME=VALUE` over it."""
    pairs, text = given
    params: dict[str, JsonValue] = {}
    if text is not None:
        try:
            value = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            stop(f"--params is not JSON: {error}")
        if not isinstance(value, dict):
            stop("--params is not a JSON object")
        params.update(value)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            stop(f"--param {pair!r} is not NAME=VALUE")
        params[name] = json_or_text(value)
    return params


def json_or_text(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text
    return value


def _no_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is no number")


def services_of(spec: str) -> Mapping[str, object]:
    """`module:object`, looked for in the current folder too: a mapping, or what makes one."""
    module_name, _, path = spec.partition(":")
    if not module_name or not path:
        stop(f"--services {spec!r} is not MODULE:OBJECT")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: object = importlib.import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
        if callable(found) and not isinstance(found, Mapping):
            found = found()
    except Exception as error:
        # The module is the user's: whatever it raises is theirs to mend.
        stop(f"--services {spec}: {type(error).__name__}: {error}")
    if not isinstance(found, Mapping):
        stop(f"--services {spec}: {type(found).__name__} is not a mapping of services by name")
    return found
