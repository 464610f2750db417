"""A table as TableDescription shows it."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from cloudlet.core import Transaction
from cloudlet.services.dynamodb.streaming import streams
from cloudlet.services.dynamodb.tables import table_keys, throughput
from cloudlet.services.dynamodb.tables.table import Index, Table, VectorIndex
from cloudlet.services.dynamodb.tables.table_record import (
    ACTIVE,
    CREATING,
    DELETING,
    INACCESSIBLE,
    ON_DEMAND,
    IndexRecord,
    TableRecord,
    VectorRecord,
)


async def described(
    tx: Transaction, table: Table, now: float, status: str | None = None, warming: Container[str] = ()
) -> dict[str, Any]:
    """Return a table's description; `status` is that of the moment, where it is not the stored one.

    `warming` are the indexes, and "" for the table, that are just being given warm throughput.
    """
    record = table.record
    status = status or _get_status(record)
    description: dict[str, Any] = {
        "TableName": record.name,
        "TableStatus": status,
        "ProvisionedThroughput": throughput.to_api(record.throughput, now),
        "TableSizeBytes": await tx.counter(table.size_count),
        "ItemCount": await tx.counter(table.item_count),
        "TableArn": table.arn,
        "TableId": record.uuid,
        "DeletionProtectionEnabled": record.deletion_protection,
        "OnDemandThroughput": throughput.shown_limits(record.throughput),
        **_billing(record),
    }
    if status == DELETING:
        return description
    return description | {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in record.attributes],
        "KeySchema": _key_schema((record.hash,), () if record.range is None else (record.range,)),
        "CreationDateTime": record.created,
        "LocalSecondaryIndexes": await _indexes(tx, table, now, status, warming, is_global=False),
        "GlobalSecondaryIndexes": await _indexes(tx, table, now, status, warming, is_global=True),
        "VectorIndexes": [await _vector(tx, table, each, status) for each in table.vectors.values()] or None,
        "WarmThroughput": throughput.shown_warm(record.throughput, status, is_asked="" in warming),
        "RestoreSummary": record.restored_from,
        "TableClassSummary": _table_class(record),
        **table_keys.describe(record.sealing),
        **streams.to_api(record.features, record.account, record.region, record.name),
    }


def _get_status(record: TableRecord) -> str:
    is_unusable = record.status == ACTIVE and record.sealing is not None and record.sealing.inaccessible
    return INACCESSIBLE if is_unusable else record.status


def _billing(record: TableRecord) -> dict[str, Any]:
    if record.billing != ON_DEMAND and not record.billing_changed:
        return {}
    summary: dict[str, Any] = {"BillingMode": record.billing}
    if record.billing_changed:
        summary["LastUpdateToPayPerRequestDateTime"] = record.billing_changed
    return {"BillingModeSummary": summary}


def _table_class(record: TableRecord) -> dict[str, Any] | None:
    if record.table_class is None:
        return None
    return {"TableClass": record.table_class, "LastUpdateDateTime": record.table_class_changed or None}


def _key_schema(hash: tuple[str, ...], range: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        *({"AttributeName": name, "KeyType": "HASH"} for name in hash),
        *({"AttributeName": name, "KeyType": "RANGE"} for name in range),
    ]


async def _indexes(
    tx: Transaction, table: Table, now: float, status: str, warming: Container[str], *, is_global: bool
) -> list[dict[str, Any]] | None:
    chosen = [index for index in table.indexes.values() if index.is_global is is_global]
    return [await _index(tx, table, index, now, status, warming) for index in chosen] or None


def _projection(record: IndexRecord | VectorRecord) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": record.projection}
    if record.included:
        projection["NonKeyAttributes"] = list(record.included)
    return projection


async def _vector(tx: Transaction, table: Table, index: VectorIndex, status: str) -> dict[str, Any]:
    record = index.record
    elements = [
        *([(record.hash, "HASH")] if record.hash else []),
        *((name, "INLINE_FILTER") for name in record.filters),
    ]
    return {
        "IndexName": record.name,
        "SearchSchema": [{"AttributeName": name, "SearchSchemaElementType": kind} for name, kind in elements] or None,
        "Projection": _projection(record),
        "VectorAttribute": {"AttributeName": record.attribute},
        "Dimensions": record.dimensions,
        "DistanceFunction": record.distance,
        "IndexStatus": CREATING if status == CREATING else record.status,
        "Backfilling": True if record.status == CREATING and status == ACTIVE else None,
        "IndexSizeBytes": await tx.counter(index.size_count),
        "ItemCount": await tx.counter(index.row_count),
        "IndexArn": table.index_arn(record.name),
    }


async def _index(
    tx: Transaction, table: Table, index: Index, now: float, status: str, warming: Container[str]
) -> dict[str, Any]:
    record = index.record
    description: dict[str, Any] = {
        "IndexName": record.name,
        "KeySchema": _key_schema(record.hash, record.range),
        "Projection": _projection(record),
        "IndexSizeBytes": await tx.counter(index.size_count),
        "ItemCount": await tx.counter(index.row_count),
        "IndexArn": table.index_arn(record.name),
    }
    if not record.is_global:
        return description
    return description | {
        "IndexStatus": CREATING if status == CREATING else record.status,
        "Backfilling": True if record.status == CREATING and status == ACTIVE else None,
        "ProvisionedThroughput": throughput.to_api(record.throughput, now),
        "OnDemandThroughput": throughput.shown_limits(record.throughput),
        "WarmThroughput": throughput.shown_warm(record.throughput, status, is_asked=record.name in warming),
    }
