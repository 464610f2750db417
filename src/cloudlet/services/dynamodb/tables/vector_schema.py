"""The vector indexes that a table is to have: what CreateTable and UpdateTable admit of them.

Developer Guide, "Creating and searching vector indexes", "Requirements and limitations"; "Quotas", "Vector indexes".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.services.dynamodb import errors
from cloudlet.services.dynamodb.tables import schema
from cloudlet.services.dynamodb.tables.table_record import ON_DEMAND, VectorRecord

VECTOR_INDEXES = 5
DIMENSIONS = 4096
INLINE_FILTERS = 18
"""How many attributes a vector index may filter by."""


def vector_index(each: Mapping[str, Any], number: int) -> VectorRecord:
    """Return a vector index. Raises AwsError."""
    name = each["IndexName"]
    elements = each.get("SearchSchema") or ()
    hashes = [part["AttributeName"] for part in elements if part["SearchSchemaElementType"] == "HASH"]
    filters = [part["AttributeName"] for part in elements if part["SearchSchemaElementType"] != "HASH"]
    if len(hashes) > 1:
        raise errors.invalid_values(f"SearchSchema can only contain one HASH element for index: {name}")
    if len({*hashes, *filters}) != len(elements):
        raise errors.invalid_values(f"Some SearchSchema attributes have the same name for index: {name}")
    if len(filters) > INLINE_FILTERS:
        raise errors.invalid_values(
            f"Number of INLINE_FILTER elements in SearchSchema exceeds the limit of {INLINE_FILTERS} for index: {name}"
        )
    if each["Dimensions"] > DIMENSIONS:
        raise errors.invalid_values(f"Dimensions must be between 1 and {DIMENSIONS} for index: {name}")
    return VectorRecord(
        number,
        name,
        each["VectorAttribute"]["AttributeName"],
        each["Dimensions"],
        each["DistanceFunction"],
        hashes[0] if hashes else None,
        tuple(filters),
        *schema.projection(each, name),
    )


def check(vectors: Sequence[VectorRecord], billing: str) -> None:
    """Raise AwsError unless a table can have these vector indexes."""
    if vectors and billing != ON_DEMAND:
        raise errors.invalid_values("Vector indexes are only supported on tables with BillingMode PAY_PER_REQUEST")
    if len(vectors) > VECTOR_INDEXES:
        raise errors.invalid_values(f"VectorIndex count exceeds the per-table limit of {VECTOR_INDEXES}")
    dimensions: dict[str, int] = {}
    for index in vectors:
        if dimensions.setdefault(index.attribute, index.dimensions) != index.dimensions:
            raise errors.invalid_values(
                f"Vector indexes on the same attribute must have the same number of dimensions: {index.attribute}"
            )


def check_defined(vectors: Sequence[VectorRecord], defined: Sequence[str]) -> None:
    """Raise AwsError unless all attributes of the search schemas of vector indexes are defined, by name."""
    if any(name not in defined for name in schema.key_attributes((), vectors)):
        raise errors.invalid_values("One element in SearchSchema is not defined in attribute definitions")
