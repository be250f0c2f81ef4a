"""Elasticsearch as a single node, small, without the modules that nobody here asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kessai.stack.domain.place import HOST, Launch, Place, Plan

# It refuses root by the number of its user; in a user namespace of its own that is another one,
# while files stay ours.
AS_ANOTHER = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
_JVM = """\
-Xms512m
-Xmx512m
-XX:+UseSerialGC
-XX:+ExitOnOutOfMemoryError
-Djava.io.tmpdir=${ES_TMPDIR}
-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1
"""
_LOGGING = """\
status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = ${sys:es.logs.base_path}/elasticsearch.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c{1.} %m%n
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""


def elasticsearch_plan(place: Place, programs: Mapping[str, Path]) -> Plan:
    folder = place.of("elasticsearch")
    config = folder / "config"
    run = (str(programs["elasticsearch"] / "bin" / "elasticsearch"), "-d")
    env = {"ES_PATH_CONF": str(config), "ES_JAVA_HOME": str(programs["java-home"])}
    return Plan(
        files={
            config / "elasticsearch.yml": _settings(place),
            config / "jvm.options": _JVM,
            config / "log4j2.properties": _LOGGING,
        },
        folders=(place.data("elasticsearch"),),
        first=(),
        launches=(Launch("elasticsearch", (*AS_ANOTHER, *run) if place.is_root else run, env),),
    )


def _settings(place: Place) -> str:
    values: dict[str, object] = {
        "cluster.name": "kessai",
        "node.name": "kessai",
        "discovery.type": "single-node",
        "network.host": HOST,
        "http.port": place.ports["elasticsearch.http"],
        "transport.port": place.ports["elasticsearch.transport"],
        "path.data": f'"{place.data("elasticsearch")}"',
        "path.logs": f'"{place.of("elasticsearch")}"',
        "cluster.routing.allocation.disk.threshold_enabled": "false",
        "xpack.security.enabled": "false",
    }
    return "".join(f"{name}: {value}\n" for name, value in values.items())
