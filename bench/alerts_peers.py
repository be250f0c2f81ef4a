"""Who runs the rules in the benchmark: we, quixstreams and Kafka Streams, each as one process."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from tests.support.alert_process import Job

from kessai.kernel.kafka_bus import cluster_of
from kessai.kernel.kafka_bus import topics as broker
from kessai.kernel.kafka_bus.limits import KafkaLimits
from kessai.topology import PARTITIONS

PEERS = Path(__file__).parent / "peers"
CACHE = Path.home() / ".cache" / "kessai" / "bench"
ROOT = Path(__file__).parent.parent
_QUIX = "quixstreams==3.28.1"
_TICKS_PER_S = 100


@dataclass(frozen=True)
class Peer:
    """`words` start it; `group` is what it commits its positions in. `has_timers`: whether it can
    say that something did not come."""

    name: str
    words: Sequence[str]
    group: str
    alerts: str
    has_timers: bool = True


def ours(job: Job) -> Peer:
    return Peer("ours", job.words(), job.group, job.topics.alerts)


def quixstreams(job: Job) -> Peer:
    """Installed on first use. Raises `CalledProcessError`."""
    folder = CACHE / "quixstreams"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", _QUIX], check=True)
        (folder / "ready").touch()
    given = _given(job, f"{job.prefix}{job.name}.quix")
    words = [str(python), "-W", "ignore", str(PEERS / "quix_alerts.py"), *given]
    return Peer("quixstreams", words, given[1], given[4], has_timers=False)


def kafka_streams(job: Job) -> Peer:
    """Libraries come by Maven on first use. Raises `CalledProcessError`, `FileNotFoundError`."""
    folder, source = CACHE / "kafka-streams-4.3.1", PEERS / "streams"
    if not (folder / "ready").exists():
        given = f"-DincludeScope=runtime -DoutputDirectory={folder / 'libs'}".split()
        words = ["mvn", "-q", "-B", "-f", str(source / "pom.xml"), "dependency:copy-dependencies"]
        subprocess.run([*words, *given], check=True, capture_output=True)
        (folder / "ready").touch()
    path, java = f"{folder / 'libs'}/*", source / "src/main/java/kessai/Alerts.java"
    subprocess.run(["javac", "-cp", path, "-d", folder / "classes", java], check=True)
    given = _given(job, f"{job.prefix}{job.name}.streams")
    words = ["java", "-Xmx512m", "-cp", f"{folder / 'classes'}:{path}", "kessai.Alerts", *given]
    return Peer("Kafka Streams EOS-v2", words, given[1], given[4])


def _given(job: Job, name: str) -> list[str]:
    hosts, topics = cluster_of(job.bus).hosts, job.topics
    folder = f"{job.folder}/{name}"
    windows = [str(job.window_ms), str(job.refund_ms)]
    return [hosts, name, topics.orders, topics.payments, f"{name}.alerts", folder, *windows]


def peers_of(job: Job) -> tuple[list[Peer], dict[str, str]]:
    """Those that can be had here, and why others cannot."""
    found, missing = [], {}
    makers: dict[str, Callable[[Job], Peer]] = {
        "quixstreams": quixstreams,
        "Kafka Streams EOS-v2": kafka_streams,
    }
    for name, make in makers.items():
        try:
            found.append(make(job))
        except (OSError, subprocess.CalledProcessError) as error:
            missing[name] = f"not to be had here: {type(error).__name__}"
    return found, missing


@dataclass
class Running:
    """A process that is watched by what the kernel tells of it."""

    process: subprocess.Popen[str]
    log: Path
    began_s: float = field(default_factory=time.monotonic)

    @property
    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def memory_mb(self, name: str = "VmHWM") -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) // 1024
        return 0

    def require_alive(self) -> None:
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended: {self.log.read_text()[-2000:]}")

    def until_said(self, word: str, limit_s: float = 300.0) -> str:
        """The first line that begins so."""
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            for line in self.log.read_text().splitlines():
                if line.startswith(word):
                    return line
            self.require_alive()
            time.sleep(0.01)
        raise TimeoutError(word)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def start(words: Sequence[str], log: Path) -> Running:
    with log.open("w") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, cwd=ROOT, text=True)
    return Running(process, log)


class Progress:
    """How many input records a group has committed; two clients for the whole run."""

    def __init__(self, url: str, group: str, topics: Sequence[str]) -> None:
        self._cluster = cluster_of(url)
        self._places = [(topic, number) for topic in topics for number in range(PARTITIONS)]
        self._consumer = Consumer(self._cluster.config(group_id=group))

    @property
    def total(self) -> int:
        return sum(broker.ends(self._cluster, self._places, KafkaLimits()).values())

    @property
    def done(self) -> int:
        asked = [TopicPartition(*place) for place in self._places]
        return sum(max(0, one.offset) for one in self._consumer.committed(asked, 30))

    def close(self) -> None:
        self._consumer.close()


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
