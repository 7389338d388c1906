"""Writes `schemas/`: what KEDA and the Prometheus operator accept, from models generated from their own definitions.

    uv run --with cloudcoil-models-keda==2.16.1.0 --with cloudcoil-models-prometheus-operator==0.80.1.0 \
        python -m tests.deploy.vendor_schemas

Files and no dependency: importing the models takes seven seconds, and brings a plugin of pytest along.
"""

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parent / "schemas"
MODELS = {
    ("keda.sh/v1alpha1", "ScaledObject"): "cloudcoil.models.keda.v1alpha1",
    ("monitoring.coreos.com/v1", "PodMonitor"): "cloudcoil.models.prometheus_operator.v1",
    ("monitoring.coreos.com/v1", "PrometheusRule"): "cloudcoil.models.prometheus_operator.v1",
}


def main() -> None:
    SCHEMAS.mkdir(exist_ok=True)
    for (version, kind), module in MODELS.items():
        schema = _strict(getattr(import_module(module), kind).model_json_schema(by_alias=True))
        # The models know one version and one kind each, and have them by default.
        schema["properties"] |= {"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": {}}
        schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
        schema["properties"].pop("status", None)
        schema["$defs"] = _reachable(schema)
        (SCHEMAS / f"{kind}.json").write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n")


def _strict(schema: Any) -> Any:
    """A field that is not known is an error, and so is a null; titles, descriptions and defaults are left out."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema.replace("^(?i)", "(?i)^") if isinstance(schema, str) else schema  # Go's order of the two
    if {"type": "null"} in (either := schema.get("anyOf", [])):
        given = [_strict(one) for one in either if one != {"type": "null"}]
        return given[0] if len(given) == 1 else {"anyOf": given}
    kept = {
        name: {field: _strict(one) for field, one in value.items()}
        if name in ("properties", "$defs")
        else _strict(value)
        for name, value in schema.items()
        if name not in ("title", "description", "default")
    }
    return {"additionalProperties": False, **kept} if "properties" in kept else kept


def _reachable(schema: dict[str, Any]) -> dict[str, Any]:
    """The definitions that its properties lead to."""
    found: dict[str, Any] = {}
    text = json.dumps(schema["properties"])
    while new := set(re.findall(r'"#/\$defs/(\w+)"', text)) - found.keys():
        found |= {name: schema["$defs"][name] for name in new}
        text = json.dumps(found)
    return found


if __name__ == "__main__":
    main()
