"""deploy/kubernetes against the map of the system and the settings; no cluster is needed."""

from __future__ import annotations

import ast
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.deploy.manifests import (
    EXAMPLE_SECRETS,
    FOLDER,
    KUSTOMIZATION,
    NAME,
    RESOURCES,
    ROOT,
    Object,
    allowed,
    container_of,
    environment,
    find,
    names_in,
    objects,
    pod_of,
    pods,
    ports_outside,
    references,
    workload,
)

from kessai.embedded import service_urls
from kessai.kernel.settings import Settings
from kessai.topology import ALERT, BFF, SERVICES, ServiceCard, service

each_service = pytest.mark.parametrize("card", SERVICES, ids=lambda card: card.name)
each_pod = pytest.mark.parametrize("of", pods(), ids=lambda of: of["metadata"]["name"])
# Of URLs that name no port.
USUAL_PORTS = {"mysql+asyncmy": 3306, "https": 443, "http": 80}


def settings_of(of: Object) -> Settings:
    given = environment(container_of(of))
    return Settings(
        _env_file=None,
        **{name.removeprefix("KESSAI_").lower(): value for name, value in given.items()},  # type: ignore[arg-type]
    )


def management_port(card: ServiceCard) -> int:
    return card.management_port or card.port


def test_every_file_is_part_of_it_and_no_secret_is() -> None:
    files = {file.name for file in FOLDER.glob("*.yaml")}
    assert files == {*KUSTOMIZATION["resources"], "kustomization.yaml", "secrets.example.yaml"}
    assert not [one for one in RESOURCES if one["kind"] == "Secret"]
    assert {image["name"] for image in KUSTOMIZATION["images"]} == {"kessai"}


def test_no_object_is_there_twice() -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in RESOURCES]
    assert len(set(names)) == len(names)
    assert {one["apiVersion"] for one in RESOURCES} == {
        "v1",
        "apps/v1",
        "batch/v1",
        "policy/v1",
        "networking.k8s.io/v1",
    }


@each_service
def test_each_service_is_started_by_its_name_and_listens_at_its_port(card: ServiceCard) -> None:
    container = container_of(workload(card.name))
    assert container["command"] == ["kessai", "serve", card.name]
    listened = {port["name"]: port["containerPort"] for port in container["ports"]}
    wanted = {"http": card.port}
    if card.management_port:
        wanted["management"] = card.management_port
    assert listened == wanted
    spec = find("Service", card.name)["spec"]
    assert spec["selector"] == {NAME: card.name}
    assert spec["ports"] == [{"name": "http", "port": card.port, "targetPort": "http"}]


@each_service
def test_each_is_asked_at_its_management_port(card: ServiceCard) -> None:
    container = container_of(workload(card.name))
    base = f"http://127.0.0.1:{management_port(card)}/actuator/health"
    paths = {"startupProbe": "readiness", "readinessProbe": "liveness", "livenessProbe": "liveness"}
    for probe, path in paths.items():
        *interpreter, program = container[probe]["exec"]["command"]
        assert interpreter == ["python", "-IS", "-c"]
        ast.parse(program)
        assert f"'{base}/{path}'" in program
        assert container[probe]["timeoutSeconds"] > 4


@each_service
def test_each_survives_the_loss_of_one_process(card: ServiceCard) -> None:
    spec = workload(card.name)["spec"]
    labels = {NAME: card.name}
    assert spec["replicas"] >= 2
    assert spec["selector"]["matchLabels"] == labels
    assert spec["template"]["metadata"]["labels"].items() >= labels.items()
    budget = find("PodDisruptionBudget", card.name)["spec"]
    assert budget == {"minAvailable": 1, "selector": {"matchLabels": labels}}
    (spread,) = pod_of(workload(card.name))["topologySpreadConstraints"]
    assert spread["labelSelector"] == {"matchLabels": labels}


@each_service
def test_it_is_given_time_to_stop(card: ServiceCard) -> None:
    pod = pod_of(workload(card.name))
    _, pause_s = container_of(workload(card.name))["lifecycle"]["preStop"]["exec"]["command"]
    stop_s = settings_of(workload(card.name)).stop_timeout_s + 3
    assert pod["terminationGracePeriodSeconds"] > stop_s + int(pause_s)


def test_who_may_call_whom_is_what_the_map_says() -> None:
    wanted = {(card.name, callee) for card in SERVICES for callee in card.calls}
    out, into = set(), set()
    for card in SERVICES:
        policy = find("NetworkPolicy", card.name)
        assert policy["spec"]["podSelector"] == {"matchLabels": {NAME: card.name}}
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        for callee, port in allowed(policy, "egress"):
            assert port == service(callee).port
            out.add((card.name, callee))
        for caller, port in allowed(policy, "ingress"):
            assert port == card.port
            into.add((caller, card.name))
    assert out == wanted
    assert into == wanted


