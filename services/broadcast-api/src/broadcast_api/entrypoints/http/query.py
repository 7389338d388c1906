"""A query parameter that the route does not know is refused: `?eraze=true` must not quietly mean nothing."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError


def refuse_unknown_parameters(request: Request) -> None:
    """Raises `RequestValidationError` that names them, as that of a body with unknown fields does."""
    known = set(_names(request.scope["route"].dependant))
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        faults = ({"type": "extra_forbidden", "loc": ("query", name), "msg": _WHY} for name in unknown)
        raise RequestValidationError(list(faults))


_WHY = "Extra inputs are not permitted"


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _names(inner)
