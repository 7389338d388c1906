"""The Helm chart, linted, rendered for each values file in its `ci` folder, and checked as a cluster would."""

import copy
from collections.abc import Iterator
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import helm_python as helm
import jsonschema
import kubernetes_validate
import pytest
import yaml

from broadcast_api.settings import Settings
from broadcast_contracts.topology import ATTACHMENTS, BUCKETS, STREAMS, consumers
from broadcast_delivery.identities import identities
from broadcast_telegram.settings import WorkerSettings
from deploy.nats.config import variable
from tests.deploy import crds

CHART = Path(__file__).parents[2] / "deploy/helm/telegram-broadcasts"
VALUES = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
KUBERNETES = ("1.30", kubernetes_validate.latest_version())
"""The oldest version that the chart says it supports, and the newest with a schema."""

Manifest = dict[str, Any]


@cache
def rendered(name: str) -> tuple[Manifest, ...]:
    """All manifests for a values file."""
    texts = _render(_values(name))
    files = [text for path, text in sorted(texts.items()) if not path.endswith("NOTES.txt")]
    return tuple(manifest for text in files for manifest in yaml.safe_load_all(text) if manifest)


def kinds(name: str, kind: str) -> list[Manifest]:
    return [manifest for manifest in rendered(name) if manifest["kind"] == kind]


def pods(name: str) -> Iterator[tuple[str, Manifest]]:
    """Every pod that would run, with the name of what makes it."""
    for manifest in rendered(name):
        if manifest["kind"] == "Pod":
            yield manifest["metadata"]["name"], manifest["spec"]
        elif "template" in manifest.get("spec", {}):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", VALUES)
def test_the_chart_is_linted_without_a_warning(name: str) -> None:
    report = helm.lint(str(CHART), _values(name), strict=True)
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize("name", VALUES)
def test_every_manifest_is_one_that_kubernetes_or_its_operator_accepts(name: str) -> None:
    for manifest in rendered(name):
        if not crds.validate(manifest):
            for version in KUBERNETES:
                kubernetes_validate.validate(manifest, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    broken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES[0], strict=True)


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("ScaledObject", []),
        ("ScaledObject", ["fallback"]),
        ("ScaledObject", ["triggers", 0, "metadata"]),
        ("PodMonitor", ["podMetricsEndpoints", 0, "relabelings", 0]),
        ("PrometheusRule", ["groups", 0, "rules", 0]),
        ("Cluster", ["storage"]),
        ("HTTPRoute", ["rules", 0]),
    ],
)
def test_a_field_that_an_operator_does_not_know_is_found(kind: str, place: list[str | int]) -> None:
    manifest = next(found for name in VALUES for found in kinds(name, kind))
    assert crds.validate(manifest)
    broken = copy.deepcopy(manifest)
    reduce(getitem, place, broken["spec"])["minReplicas"] = "1"
    with pytest.raises(jsonschema.ValidationError, match="minReplicas"):
        crds.validate(broken)


@pytest.mark.parametrize("name", VALUES)
def test_every_pod_is_restricted_and_bounded(name: str) -> None:
    """As the pod security standard `restricted` says, and a read-only root file system beyond it."""
    for made_by, pod in pods(name):
        assert pod["automountServiceAccountToken"] is False, made_by
        assert pod["securityContext"]["runAsNonRoot"] is True, made_by
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, made_by
        assert all(volume.keys() - {"name"} <= {"projected", "emptyDir"} for volume in pod.get("volumes", ()))
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, made_by
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, made_by
            assert "memory" in container["resources"]["limits"], made_by


@pytest.mark.parametrize("name", VALUES)
def test_no_secret_is_in_a_manifest_or_an_environment_variable(name: str) -> None:
    assert kinds(name, "Secret") == []
    for _, pod in pods(name):
        for container in pod["containers"]:
            given = {variable["name"] for variable in container.get("env", [])}
            assert given <= {
                "BROADCAST_SETTINGS_DIR",
                "PGSSLMODE",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "OTEL_TRACES_SAMPLER_ARG",
            }


@pytest.mark.parametrize("name", VALUES)
def test_every_setting_in_a_config_map_is_one_that_the_service_reads(name: str) -> None:
    """A misspelt one would be ignored in silence."""
    for part, settings in (("api", Settings), ("dispatcher", WorkerSettings), ("revoker", WorkerSettings)):
        config = _config_maps(name)[f"b-{part}"]
        known = {f"BROADCAST_{field.upper()}" for field in settings.model_fields}
        assert config["data"].keys() <= known


@pytest.mark.parametrize("name", VALUES)
def test_a_worker_is_given_longer_than_it_drains_and_than_a_lease_lasts(name: str) -> None:
    settings = WorkerSettings.model_validate(_values(name).get("settings", {}))
    lease = settings.lease_seconds + settings.lease_grace_seconds
    for deployment in kinds(name, "Deployment"):
        if deployment["metadata"]["name"] in ("b-dispatcher", "b-revoker"):
            grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
            assert grace > max(settings.shutdown_seconds, lease) + settings.attempt_timeout_seconds


