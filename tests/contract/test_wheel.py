"""Another team installs the package by itself: pydantic comes with it and nothing heavier."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.contract.golden import GOLDEN

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "broadcast-contracts",
    "pydantic",
    "pydantic-core",
    "annotated-types",
    "typing-extensions",
    "typing-inspection",
}
READ = """
import sys
from broadcast_contracts import decode_event
print(decode_event("broadcasts.event.sent.v1", sys.stdin.buffer.read()).counts.delivered)
"""


def uv(*arguments: str) -> str:
    """The uv that made this environment: on the path, or where deploy/local/install.sh puts it."""
    command = shutil.which("uv") or str(ROOT / ".venv-tools" / "bin" / "uv")
    given = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.run([command, *arguments], check=True, capture_output=True, text=True, cwd=ROOT, env=given).stdout


def test_the_wheel_alone_reads_a_golden_event(tmp_path: Path) -> None:
    uv("build", "--wheel", "--package", "broadcast-contracts", "--out-dir", str(tmp_path))
    (wheel,) = tmp_path.glob("*.whl")
    python = str(tmp_path / "venv" / "bin" / "python")
    uv("venv", "--python", sys.executable, str(tmp_path / "venv"))
    uv("pip", "install", "--python", python, str(wheel))
    installed = {line.partition("==")[0] for line in uv("pip", "freeze", "--python", python).splitlines()}
    assert {name.partition(" ")[0] for name in installed} <= ALLOWED
    golden = (GOLDEN / "broadcasts.event.sent.v1.json").read_bytes()
    answer = subprocess.run([python, "-I", "-c", READ], input=golden, capture_output=True, check=True, cwd=tmp_path)
    assert answer.stdout.strip() == b"6"
