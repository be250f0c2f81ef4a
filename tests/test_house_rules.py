"""The house as a test: rooms, import directions, sizes, and what keeps simulation possible."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "kessai"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50

SERVICES = ("bff", "order", "storage", "account", "payment", "alert", "search")
ROOMS = ("web", "application", "domain", "gateway", "main")
OWN = "<own>"

# What each room may import, as prefixes below `kessai`; OWN is the room's own service.
ALLOWED: dict[str, tuple[str, ...]] = {
    "web": (f"{OWN}.web", f"{OWN}.application", f"{OWN}.domain", "contracts", "kernel"),
    "application": (f"{OWN}.application", f"{OWN}.domain", "contracts", "kernel"),
    "domain": (f"{OWN}.domain", "contracts", "kernel.money", "kernel.errors"),
    "gateway": (
        f"{OWN}.gateway",
        f"{OWN}.application",
        f"{OWN}.domain",
        "contracts",
        "saga",
        "kernel",
    ),
    "main": (OWN, "contracts", "saga", "topology", "kernel"),
    "migrations": ("kernel", "saga"),
}
PACKAGES: dict[str, tuple[str, ...]] = {
    "kernel": ("kernel",),
    "contracts": ("contracts", "kernel"),
    "saga": ("saga", "kernel"),
    "sim": ("sim", "contracts", "kernel", "topology"),
    "proof": ("proof", "contracts", "kernel", "topology", "sim", "embedded"),
}
# Not a service, but with the rooms of one that nothing comes in to.
ROOMED = (*SERVICES, "stack")
# order-service's application runs sagas (design.md, section 6).
EXTRA = {"order.application": ("saga",), "order.web": ("saga",)}

_TIME_AND_CHANCE = {
    "uuid.uuid4",
    "uuid.uuid1",
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "asyncio.to_thread",
    "threading.Thread",
}
_BANNED_MODULES = {"random", "secrets", "uuid", "threading", "concurrent"}


@dataclass(frozen=True)
class Module:
    path: Path
    tree: ast.Module

    @property
    def relative(self) -> str:
        return self.path.relative_to(SOURCE).as_posix()

    @property
    def dotted(self) -> str:
        return self.relative.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.dotted.split("."))

    def at(self, node: ast.AST) -> str:
        return f"{self.relative}:{getattr(node, 'lineno', 0)}"


@cache
def modules() -> tuple[Module, ...]:
    paths = sorted(SOURCE.rglob("*.py"))
    return tuple(Module(path, ast.parse(path.read_text("utf-8"))) for path in paths)


def imports(module: Module) -> Iterator[tuple[str, ast.stmt]]:
    """Names below `kessai` that a module imports, with the statement."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "kessai":
                yield from ((alias.name, node) for alias in node.names)
            elif node.module.startswith("kessai."):
                inside = node.module.removeprefix("kessai.")
                yield inside, node
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("kessai."):
                    yield alias.name.removeprefix("kessai."), node


def allowed_for(module: Module) -> tuple[str, ...] | None:
    """Prefixes that the module's room may import; None where everything may be (cli, embedded)."""
    first, *rest = module.parts
    if first in ROOMED and rest:
        room = rest[0]
        prefixes = ALLOWED[room] + EXTRA.get(f"{first}.{room}", ())
        return tuple(prefix.replace(OWN, first) for prefix in prefixes)
    return PACKAGES.get(first)


def violations(rule: Callable[[Module], Iterator[str]]) -> list[str]:
    return [found for module in modules() for found in rule(module)]


def wrong_imports(module: Module) -> Iterator[str]:
    allowed = allowed_for(module)
    if allowed is None:
        return
    for name, node in imports(module):
        if not any(name == prefix or name.startswith(f"{prefix}.") for prefix in allowed):
            yield f"{module.at(node)} imports kessai.{name}"