def test_keda_asks_for_every_consumer_of_jobs_and_for_no_other() -> None:
    triggers = [trigger["metadata"] for scaled in kinds("everything", "ScaledObject") for trigger in _triggers(scaled)]
    asked = {(trigger["stream"], trigger["consumer"]) for trigger in triggers}
    jobs = consumers(("main", "hr"))
    assert asked == {(consumer.stream, consumer.durable) for consumer in jobs if consumer.stream == "JOBS"}


def test_who_is_scaled_by_keda_has_no_fixed_number_of_replicas_and_starts_from_none() -> None:
    scaled = {item["spec"]["scaleTargetRef"]["name"] for item in kinds("everything", "ScaledObject")}
    deployments = {item["metadata"]["name"]: item["spec"] for item in kinds("everything", "Deployment")}
    assert scaled == {"b-dispatcher", "b-revoker"}
    assert all("replicas" not in deployments[name] for name in scaled)
    assert {item["spec"]["minReplicaCount"] for item in kinds("everything", "ScaledObject")} == {0}


def test_the_rules_and_selectors_meet_the_pods_they_mean() -> None:
    labels = [item["spec"]["template"]["metadata"]["labels"] for item in kinds("everything", "Deployment")]
    for kind in ("PodDisruptionBudget", "NetworkPolicy", "Service", "PodMonitor"):
        for manifest in kinds("everything", kind):
            spec = manifest["spec"]
            selector = spec.get("podSelector") or spec["selector"]
            wanted = selector.get("matchLabels", selector)
            jobs = [item["spec"]["template"]["metadata"]["labels"] for item in kinds("everything", "Job")]
            assert any(wanted.items() <= label.items() for label in labels + jobs), manifest["metadata"]["name"]


def test_prometheus_alone_reaches_the_numbers() -> None:
    ports = {made_by: _ports(pod) for made_by, pod in pods("everything") if _ports(pod)}
    worker = {"metrics": 8080}
    assert ports == {"b-api": {"http": 8080, "metrics": 8081}, "b-dispatcher": worker, "b-revoker": worker}
    assert [port["targetPort"] for item in kinds("everything", "Service") for port in item["spec"]["ports"]] == ["http"]
    (monitor,) = kinds("everything", "PodMonitor")
    assert [endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]] == ["metrics"]
    prometheus = yaml.safe_load((CHART / "values.yaml").read_text())["networkPolicy"]["monitoring"]
    opened = {
        policy["metadata"]["name"]: {
            port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"] if rule["from"] == prometheus
        }
        for policy in kinds("everything", "NetworkPolicy")
        if "ingress" in policy["spec"]
    }
    assert opened == {name: {of["metrics"]} for name, of in ports.items()}


def _ports(pod: Manifest) -> dict[str, int]:
    return {
        port["name"]: port["containerPort"] for container in pod["containers"] for port in container.get("ports", ())
    }


def test_only_workers_and_an_open_door_reach_telegram() -> None:
    def reaches(name: str) -> set[str]:
        return {
            policy["metadata"]["name"]
            for policy in kinds(name, "NetworkPolicy")
            if any(port["port"] == 443 for rule in policy["spec"]["egress"] for port in rule["ports"])
        }

    assert reaches("minimal") == {"b-dispatcher", "b-revoker"}
    assert reaches("everything") == {"b-dispatcher", "b-revoker", "b-api"}


def test_the_api_reaches_the_provider_that_people_sign_in_at_and_nobody_else_does() -> None:
    def reach(port: int) -> dict[str, list[Manifest]]:
        return {
            policy["metadata"]["name"]: rule["to"]
            for policy in kinds("everything", "NetworkPolicy")
            for rule in policy["spec"]["egress"]
            if {"port": port} in rule["ports"]
        }

    assert reach(8443) == {"b-api": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "id"}}}]}
    with pytest.raises(helm.HelmError, match=r"networkPolicy\.oidc: say where"):
        _render({**_values("minimal"), "settings": {"oidc_issuer": "https://id.test"}})


def test_behind_an_ingress_with_tls_the_console_knows_that_it_is_seen_over_https() -> None:
    """Else its cookies would travel in the clear, too."""
    assert _config_maps("everything")["b-api"]["data"]["BROADCAST_PUBLIC_URL"] == "https://broadcasts.example.org"
    assert not any("BROADCAST_PUBLIC_URL" in item["data"] for item in _config_maps("minimal").values())


def test_every_service_sends_its_spans_where_it_is_told_and_may_reach_it() -> None:
    told = {
        made_by: variable["value"]
        for made_by, pod in pods("everything")
        for variable in pod["containers"][0].get("env", [])
        if variable["name"] == "OTEL_EXPORTER_OTLP_ENDPOINT"
    }
    reach = {
        policy["metadata"]["name"]
        for policy in kinds("everything", "NetworkPolicy")
        if any(port["port"] == 4318 for rule in policy["spec"]["egress"] for port in rule["ports"])
    }
    assert told.keys() == reach == {"b-api", "b-dispatcher", "b-revoker"}
    assert set(told.values()) == {"http://otel.monitoring:4318"}


