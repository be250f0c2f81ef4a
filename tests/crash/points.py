"""The list of crash points, made from the code: seams x what goes through them."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_type_hints

from kessai import topology
from kessai.embedded import Ports
from kessai.kernel.calls import operations
from kessai.kernel.settings import Settings
from kessai.payment.gateway.paypay.limits import OPERATIONS

SOURCE = Path(__file__).parents[2] / "src" / "kessai"
INSTANCE = "local"
# Seams: the file that has it -> the family of its points. The servers have those of the default.
SEAMS = {
    "kernel/calls.py": "call",
    "kernel/db/inline.py": "commit",
    "kernel/db/mysql.py": "commit",
    "kernel/db/mysql_batch.py": "commit",
    "kernel/kafka_bus/member.py": "ack",
    "kernel/local_bus/consumer.py": "ack",
    "kernel/outbox.py": "publish",
    "kernel/streams/kafka_work.py": "stream",
    "kernel/streams/local.py": "stream",
    "payment/gateway/paypay/line.py": "provider",
}
SIDES = ("before", "after")
_SERVICES = {card.package: card.name for card in topology.SERVICES}


@cache
def all_points() -> tuple[str, ...]:
    names = {
        "commit": [*_databases(), "bus"],
        "call": _calls(),
        "provider": [one.name for one in OPERATIONS],
        "publish": _outboxes(),
        "ack": _groups(),
        "stream": _streams(),
    }
    return tuple(
        f"{seam}:{name}:{side}" for seam in names for name in names[seam] for side in SIDES
    )


def files_with_seams() -> set[str]:
    """Every file that marks a point; a new one needs a family here."""
    return {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if any(_named(node, "reached") for node in ast.walk(_tree(path)))
    }


def _calls() -> list[str]:
    found = []
    for name, port in get_type_hints(Ports).items():
        found += [f"{_SERVICES[name]}.{operation.name}" for operation in operations(port)]
    return found


def _databases() -> list[str]:
    """What services open; those of the simulators stand in for strangers' disks."""
    return sorted({_text(path, node.args[0]) for path, node in _service_calls("open_db")})


def _outboxes() -> list[str]:
    return sorted({_text(path, node.args[2]) for path, node in _service_calls("open_outbox")})


def _groups() -> list[str]:
    return sorted({_text(path, node.args[0]) for path, node in _service_calls("consumer")})


def _streams() -> list[str]:
    return sorted({_text(path, node.args[1]) for path, node in _service_calls("LocalStream")})


def _service_calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    for path in sorted(SOURCE.glob("*/main.py")):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call) and _named(node, name):
                yield path, node


def _named(node: ast.AST, name: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (isinstance(called, ast.Name) and called.id == name) or (
        isinstance(called, ast.Attribute) and called.attr == name
    )


def _text(path: Path, node: ast.expr) -> str:
    """What a literal, a constant of the module, or a field of a service's card says."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            package = path.parent.name
            return str(getattr(importlib.import_module(f"kessai.{package}.main"), name))
        case ast.Call(func=ast.Name(id=name)):
            made = getattr(importlib.import_module(f"kessai.{path.parent.name}.main"), name)
            return str(made(Settings(_env_file=None, instance=INSTANCE)))
        case ast.Attribute(value=ast.Name(id=card), attr=attribute):
            return str(getattr(getattr(topology, card), attribute))
        case ast.JoinedStr():
            # The only part that varies is the instance.
            return "".join(
                str(part.value) if isinstance(part, ast.Constant) else INSTANCE
                for part in node.values
            )
    raise ValueError(f"{path}:{node.lineno}: what is {ast.unparse(node)}?")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))
