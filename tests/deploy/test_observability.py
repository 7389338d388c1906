"""Alerts and dashboard: valid PromQL over the metrics of docs/operations.md, each alert raised and explained."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = ROOT / "deploy/helm/telegram-broadcasts/files"
OPERATIONS = (ROOT / "docs/operations.md").read_text()
ALERTS: list[dict[str, Any]] = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((FILES / "dashboard.json").read_text())
METRIC = r"\b(?:up|ALERTS|(?:broadcasts|http)_[a-z0-9_]+)\b"
NAMES = sorted(rule["alert"] for rule in ALERTS)


def test_the_rules_are_valid_and_each_is_raised_by_its_cause_and_silent_otherwise(tmp_path: Path) -> None:
    shutil.copy(FILES / "alerts.yaml", tmp_path)
    shutil.copy(Path(__file__).parent / "alerts_test.yaml", tmp_path)
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(tmp_path / "alerts.yaml"))
    promtool("test", "rules", str(tmp_path / "alerts_test.yaml"))


def test_a_rule_that_is_never_raised_is_found(tmp_path: Path) -> None:
    rules = (FILES / "alerts.yaml").read_text().replace("broadcasts_leader) < 1", "broadcasts_leader) < 0")
    (tmp_path / "alerts.yaml").write_text(rules)
    shutil.copy(Path(__file__).parent / "alerts_test.yaml", tmp_path)
    with pytest.raises(AssertionError, match="BroadcastsNoLeader"):
        promtool("test", "rules", str(tmp_path / "alerts_test.yaml"))


def test_every_panel_of_the_dashboard_is_valid_promql(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(_panel_expressions())]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(file))


def test_every_panel_keeps_namespaces_apart_and_shows_those_that_are_chosen() -> None:
    for expression in [*_panel_expressions(), DASHBOARD["annotations"]["list"][0]["expr"]]:
        chosen = re.findall(METRIC + r'\{[^}]*\bnamespace=~"\$namespace"', expression)
        assert len(chosen) == len(re.findall(METRIC, expression)) > 0, expression
    assert [expression for expression in _panel_expressions() if " by (namespace" not in expression] == []
    (namespace,) = [it for it in DASHBOARD["templating"]["list"] if it["name"] == "namespace"]
    assert (namespace["allValue"], namespace["current"]["text"]) == (".*", "All")


def test_the_configuration_of_prometheus_is_valid(tmp_path: Path) -> None:
    shutil.copy(ROOT / "deploy/observability/prometheus.yaml", tmp_path)
    shutil.copy(FILES / "alerts.yaml", tmp_path)
    promtool("check", "config", str(tmp_path / "prometheus.yaml"))


def test_alerts_and_panels_use_only_metrics_that_are_defined_and_leave_none_unseen() -> None:
    defined = set(re.findall(r"^\| `([a-z0-9_]+)`", OPERATIONS, re.MULTILINE)) | {"up", "ALERTS"}
    used = _metrics([rule["expr"] for rule in ALERTS] + _panel_expressions())
    assert used <= defined
    assert defined - used <= {"ALERTS"}


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_its_page_in_the_runbook(name: str) -> None:
    (rule,) = (rule for rule in ALERTS if rule["alert"] == name)
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
    page = OPERATIONS.partition(f"\n### {name}\n")[2].partition("\n#")[0]
    assert "**Do:**" in page


def promtool(*arguments: str) -> None:
    """Raises AssertionError with what it criticises."""
    binary = shutil.which("promtool")
    if not binary:
        pytest.skip("promtool is missing: install Debian's package prometheus")
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _panel_expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def _metrics(expressions: list[str]) -> set[str]:
    """The metrics that expressions name; a histogram's buckets are the histogram."""
    words = re.findall(METRIC, " ".join(expressions))
    return {re.sub(r"_bucket$", "", word) for word in words}
