"""What is true of the servers on paper: ports, configurations, settings, whose a process is."""

from __future__ import annotations

import io
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from dotenv import dotenv_values

from kessai.stack.domain.env import env_lines, mask, settings
from kessai.stack.domain.ownership import Note, Owned, Seen, owned, parse_stat
from kessai.stack.domain.place import HOST, Place
from kessai.stack.domain.plans import plan, proxies
from kessai.stack.domain.ports import NoFreePort, choose_ports
from kessai.stack.domain.server import (
    KAFKA,
    LAST_PORT,
    SERVERS,
    ServerCard,
    UnknownServer,
    chosen,
    listens_on,
    port_keys,
    process_names,
)

KEYS = [key for card in SERVERS for key in port_keys(card)]
PROGRAMS = {
    name: Path("/programs") / name
    for name in (
        "mariadbd",
        "mariadb-install-db",
        "redis-server",
        "minio",
        "elasticsearch",
        "java-home",
        "java",
        "libs",
        "mongod",
        "server",
    )
}


def a_place(*, brokers: int = 1) -> Place:
    secrets = {name: f"secret-of-{name}" for card in SERVERS for name in card.secrets}
    ports = choose_ports({}, lambda _: True)
    return Place(Path("/data dir/stack"), ports, secrets, brokers, "someone")


def test_ports_are_remembered_whether_or_not_they_are_free_now() -> None:
    first = choose_ports({}, lambda _: True)
    assert sorted(first) == sorted(KEYS)
    assert choose_ports(first, lambda _: False) == first


def test_taken_ports_are_passed_over_and_none_is_given_twice() -> None:
    taken = frozenset(choose_ports({}, lambda _: True).values())
    ports = choose_ports({}, lambda port: port not in taken)
    assert not taken & frozenset(ports.values())
    assert len(set(ports.values())) == len(KEYS)
    assert all(1024 < port <= LAST_PORT for port in ports.values())


def test_one_forgotten_port_is_chosen_around_the_others() -> None:
    ports = choose_ports({}, lambda _: True)
    wished = ports.pop("redis.redis")
    again = choose_ports({**ports, "mariadb.sql": wished}, lambda _: True)
    assert again["redis.redis"] not in (wished, *ports.values())


def test_no_free_port_is_said() -> None:
    with pytest.raises(NoFreePort):
        choose_ports({}, lambda _: False)


def test_servers_are_chosen_by_name_in_the_order_of_their_start() -> None:
    assert chosen([]) == SERVERS
    assert [card.name for card in chosen(["redis", "kafka", "redis"])] == ["kafka", "redis"]
    with pytest.raises(UnknownServer, match=r"no server oracle; known: elasticsearch, "):
        chosen(["kafka", "oracle"])


def test_numbered_ports_follow_the_number_of_brokers() -> None:
    assert port_keys(KAFKA, 1) == (
        "kafka.broker1",
        "kafka.controller1",
        "kafka.proxied1",
        "kafka.proxied1.proxy",
    )
    assert len(port_keys(KAFKA, 3)) == 12
    assert process_names(KAFKA, 3) == ("kafka1", "kafka2", "kafka3")
    assert port_keys(chosen(["minio"])[0], 1) == ("minio.s3", "minio.s3.proxy")
    assert "redis.redis.proxy" in listens_on(chosen(["toxiproxy"])[0])


@pytest.mark.parametrize("card", SERVERS, ids=lambda card: card.name)
def test_no_secret_is_in_a_command_line_or_shown(card: ServerCard) -> None:
    planned = plan(card.name, a_place(brokers=3), PROGRAMS)
    secret = [name for name in card.secrets if not name.startswith("kafka")]
    commands = [*planned.first, *(launch.command for launch in planned.launches)]
    environments = [value for launch in planned.launches for value in launch.env.values()]
    for name in secret:
        assert f"secret-of-{name}" in "".join([*planned.files.values(), *environments])
        assert not any(f"secret-of-{name}" in word for words in commands for word in words)
    assert "secret-of" not in repr(replace(planned, first=()))
    assert "secret-of" not in repr(a_place())


@pytest.mark.parametrize("card", SERVERS, ids=lambda card: card.name)
def test_every_server_listens_on_loopback_alone(card: ServerCard) -> None:
    planned = plan(card.name, a_place(), PROGRAMS)
    words = " ".join([*planned.files.values(), *(" ".join(la.command) for la in planned.launches)])
    assert HOST in words
    assert "0.0.0.0" not in words
    assert tuple(la.name for la in planned.launches) == process_names(card, 1)


def properties(place: Place, node: int) -> dict[str, str]:
    text = plan("kafka", place, PROGRAMS).files[place.of("kafka") / f"broker{node}.properties"]
    return dict(line.split("=", 1) for line in text.splitlines())


