"""Strict schemas of the chart's custom resources, from the operators' references: the fields it uses, no others."""

from typing import Any

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

# KEDA checks that every value is a string; the scaler parses them.
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
_RULE = _object("alert", "expr", alert=TEXT, expr=TEXT, labels=TEXTS, annotations=TEXTS, **{"for": DURATION})

SPECS: dict[tuple[str, str], Schema] = {
    ("keda.sh/v1alpha1", "ScaledObject"): _object(
        *("scaleTargetRef", "triggers"),
        scaleTargetRef=_object("name", name=TEXT),
        minReplicaCount=COUNT,
        maxReplicaCount=COUNT,
        pollingInterval=COUNT,
        cooldownPeriod=COUNT,
        fallback=_object("failureThreshold", "replicas", failureThreshold=COUNT, replicas=COUNT),
        triggers=_list(_object("type", "metadata", type={"const": "nats-jetstream"}, metadata=_NATS)),
    ),
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
    ("monitoring.coreos.com/v1", "PodMonitor"): _object(
        *("selector", "podMetricsEndpoints"),
        selector=_object("matchLabels", matchLabels=TEXTS),
        podMetricsEndpoints=_list(
            _object(
                port=TEXT,
                path=TEXT,
                interval=DURATION,
                relabelings=_list(_object(sourceLabels=_list(TEXT), targetLabel=TEXT)),
            )
        ),
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): _object(
        "groups", groups=_list(_object("name", "rules", name=TEXT, interval=DURATION, rules=_list(_RULE)))
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
