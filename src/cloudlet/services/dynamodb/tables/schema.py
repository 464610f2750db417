"""The keys and indexes that a table is to have: what CreateTable and UpdateTable admit of them.

API reference, CreateTable; Developer Guide, "Constraints" and "Global secondary indexes: multi-attribute keys".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cloudlet.core import AwsError
from cloudlet.services.dynamodb import errors
from cloudlet.services.dynamodb.item_data.keys import Attribute
from cloudlet.services.dynamodb.tables import directory
from cloudlet.services.dynamodb.tables.table_record import IndexRecord, VectorRecord
from cloudlet.wire import Violation
from cloudlet.wire.errors import validation_message

LOCAL_INDEXES, GLOBAL_INDEXES = 5, 20
KEY_PARTS = 4
"""How many attributes the partition key of a global index may have, and its sort key."""
INCLUDED = 100
"""How many attributes all indexes of a table may project by name."""

_Schema = list[dict[str, str]]


def missing(member: str) -> AwsError:
    """Return the error about a parameter that is needed here, though the model does not say so."""
    name = member[:1].lower() + member[1:]
    return errors.validation(
        validation_message([Violation(name, "required", None, None, member, "Member must not be null")])
    )


def attribute_definitions(params: Mapping[str, Any]) -> tuple[Attribute, ...]:
    """Return AttributeDefinitions. Raises AwsError."""
    if "AttributeDefinitions" not in params:
        raise missing("AttributeDefinitions")
    defined: dict[str, str] = {}
    for each in params["AttributeDefinitions"]:
        name = each["AttributeName"]
        if name in defined:
            raise errors.invalid_values(f"Duplicate AttributeName in AttributeDefinitions: {name}")
        defined[name] = each["AttributeType"]
    return tuple(defined.items())


def table_keys(schema: _Schema) -> tuple[str, str | None]:
    """Return the names of a table's partition key and sort key. Raises AwsError."""
    hashes, ranges = _parts(schema, 1, "table")
    return hashes[0], ranges[0] if ranges else None


