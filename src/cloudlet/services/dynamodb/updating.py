"""UpdateTable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.services.dynamodb import backfill, creating, directory, errors, schema, streams, throughput
from cloudlet.services.dynamodb.table import (
    ACTIVE,
    CREATING,
    ON_DEMAND,
    PROVISIONED,
    IndexRecord,
    Table,
    TableRecord,
    Throughput,
)

_CHANGES = (
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexUpdates",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "SSESpecification",
    "StreamSpecification",
    "TableClass",
    "VectorIndexUpdates",
    "WarmThroughput",
)
_NOT_BUILT = {
    "ReplicaUpdates": "global tables",
    "MultiRegionConsistency": "global tables",
    "GlobalTableWitnessUpdates": "global tables",
    "GlobalTableSettingsReplicationMode": "global tables",
    "DisassociationProtectionEnabled": "global tables",
}


async def update(ctx: Context, tx: Transaction, table: Table, params: Params) -> Table:
    """Change a table as UpdateTable's parameters say; a new index is filled afterwards. Raises AwsError."""
    for name, what in _NOT_BUILT.items():
        if name in params:
            raise errors.not_built(what)
    if not any(name in params for name in _CHANGES):
        raise errors.validation(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
            "SSESpecification or ReplicaUpdates is required"
        )
    updates = _index_updates(params)
    vector_updates = _vector_updates(params, updates)
    if table.record.status != ACTIVE:
        raise errors.in_use(f"Attempt to change a resource which is still in use: Table is being updated: {table.name}")
    now = ctx.now()
    record = _with_throughput(table.record, params, now)
    record = _with_indexes(tx, table, record, updates, params, now)
    record = _with_vectors(tx, table, record, vector_updates, params)
    record = await _with_stream(tx, record, params.get("StreamSpecification"), now)
    if "DeletionProtectionEnabled" in params:
        record = msgspec.structs.replace(record, deletion_protection=params["DeletionProtectionEnabled"])
    if "TableClass" in params:
        record = msgspec.structs.replace(record, table_class=params["TableClass"], table_class_changed=now)
    if "SSESpecification" in params:
        wanted = creating.encryption(record.account, record.region, params["SSESpecification"])
        if not wanted["encrypted"] and not record.encrypted:
            raise errors.invalid_values("Table is already encrypted by default")
        record = msgspec.structs.replace(record, **wanted)
    return directory.store(tx, record)