def test_one_broker_is_content_with_one_copy() -> None:
    found = properties(a_place(), 1)
    assert found["offsets.topic.replication.factor"] == "1"
    assert found["transaction.state.log.min.isr"] == "1"
    assert found["controller.quorum.bootstrap.servers"] == "127.0.0.1:21192"
    assert found["auto.create.topics.enable"] == "false"


def test_three_brokers_keep_three_copies_and_know_each_other() -> None:
    place = a_place(brokers=3)
    first, third = properties(place, 1), properties(place, 3)
    assert first["controller.quorum.bootstrap.servers"].count(",") == 2
    assert (third["node.id"], third["default.replication.factor"]) == ("3", "3")
    assert third["min.insync.replicas"] == "2"
    assert first["log.dirs"] != third["log.dirs"]
    formats = plan("kafka", place, PROGRAMS).first
    assert len(formats) == 3
    assert all("3@127.0.0.1:21194:secret-of-kafka-folder3" in " ".join(words) for words in formats)


def test_who_comes_to_kafka_through_the_proxy_is_sent_back_to_it() -> None:
    place = a_place()
    advertised = properties(place, 1)["advertised.listeners"]
    proxy = next(proxy for proxy in proxies(place) if proxy["name"] == "kafka1")
    assert advertised.endswith(f"PROXIED://{proxy['listen']}")
    assert f"PROXIED://{proxy['upstream']}" in properties(place, 1)["listeners"]


def test_there_is_a_proxy_in_front_of_every_server_and_broker() -> None:
    names = [proxy["name"] for proxy in proxies(a_place(brokers=3))]
    assert [name for name in names if str(name).startswith("kafka")] == [
        "kafka1",
        "kafka2",
        "kafka3",
    ]
    assert sorted(name for name in names if not str(name).startswith("kafka")) == sorted(
        card.name for card in SERVERS if card.name not in ("kafka", "toxiproxy")
    )


def test_settings_name_only_what_is_ready() -> None:
    found = settings(a_place(), ["redis", "toxiproxy", "kafka"])
    assert found == {
        "KESSAI_REDIS_URL": "redis://:secret-of-redis@127.0.0.1:21379/0",
        "KESSAI_BUS_URL": "kafka://127.0.0.1:21092",
    }


def test_settings_may_lead_through_the_proxies() -> None:
    found = settings(a_place(brokers=3), ["mongodb", "kafka", "mariadb"], proxied=True)
    assert found["KESSAI_BUS_URL"] == "kafka://127.0.0.1:21792,127.0.0.1:21793,127.0.0.1:21794"
    assert "@127.0.0.1:21517/" in found["KESSAI_AUDIT_URL"]
    # Else the driver would ask the replica set for the member's own address and go there.
    assert "directConnection=true" in found["KESSAI_AUDIT_URL"]
    assert found["KESSAI_SQL_URL"].endswith(":21806")


def test_the_file_of_settings_is_one_for_env_readers_and_for_shells() -> None:
    values = settings(a_place(), [card.name for card in SERVERS])
    lines = env_lines(values)
    assert dict(dotenv_values(stream=io.StringIO("\n".join(lines)))) == values
    assert dict(word.split("=", 1) for word in shlex.split("\n".join(lines))) == values


def test_secrets_are_masked_where_settings_are_shown() -> None:
    shown = env_lines(settings(a_place(), [card.name for card in SERVERS]), masked=True)
    assert "secret-of" not in "\n".join(shown)
    assert "KESSAI_SQL_URL='mysql+asyncmy://kessai:****@127.0.0.1:21306'" in shown
    assert mask("kafka://127.0.0.1:1,127.0.0.1:2") == "kafka://127.0.0.1:1,127.0.0.1:2"


NOTE = Note(pid=77, started_ticks=1000, boot="b1")


@pytest.mark.parametrize(
    ("boot", "seen", "expected"),
    [
        ("b1", Seen(1000, is_zombie=False), Owned.ALIVE),
        ("b1", None, Owned.GONE),
        ("b1", Seen(1000, is_zombie=True), Owned.GONE),
        # The pid belongs to another process now, or the machine was started again.
        ("b1", Seen(1001, is_zombie=False), Owned.GONE),
        ("b2", Seen(1000, is_zombie=False), Owned.GONE),
    ],
)
def test_a_pid_alone_proves_nothing(boot: str, seen: Seen | None, expected: Owned) -> None:
    assert owned(NOTE, boot, seen) is expected


def test_the_kernels_line_is_read_whatever_the_program_is_called() -> None:
    fields = " ".join(str(n) for n in range(4, 30))
    seen = parse_stat(f"77 (a) S 1 (b) Z {fields}")
    assert seen == Seen(started_ticks=22, is_zombie=True)
