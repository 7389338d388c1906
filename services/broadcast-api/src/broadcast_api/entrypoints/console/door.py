"""All pages of the console, for the application that serves HTTP v1 too."""

from fastapi import FastAPI

from broadcast_api.entrypoints.console import (
    actions,
    assets,
    attachments,
    audiences,
    audit,
    broadcasts,
    compose,
    invitations,
    keys,
    live,
    people,
    people_import,
    preferences,
    route,
    sign_in,
)

MODULES = (
    sign_in,
    preferences,
    live,
    compose,
    attachments,
    broadcasts,
    actions,
    audiences,
    people,
    people_import,
    invitations,
    keys,
    audit,
    assets,
)
"""In this order: `/broadcasts/new` and `/broadcasts/live` come before `/broadcasts/{id}`."""


def add_console(app: FastAPI) -> None:
    """After the error handlers of HTTP v1 were installed."""
    for module in MODULES:
        app.include_router(module.router)
    route.install(app)
