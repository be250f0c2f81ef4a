"""`kessai saga`: definitions on paper, trials in this process, instances at a service or a file."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.web import a_runtime
from typer.testing import CliRunner

from kessai.cli import app as kessai
from kessai.cli.saga import app
from kessai.kernel import telemetry
from kessai.kernel.app import create_app
from kessai.kernel.chance import SystemChance
from kessai.kernel.clock import SystemClock
from kessai.kernel.errors import Unknown
from kessai.kernel.ids import RandomIds
from kessai.kernel.server import Binding, serve_all
from kessai.saga import Engine, EngineLimits, load
from kessai.saga.library import living, open_store
from kessai.saga.log import MemoryLog, SqlLog
from kessai.saga.records import Records
from kessai.saga.web import operator_routes

pytestmark = pytest.mark.network
TOKEN = "kessai-local-service-token"
NOBODY = "0" * 26


@pytest.fixture(autouse=True)
def lines_of_services() -> Iterator[io.StringIO]:
    """Services of a test share its stderr with the commands; what they log goes elsewhere."""
    lines = io.StringIO()
    telemetry.configure("INFO", stream=lines)
    yield lines
    telemetry.configure("INFO")


def a_task(method: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "ServiceTask",
        "ServiceName": "shop",
        "ServiceMethod": method,
        "Input": ["$.[orderId]"],
        "Output": {method: "$.#root"},
        **more,
    }


def an_order(**changes: Any) -> dict[str, Any]:
    undo = [{"Exceptions": ["Refused"], "Next": "Undo"}]
    states: dict[str, Any] = {
        "Reserve": a_task("reserve", Next="Pay", CompensateState="Release", Catch=undo),
        "Pay": a_task("pay", Next="Done", CompensateState="Refund", Catch=undo),
        "Release": a_task("release"),
        "Refund": a_task("refund"),
        "Undo": {"Type": "CompensationTrigger", "Next": "Failed"},
        "Failed": {"Type": "Fail", "ErrorCode": "REFUSED", "Message": "undone"},
        "Done": {"Type": "Succeed"},
    }
    for name, change in changes.items():
        states[name] = {**states.get(name, {}), **change}
    return {"Name": "order", "StartState": "Reserve", "Version": "1", "States": states}


def a_parcel() -> dict[str, Any]:
    return {
        "Name": "delivery",
        "StartState": "Order",
        "States": {
            "Order": {
                "Type": "SubStateMachine",
                "StateMachineName": "order",
                "Input": [{"orderId": "$.[orderId]"}],
            }
        },
    }


def a_file(folder: Path, name: str, content: object) -> str:
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    path.write_text(text, "utf-8")
    return str(path)


def call(*arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", **(env or {})})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result.exit_code, result.stdout, result.stderr


class Shop:
    """`plan[method]`: what the next calls answer, raise or wait for."""

    def __init__(self) -> None:
        self.plan: dict[str, list[object]] = {}
        self.done: list[str] = []

    def method_named(self, name: str) -> Any:
        async def method(*input: object) -> object:
            planned = (self.plan.get(name) or [{"by": name}]).pop(0)
            if isinstance(planned, Exception):
                raise planned
            if isinstance(planned, asyncio.Event):
                await planned.wait()
                planned = {}
            self.done.append(name)
            return planned

        return method


@dataclass
class Served:
    """An engine behind its door on a port, and commands that reach it."""

    engine: Engine
    shop: Shop
    urls: str

    async def call(self, *arguments: str) -> tuple[int, str, str]:
        """In a thread: a command runs a loop of its own."""
        env = {"KESSAI_SERVICE_URLS": self.urls}
        return await asyncio.to_thread(lambda: call(*arguments, env=env))

    async def json(self, *arguments: str) -> Any:
        code, out, error = await self.call(*arguments, "--json")
        assert code == 0, error
        return json.loads(out)

    async def begin(self, key: str, machine: str = "order") -> str:
        given = {"orderId": key}
        instance_id = await self.engine.begin(machine, given, business_key=key)
        await self.engine.wait(instance_id, 10)
        return instance_id

    async def stuck(self, key: str = "o-1") -> str:
        self.shop.plan["pay"] = [Unknown("NO_ANSWER", "the line [/was] cut")]
        return await self.begin(key)


@asynccontextmanager
async def a_service(
    *definitions: dict[str, Any], url: str = "memory:", token: str = TOKEN
) -> AsyncIterator[Served]:
    machines = [load(one) for one in definitions or (an_order(),)]
    clock, chance, shop = SystemClock(), SystemChance(), Shop()
    async with open_store(url) as store:
        limits = EngineLimits(redrives=0)
        ids = RandomIds(clock, chance)
        engine = Engine(store, {"shop": shop}, machines, clock, ids, chance, "one", limits)
        log = store if isinstance(store, MemoryLog) else SqlLog(store)
        routes = operator_routes(engine, Records(log, machines, clock), token=token)
        served = create_app(title="order-service", runtime=a_runtime(), routers=[routes])
        async with living(engine), on_a_port(served) as port:
            yield Served(engine, shop, f"order-service=http://127.0.0.1:{port}")


@asynccontextmanager
async def on_a_port(served: Any) -> AsyncIterator[int]:
    ready: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve_all(
            [Binding("order-service", served, 0)],
            stop,
            on_ready=lambda ports: ready.set_result(dict(ports)),
        )
    )
    try:
        yield (await ready)["order-service"]
    finally:
        stop.set()
        await serving


def a_free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# --- definitions ------------------------------------------------------------------------------


def test_validate_names_file_line_state_and_attribute(tmp_path: Path) -> None:
    good = a_file(tmp_path, "good.json", an_order())
    bad = a_file(tmp_path, "bad.json", an_order(Pay={"Next": "Nowhere", "Input": ["$.[a"]}))
    assert call("validate", good) == (
        0,
        f"{good}: ok (machine 'order', 7 states)\n1 file: 0 errors, 0 doubts\n",
        "",
    )
    code, out, _ = call("validate", good, bad)
    lines = out.splitlines()
    assert code == 1
    assert lines[0] == f"{good}: ok (machine 'order', 7 states)"
    assert any(
        line.startswith(f"{bad}:") and "error: state 'Pay': Next 'Nowhere' does not exist" in line
        for line in lines
    )
    assert any("error: state 'Pay': Input" in line for line in lines)
    assert lines[-1] == "2 files: 2 errors, 0 doubts"


def test_validate_takes_doubts_for_errors_when_strict(tmp_path: Path) -> None:
    lonely = {"Unused": a_task("pay")}
    file = a_file(tmp_path, "doubtful.json", an_order(**lonely))
    code, out, _ = call("validate", file)
    assert (code, " doubt: state 'Unused'" in out) == (0, True)
    assert call("validate", file, "--strict")[0] == 1


def test_validate_as_json(tmp_path: Path) -> None:
    bad = a_file(tmp_path, "bad.json", an_order(Pay={"Next": "Nowhere"}))
    code, out, _ = call("validate", bad, "--json")
    report = json.loads(out)
    (found,) = report["files"][0]["errors"]
    assert (code, report["errors"], found["state"], found["attribute"]) == (1, 1, "Pay", "Next")
    assert json.loads(Path(bad).read_text())["States"]["Pay"]["Next"] == "Nowhere"
    assert "Nowhere" in Path(bad).read_text().splitlines()[found["line"] - 1]


def test_validate_sees_machines_that_call_one_another(tmp_path: Path) -> None:
    def calls(name: str, other: str) -> dict[str, Any]:
        state = {"Type": "SubStateMachine", "StateMachineName": other}
        return {"Name": name, "StartState": "S", "States": {"S": state}}

    one = a_file(tmp_path, "one.json", calls("one", "two"))
    two = a_file(tmp_path, "two.json", calls("two", "one"))
    code, out, _ = call("validate", one, two)
    assert (code, "error: machines call one another without end: 'one', 'two'" in out) == (1, True)
    code, out, _ = call("validate", one, a_file(tmp_path, "order.json", an_order()))
    assert (code, "StateMachineName 'two' is not among the machines" in out) == (0, True)


def test_validate_says_which_file_cannot_be_read_and_goes_on(tmp_path: Path) -> None:
    good = a_file(tmp_path, "good.json", an_order())
    code, out, error = call("validate", str(tmp_path / "none.json"), str(tmp_path), good)
    assert code == 2
    assert f"{tmp_path / 'none.json'}: No such file or directory" in error
    assert f"{tmp_path}: Is a directory" in error
    assert f"{good}: ok" in out


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "\x00", '{"States": {"A": {"Type": "[/red]"}}}', "a: [", "x" * 2_000_000],
)
def test_whatever_is_in_a_file_is_a_line_and_no_traceback(content: str, tmp_path: Path) -> None:
    file = a_file(tmp_path, "odd.json", content)
    code, out, error = call("validate", file)
    assert (code, error) == (1, "")
    assert out.startswith(file)
    for command in (("graph", file), ("run", file, "--demo")):
        code, out, error = call(*command)
        assert (code, out) == (2, "")
        assert error.startswith(f"kessai: {file}")


def test_graph_prints_mermaid_and_writes_svg(tmp_path: Path) -> None:
    file = a_file(tmp_path, "order.json", an_order())
    code, out, _ = call("graph", file)
    assert (code, out.splitlines()[0]) == (0, "flowchart LR")
    assert '["Reserve"]' in out
    picture = tmp_path / "order.svg"
    assert call("graph", file, "--output", str(picture))[0] == 0
    assert ET.fromstring(picture.read_text("utf-8")).tag.endswith("svg")
    code, out, _ = call("graph", file, "--format", "svg")
    assert (code, out) == (0, picture.read_text("utf-8"))
    for wrong in (["--format", "gif"], ["--output", str(tmp_path / "no" / "where.svg")]):
        code, out, error = call("graph", file, *wrong)
        assert (code, out, error.count("\n")) == (2, "", 1)


# --- trials -----------------------------------------------------------------------------------

SERVICES = """
from kessai.kernel.errors import Refused
from kessai.saga import Service

