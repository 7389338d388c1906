"""The chart's custom resources, held against what their operators accept.

KEDA's and Prometheus' are their own schemas (`vendor_schemas`). Of the others no package is to be had: from their
references, strictly the fields that the chart uses.
"""

import json
from functools import cache
from typing import Any

import jsonschema

from tests.deploy.vendor_schemas import MODELS, SCHEMAS

Schema = dict[str, Any]


def _object(*required: str, **properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": properties}


def _list(item: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": item}


TEXT: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
NAMED: Schema = _object("name", name=TEXT, namespace=TEXT, sectionName=TEXT)
QUANTITY: Schema = {"type": "string", "pattern": "^[0-9]+(Ki|Mi|Gi|Ti)$"}
DURATION: Schema = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$"}

# To KEDA's schema a trigger's metadata is any map of texts; its scaler parses them.
_NATS = _object(
    *("natsServerMonitoringEndpoint", "account", "stream", "consumer"),
    natsServerMonitoringEndpoint={"type": "string", "pattern": r"^[a-z0-9.-]+:[0-9]+$"},
    account=TEXT,
    stream=TEXT,
    consumer=TEXT,
    lagThreshold={"type": "string", "pattern": "^[0-9]+$"},
    activationLagThreshold={"type": "string", "pattern": "^[0-9]+$"},
    useHttps={"enum": ["true", "false"]},
)
_TRIGGER = _object("type", "metadata", type={"const": "nats-jetstream"}, metadata=_NATS)

SPECS: dict[tuple[str, str], Schema] = {
    ("postgresql.cnpg.io/v1", "Cluster"): _object(
        *("instances", "storage"),
        instances={"type": "integer", "minimum": 1},
        bootstrap=_object("initdb", initdb=_object("database", "owner", database=TEXT, owner=TEXT)),
        storage=_object("size", size=QUANTITY, storageClass=TEXT),
        postgresql=_object(
            synchronous=_object("method", "number", method={"enum": ["any", "first"]}, number={"minimum": 1})
        ),
        backup={"type": "object"},
    ),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): _object(
        *("parentRefs", "rules"),
        parentRefs=_list(NAMED),
        hostnames=_list(TEXT),
        rules=_list(
            _object(
                backendRefs=_list(_object("name", "port", name=TEXT, port={"type": "integer"})),
                timeouts=_object(request=DURATION),
            )
        ),
    ),
}


def validate(manifest: dict[str, Any]) -> bool:
    """Raises jsonschema.ValidationError; False when it is none of these resources."""
    key = manifest["apiVersion"], manifest["kind"]
    if key in MODELS:
        jsonschema.validate(manifest, _of_vendor(manifest["kind"]))
        for trigger in manifest["spec"].get("triggers", ()):
            jsonschema.validate(trigger, _TRIGGER)
    elif key in SPECS:
        jsonschema.validate(manifest["spec"], SPECS[key])
    return key in MODELS or key in SPECS


@cache
def _of_vendor(kind: str) -> Schema:
    schema: Schema = json.loads((SCHEMAS / f"{kind}.json").read_text())
    return schema