def test_the_values_that_the_readme_tells_are_enough() -> None:
    told = (CHART.parents[1] / "README.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    assert _render(yaml.safe_load(told))


def test_each_optional_part_is_absent_until_it_is_asked_for() -> None:
    optional = {"ScaledObject", "Cluster", "Ingress", "HTTPRoute", "PodMonitor", "PrometheusRule"}
    assert optional.isdisjoint(manifest["kind"] for manifest in rendered("minimal"))
    assert optional <= {manifest["kind"] for manifest in rendered("everything")}
    assert {"NetworkPolicy", "PodDisruptionBudget"}.isdisjoint(manifest["kind"] for manifest in rendered("bare"))


def test_the_init_job_is_a_new_one_only_when_what_it_makes_changes() -> None:
    def job(**more: Any) -> str:
        texts = _render({**_values("minimal"), **more})
        name: str = yaml.safe_load(texts["telegram-broadcasts/templates/init.yaml"])["metadata"]["name"]
        return name

    assert job() == job(keda={"enabled": True})
    assert job() != job(bots=["main", "hr"])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"postgresql": {"existingSecret": ""}}, "postgresql.existingSecret: name a Secret"),
        ({"door": {"kind": "polling"}}, "door.existingSecret"),
        ({"dispatchers": {}}, "dispatchers"),
        ({"bots": ["Main"]}, "bots"),
        ({"nats": {"replicas": 2}}, "replicas"),
        ({"nats": {"url": "nats://user:password@nats:4222"}}, "url"),
        ({"settings": {"accounts": "x"}}, "accounts"),
        ({"api": {"env": {"PGPASSWORD": "x"}}}, "PGPASSWORD"),
        ({"tracing": {"env": {"OTEL_EXPORTER_OTLP_HEADERS": "x"}}}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"tracing": {"endpoint": "otel:4318"}}, "endpoint"),
        ({"settings": {"BROADCAST_WINDOW": 1}}, "BROADCAST_WINDOW"),
    ],
)
def test_a_wrong_value_is_refused_by_name(wrong: Manifest, why: str) -> None:
    with pytest.raises(helm.HelmError, match=why):
        _render({**_values("minimal"), **wrong})


def test_each_service_is_told_who_it_is_at_nats_and_nats_knows_every_one_of_them() -> None:
    known = {identity.name: variable(identity.name) for identity in identities(["main"])}
    told = {name: item["data"].get("BROADCAST_NATS_USER") for name, item in _config_maps("minimal").items()}
    assert told == {"b-api": "broadcast-api", "b-dispatcher": "dispatcher", "b-revoker": "revoker"}
    assert set(told.values()) < known.keys()
    given = yaml.safe_load((CHART.parent / "nats-values.yaml").read_text())["container"]["env"]
    keys = {name: given[name]["valueFrom"]["secretKeyRef"]["key"] for name in known.values()}
    assert keys == {variable: name for name, variable in known.items()}


def test_each_service_is_handed_the_authority_of_nats_where_there_is_one() -> None:
    for item in _config_maps("everything").values():
        if "BROADCAST_NATS_USER" in item["data"]:
            assert item["data"]["BROADCAST_NATS_CA_FILE"] == "/etc/broadcasts/nats-ca.crt"
    handed = {made_by for made_by, pod in pods("everything") if "{'key': 'ca.crt', 'path': 'nats-ca.crt'}" in str(pod)}
    assert handed >= {"b-api", "b-dispatcher", "b-revoker"}
    assert not any("BROADCAST_NATS_CA_FILE" in item["data"] for item in _config_maps("minimal").values())


def test_the_disk_of_nats_holds_twice_what_is_there_when_everything_is_full() -> None:
    values = yaml.safe_load((CHART.parent / "nats-values.yaml").read_text())["config"]["jetstream"]
    gibibytes = int(values["fileStore"]["pvc"]["size"].removesuffix("Gi"))
    stored = sum(kept.max_bytes for kept in (*STREAMS, *BUCKETS, ATTACHMENTS))
    assert gibibytes * 1024**3 > 2 * stored
    assert values["merge"]["sync_interval"] == "always"


def _render(values: Manifest) -> dict[str, str]:
    """What `helm template` would: the values checked against the schema, and the text of each template."""
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(values)
        return chart.render(values, name="b", namespace="broadcasts")


def _config_maps(name: str) -> dict[str, Manifest]:
    return {item["metadata"]["name"]: item for item in kinds(name, "ConfigMap") if "data" in item}


def _triggers(scaled: Manifest) -> list[Manifest]:
    triggers: list[Manifest] = scaled["spec"]["triggers"]
    return triggers


def _values(name: str) -> Manifest:
    values: Manifest = yaml.safe_load(VALUES[name].read_text())
    return values