def test_nothing_else_is_let_in_or_out() -> None:
    nothing = find("NetworkPolicy", "nothing")["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    metrics = find("NetworkPolicy", "metrics")["spec"]["ingress"]
    assert [names_in(rule["from"]) for rule in metrics] == [set()]
    spans = [(p["port"], p.get("endPort", p["port"])) for p in metrics[0]["ports"]]
    for card in SERVICES:
        assert any(low <= management_port(card) <= high for low, high in spans), card.name
    known = {card.name for card in SERVICES} | {"nothing", "names", "metrics", "verify"}
    assert {o["metadata"]["name"] for o in RESOURCES if o["kind"] == "NetworkPolicy"} == known


def test_only_the_bff_is_reached_from_outside() -> None:
    for card in SERVICES:
        rules = find("NetworkPolicy", card.name)["spec"]["ingress"]
        outside = [rule for rule in rules if any("namespaceSelector" in p for p in rule["from"])]
        assert bool(outside) is card.public, card.name
    rule = find("Ingress", "kessai")["spec"]
    (path,) = rule["rules"][0]["http"]["paths"]
    assert path["backend"] == {"service": {"name": BFF.name, "port": {"name": "http"}}}
    url = find("ConfigMap", "kessai")["data"]["KESSAI_PUBLIC_URL"]
    assert url == f"https://{rule['rules'][0]['host']}"
    assert rule["tls"][0]["hosts"] == [rule["rules"][0]["host"]]
    assert {o["spec"].get("type") for o in RESOURCES if o["kind"] == "Service"} == {None}


@each_pod
def test_it_starts_as_production_with_settings_that_exist(of: Object) -> None:
    given = environment(container_of(of))
    known = {f"KESSAI_{name.upper()}" for name in Settings.model_fields}
    assert set(given) <= known
    settings = settings_of(of)
    assert settings.env == "production"
    internal = [card for card in SERVICES if card is not BFF]
    assert service_urls(settings) == {
        card.name: [f"http://{card.name}:{card.port}"] for card in internal
    }


@each_pod
def test_every_secret_is_by_reference_and_in_the_example(of: Object) -> None:
    container = container_of(of)
    for secret, key in references(container):
        assert key in EXAMPLE_SECRETS[secret], f"{secret}/{key}"
    by_hand = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    secrets = {
        f"KESSAI_{name.upper()}"
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    assert all(by_hand.get(name, "only-in").startswith("only-in") for name in secrets)
    assert not secrets & set(find("ConfigMap", "kessai")["data"])


def test_only_payment_service_has_the_keys_of_paypay() -> None:
    have = {
        of["metadata"]["name"]
        for of in pods()
        if any(key.startswith("KESSAI_PAYPAY") for _, key in references(container_of(of)))
    }
    assert have == {"payment-service"}


def test_every_secret_of_the_example_is_used() -> None:
    used = {reference for of in pods() for reference in references(container_of(of))}
    assert used == {(name, key) for name, keys in EXAMPLE_SECRETS.items() for key in keys}


@each_pod
def test_the_servers_that_it_is_given_can_be_reached(of: Object) -> None:
    open_ports = ports_outside(find("NetworkPolicy", of["metadata"]["name"]))
    secret = {one["name"] for one in container_of(of)["env"] if "valueFrom" in one}
    for name in sorted(secret):
        url = environment(container_of(of))[name]
        if "://" not in url:
            continue
        parts = urlsplit(url)
        at = urlsplit(parse_qs(parts.query)["endpoint"][0]) if parts.scheme == "s3" else parts
        assert (at.port or USUAL_PORTS[at.scheme]) in open_ports, name


@each_pod
def test_it_runs_as_nobody_in_particular(of: Object) -> None:
    pod, container = pod_of(of), container_of(of)
    who = pod["securityContext"]
    assert who["runAsNonRoot"] is True
    dockerfile = (ROOT / "deploy/Dockerfile").read_text("utf-8")
    assert f"USER {who['runAsUser']}:{who['runAsGroup']}" in dockerfile
    assert who["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}
    assert all(set(part) == {"cpu", "memory"} for part in container["resources"].values())


@each_pod
def test_what_it_writes_lies_on_a_volume(of: Object) -> None:
    mounts = {one["name"]: one["mountPath"] for one in container_of(of)["volumeMounts"]}
    assert mounts == {"tmp": "/tmp", "data": settings_of(of).data_dir}
    volumes = {one["name"] for one in pod_of(of)["volumes"]}
    claims = {one["metadata"]["name"] for one in of["spec"].get("volumeClaimTemplates", ())}
    assert volumes | claims == set(mounts)
    assert not volumes & claims


def test_alert_service_keeps_its_name_and_its_state() -> None:
    of = workload(ALERT.name)
    assert of["kind"] == "StatefulSet"
    assert of["spec"]["serviceName"] == ALERT.name
    assert find("Service", ALERT.name)["spec"]["clusterIP"] == "None"
    assert environment(container_of(of))["KESSAI_INSTANCE"].endswith("%h")
    (claim,) = of["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"
    assert {one["kind"] for one in map(workload, (c.name for c in SERVICES if c is not ALERT))} == {
        "Deployment"
    }


def test_no_two_services_have_one_name_for_their_processes() -> None:
    names = [environment(container_of(workload(c.name)))["KESSAI_INSTANCE"] for c in SERVICES]
    assert len(set(names)) == len(names)
    assert all(name.endswith("%h") for name in names)


def test_the_namespace_refuses_what_is_not_restricted() -> None:
    (namespace,) = objects("namespace.yaml")
    assert namespace["metadata"]["name"] == KUSTOMIZATION["namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
