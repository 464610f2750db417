"""UpdateTable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cloudlet.core import Context, Params, Transaction
from cloudlet.services.dynamodb import errors
from cloudlet.services.dynamodb.streaming import streams
from cloudlet.services.dynamodb.tables import creating, directory, index_updates, sealing, throughput, vector_schema
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.services.dynamodb.tables.table_record import ACTIVE, ON_DEMAND, PROVISIONED, TableRecord, Throughput

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
    updates = index_updates.read(params)
    if table.record.status != ACTIVE:
        raise errors.in_use(f"Attempt to change a resource which is still in use: Table is being updated: {table.name}")
    now = ctx.now()
    record = _with_throughput(table.record, params, now)
    record = index_updates.apply(tx, table, record, updates, params, now)
    record = await _with_stream(tx, record, params.get("StreamSpecification"), now)
    if "DeletionProtectionEnabled" in params:
        record = msgspec.structs.replace(record, deletion_protection=params["DeletionProtectionEnabled"])
    if "TableClass" in params:
        record = msgspec.structs.replace(record, table_class=params["TableClass"], table_class_changed=now)
    if "SSESpecification" in params:
        record = await sealing.change(ctx, tx, record, params["SSESpecification"])
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
    vector_schema.check(record.vectors, billing)
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
