"""Serve a worker process: settings, JSON logs, traces, uvicorn; SIGTERM drains."""

import sys
from collections.abc import Callable

import uvicorn
from faststream.asgi import AsgiFastStream

from broadcast_delivery import tracing
from broadcast_delivery.logs import log_json
from broadcast_telegram.settings import WorkerSettings, load


def run(service: str, build: Callable[[WorkerSettings], AsgiFastStream]) -> None:
    """Until SIGTERM or SIGINT."""
    settings = load(WorkerSettings)
    log_json(settings.log_level)
    try:
        tracing.start(service)
    except ValueError as error:
        sys.exit(str(error))
    uvicorn.run(build(settings), host=settings.host, port=settings.port, log_config=None, access_log=False)
