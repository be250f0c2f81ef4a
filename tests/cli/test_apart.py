"""`kessai up` as processes: how many, where, on which servers; what is refused before."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path

import pytest
import typer
from tests.support.process import free_offset
from typer.testing import CliRunner, Result

from kessai.cli import app
from kessai.cli.apart import parse_instances, plan, stack_urls
from kessai.cli.merged import MergedLog
from kessai.kernel.settings import Settings
from kessai.topology import SERVICES, SIMULATORS

SQL = "mysql+asyncmy://kessai:hidden@127.0.0.1:21000"
STACK = f"""KESSAI_SQL_URL='{SQL}'
KESSAI_BUS_URL='kafka://127.0.0.1:21001'
KESSAI_REDIS_URL='redis://:pw@127.0.0.1:21002/0'
KESSAI_SEARCH_URL='gopher://127.0.0.1:21003'
"""


def settings(folder: Path, **more: object) -> Settings:
    return Settings(data_dir=str(folder), **more)  # type: ignore[arg-type]


def stack_at(folder: Path, text: str = STACK) -> Path:
    (folder / "stack").mkdir()
    (folder / "stack" / "env").write_text(text)
    return folder


def up(folder: Path, *arguments: str, **env: str) -> Result:
    environment = {"KESSAI_DATA_DIR": str(folder), "COLUMNS": "300", **env}
    return CliRunner().invoke(app, ["up", *arguments], env=environment)


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    result = up(tmp_path, "--profile", "stack")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "kessai stack up" in result.stderr
    assert str(tmp_path / "stack" / "env") in result.stderr


def test_it_fills_what_is_not_set_and_what_there_is_an_adapter_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = stack_urls(settings(stack_at(tmp_path), bus_url="kafka://mine:9092"))
    assert given == {"KESSAI_SQL_URL": SQL, "KESSAI_REDIS_URL": "redis://:pw@127.0.0.1:21002/0"}
    said = capsys.readouterr().err
    assert "KESSAI_SEARCH_URL of the stack is not used" in said
    assert "hidden" not in said


def test_it_says_which_server_is_not_in_the_stack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = STACK.splitlines(keepends=True)
    given = stack_urls(settings(stack_at(tmp_path, "# mine\n" + lines[0] + lines[1])))
    assert sorted(given) == ["KESSAI_BUS_URL", "KESSAI_SQL_URL"]
    assert "KESSAI_REDIS_URL: no such server in the stack; memory:" in capsys.readouterr().err


def test_own_servers_need_no_stack(tmp_path: Path) -> None:
    own = settings(tmp_path, sql_url=SQL, bus_url="kafka://h:9092", redis_url="redis://h")
    assert stack_urls(own) == {}


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (None, {}),
        ("2", dict.fromkeys([card.name for card in SERVICES], 2)),
        ("order-service=3", {"order-service": 3}),
        ("order=3, bff=2", {"order-service": 3, "bff": 2}),
        ("2,bff=1", {**dict.fromkeys([card.name for card in SERVICES], 2), "bff": 1}),
    ],
)
def test_instances(text: str | None, counts: dict[str, int]) -> None:
    ones = {card.name: 1 for card in SERVICES}
    assert parse_instances(text) == {**ones, **counts}


@pytest.mark.parametrize(
    "text", ["0", "10", "x", "bff=", "bff=x", "bff=-1", "mail=2", "paypay-simulator=2", "=2", "²"]
)
def test_instances_that_cannot_be(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as exit_:
        parse_instances(text)
    assert exit_.value.exit_code == 2
    assert "--instances" in capsys.readouterr().err


def test_nine_of_each_have_ports_of_their_own(tmp_path: Path) -> None:
    made = plan(settings(tmp_path), parse_instances("9"), simulators=True)
    ports = [port for one in made for port in (one.port, one.management_port) if port is not None]
    assert len(ports) == len(set(ports)) == 9 * (len(SERVICES) + 1) + len(SIMULATORS)
    assert {one.url for one in made if one.number <= 1} == {
        f"http://127.0.0.1:{card.port}" for card in (*SERVICES, *SIMULATORS)
    }


def test_the_settings_choose_the_simulators(tmp_path: Path) -> None:
    one = parse_instances(None)

    def stand_ins(**more: object) -> list[str]:
        made = plan(settings(tmp_path, **more), one, simulators=more.pop("on", True) is True)
        return [process.card.name for process in made if not process.number]

    assert stand_ins() == ["paypay-simulator", "firebase-simulator"]
    assert stand_ins(port_offset=3000) == ["paypay-simulator", "firebase-simulator"]
    assert stand_ins(paypay_url="https://stg-api.sandbox.paypay.ne.jp") == ["firebase-simulator"]
    assert stand_ins(firebase_keys_url="https://www.googleapis.com/x") == ["paypay-simulator"]
    made = plan(settings(tmp_path), one, simulators=False)
    assert all(process.number for process in made)


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    offset = free_offset()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 8182 + offset))
        taken.listen()
        result = up(tmp_path, "--instances", "2", KESSAI_PORT_OFFSET=str(offset))
    assert result.exit_code == 2
    assert f"port {8182 + offset} is taken" in result.stderr
    assert "order-service 2" in result.stderr


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    result = up(tmp_path, "--instances", "1", KESSAI_BIND_HOST="192.0.2.1")
    assert result.exit_code == 2
    assert "KESSAI_BIND_HOST" in result.stderr
    assert "192.0.2.1" in result.stderr


# --- the merged log --------------------------------------------------------------------------


def shown(*lines: str) -> list[str]:
    stream = io.StringIO()
    log = MergedLog(["bff", "order-service 2"], stream)
    for line in lines:
        log("bff", line)
    return stream.getvalue().splitlines()


def test_json_is_shown_as_words() -> None:
    said = {
        "at": "2026-01-15T03:04:05.678Z",
        "level": "error",
        "event": "saga.failed",
        "service": "bff",
        "logger": "x",
        "order": "K-1",
        "details": {"円": 5},
        "exception": "Traceback:\n  boom",
    }
    assert shown(json.dumps(said)) == [
        'bff             | 03:04:05.678 error   saga.failed order=K-1 details={"円": 5}',
        "bff             |   Traceback:",
        "bff             |     boom",
    ]


@pytest.mark.parametrize("line", ["plain [red]text[/red]", "[1, 2]", '{"no": "event"}', "\x1b[0m"])
def test_all_else_is_shown_as_it_is(line: str) -> None:
    assert shown(line)[0].endswith(line.strip("\x1b"))


def test_a_long_line_stays_one_line() -> None:
    assert len(shown("x" * 5000)) == 1
