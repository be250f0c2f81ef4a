"""deploy/kubernetes as data: objects by kind and name, and what a container is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
NAME = "app.kubernetes.io/name"
Object = dict[str, Any]


def objects(file: str) -> list[Object]:
    return list(yaml.safe_load_all((FOLDER / file).read_text("utf-8")))


KUSTOMIZATION = objects("kustomization.yaml")[0]
RESOURCES = [one for file in KUSTOMIZATION["resources"] for one in objects(file)]
EXAMPLE_SECRETS = {
    one["metadata"]["name"]: one["stringData"] for one in objects("secrets.example.yaml")
}
WORKLOADS = ("Deployment", "StatefulSet")


def find(kind: str, name: str) -> Object:
    found = [one for one in RESOURCES if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{len(found)} times {kind} {name}"
    return found[0]


def workload(name: str) -> Object:
    found = [
        one for one in RESOURCES if one["kind"] in WORKLOADS and one["metadata"]["name"] == name
    ]
    assert len(found) == 1, f"{len(found)} workloads {name}"
    return found[0]


def pod_of(of: Object) -> Object:
    spec: Object = of["spec"]["jobTemplate"]["spec"] if of["kind"] == "CronJob" else of["spec"]
    pod: Object = spec["template"]["spec"]
    return pod


def container_of(of: Object) -> Object:
    (container,) = pod_of(of)["containers"]
    return dict(container)


def pods() -> list[Object]:
    return [one for one in RESOURCES if one["kind"] in (*WORKLOADS, "CronJob")]


def references(container: Object) -> list[tuple[str, str]]:
    """Secret and key, of those that have to be there."""
    found = [one["valueFrom"]["secretKeyRef"] for one in container["env"] if "valueFrom" in one]
    return [(one["name"], one["key"]) for one in found]


def environment(container: Object) -> dict[str, str]:
    """What the process sees, with the secrets of the example."""
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        found |= find("ConfigMap", source["configMapRef"]["name"])["data"]
    for one in container["env"]:
        if "value" in one:
            found[one["name"]] = one["value"]
        else:
            reference = one["valueFrom"]["secretKeyRef"]
            found[one["name"]] = EXAMPLE_SECRETS[reference["name"]][reference["key"]]
    return found


def names_in(peers: list[Object]) -> set[str]:
    """Services of this namespace among the peers of a policy."""
    return {
        peer["podSelector"]["matchLabels"][NAME]
        for peer in peers
        if "podSelector" in peer and "namespaceSelector" not in peer
    }


def allowed(policy: Object, way: str) -> set[tuple[str, int]]:
    """`way` is ingress or egress: service and port of each edge within the namespace."""
    peers = "from" if way == "ingress" else "to"
    return {
        (name, port["port"])
        for rule in policy["spec"].get(way, ())
        for name in names_in(rule[peers])
        for port in rule["ports"]
    }


def ports_outside(policy: Object) -> set[int]:
    return {
        port["port"]
        for rule in policy["spec"]["egress"]
        if any("ipBlock" in peer for peer in rule["to"])
        for port in rule["ports"]
    }