shop = Service()

@shop.task
def reserve(order_id):
    return {"held": order_id}

@shop.task
async def pay(order_id):
    raise Refused("NO_MONEY", "too much")

@shop.task
def release(order_id):
    return None

@shop.task
def refund(order_id):
    return None

services = {"shop": shop}

def make():
    return services

def broken():
    raise RuntimeError("no [/config]")
"""


def test_run_with_echoes_prints_the_states(tmp_path: Path) -> None:
    file = a_file(tmp_path, "order.json", an_order())
    answer = 'shop.pay={"paid": true}'
    code, out, _ = call(
        "run", file, "--demo", "--param", "orderId=o-1", "--answer", answer
    )  # fmt: skip
    assert code == 0
    tree = [line.rstrip() for line in out.splitlines()[-7:]]
    assert tree[0] == "order  SU"
    assert tree[1].startswith("├── #1 Reserve  SU  shop.reserve")
    assert tree[2:4] == ['│   ├── in   ["o-1"]', '│   └── out  "o-1"']
    assert tree[4].startswith("└── #2 Pay  SU  shop.pay")
    assert tree[5:7] == ['    ├── in   ["o-1"]', '    └── out  {"paid": true}']


def test_run_with_services_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = a_file(tmp_path, "order.json", an_order())
    a_file(tmp_path, "my_shop_services.py", SERVICES)
    for name in ("services", "make"):
        code, out, _ = call("run", file, "--services", f"my_shop_services:{name}", "--json")
        content = json.loads(out)
        assert (code, content["outcome"]["status"]) == (1, "UN")
        assert content["outcome"]["error"]["code"] == "NO_MONEY"
        assert [state["name"] for state in content["saga"]["states"]] == [
            "Reserve",
            "Pay",
            "Release",
        ]
    wrong = {
        "my_shop_services": "is not MODULE:OBJECT",
        "no_such_module:x": "ModuleNotFoundError",
        "my_shop_services:nothing": "AttributeError",
        "my_shop_services:broken": "RuntimeError: no [/config]",
        "my_shop_services:SERVICES.x": "AttributeError",
        "json:__name__": "str is not a mapping",
    }
    for spec, why in wrong.items():
        code, out, error = call("run", file, "--services", spec)
        assert (code, out, why in error) == (2, "", True)


def test_run_finds_sub_machines_in_folders(tmp_path: Path) -> None:
    folder = tmp_path / "machines"
    folder.mkdir()
    a_file(folder, "order.json", an_order())
    a_file(folder, "broken.yaml", "Name: [")
    a_file(folder, "notes.txt", "not a definition")
    file = a_file(tmp_path, "delivery.json", a_parcel())
    code, out, error = call("run", file, "--demo", "--machines", str(folder), "--json")
    (state,) = json.loads(out)["saga"]["states"]
    assert (code, state["saga"]["machine"], state["saga"]["status"]) == (0, "order", "SU")
    assert "broken.yaml: left out" in error
    code, _, error = call("run", file, "--demo", "--machines", str(tmp_path / "none"))
    assert (code, "not a folder" in error) == (2, True)


def test_run_on_a_database_can_be_looked_at_later(tmp_path: Path) -> None:
    file = a_file(tmp_path, "order.json", an_order())
    store = f"sqlite:///{tmp_path / 'saga.db'}"
    run = ("run", file, "--demo", "--store", store, "--business-key", "o-1")
    assert call(*run)[0] == 0
    code, _, error = call(*run)
    assert (code, "SAGA_DUPLICATE" in error) == (2, True)
    code, out, _ = call("list", "--store", store, "--json")
    (row,) = json.loads(out)["items"]
    assert (row["businessKey"], row["status"]) == ("o-1", "SU")
    code, out, _ = call("show", row["id"], "--store", store)
    assert (code, "see --machines" in out) == (0, True)
    code, out, _ = call("show", row["id"], "--store", store, "--machines", str(tmp_path))
    assert (code, "#2 Pay  SU" in out) == (0, True)
    code, out, _ = call("timeline", row["id"], "--store", store)
    assert (code, "ends SU" in out) == (0, True)
    code, out, _ = call("graph", file, "--instance", row["id"], "--store", store)
    assert (code, '["Pay<br/>Done"]' in out) == (0, True)
    other = a_file(tmp_path, "delivery.json", a_parcel())
    code, _, error = call("graph", other, "--instance", row["id"], "--store", store)
    assert (code, "is one of 'order', not of 'delivery'" in error) == (2, True)
    assert call("show", NOBODY, "--store", store)[0] == 2


def test_run_says_what_a_machine_that_is_not_persisted_keeps(tmp_path: Path) -> None:
    file = a_file(tmp_path, "order.json", {**an_order(), "IsPersist": False})
    code, out, _ = call("run", file, "--demo")
    assert (code, out) == (0, "order: SU; it is not persisted, so no states are kept\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--demo", "--services", "x:y"],
        ["--demo", "--param", "x"],
        ["--demo", "--param", "=x"],
        ["--demo", "--params", "[1]"],
        ["--demo", "--params", "{"],
        ["--demo", "--params", '{"x": NaN}'],
        ["--demo", "--params", '{"x":' + "[" * 60 + "]" * 60 + "}"],
        ["--demo", "--answer", "shop.pay"],
        ["--demo", "--answer", "shop.none=1"],
        ["--services", "json:tool", "--answer", "shop.pay=1"],
        ["--demo", "--store", "redis://x"],
        ["--demo", "--log-level", "loud"],
    ],
)
def test_run_says_in_one_line_what_it_cannot_do(arguments: list[str], tmp_path: Path) -> None:
    file = a_file(tmp_path, "order.json", an_order())
    code, out, error = call("run", file, *arguments)
    assert (code, out) == (2, "")
    assert (error.startswith("kessai: "), error.count("\n")) == (True, 1)


def test_a_param_is_json_or_else_text(tmp_path: Path) -> None:
    file = a_file(tmp_path, "order.json", an_order())
    given = [
        "--params",
        '{"a": 1, "b": 2}',
        "--param",
        "b=[3]",
        "--param",
        "c=x=y",
        "--param",
        "d=",
    ]
    _, out, _ = call("run", file, "--demo", "--json", *given)
    context = json.loads(out)["outcome"]["context"]
    assert {key: context[key] for key in "abcd"} == {"a": 1, "b": [3], "c": "x=y", "d": ""}


# --- instances at a running service -----------------------------------------------------------


async def test_list_shows_what_waits_for_an_operator() -> None:
    async with a_service() as service:
        good = await service.begin("good")
        stuck = await service.stuck("stuck")
        code, out, _ = await service.call("list")
        assert code == 0
        assert [good in out, stuck in out, "needs an operator" in out] == [True] * 3
        for filters, expected in (
            (("--needs-operator",), [stuck]),
            (("--status", "SU"), [good]),
            (("--business-key", "good"), [good]),
            (("--machine", "none"), []),
            (("--running",), []),
            (("--at-rest", "--status", "UN"), [stuck]),
            (("--stale",), []),
        ):
            page = await service.json("list", *filters)
            assert [row["id"] for row in page["items"]] == expected
        page = await service.json("list", "--limit", "1")
        code, out, _ = await service.call("list", "--limit", "1")
        # Which comes first is not said: both may have begun in the same millisecond.
        (first,) = (row["id"] for row in page["items"])
        assert f"there are more: --cursor {first}" in out
        rest = await service.json("list", "--limit", "1", "--cursor", page["nextCursor"])
        assert {first, *(row["id"] for row in rest["items"])} == {good, stuck}
        code, _, error = await service.call("list", "--status", "XX")
        assert (code, "--status: Input should be" in error) == (2, True)


async def test_show_and_timeline_at_the_service() -> None:
    async with a_service(an_order(), a_parcel()) as service:
        service.shop.plan["pay"] = [Unknown("NO_ANSWER", "the line [/was] \x1b[31mcut")]
        instance_id = await service.begin("o-1", "delivery")
        code, out, error = await service.call("show", instance_id)
        assert (code, error) == (0, "")
        lines = out.splitlines()
        (outer,) = [at for at, line in enumerate(lines) if "#1 Order" in line]
        (inner,) = [at for at, line in enumerate(lines) if "#2 Pay" in line]
        assert lines[inner].index("#2") > lines[outer].index("#1")
        assert "NO_ANSWER: the line [/was] \ufffd[31mcut" in out
        assert "possible orders" in out
        code, out, _ = await service.call("timeline", instance_id)
        assert (code, "start" in out, "ends UN" in out) == (0, True, True)
        shown = await service.json("show", instance_id)
        line = await service.json("timeline", instance_id)
        assert shown["version"] == line["version"] == len(line["entries"])
        code, out, error = await service.call("show", NOBODY)
        assert (code, out, "NOT_FOUND: no saga instance" in error) == (2, "", True)


async def test_an_order_is_placed_with_reason_and_version_and_its_end_is_shown() -> None:
    async with a_service() as service:
        instance_id = await service.stuck()
        version = (await service.json("show", instance_id))["version"]
        order = ("forward", instance_id, "--reason", "the line is back")
        code, out, _ = await service.call(*order, "--version", str(version), "--param", "n=1")
        assert code == 0
        assert "forward: done" in out
        assert "order  SU" in out
        saga = await service.json("show", instance_id)
        assert (saga["status"], saga["context"]["n"]) == ("SU", 1)
        entries = (await service.json("timeline", instance_id))["entries"]
        (claim,) = [entry for entry in entries if entry["kind"] == "claim"]
        assert claim["reason"] == "the line is back"
        assert claim["actor"].startswith("cli:")
        code, out, _ = await service.call("timeline", instance_id)
        assert ": the line is back" in out


@pytest.mark.parametrize(
    ("operation", "pair", "done"),
    [
        ("compensate", ("UN", "SU"), ["reserve", "refund", "release"]),
        ("skip", ("SU", None), ["reserve"]),
    ],
)
async def test_the_other_orders_with_the_latest_version(
    operation: str, pair: tuple[str, str | None], done: list[str]
) -> None:
    async with a_service() as service:
        instance_id = await service.stuck()
        ordered = await service.json(operation, instance_id, "--reason", "agreed", "--latest")
        saga = ordered["saga"]
        assert (ordered["changed"], saga["status"], saga["compensation"]) == (True, *pair)
        assert service.shop.done == done


async def test_an_order_that_is_refused_changes_nothing() -> None:
    async with a_service() as service:
        instance_id = await service.stuck()
        before = await service.json("show", instance_id)
        stale = ("--reason", "why", "--version", str(before["version"] - 1))
        code, _, error = await service.call("forward", instance_id, *stale)
        assert (code, error.startswith("kessai: VERSION_CONFLICT: ")) == (2, True)
        fresh = ("--version", str(before["version"]))
        for wrong in (
            ("--reason", "why"),
            ("--reason", "why", *fresh, "--latest"),
            ("--reason", " ", *fresh),
            ("--reason", "x" * 501, *fresh),
            ("--reason", "why", "--version", "0"),
            ("--reason", "why", *fresh, "--param", "x"),
            fresh,
        ):
            code, out, error = await service.call("skip", instance_id, *wrong)
            assert (code, out, bool(error)) == (2, "", True)
        assert await service.json("show", instance_id) == before


async def test_an_order_that_does_not_end_in_time_is_shown_running() -> None:
    async with a_service() as service:
        instance_id = await service.stuck()
        released = asyncio.Event()

        service.shop.plan["pay"] = [released]
        wait = ("--latest", "--wait", "0.3", "--reason", "why")
        ordered = await service.json("forward", instance_id, *wait)
        assert ordered["saga"]["running"] is True
        code, _, error = await service.call("skip", instance_id, "--latest", "--reason", "why")
        assert (code, error.startswith("kessai: SAGA_RUNNING: ")) == (2, True)
        released.set()
        assert await service.engine.wait(instance_id, 10) is not None


async def test_a_service_that_is_away_or_not_ours_is_said_so(tmp_path: Path) -> None:
    away = {"KESSAI_SERVICE_URLS": f"order-service=http://127.0.0.1:{a_free_port()}"}
    order = ("forward", NOBODY, "--reason", "why", "--latest")
    file = a_file(tmp_path, "order.json", an_order())
    for command in (
        ("list",),
        ("show", NOBODY),
        ("timeline", NOBODY),
        order,
        ("graph", file, "--instance", NOBODY),
    ):
        code, out, error = await asyncio.to_thread(lambda c=command: call(*c, env=away))  # type: ignore[misc]
        assert (code, out) == (3, "")
        assert "order-service at http://127.0.0.1:" in error
        assert "--store reads its database" in error
    unfit = {"KESSAI_SERVICE_URLS": "order-service"}
    code, _, error = await asyncio.to_thread(lambda: call("list", env=unfit))
    assert (code, "is not name=url" in error) == (2, True)
    async with a_service(token="another-token") as service:
        code, _, error = await service.call("list")
        assert (code, error) == (2, "kessai: FORBIDDEN: a service token is required\n")
    strange = create_app(title="other", runtime=a_runtime())
    async with on_a_port(strange) as port:
        env = {"KESSAI_SERVICE_URLS": f"order-service=http://127.0.0.1:{port}"}
        code, _, error = await asyncio.to_thread(lambda: call("list", env=env))
        assert (code, "NOT_FOUND" in error) == (2, True)


def test_a_store_that_is_none_is_left_as_it_is(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database")
    empty = tmp_path / "empty.db"
    empty.touch()
    cases = {
        f"sqlite:///{tmp_path / 'none.db'}": "there is no such file",
        f"sqlite:///{text}": "file is not a database",
        f"sqlite:///{empty}": "has no saga tables",
        "sqlite:": "names no file",
        "memory:": "no SQL adapter",
    }
    for url, why in cases.items():
        code, out, error = call("list", "--store", url)
        assert (code, out, why in error) == (2, "", True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["empty.db", "notes.txt"]
    assert (text.read_text(), empty.read_bytes()) == ("not a database", b"")
    nowhere = f"mysql+asyncmy://u:secret@127.0.0.1:{a_free_port()}/x"
    code, _, error = call("list", "--store", nowhere)
    assert (code, "cannot connect" in error, "secret" in error) == (3, True, False)


async def test_a_database_is_read_while_a_service_writes_it(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'saga.db'}"
    async with a_service(url=store) as service:
        instance_id = await service.stuck()
        shown = await service.json("show", instance_id)
        file = a_file(tmp_path, "order.json", an_order())
        assert await service.json("show", instance_id, "--store", store, "--machines",
                                  str(tmp_path)) == shown  # fmt: skip
        line = await service.json("timeline", instance_id)
        assert await service.json("timeline", instance_id, "--store", store) == line
        assert await service.json("list", "--store", store) == await service.json("list")
        code, out, _ = await service.call("graph", file, "--instance", instance_id)
        assert (code, '["Pay<br/>Unknown"]' in out) == (0, True)


# --- conformance ------------------------------------------------------------------------------


def test_conformance_counts_and_lists_failures(tmp_path: Path) -> None:
    machine = {
        "Name": "tiny",
        "StartState": "A",
        "States": {"A": {"Type": "Succeed"}},
    }
    a_file(tmp_path, "tiny.json", machine)
    cases = [a_case("good", "SU"), a_case("bad", "FA")]
    file = a_file(tmp_path, "cases", {"cases": cases})
    code, out, error = call("conformance", "--cases", file, "--machines", str(tmp_path))
    lines = out.splitlines()
    assert (code, error, len(lines)) == (1, "", 2)
    assert lines[0].startswith("bad: ")
    assert lines[1] == "1 passed, 0 deviating, 1 failed"
    good = a_file(tmp_path, "good", {"cases": cases[:1]})
    code, out, _ = call("conformance", "--cases", good, "--machines", str(tmp_path), "--json")
    assert (code, json.loads(out)["passed"]) == (0, 1)


def a_case(name: str, status: str) -> dict[str, Any]:
    observed: dict[str, Any] = {
        "status": status,
        "compensation_status": None,
        "running": False,
        "exception": None,
        "states": [],
        "end_params": {},
        "trace": [],
    }
    return {
        "id": name,
        "json_file": "tiny.json",
        "machine_name": "tiny",
        "start_params": {},
        "steps": [{"op": "start", "params": {}, "observed": observed}],
        "trace_stable": True,
    }


def test_conformance_refuses_what_is_no_file_of_cases(tmp_path: Path) -> None:
    text = a_file(tmp_path, "cases.json", "not JSON")
    traces = a_file(tmp_path, "traces.json", {"cases": [a_case("one", "SU")]})
    for arguments in (
        ("--cases", str(tmp_path / "none.json")),
        ("--cases", str(tmp_path)),
        ("--cases", text),
        ("--cases", traces, "--kind", "colours"),
        ("--cases", traces, "--kind", "expressions"),
        ("--cases", traces, "--machines", str(tmp_path / "none")),
    ):
        code, out, error = call("conformance", *arguments)
        assert (code, out, error.count("\n")) == (2, "", 1)


def test_the_group_is_in_the_program() -> None:
    result = CliRunner().invoke(kessai, ["saga", "--help"])
    assert result.exit_code == 0
    words = result.stdout.split()
    for name in ("validate", "graph", "run", "list", "show", "timeline", "conformance"):
        assert name in words
    for name in ("forward", "compensate", "skip"):
        assert name in words
