"""Another language, from the JSON Schemas alone: TypeScript types, checked by its compiler, read a golden event."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.contract.files import FOLDER
from tests.contract.golden import GOLDEN

EXAMPLE = Path(__file__).parents[2] / "libs" / "contracts" / "examples" / "typescript"

pytestmark = [
    pytest.mark.skipif(not shutil.which("npm"), reason="node and npm are not installed (Debian: nodejs npm)"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with its packages and its types."""
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "package-lock.json", "reader.ts"):
        shutil.copy(EXAMPLE / name, folder)
    npm(folder, "ci", "--silent", "--no-audit", "--no-fund", "--prefer-offline")
    npm(folder, "run", "types")
    return folder


def npm(folder: Path, *arguments: str) -> None:
    given = {**os.environ, "SCHEMAS": str(FOLDER / "schemas")}
    subprocess.run(["npm", *arguments], cwd=folder, env=given, check=True, capture_output=True, text=True)


def test_the_reader_compiles_and_reads_a_golden_event(project: Path) -> None:
    npm(project, "run", "build")
    golden = (GOLDEN / "broadcasts.event.sent.v1.json").read_text()
    command = ["node", "built/reader.js", "broadcasts.event.sent.v1"]
    answer = subprocess.run(command, input=golden, cwd=project, check=True, capture_output=True, text=True)
    assert answer.stdout == "sent: 6 of 10\n"


def test_the_compiler_refuses_a_field_that_the_schema_does_not_have(project: Path) -> None:
    reader = project / "reader.ts"
    reader.write_text(reader.read_text().replace("stopped.counts.pending", "stopped.counts.waiting"))
    with pytest.raises(subprocess.CalledProcessError) as refused:
        npm(project, "run", "build")
    assert "'waiting' does not exist" in refused.value.stdout
