"""`python -m deploy.vulnerabilities`: is any package of uv.lock known to be vulnerable? Asks PyPI, by pip-audit.

Exit code 1 for a known vulnerability. What could not be looked up is said and does not fail a machine that cannot reach
the database, unless `AUDIT_REQUIRED=1` says that this one can.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "uv.lock"
TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, in lines that each name a package, and the packages that nobody knew anything about."""

    vulnerable: Sequence[str]
    unknown: Sequence[str]
    audited: int

    def exit_code(self, *, required: bool) -> int:
        """0 for a pass; also where nothing could be looked up, unless that is `required`."""
        return 1 if self.vulnerable or (required and self.unknown) else 0

    def words(self) -> str:
        """For a person, never silent."""
        lines = [*self.vulnerable]
        if self.unknown:
            some = ", ".join(self.unknown[:5]) + (", …" if len(self.unknown) > 5 else "")
            lines.append(
                f"NOT AUDITED: the vulnerability database told nothing of {len(self.unknown)} packages: {some}"
            )
        found = f"{len(self.vulnerable)} known vulnerabilities" if self.vulnerable else "no known vulnerability"
        lines.append(f"{self.audited} packages audited: {found}" if self.audited else "0 packages audited")
        return "\n".join(lines)


def locked(lock: Path = LOCK) -> dict[str, str]:
    """Versions by name, of every package that comes from a registry."""
    packages = tomllib.loads(lock.read_text())["package"]
    return {it["name"]: it["version"] for it in packages if "registry" in it["source"]}


def verdict(wanted: dict[str, str], report: dict[str, Any]) -> Verdict:
    """From pip-audit's JSON. A package that the report leaves out is as unknown as one that it says it skipped."""
    about = {it["name"]: it for it in report.get("dependencies", ())}
    unknown = [name for name in wanted if "vulns" not in about.get(name, {})]
    vulnerable = [
        f"{name} {wanted[name]}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'no version yet'}"
        for name in wanted
        for found in about.get(name, {}).get("vulns", ())
    ]
    return Verdict(vulnerable, unknown, len(wanted) - len(unknown))


def ask(wanted: dict[str, str]) -> dict[str, Any]:
    """pip-audit's report; empty where it could not make one."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{name}=={version}\n" for name, version in wanted.items())
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--requirement", file.name, "--no-deps", "--disable-pip"]
        options = ["--format", "json", "--progress-spinner", "off", "--timeout", "5"]
        try:
            done = subprocess.run(
                [*command, *options], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
            )
            report: dict[str, Any] = json.loads(done.stdout)
        except (subprocess.TimeoutExpired, ValueError):
            return {}
    return report


def main() -> None:
    """To standard output, so that a log shows it."""
    wanted = locked()
    found = verdict(wanted, ask(wanted))
    print(found.words())  # noqa: T201
    sys.exit(found.exit_code(required=os.environ.get("AUDIT_REQUIRED") == "1"))


if __name__ == "__main__":
    main()