def hidden_imports(module: Module) -> Iterator[str]:
    """Who starts something loads it: a command, or the one service that a process is to be."""
    if module.parts[0] in ("cli", "__main__", "embedded"):
        return
    for function in functions(module):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield f"{module.at(node)} imports inside {function.name}"


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without the functions that it only hosts (route factories)."""
    last = function.end_lineno or function.lineno
    inner = 0
    for node in ast.iter_child_nodes(function):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            inner += (node.end_lineno or first) - first + 1
    return last - function.lineno + 1 - inner


def long_functions(module: Module) -> Iterator[str]:
    for function in functions(module):
        if (lines := own_lines(function)) > MAX_FUNCTION_LINES:
            yield f"{module.at(function)} {function.name} has {lines} lines"


def swallowed_exceptions(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler) or not is_broad(node):
            continue
        calls = [inner for inner in ast.walk(node) if isinstance(inner, ast.Call)]
        words = {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}
        raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        # Handed on as an argument: whoever gets the error decides, so it is not swallowed.
        handed_on = any(
            isinstance(name, ast.Name) and name.id == node.name
            for call in calls
            for name in ast.walk(call)
        )
        if not (raises or handed_on or words & {"exception", "error", "warning", "critical"}):
            yield f"{module.at(node)} swallows every exception"


def is_broad(node: ast.ExceptHandler) -> bool:
    if node.type is None:
        return True
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(
        isinstance(name, ast.Name) and name.id in ("Exception", "BaseException") for name in caught
    )


def commits(module: Module) -> Iterator[str]:
    # Offsets of Kafka and files of an index are committed, too; they are no transaction.
    if module.parts[:2] in (("kernel", "db"), ("kernel", "kafka_bus")):
        return
    if module.parts == ("search", "gateway", "tantivy_index"):
        return
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "commit"
        ):
            yield f"{module.at(node)} commits"


def time_and_chance(module: Module) -> Iterator[str]:
    """Time, ids and chance come from outside, so that a seed replays a story."""
    if module.parts[0] in ("kernel", "cli", "__main__", "embedded") or "main" in module.parts:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0]}
        else:
            names = set()
        for name in sorted(names & _BANNED_MODULES):
            yield f"{module.at(node)} imports {name}"
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            short = ".".join(dotted.split(".")[-2:])
            if short in _TIME_AND_CHANCE or dotted.endswith("run_in_executor"):
                yield f"{module.at(node)} uses {dotted}"


def sync_endpoints(module: Module) -> Iterator[str]:
    """A `def` endpoint runs in a thread, which no simulation can schedule."""
    for function in functions(module):
        for decorator in function.decorator_list:
            if (
                isinstance(function, ast.FunctionDef)
                and isinstance(decorator, ast.Call)
                and isinstance(decorator.func, ast.Attribute)
                and decorator.func.attr in ("get", "post", "put", "delete", "patch", "websocket")
                and "router" in ast.unparse(decorator.func.value)
            ):
                yield f"{module.at(function)} {function.name} is not async"


def sync_dependencies(module: Module) -> Iterator[str]:
    """As endpoints: what `Depends` names runs in a thread unless it is `async def`."""
    named = depended_on_anywhere() | depended_on(module)
    for function in functions(module):
        if isinstance(function, ast.FunctionDef) and function.name in named:
            yield f"{module.at(function)} {function.name} is not async"


@cache
def depended_on_anywhere() -> frozenset[str]:
    return frozenset(name for module in modules() for name in depended_on(module))


def depended_on(module: Module) -> frozenset[str]:
    return frozenset(
        argument.id
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Depends")
        for argument in node.args
        if isinstance(argument, ast.Name)
    )


def set_iteration(module: Module) -> Iterator[str]:
    """A set of strings has another order in every process."""
    for node in ast.walk(module.tree):
        iterated = (
            [node.iter]
            if isinstance(node, ast.For | ast.AsyncFor)
            else [part.iter for part in node.generators]
            if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.DictComp)
            else []
        )
        for source in iterated:
            if isinstance(source, ast.Set | ast.SetComp) or (
                isinstance(source, ast.Call)
                and isinstance(source.func, ast.Name)
                and source.func.id in ("set", "frozenset")
            ):
                yield f"{module.at(source)} iterates over a set"


def base_http_middleware(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        if "BaseHTTPMiddleware" in names:
            yield f"{module.at(node)} uses BaseHTTPMiddleware"


RULES = (
    wrong_imports,
    hidden_imports,
    long_functions,
    swallowed_exceptions,
    commits,
    time_and_chance,
    sync_endpoints,
    sync_dependencies,
    set_iteration,
    base_http_middleware,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule: Callable[[Module], Iterator[str]]) -> None:
    assert violations(rule) == []


def test_files_are_short() -> None:
    long = {
        module.relative: lines
        for module in modules()
        if (lines := len(module.path.read_text("utf-8").splitlines())) > MAX_FILE_LINES
    }
    assert long == {}


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_rooms(service: str) -> None:
    folder = SOURCE / service
    rooms = {path.stem for path in folder.iterdir() if path.suffix == ".py"} | {
        path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert set(ROOMS) <= rooms
    assert rooms - set(ROOMS) <= {"__init__", "migrations", "statelang"}


SAMPLES: list[tuple[Callable[[Module], Iterator[str]], str, str]] = [
    (wrong_imports, "order/web.py", "from kessai.storage.domain import x"),
    (wrong_imports, "order/domain.py", "from kessai.kernel.db import Db"),
    (wrong_imports, "payment/application.py", "from kessai.payment.gateway import x"),
    (wrong_imports, "kernel/db.py", "import kessai.contracts.wire"),
    (hidden_imports, "order/web.py", "def f():\n    import json"),
    (long_functions, "order/web.py", "def f():\n" + "    x = 1\n" * 51),
    (swallowed_exceptions, "order/web.py", "try:\n    x()\nexcept Exception:\n    pass"),
    (commits, "order/gateway.py", "connection.commit()"),
    (time_and_chance, "order/domain.py", "import random"),
    (time_and_chance, "order/domain.py", "from datetime import datetime\ndatetime.now()"),
    (sync_endpoints, "order/web.py", "@router.get('/')\ndef home(): ..."),
    (sync_dependencies, "order/web.py", "def key(): ...\nKey = Annotated[str, Depends(key)]"),
    (set_iteration, "order/web.py", "for x in {1, 2}: print(x)"),
    (
        base_http_middleware,
        "kernel/app.py",
        "from starlette.middleware.base import BaseHTTPMiddleware",
    ),
]


@pytest.mark.parametrize(
    ("rule", "path", "code"), SAMPLES, ids=[f"{r.__name__}-{p}" for r, p, _ in SAMPLES]
)
def test_rule_can_fail(rule: Callable[[Module], Iterator[str]], path: str, code: str) -> None:
    sample = Module(SOURCE / path, ast.parse(code))
    assert list(rule(sample)) != []
