"""The global and vector indexes that UpdateTable makes, changes and deletes; `backfill` fills those that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cloudlet.core import AwsError, Params, Transaction
from cloudlet.services.dynamodb import errors
from cloudlet.services.dynamodb.tables import backfill, schema, throughput, vector_schema
from cloudlet.services.dynamodb.tables.table import Index, Table, VectorIndex
from cloudlet.services.dynamodb.tables.table_record import CREATING, ON_DEMAND, IndexRecord, TableRecord

Update = tuple[str, dict[str, Any]]
"""Create, Update or Delete, and its parameters."""


@dataclass(frozen=True, slots=True)
class Updates:
    """What is to be done to the indexes of a table."""

    indexes: Sequence[Update]
    vectors: Sequence[Update]


def read(params: Params) -> Updates:
    """Return what UpdateTable's parameters ask for. Raises AwsError."""
    indexes = _read(params, "GlobalSecondaryIndexUpdates", ("Create", "Update", "Delete"))
    vectors = _read(params, "VectorIndexUpdates", ("Create", "Delete"))
    if sum(kind != "Update" for kind, _ in (*indexes, *vectors)) > 1:
        raise errors.limit_exceeded(
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
        )
    names = [each["IndexName"] for _, each in indexes]
    if len(set(names)) != len(names):
        raise errors.invalid_values("Only one global secondary index update per index is allowed simultaneously")
    return Updates(indexes, vectors)


def _read(params: Params, member: str, kinds: Sequence[str]) -> list[Update]:
    given = params.get(member)
    if given is None:
        return []
    if not given:
        raise errors.invalid_values(f"{member} is empty")
    updates = []
    for each in given:
        chosen = [kind for kind in kinds if kind in each]
        if len(chosen) != 1:
            *first, last = kinds
            raise errors.invalid_values(
                f"Exactly one of {', '.join(first)} or {last} must be specified in each {member.removesuffix('s')}"
            )
        updates.append((chosen[0], each[chosen[0]]))
    return updates


def apply(
    tx: Transaction, table: Table, record: TableRecord, updates: Updates, params: Params, now: float
) -> TableRecord:
    """Return the record of a table with changed indexes. Raises AwsError."""
    if params.get("AttributeDefinitions"):
        _defined(record, params)
    for kind, wanted in updates.indexes:
        if kind == "Create":
            record = _with_index(tx, table, record, wanted, params)
        elif kind == "Delete":
            record = _without_index(tx, table, record, wanted["IndexName"])
        else:
            record = _with_changed_index(record, wanted, now)
    for kind, wanted in updates.vectors:
        if kind == "Create":
            record = _with_vector(tx, table, record, wanted, params)
        else:
            record = _without_vector(tx, table, record, wanted["IndexName"])
    return record


def _check_creatable(table: Table, name: str) -> None:
    """Raise AwsError unless an index of this name can be made now."""
    if name in table.indexes or name in table.vectors:
        raise errors.validation("Attempting to create an index which already exists")
    record = table.record
    if CREATING in (*(index.status for index in record.indexes), *(index.status for index in record.vectors)):
        raise errors.limit_exceeded(
            "Subscriber limit exceeded: Only 1 online index can be created simultaneously per table"
        )


def _delete_rows(tx: Transaction, index: Index | VectorIndex) -> None:
    tx.delete_range(index.rows.begin, index.rows.end)
    for counter in (index.row_count, index.size_count):
        tx.delete(counter)


def _not_found() -> AwsError:
    return AwsError("ResourceNotFoundException", "Requested resource not found")


# -- attribute definitions


def _defined(record: TableRecord, params: Params) -> dict[str, str]:
    """Return the attributes that are defined, and those that a request defines. Raises AwsError."""
    attributes = dict(record.attributes)
    if "AttributeDefinitions" in params:
        for name, kind in schema.attribute_definitions(params):
            if attributes.setdefault(name, kind) != kind:
                raise errors.invalid_values(
                    "Attributes cannot be redefined. Please check that your attribute has the same type as previously "
                    f"defined. Existing schema: {name}:{attributes[name]}, new schema: {name}:{kind}"
                )
    return attributes


def _with_used_attributes(record: TableRecord, attributes: Mapping[str, str]) -> TableRecord:
    """Return a record with the definitions of those attributes that are part of any key."""
    used = {record.hash, record.range, *schema.key_attributes(record.indexes, record.vectors)}
    return msgspec.structs.replace(
        record, attributes=tuple((name, kind) for name, kind in attributes.items() if name in used)
    )


# -- global indexes


def _with_index(
    tx: Transaction, table: Table, record: TableRecord, wanted: dict[str, Any], params: Params
) -> TableRecord:
    _check_creatable(table, wanted["IndexName"])
    index = schema.global_index(wanted, record.indexes_made)
    index = msgspec.structs.replace(
        index,
        status=CREATING,
        throughput=throughput.asked(wanted, record.billing, index.name),
    )
    indexes = (*record.indexes, index)
    schema.check_indexes(indexes, record.vectors)
    schema.check_index_defined(index, [each["AttributeName"] for each in params.get("AttributeDefinitions") or ()])
    backfill.begin(tx, record.id)
    made = msgspec.structs.replace(record, indexes=indexes, indexes_made=record.indexes_made + 1)
    return _with_used_attributes(made, _defined(record, params))


def _index(record: TableRecord, name: str) -> IndexRecord:
    for index in record.indexes:
        if index.name == name and index.is_global:
            return index
    raise _not_found()


def _without_index(tx: Transaction, table: Table, record: TableRecord, name: str) -> TableRecord:
    index = _index(record, name)
    _delete_rows(tx, table.indexes[name])
    kept = tuple(each for each in record.indexes if each.number != index.number)
    return _with_used_attributes(msgspec.structs.replace(record, indexes=kept), dict(record.attributes))


def _with_changed_index(record: TableRecord, wanted: dict[str, Any], now: float) -> TableRecord:
    index = _index(record, wanted["IndexName"])
    if record.billing == ON_DEMAND and "ProvisionedThroughput" in wanted:
        raise errors.invalid_values(
            f"ProvisionedThroughput should not be specified for index: {index.name} when BillingMode is PAY_PER_REQUEST"
        )
    changed = msgspec.structs.replace(
        index, throughput=throughput.changed(index.throughput, wanted, now, f"index: {index.name}")
    )
    return msgspec.structs.replace(
        record, indexes=tuple(changed if each.number == index.number else each for each in record.indexes)
    )


# -- vector indexes


def _with_vector(
    tx: Transaction, table: Table, record: TableRecord, wanted: dict[str, Any], params: Params
) -> TableRecord:
    _check_creatable(table, wanted["IndexName"])
    index = msgspec.structs.replace(vector_schema.vector_index(wanted, record.indexes_made), status=CREATING)
    vectors = (*record.vectors, index)
    schema.check_indexes(record.indexes, vectors)
    vector_schema.check(vectors, record.billing)
    attributes = _defined(record, params)
    vector_schema.check_defined((index,), list(attributes))
    backfill.begin(tx, record.id)
    made = msgspec.structs.replace(record, vectors=vectors, indexes_made=record.indexes_made + 1)
    return _with_used_attributes(made, attributes)


def _without_vector(tx: Transaction, table: Table, record: TableRecord, name: str) -> TableRecord:
    index = table.vectors.get(name)
    if index is None:
        raise _not_found()
    _delete_rows(tx, index)
    kept = tuple(each for each in record.vectors if each.number != index.record.number)
    return _with_used_attributes(msgspec.structs.replace(record, vectors=kept), dict(record.attributes))
