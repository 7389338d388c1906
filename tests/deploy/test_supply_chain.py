"""What is installed is what the lock says, by hash; and a vulnerability check that could not look says so."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.vulnerabilities import locked, verdict

ROOT = Path(__file__).parents[2]
REGISTRY = {"registry": "https://pypi.org/simple"}
WANTED = {"good": "1.0", "bad": "2.0"}
CLEAN = {"name": "good", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}


def test_every_locked_package_comes_from_pypi_by_hash_or_is_ours() -> None:
    packages: list[dict[str, Any]] = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    others = [it for it in packages if it["source"] != REGISTRY]
    assert {it["source"].get("editable", it["source"].get("virtual", "?")).split("/")[0] for it in others} == {
        ".",
        "libs",
        "services",
    }
    for package in packages:
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        assert files or package in others, package["name"]
        for file in files:
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]), package["name"]


@pytest.mark.parametrize("file", ["deploy/local/install.sh", "deploy/images/Dockerfile"])
def test_whoever_installs_does_so_by_the_lock(file: str) -> None:
    syncs = re.findall(r"(?:uv|\$uv\") sync.*", (ROOT / file).read_text())
    assert syncs
    assert all("--locked" in sync or "--frozen" in sync for sync in syncs)


def test_a_known_vulnerability_fails_and_is_named() -> None:
    found = verdict(WANTED, {"dependencies": [CLEAN, BAD]})
    assert found.exit_code(required=False) == 1
    assert "bad 2.0: PYSEC-1, fixed in 2.1" in found.words()


def test_a_clean_lock_passes() -> None:
    found = verdict({"good": "1.0"}, {"dependencies": [CLEAN]})
    assert found.exit_code(required=True) == 0
    assert found.words() == "1 packages audited: no known vulnerability"


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"dependencies": []},
        {"dependencies": [{"name": name, "skip_reason": "not found on PyPI"} for name in WANTED]},
    ],
)
def test_a_database_that_is_out_of_reach_is_said_and_fails_only_where_it_is_required(report: dict[str, Any]) -> None:
    found = verdict(WANTED, report)
    assert found.words().startswith("NOT AUDITED: the vulnerability database told nothing of 2 packages: good, bad")
    assert "no known vulnerability" not in found.words()
    assert (found.exit_code(required=False), found.exit_code(required=True)) == (0, 1)


def test_what_is_asked_about_is_the_whole_lock() -> None:
    assert {"fastapi", "nats-py", "aiogram"} <= locked().keys()