def _with_throughput(record: TableRecord, params: Params, now: float) -> TableRecord:
    billing = params.get("BillingMode", record.billing)
    if billing == record.billing:
        if billing == ON_DEMAND and "ProvisionedThroughput" in params:
            raise errors.invalid_values(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        if billing == PROVISIONED and "OnDemandThroughput" in params:
            raise errors.invalid_values("OnDemandThroughput cannot be specified when BillingMode is PROVISIONED")
        if not any(name in params for name in ("ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput")):
            return record
        return msgspec.structs.replace(record, throughput=throughput.changed(record.throughput, params, now, "table"))
    schema.check_vectors(record.vectors, billing)
    asked = throughput.asked(params, billing)
    if billing == ON_DEMAND:
        indexes = tuple(
            msgspec.structs.replace(index, throughput=Throughput()) if index.is_global else index
            for index in record.indexes
        )
        return msgspec.structs.replace(record, billing=billing, billing_changed=now, throughput=asked, indexes=indexes)
    given = {
        each["Update"]["IndexName"] for each in params.get("GlobalSecondaryIndexUpdates") or () if "Update" in each
    }
    for index in record.indexes:
        if index.is_global and index.name not in given:
            raise errors.invalid_values(f"ProvisionedThroughput must be specified for index: {index.name}")
    return msgspec.structs.replace(record, billing=billing, throughput=asked)


# -- indexes


def _index_updates(params: Params) -> list[tuple[str, dict[str, Any]]]:
    """Return what is to be done to global indexes: Create, Update or Delete, and its parameters. Raises AwsError."""
    given = params.get("GlobalSecondaryIndexUpdates")
    if given is None:
        return []
    if not given:
        raise errors.invalid_values("GlobalSecondaryIndexUpdates is empty")
    updates = []
    for each in given:
        kinds = [kind for kind in ("Create", "Update", "Delete") if kind in each]
        if len(kinds) != 1:
            raise errors.invalid_values(
                "Exactly one of Create, Update or Delete must be specified in each GlobalSecondaryIndexUpdate"
            )
        updates.append((kinds[0], each[kinds[0]]))
    if sum(kind != "Update" for kind, _ in updates) > 1:
        raise errors.limit_exceeded(
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
        )
    names = [each["IndexName"] for _, each in updates]
    if len(set(names)) != len(names):
        raise errors.invalid_values("Only one global secondary index update per index is allowed simultaneously")
    return updates


def _with_indexes(
    tx: Transaction,
    table: Table,
    record: TableRecord,
    updates: list[tuple[str, dict[str, Any]]],
    params: Params,
    now: float,
) -> TableRecord:
    for kind, wanted in updates:
        if kind == "Create":
            record = _with_index(tx, table, record, wanted, params)
        elif kind == "Delete":
            record = _without_index(tx, table, record, wanted["IndexName"])
        else:
            record = _with_changed_index(record, wanted, now)
    if params.get("AttributeDefinitions") and not any(kind == "Create" for kind, _ in updates):
        _merged(record, params)
    return record


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
    attributes = _merged(record, params)
    given = [each["AttributeName"] for each in params.get("AttributeDefinitions") or ()]
    schema.check_index_defined(index, given)
    backfill.begin(tx, record.id)
    return _with_used_attributes(
        msgspec.structs.replace(record, indexes=indexes, indexes_made=record.indexes_made + 1), attributes
    )


def _check_creatable(table: Table, name: str) -> None:
    """Raise AwsError unless an index of this name can be made now."""
    if name in table.indexes or name in table.vectors:
        raise errors.validation("Attempting to create an index which already exists")
    record = table.record
    if CREATING in (*(index.status for index in record.indexes), *(index.status for index in record.vectors)):
        raise errors.limit_exceeded(
            "Subscriber limit exceeded: Only 1 online index can be created simultaneously per table"
        )


def _merged(record: TableRecord, params: Params) -> dict[str, str]:
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


def _index(record: TableRecord, name: str) -> IndexRecord:
    for index in record.indexes:
        if index.name == name and index.is_global:
            return index
    raise AwsError("ResourceNotFoundException", "Requested resource not found")


def _without_index(tx: Transaction, table: Table, record: TableRecord, name: str) -> TableRecord:
    index = _index(record, name)
    rows = table.indexes[name]
    tx.delete_range(rows.rows.begin, rows.rows.end)
    for counter in (rows.row_count, rows.size_count):
        tx.delete(counter)
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


def _vector_updates(params: Params, others: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """Return what is to be done to vector indexes: Create or Delete, and its parameters. Raises AwsError."""
    given = params.get("VectorIndexUpdates")
    if given is None:
        return []
    updates = []
    for each in given:
        kinds = [kind for kind in ("Create", "Delete") if kind in each]
        if len(kinds) != 1:
            raise errors.invalid_values("Exactly one of Create or Delete must be specified in each VectorIndexUpdate")
        updates.append((kinds[0], each[kinds[0]]))
    if not updates:
        raise errors.invalid_values("VectorIndexUpdates is empty")
    if len(updates) + sum(kind != "Update" for kind, _ in others) > 1:
        raise errors.limit_exceeded(
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
        )
    return updates


def _with_vectors(
    tx: Transaction, table: Table, record: TableRecord, updates: list[tuple[str, dict[str, Any]]], params: Params
) -> TableRecord:
    for kind, wanted in updates:
        if kind == "Delete":
            record = _without_vector(tx, table, record, wanted["IndexName"])
            continue
        _check_creatable(table, wanted["IndexName"])
        index = msgspec.structs.replace(schema.vector_index(wanted, record.indexes_made), status=CREATING)
        vectors = (*record.vectors, index)
        schema.check_indexes(record.indexes, vectors)
        schema.check_vectors(vectors, record.billing)
        attributes = _merged(record, params)
        schema.check_vector_defined(index, list(attributes))
        backfill.begin(tx, record.id)
        record = _with_used_attributes(
            msgspec.structs.replace(record, vectors=vectors, indexes_made=record.indexes_made + 1), attributes
        )
    return record


def _without_vector(tx: Transaction, table: Table, record: TableRecord, name: str) -> TableRecord:
    index = table.vectors.get(name)
    if index is None:
        raise AwsError("ResourceNotFoundException", "Requested resource not found")
    tx.delete_range(index.rows.begin, index.rows.end)
    for counter in (index.row_count, index.size_count):
        tx.delete(counter)
    kept = tuple(each for each in record.vectors if each.number != index.record.number)
    return _with_used_attributes(msgspec.structs.replace(record, vectors=kept), dict(record.attributes))


# -- the stream


async def _with_stream(
    tx: Transaction, record: TableRecord, wanted: Mapping[str, Any] | None, now: float
) -> TableRecord:
    if wanted is None:
        return record
    stream = record.features.stream
    is_on = stream is not None and stream.enabled
    if wanted["StreamEnabled"]:
        if is_on:
            raise errors.validation("Table already has an enabled stream: TableName: " + record.name)
        stream = await creating.new_stream(tx, record, wanted, now)
    else:
        await creating.new_stream(tx, record, wanted, now)
        if stream is None or not is_on:
            raise errors.validation("Table is already in the desired state: stream is disabled")
        stream = await streams.disable(
            tx, stream, account=record.account, region=record.region, table=record.name, now=now
        )
    return msgspec.structs.replace(record, features=msgspec.structs.replace(record.features, stream=stream))
