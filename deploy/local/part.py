"""One child process: started, watched, restarted when it dies, stopped within its grace."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

RESTART_SECONDS = 1.0


class Part:
    """A named process whose output goes to `<log_dir>/<name>.log`.

    It runs in a session of its own: a Ctrl-C reaches the supervisor alone, which stops the parts in order.
    """

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log_dir: Path) -> None:
        self.name, self._command, self._env = name, command, env
        self.log_path = log_dir / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process and running else None

    async def start(self) -> None:
        """Start the process; its log is appended to."""
        with self.log_path.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env={**os.environ, **self._env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )

    async def wait(self) -> int:
        """Until it ends; answers its exit code."""
        assert self._process is not None
        return await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it still runs."""
        if self.pid is not None and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def stop(self, grace: float = 30.0) -> None:
        """SIGTERM, and SIGKILL when the grace (seconds) is over."""
        if self.pid is None:
            return
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), grace)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self.wait()

    async def keep_running(self) -> None:
        """Start it again whenever it dies, until cancelled."""
        while True:
            code = await self.wait()
            print(f"{self.name} ended with {code}; starting it again (see {self.log_path})", flush=True)
            await asyncio.sleep(RESTART_SECONDS)
            await self.start()

    def tail(self, lines: int = 20) -> str:
        """The end of its log, for an error message."""
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
