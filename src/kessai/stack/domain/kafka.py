"""Kafka in KRaft mode: each process is broker and controller, one of them or three."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kessai.stack.domain.place import HOST, Launch, Place, Plan

_ONE_HEAP, _THREE_HEAP = "512m", "256m"
_LOGGING = """\
<Configuration status="warn">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="warn"><AppenderRef ref="out"/></Root>
    <Logger name="kafka.server" level="info"/>
  </Loggers>
</Configuration>
"""


def kafka_plan(place: Place, programs: Mapping[str, Path]) -> Plan:
    folder = place.of("kafka")
    nodes = range(1, place.brokers + 1)
    logging = folder / "log4j2.xml"
    heap = _ONE_HEAP if place.brokers == 1 else _THREE_HEAP
    java = (
        str(programs["java"]),
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        f"-Dlog4j2.configurationFile={logging}",
        *("-cp", f"{programs['libs']}/*"),
    )
    properties = {node: folder / f"broker{node}.properties" for node in nodes}
    return Plan(
        files={logging: _LOGGING, **{properties[node]: _properties(place, node) for node in nodes}},
        folders=(place.data("kafka"),),
        first=tuple((*java, *_format(place, properties[node])) for node in nodes),
        launches=tuple(
            Launch(f"kafka{node}", (*java, "kafka.Kafka", str(properties[node]))) for node in nodes
        ),
    )


def _format(place: Place, properties: Path) -> tuple[str, ...]:
    voters = ",".join(
        f"{n}@{_at(place, f'controller{n}')}:{place.secrets[f'kafka-folder{n}']}"
        for n in range(1, place.brokers + 1)
    )
    return (
        "kafka.tools.StorageTool",
        "format",
        *("-t", place.secrets["kafka-cluster"]),
        *("-c", str(properties)),
        *("--initial-controllers", voters),
        "--ignore-formatted",
    )


def _properties(place: Place, node: int) -> str:
    copies = place.brokers
    enough = 1 if copies == 1 else 2
    values: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node,
        "controller.quorum.bootstrap.servers": ",".join(
            _at(place, f"controller{n}") for n in range(1, copies + 1)
        ),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENT",
        "listeners": f"CLIENT://{_at(place, f'broker{node}')},"
        f"PROXIED://{_at(place, f'proxied{node}')},"
        f"CONTROLLER://{_at(place, f'controller{node}')}",
        # Who comes through the proxy is sent back to the proxy.
        "advertised.listeners": f"CLIENT://{_at(place, f'broker{node}')},"
        f"PROXIED://{_at(place, f'proxied{node}.proxy')}",
        "listener.security.protocol.map": ",".join(
            f"{name}:PLAINTEXT" for name in ("CLIENT", "PROXIED", "CONTROLLER")
        ),
        "log.dirs": place.data("kafka") / str(node),
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": enough,
        "group.initial.rebalance.delay.ms": 0,
    }
    for topic in ("offsets.topic", "share.coordinator.state.topic", "transaction.state.log"):
        values[f"{topic}.replication.factor"] = copies
        values[f"{topic}.num.partitions"] = 8
    values["transaction.state.log.min.isr"] = enough
    values["share.coordinator.state.topic.min.isr"] = enough
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _at(place: Place, port: str) -> str:
    return f"{HOST}:{place.ports[f'kafka.{port}']}"
