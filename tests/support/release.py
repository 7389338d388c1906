"""A system whose services are those of one tree of code, and the tree of the commit before."""

import io
import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

from deploy.local.stack import Plan, Stack
from tests.support.identity import EVERY_ROLE
from tests.support.system import python

SERVICES = ("libs/*/src/*", "services/*/src/*")
"""What git calls the code of the services."""

GIT = ("git", "-c", "safe.directory=*", "-C")
"""Also where whoever made the clone is not who runs the tests."""


class Release(Stack):
    """The services of a tree; NATS, the emulator and the installed packages are those of the tests.

    So an earlier tree runs with the packages of today's lock, even where its own names others.
    """

    def __init__(self, tree: Path, plan: Plan) -> None:
        self._sources = [path for kind in ("libs", "services") for path in sorted((tree / kind).glob("*/src"))]
        code = {"PYTHONPATH": os.pathsep.join(map(str, self._sources))}
        super().__init__(replace(plan, settings={**plan.settings, **code}))

    def beside(self, tree: Path) -> "Release":
        """The services of another tree over the same NATS, Telegram and database, none of them started yet."""
        other = Release(tree, replace(self.plan, var=self.plan.var / "beside"))
        other.logs.mkdir(parents=True)
        other.nats_url, other.telegram_url = self.nats_url, self.telegram_url
        other.nats_door, other.telegram_door = self.nats_door, self.telegram_door
        other.passwords, other.api_key = self.passwords, self.api_key
        return other

    async def start_api(self, name: str = "api", url: str | None = None) -> None:
        """The first makes its own tables, streams and key: those of the tests' code may be newer."""
        if not self.api_key:
            await self.command("init")
            self.api_key = (await self.command("key", "create", "Operator", "--roles", EVERY_ROLE)).split()[-1]
        await super().start_api(name, url)

    async def command(self, *arguments: str) -> str:
        """What `python -m broadcast_api …` of this tree says; raises RuntimeError when it does not exit with 0."""
        return await self._python("-m", "broadcast_api", *arguments)

    async def runs_from(self, tree: Path) -> bool:
        """Whether a process with the environment of these services finds all our packages in that tree."""
        packages = [package.parent.name for source in self._sources for package in source.glob("*/__init__.py")]
        show = f"from importlib.util import find_spec\nfor name in {packages}: print(find_spec(name).origin)"
        files = (await self._python("-c", show)).splitlines()
        return bool(files) and all(Path(file).is_relative_to(tree) for file in files)

    async def _python(self, *arguments: str) -> str:
        code, said = await python(self, *arguments)
        if code:
            raise RuntimeError(f"{' '.join(arguments)} ended with {code}: {said}")
        return said


def commit_before(repository: Path) -> str:
    """The newest commit whose services differ from those that lie in the repository's folder.

    HEAD itself where there never were others. Raises RuntimeError where the history was cut off before it.
    """
    if git(repository, "status", "--porcelain", "--", *SERVICES):
        return git(repository, "rev-parse", "HEAD")
    made_these = git(repository, "log", "--first-parent", "-1", "--format=%H", "--", *SERVICES)
    parents = git(repository, "log", "-1", "--format=%P", made_these).split()
    if parents:
        return parents[0]
    if git(repository, "rev-parse", "--is-shallow-repository") == "true":
        raise RuntimeError("a shallow clone lacks the commit to upgrade from: `git fetch --unshallow`, or clone it all")
    return git(repository, "rev-parse", "HEAD")


def tree_of(commit: str, repository: Path, folder: Path) -> Path:
    """The folder, with the services of that commit in it."""
    archive = subprocess.run(
        [*GIT, str(repository), "archive", commit, "libs", "services"], stdout=subprocess.PIPE, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def git(repository: Path, *arguments: str) -> str:
    """What git says, without the line's end; what it complains of goes to standard error."""
    said = subprocess.run([*GIT, str(repository), *arguments], stdout=subprocess.PIPE, check=True, text=True)
    return said.stdout.strip()
