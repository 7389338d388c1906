"""What an image would hold, without a container engine: the Dockerfile's own steps, run as the user it names."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.part import Part
from deploy.local.stack import free_port, http_ok, until
from tests.support.nats import NatsServer

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/images/Dockerfile"
SERVICES = {"api": "broadcast-api", "dispatcher": "broadcast-dispatcher", "revoker": "broadcast-revoker"}
NOBODY = 65534

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module", params=SERVICES)
def image(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    """A target of the Dockerfile and the environment that its `uv sync` steps make from a copy of the context."""
    target = str(request.param)
    folder = _open_folder()
    context = folder / "src"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in ("libs", "services"):
        shutil.copytree(ROOT / part, context / part, ignore=ignored)
    for file in ("pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / file, context)
    for arguments in _syncs(target):
        _uv(arguments, context, folder / "app")
    shutil.rmtree(context)  # an image has of the sources what was installed
    yield target, folder / "app"
    shutil.rmtree(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = _open_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.images
async def test_each_image_starts_from_its_own_environment_as_nobody_and_writes_nothing(
    image: tuple[str, Path], nats_server: NatsServer, folder: Path
) -> None:
    target, environment = image
    settings, data, port = folder / "settings", folder / "data", free_port()
    settings.mkdir()
    data.mkdir()
    data.chmod(0o777)
    values = {
        "BROADCAST_NATS_URL": nats_server.url,
        "BROADCAST_ACCOUNTS": '{"main": {"token": "42:x"}}',
        "BROADCAST_TELEGRAM_URL": "http://127.0.0.1:9",
        "BROADCAST_DATABASE_URL": f"sqlite:///{data}/broadcasts.db",
        "BROADCAST_EVENT_STORE": f"sqlite:///{data}/events.db",
        "BROADCAST_PORT": str(port),
    }
    for name, value in values.items():
        (settings / name).write_text(value)
    command = _command(target)
    nothing_inherited = ["env", "-i", "-C", str(environment), f"BROADCAST_SETTINGS_DIR={settings}"]
    python = [str(environment / "bin/python"), "-B", *command[1:]]
    before = _files(environment)
    part = Part(target, [*_as_nobody(), *nothing_inherited, *python], {}, folder)
    await part.start()
    try:
        # The api waits for its tables, a worker for its streams, and each is alive only then.
        init = Part("init", [sys.executable, "-m", "broadcast_api", "init"], values, folder)
        await init.start()
        assert await init.wait() == 0, init.tail()
        await until(lambda: http_ok(f"http://127.0.0.1:{port}/livez"), target, part)
    finally:
        await part.stop()
    assert _files(environment) == before


@pytest.mark.images
def test_an_image_holds_no_test_tool_and_a_worker_knows_no_sql(image: tuple[str, Path]) -> None:
    target, environment = image
    packages = {path.name for path in environment.glob("lib/python*/site-packages/*")}
    assert packages.isdisjoint({"pytest", "mypy", "playwright", "hypothesis"})
    if target != "api":
        assert packages.isdisjoint({"sqlalchemy", "psycopg", "eventsourcing", "fastapi"})


def test_the_bill_of_materials_names_every_package_with_its_version() -> None:
    steps = DOCKERFILE.read_text()
    for target, package in SERVICES.items():
        arguments = ["export", "--quiet", "--locked", "--no-dev", "--package", package, "--format", "cyclonedx1.5"]
        assert " ".join(arguments) in steps, target
        parts = json.loads(_uv(arguments, ROOT, ROOT / ".venv"))["components"]
        names = {part["name"] for part in parts if part.get("version")}
        assert {"pydantic", "nats-py"} <= names


def test_the_dockerfile_has_nothing_to_criticise() -> None:
    found = subprocess.run([_script("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_the_compose_file_is_one_that_compose_can_read() -> None:
    command = [_script("check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    found = subprocess.run([*command, str(ROOT / "deploy/compose.yaml")], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def _open_folder() -> Path:
    """Unlike pytest's own, one that other users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)
    return folder


def _as_nobody() -> list[str]:
    if os.geteuid():
        return []  # whoever runs this is an ordinary user already
    # Root's Python may lie in root's own folder: this user may read all and write nothing.
    reads = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--no-new-privs", *reads]


def _stage(name: str) -> str:
    """The text of one stage of the Dockerfile."""
    stage = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", DOCKERFILE.read_text(), re.DOTALL | re.MULTILINE)
    assert stage
    return stage[1]


def _syncs(target: str) -> list[list[str]]:
    found = [line.split() for line in re.findall(r"/opt/uv/bin/uv (sync [^\\\n]*)", _stage(f"build-{target}"))]
    assert len(found) == 2, "dependencies first, then what we wrote"
    return found


def _command(target: str) -> list[str]:
    command = re.search(r"^CMD (\[.*\])$", _stage(target), re.MULTILINE)
    assert command
    words: list[str] = json.loads(command[1])
    return words


def _uv(arguments: list[str], folder: Path, environment: Path) -> str:
    uv = shutil.which("uv") or str(ROOT / ".venv-tools/bin/uv")
    place = {"UV_PROJECT_ENVIRONMENT": str(environment), "UV_PYTHON": sys.executable}
    env = {**os.environ, **place}
    done = subprocess.run([uv, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _script(name: str) -> str:
    return str(Path(sysconfig.get_path("scripts")) / name)


def _files(folder: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
