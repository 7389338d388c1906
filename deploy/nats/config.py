"""One description, two forms: a file for nats-server, and values for the official Helm chart."""

import json
from collections.abc import Sequence
from typing import Any

from broadcast_delivery.identities import Identity, identities


def variable(name: str) -> str:
    """The environment variable of the server that holds the password of the identity of this name."""
    return f"NATS_{name.upper().replace('-', '_')}_PASSWORD"


def server_file(bots: Sequence[str]) -> str:
    """The `authorization` block of a nats-server; passwords come from the server's environment.

    The server reads a variable as it would read the file: a password must begin with a letter, or stand in quotes.
    """
    users = [
        f"    {{\n      user: {json.dumps(it.name)}\n      password: ${variable(it.name)}\n"
        f"      permissions: {json.dumps(_permissions(it))}\n    }}"
        for it in identities(bots)
    ]
    return "authorization {\n  users: [\n" + ",\n".join(users) + "\n  ]\n}\n"


def helm_values(bots: Sequence[str]) -> dict[str, Any]:
    """`config.merge` of the official chart; `<< $X >>` is its way of leaving a value to the server's environment."""
    users = [
        {"user": it.name, "password": f"<< ${variable(it.name)} >>", "permissions": _permissions(it)}
        for it in identities(bots)
    ]
    return {"config": {"merge": {"authorization": {"users": users}}}}


def _permissions(identity: Identity) -> dict[str, Any]:
    return {"publish": {"allow": identity.publish}, "subscribe": {"allow": identity.subscribe}}
