"""A Prometheus that watches a running system as compose's does, only more often."""

import asyncio
import contextlib
import math
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.local.stack import Stack, free_port

ROOT = Path(__file__).parents[2]
FILES = ROOT / "deploy/helm/telegram-broadcasts/files"
START_SECONDS = 20


class Prometheus:
    """Its HTTP API, and the moment at which it began to look."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url, self._http = url, http
        self._since = time.time()

    async def ask(self, path: str, **parameters: Any) -> Any:
        """`data` of an answer; raises AssertionError with what it criticises."""
        answer = await self._http.get(f"{self._url}/api/v1/{path}", params=parameters)
        body = answer.json()
        assert body["status"] == "success", f"{parameters}: {body['error']}"
        return body["data"]

    async def values(self, expression: str) -> list[float]:
        """Every number that it had since the beginning, at whole seconds, of all its series."""
        found = await self.ask("query_range", query=expression, start=self._since, end=time.time(), step=1)
        numbers = [float(value) for series in found["result"] for _, value in series["values"]]
        return [number for number in numbers if math.isfinite(number)]


@contextlib.asynccontextmanager
async def watching(stack: Stack) -> AsyncIterator[Prometheus]:
    """Looks at every service of the stack each second, and has looked once; skips the test where there is none."""
    binary = shutil.which("prometheus")
    if not binary:
        pytest.skip("prometheus is missing: install Debian's package prometheus")
    url = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="prometheus-") as name:
        folder = Path(name)
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(_configuration(stack)))
        shutil.copy(FILES / "alerts.yaml", folder)
        options = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
        process = await asyncio.create_subprocess_exec(
            binary, *options, f"--web.listen-address={url}", "--log.level=error"
        )
        try:
            async with httpx.AsyncClient(timeout=20) as http:
                prometheus = Prometheus(f"http://{url}", http)
                await _until_it_has_looked(prometheus)
                yield prometheus
        finally:
            process.terminate()
            await process.wait()


def _configuration(stack: Stack) -> Any:
    """Compose's file, with this stack's addresses in the place of names."""
    found = yaml.safe_load((ROOT / "deploy/observability/prometheus.yaml").read_text())
    found["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job, url in zip(found["scrape_configs"], stack.metrics_urls(), strict=True):
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [httpx.URL(url).netloc.decode()]}]
    return found


async def _until_it_has_looked(prometheus: Prometheus) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            with contextlib.suppress(httpx.TransportError, ValueError):
                targets = (await prometheus.ask("targets"))["activeTargets"]
                if targets and all(target["health"] == "up" for target in targets):
                    return
            await asyncio.sleep(0.1)