def _parts(schema: _Schema, most: int, where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the HASH and the RANGE attributes of a key schema. Raises AwsError."""
    names = [each["AttributeName"] for each in schema]
    kinds = [each["KeyType"] for each in schema]
    if kinds[0] != "HASH":
        if "HASH" in kinds and most > 1:
            raise errors.validation(f"Invalid KeySchema: HASH keys must precede RANGE keys: {where}")
        raise errors.validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if most == 1:
        if len(schema) > 2:
            raise errors.validation(
                validation_message(
                    [
                        Violation(
                            "keySchema",
                            "max_length",
                            schema,
                            2,
                            "KeySchema",
                            "Member must have length less than or equal to 2",
                        )
                    ]
                )
            )
        if len(schema) == 2 and kinds[1] != "RANGE":
            raise errors.validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    if len(set(names)) != len(names):
        if where == "table":
            raise errors.validation("Invalid KeySchema: Some index key attribute have no definition")
        raise errors.validation(
            "Invalid KeySchema: Some index key attributes have the same name"
            if most > 1
            else "Both the Hash Key and the Range Key element in the KeySchema have the same name"
        )
    if "RANGE" in kinds and "HASH" in kinds[kinds.index("RANGE") :]:
        raise errors.validation(f"Invalid KeySchema: HASH keys must precede RANGE keys: {where}")
    hashes = tuple(name for name, kind in zip(names, kinds, strict=True) if kind == "HASH")
    ranges = tuple(name for name, kind in zip(names, kinds, strict=True) if kind == "RANGE")
    for kind, parts in (("HASH", hashes), ("RANGE", ranges)):
        if len(parts) > most:
            raise errors.invalid_values(
                f"Number of {kind} key attributes exceeds the limit of {most} for index: {where}"
            )
    return hashes, ranges


def local_index(each: Mapping[str, Any], hash: str, range: str | None, number: int) -> IndexRecord:
    """Return a local index of a table with these keys. Raises AwsError."""
    name = each["IndexName"]
    if range is None:
        raise errors.invalid_values(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    hashes, ranges = _parts(each["KeySchema"], 1, name)
    if not ranges:
        raise errors.invalid_values(f"Index KeySchema does not have a range key for index: {name}")
    if hashes[0] != hash:
        raise errors.invalid_values(
            f"Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}. "
            f"index hash key: {hashes[0]}, table hash key: {hash}"
        )
    return IndexRecord(number, name, False, hashes, ranges, *projection(each, name))


def global_index(each: Mapping[str, Any], number: int) -> IndexRecord:
    """Return a global index, without its throughput. Raises AwsError."""
    name = each["IndexName"]
    hashes, ranges = _parts(each["KeySchema"], KEY_PARTS, name)
    return IndexRecord(number, name, True, hashes, ranges, *projection(each, name))


def projection(each: Mapping[str, Any], name: str) -> tuple[str, tuple[str, ...]]:
    """Return the type of an index's projection, and the attributes that it includes. Raises AwsError."""
    directory.check_name(name, "indexName")
    given = each.get("Projection") or {}
    kind, included = given.get("ProjectionType"), tuple(given.get("NonKeyAttributes") or ())
    if kind is None:
        raise errors.invalid_values("Unknown ProjectionType: null")
    if kind == "INCLUDE" and not included:
        raise errors.invalid_values("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    if kind != "INCLUDE" and included:
        raise errors.invalid_values(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    if len(set(included)) != len(included):
        raise errors.invalid_values(f"Duplicate attribute in NonKeyAttributes for index: {name}")
    return kind, included


def check_indexes(indexes: Sequence[IndexRecord], vectors: Sequence[VectorRecord]) -> None:
    """Raise AwsError for what a table cannot have together."""
    names: set[str] = set()
    for name in (*(index.name for index in indexes), *(index.name for index in vectors)):
        if name in names:
            raise errors.invalid_values(f"Duplicate index name: {name}")
        names.add(name)
    if sum(not index.is_global for index in indexes) > LOCAL_INDEXES:
        raise errors.invalid_values(f"Number of LocalSecondaryIndexes exceeds per-table limit of {LOCAL_INDEXES}")
    if sum(index.is_global for index in indexes) > GLOBAL_INDEXES:
        raise errors.invalid_values(f"GlobalSecondaryIndex count exceeds the per-table limit of {GLOBAL_INDEXES}")
    if sum(len(index.included) for index in indexes) > INCLUDED:
        raise errors.invalid_values(
            f"Number of projected NonKeyAttributes of all indexes exceeds the per-table limit of {INCLUDED}"
        )


def check_defined(
    hash: str,
    range: str | None,
    indexes: Sequence[IndexRecord],
    vectors: Sequence[VectorRecord],
    defined: Sequence[Attribute],
) -> None:
    """Raise AwsError unless exactly the key attributes of a table and its indexes are defined."""
    names = [name for name, _ in defined]
    own = [hash] if range is None else [hash, range]
    _check_all(own, names)
    for index in indexes:
        check_index_defined(index, names)
    used = list(dict.fromkeys([*own, *key_attributes(indexes, vectors)]))
    if len(names) > len(used):
        if not indexes and not vectors:
            raise errors.invalid_values(
                "Number of attributes in KeySchema does not exactly match number of attributes defined in "
                "AttributeDefinitions"
            )
        raise errors.invalid_values(
            f"Some AttributeDefinitions are not used. AttributeDefinitions: [{', '.join(names)}], "
            f"keys used: [{', '.join(used)}]"
        )


def check_index_defined(index: IndexRecord, defined: Sequence[str]) -> None:
    """Raise AwsError unless all key attributes of an index are defined, by name."""
    _check_all([*index.hash, *index.range], defined)


def key_attributes(indexes: Iterable[IndexRecord], vectors: Iterable[VectorRecord]) -> list[str]:
    """Return the names of attributes that are part of the keys of indexes."""
    return [
        *(name for index in indexes for name in (*index.hash, *index.range)),
        *(name for index in vectors for name in (index.hash, *index.filters) if name is not None),
    ]


def _check_all(keys: Sequence[str], defined: Sequence[str]) -> None:
    if any(name not in defined for name in keys):
        raise errors.invalid_values(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(keys)}], AttributeDefinitions: [{', '.join(defined)}]"
        )
