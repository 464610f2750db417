"""AttributesToGet: a projection of whole attributes."""

from __future__ import annotations

from collections.abc import Sequence

from cloudlet.services.dynamodb.errors import invalid_values
from cloudlet.services.dynamodb.expressions import Projection
from cloudlet.services.dynamodb.expressions.projections import PathProjection
from cloudlet.services.dynamodb.item_data.values import check_name


def attributes_to_get(names: Sequence[str]) -> Projection:
    """Return the projection. Raises AwsError."""
    seen = set()
    for name in names:
        check_name(name)
        if name in seen:
            raise invalid_values(f"Duplicate value in attribute name: {name}")
        seen.add(name)
    return PathProjection([(name,) for name in names])
