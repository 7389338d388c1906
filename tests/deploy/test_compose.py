"""One machine with containers: NATS knows the same identities there as everywhere else."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from broadcast_delivery.identities import identities
from deploy.local.stack import nats_server_binary
from deploy.nats.config import server_file, variable

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
EVERYBODY = {identity.name: variable(identity.name) for identity in identities(["main"])}


def given(service: str, name: str) -> str:
    """The variable of deploy/.env that a setting is filled from; compose refuses to start without it."""
    found = re.fullmatch(r"\$\{(\w+):\?.+\}", SERVICES[service]["environment"][name])
    assert found, name
    return found[1]


def test_nats_accepts_its_configuration_with_the_users_that_are_described(tmp_path: Path) -> None:
    places = {mounted["source"]: tmp_path / Path(mounted["target"]).name for mounted in SERVICES["nats"]["configs"]}
    places["nats"].write_text(COMPOSE["configs"]["nats"]["content"])
    places["nats-users"].write_text(server_file(["main", "hr"]))
    told = dict.fromkeys(SERVICES["nats"]["environment"], "p1")
    command = [nats_server_binary(), "-c", str(places["nats"]), "-t"]
    checked = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    places["nats-users"].unlink()
    assert subprocess.run(command, env=told, capture_output=True, check=False).returncode != 0


def test_nats_is_given_the_password_of_everybody_who_is_described() -> None:
    names = SERVICES["nats"]["environment"]
    assert {name: given("nats", name) for name in names} == {name: name for name in EVERYBODY.values()}


def test_each_service_is_somebody_of_its_own_at_nats() -> None:
    who = {"init": "broadcast-api", "api": "broadcast-api", "dispatcher": "dispatcher", "revoker": "revoker"}
    for service, user in who.items():
        assert SERVICES[service]["environment"]["BROADCAST_NATS_USER"] == user
        assert given(service, "BROADCAST_NATS_PASSWORD") == EVERYBODY[user]
    for service in ("init", "api"):
        assert SERVICES[service]["environment"]["BROADCAST_NATS_STEWARD_USER"] == "steward"
        assert given(service, "BROADCAST_NATS_STEWARD_PASSWORD") == EVERYBODY["steward"]


def test_prometheus_looks_for_each_service_on_the_port_of_its_image_and_the_api_s_is_published_to_nobody() -> None:
    looked = {
        job["job_name"]: (job["dns_sd_configs"][0]["names"], job["dns_sd_configs"][0]["port"])
        for job in yaml.safe_load((DEPLOY / "observability/prometheus.yaml").read_text())["scrape_configs"]
    }
    told = dict(re.findall(r"\b(BROADCAST_(?:METRICS_)?PORT)=(\d+)", (DEPLOY / "images/Dockerfile").read_text()))
    port, metrics_port = int(told["BROADCAST_PORT"]), int(told["BROADCAST_METRICS_PORT"])
    workers = {f"broadcasts-{name}": ([name], port) for name in ("dispatcher", "revoker")}
    assert looked == {"broadcasts-api": (["api"], metrics_port), **workers}
    assert [published.rpartition(":")[2] for published in SERVICES["api"]["ports"]] == [str(port)]


def test_the_page_writes_the_users_where_compose_looks_for_them() -> None:
    page = (DEPLOY / "README.md").read_text()
    file = (DEPLOY / COMPOSE["configs"]["nats-users"]["file"]).relative_to(DEPLOY.parent)
    assert f"python -m deploy.nats --bots main > {file}" in page
    asked = set(re.findall(r"\$\{(\w+_PASSWORD):\?", (DEPLOY / "compose.yaml").read_text()))
    written = re.search(r"for what in ([A-Z_ ]+);", page)
    assert written
    assert {f"{what}_PASSWORD" for what in written[1].split()} == asked
