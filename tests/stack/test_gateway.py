"""Processes, cache and folder on this machine; the processes are `sleep`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.kernel import eventually

from kessai.kernel.chance import SeededChance
from kessai.stack.application import CannotHave, DidNotStart, Remembered, StackError
from kessai.stack.domain.ownership import MARK, mark
from kessai.stack.domain.place import Launch, Plan
from kessai.stack.domain.server import chosen
from kessai.stack.gateway.cache import Cache, check_sum, check_sums
from kessai.stack.gateway.commands import CommandFailed, run
from kessai.stack.gateway.folder import StackFolder
from kessai.stack.gateway.kafka_wire import NotKafka, coordinator_error, groups_error
from kessai.stack.gateway.machine import LinuxMachine
from kessai.stack.gateway.pins import pinned, plugin_sources
from kessai.stack.gateway.programs import MachinePrograms
from kessai.stack.main import cache_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found by /proc")

SLEEP = Launch("redis", ("sleep", "300"))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[LinuxMachine]:
    (tmp_path / "redis").mkdir()
    made = LinuxMachine(tmp_path)
    yield made
    made.end("redis", "redis", at_once=True)
    for child in made._children:
        child.wait(10)


def pid_of(machine: LinuxMachine) -> int | None:
    return next((alive.pid for alive in machine.running("redis", "redis")), None)


async def test_a_process_is_found_again_by_another_run(
    machine: LinuxMachine, tmp_path: Path
) -> None:
    machine.start("redis", SLEEP)
    pid = pid_of(machine)
    assert pid is not None
    assert pid_of(LinuxMachine(tmp_path)) == pid
    LinuxMachine(tmp_path).end("redis", "redis", at_once=False)
    await eventually(lambda: pid_of(machine) is None)
    assert machine.was_started("redis", "redis")
    machine.forget("redis", "redis")
    assert not machine.was_started("redis", "redis")


async def test_a_process_without_a_note_is_found_by_its_mark(
    machine: LinuxMachine, tmp_path: Path
) -> None:
    machine.start("redis", SLEEP)
    pid = pid_of(machine)
    (tmp_path / "redis" / "redis.pid").unlink()
    assert pid_of(LinuxMachine(tmp_path)) == pid
    (tmp_path / "redis" / "redis.pid").write_text('{"pid": 1')
    assert pid_of(LinuxMachine(tmp_path)) == pid


def test_a_stale_note_never_ends_another_process(machine: LinuxMachine, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "300"]) as other:
        try:
            note = {"pid": other.pid, "startedTicks": 5, "boot": machine._boot}
            (tmp_path / "redis" / "redis.pid").write_text(json.dumps(note))
            assert machine.running("redis", "redis") == ()
            machine.end("redis", "redis", at_once=True)
            assert other.poll() is None
        finally:
            other.kill()


def test_the_process_of_another_folder_is_not_ours(machine: LinuxMachine, tmp_path: Path) -> None:
    env = {**os.environ, MARK: mark("/elsewhere", "redis")}
    with subprocess.Popen(["sleep", "300"], env=env) as other:
        try:
            assert machine.running("redis", "redis") == ()
        finally:
            other.kill()


async def test_a_zombie_counts_as_gone(machine: LinuxMachine) -> None:
    machine.start("redis", SLEEP)
    pid = pid_of(machine)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: pid_of(machine) is None)


def test_what_a_process_says_is_in_its_log(machine: LinuxMachine, tmp_path: Path) -> None:
    machine.start("redis", Launch("redis", ("sh", "-c", "echo one; echo two >&2; echo three")))
    machine._children[-1].wait(10)
    folder = StackFolder(tmp_path, SeededChance(1))
    assert folder.log_tail("redis", "redis", 2) == ["two", "three"]


@pytest.mark.network
def test_a_port_is_free_or_taken(machine: LinuxMachine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not machine.is_free(taken.getsockname()[1])


async def test_half_of_a_cache_entry_is_made_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    async def breaks(folder: Path) -> None:
        (folder / "part").write_text("half")
        raise CannotHave("the line is cut")

    async def makes(folder: Path) -> None:
        assert os.listdir(folder) == []
        (folder / "whole").write_text("whole")

    with pytest.raises(CannotHave):
        await cache.entry("kafka-1", breaks)
    assert not (tmp_path / "kafka-1").exists()
    assert (await cache.entry("kafka-1", makes) / "whole").read_text() == "whole"
    # Never made a second time.
    assert await cache.entry("kafka-1", breaks) == tmp_path / "kafka-1"


async def test_two_at_once_make_an_entry_once(tmp_path: Path) -> None:
    made: list[Path] = []

    async def make(folder: Path) -> None:
        made.append(folder)
        await asyncio.sleep(0.05)

    await asyncio.gather(*(Cache(tmp_path).entry("kafka-1", make) for _ in range(2)))
    assert len(made) == 1


def test_files_that_are_not_the_pinned_ones_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jar").write_bytes(b"a")
    good = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    check_sums(tmp_path, f"{good}  a.jar\n", "kafka 1")
    check_sum(tmp_path / "a.jar", good, "kafka 1")
    with pytest.raises(CannotHave, match=r"not the files that are pinned: a\.jar"):
        check_sums(tmp_path, f"{good[::-1]}  a.jar\n", "kafka 1")
    with pytest.raises(CannotHave, match=r"pinned: b\.jar"):
        check_sums(tmp_path, f"{good}  a.jar\n{good}  b.jar\n", "kafka 1")
    with pytest.raises(CannotHave, match=r"pinned: a\.jar"):
        check_sums(tmp_path, "", "kafka 1")
    with pytest.raises(CannotHave, match="its checksum is"):
        check_sum(tmp_path / "a.jar", good[::-1], "kafka 1")


def test_every_pinned_file_is_there() -> None:
    sums = pinned("kafka-4.3.1.sha256").splitlines()
    assert any(line.endswith("  kafka_2.13-4.3.1.jar") for line in sums)
    assert "<version>4.3.1</version>" in pinned("kafka.xml")
    sums = pinned("elasticsearch-8.19.7.sha256").splitlines()
    assert any(line.endswith("  elasticsearch-8.19.7.zip") for line in sums)
    assert "AnalysisPluginOfKessai.java" in plugin_sources()


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("kafka", "it needs Java 17, and there is no `java` here"),
        ("toxiproxy", "it needs the Go toolchain, and there is no `go` here"),
        ("mariadb", "mariadbd, mariadb-install-db, my_print_defaults not found"),
        ("redis", "redis-server not found, and this machine has no apt-get"),
    ],
)
async def test_what_a_machine_lacks_is_said(tmp_path: Path, server: str, why: str) -> None:
    programs = MachinePrograms(Cache(tmp_path), search_path=str(tmp_path / "nothing"))
    with pytest.raises(CannotHave, match=why):
        await programs.fetch(chosen([server])[0])


async def test_a_command_that_fails_is_told_by_its_last_words() -> None:
    assert await run(("sh", "-c", "echo fine"), limit_s=10) == "fine\n"
    with pytest.raises(CommandFailed, match="answered 3: it hurts"):
        await run(("sh", "-c", "echo it hurts >&2; exit 3"), limit_s=10)
    with pytest.raises(CommandFailed, match="took more than 0 s"):
        await run(("sleep", "300"), limit_s=0.05)
    with pytest.raises(CommandFailed, match="No such file"):
        await run(("/nowhere/program",), limit_s=10)


def test_secrets_are_kept_and_for_the_owner_alone(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path / "stack", SeededChance(1))
    made = folder.secrets(["redis", "mariadb"])
    assert len(set(made.values())) == 2
    assert all(len(secret) == 22 and secret.isalnum() for secret in made.values())
    again = StackFolder(tmp_path / "stack", SeededChance(2)).secrets(["redis", "new"])
    assert again["redis"] == made["redis"]
    assert stat.S_IMODE((tmp_path / "stack" / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "stack").stat().st_mode) == 0o700


def test_what_is_remembered_comes_back(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path, SeededChance(1))
    assert folder.load() == Remembered({})
    kept = Remembered({"redis.redis": 21379}, 3, proxied=True)
    folder.save(kept)
    assert folder.load() == kept
    (tmp_path / "stack.json").write_text('{"ports": ')
    with pytest.raises(StackError, match=r"stack\.json: not readable"):
        folder.load()


async def test_data_without_its_mark_is_made_again(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path, SeededChance(1))
    data = tmp_path / "redis" / "data"

    def planned(script: str) -> Plan:
        return Plan({}, (data,), (("sh", "-c", script, "sh", str(data)),), ())

    with pytest.raises(DidNotStart, match="its data could not be made"):
        await folder.prepare("redis", planned('touch "$1/half"; exit 1'))
    assert not folder.is_prepared("redis")
    await folder.prepare("redis", planned('touch "$1/whole"'))
    assert [file.name for file in data.iterdir()] == ["whole"]
    # What is whole is kept, whatever a plan says now.
    await folder.prepare("redis", planned("exit 1"))
    folder.wipe("redis")
    assert not data.exists()
    assert not folder.is_prepared("redis")


def test_the_cache_lies_outside_of_the_work_tree() -> None:
    assert cache_folder({"KESSAI_STACK_CACHE": "/somewhere"}) == Path("/somewhere")
    assert cache_folder({"XDG_CACHE_HOME": "/caches"}) == Path("/caches/kessai/stack")
    assert cache_folder({}) == Path.home() / ".cache/kessai/stack"


@pytest.mark.network
async def test_a_broker_is_asked_in_its_own_words() -> None:
    asked: list[bytes] = []
    answers = [b"\0\0\0\1" + b"\0\0\0\0" + b"\0\x0f" + b"\0\0", b"\0\0\0\1" + b"\0" * 10]

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(4), "big")
        asked.append(await reader.readexactly(length))
        answer = answers[len(asked) - 1] if len(asked) <= len(answers) else b""
        writer.write(len(answer).to_bytes(4, "big") + answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(broker, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await coordinator_error("127.0.0.1", port) == 15
        assert await groups_error("127.0.0.1", port) == 0
        with pytest.raises(NotKafka):
            await groups_error("127.0.0.1", port)
    assert asked[0] == b"\0\x0a\0\1\0\0\0\1\0\x0ckessai-stack\0\x0ckessai-stack\0"
