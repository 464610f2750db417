"""The operations of DynamoDB on tables and items: check, decide, answer."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Context, FinalTransaction, Params, Result, Service, Transaction
from cloudlet.core.telemetry.metrics import is_measured
from cloudlet.services.dynamodb import (
    access,
    api_backups,
    api_partiql,
    api_settings,
    api_streams,
    api_transfer,
    invalid_requests,
    measuring,
    measuring_provisioned,
)
from cloudlet.services.dynamodb.item_data import item_collections, items
from cloudlet.services.dynamodb.item_data.key_checks import key_of
from cloudlet.services.dynamodb.requests import (
    actions,
    batches,
    capacity,
    clauses,
    condition_keys,
    reading,
    transactions,
    vector_search,
)
from cloudlet.services.dynamodb.requests.actions import Action
from cloudlet.services.dynamodb.requests.capacity import Consumed
from cloudlet.services.dynamodb.requests.throttling import throttle
from cloudlet.services.dynamodb.tables import (
    backfill,
    creating,
    describing,
    directory,
    sealing,
    table_keys,
    throughput,
    updating,
)
from cloudlet.services.dynamodb.tables.table_record import CREATING, DELETING, UPDATING

service = Service(
    "dynamodb",
    invalid_request=invalid_requests.reword,
    compressed_from=4096,
    data_events=(
        "BatchExecuteStatement",
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "ExecuteStatement",
        "ExecuteTransaction",
        "GetItem",
        "GetRecords",
        "GetShardIterator",
        "PutItem",
        "Query",
        "Scan",
        "SearchVectors",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    ),
    hidden=("Attributes", "ExpressionAttributeValues", "Item", "Items", "Parameters", "Records", "SearchVector"),
    namespace="AWS/DynamoDB",
    decides=access.DECIDED,
)
service.observe(measuring.note)
service.gauge(measuring.measure)
service.gauge(measuring_provisioned.measure)
service.job(backfill.fill_indexes)
service.job(sealing.seal_contents)
api_streams.declare(service)
api_settings.declare(service)
api_backups.declare(service)
api_transfer.declare(service)
api_partiql.declare(service)

_LISTED: Final = 100


# -- tables


@service.operation("CreateTable")
async def create_table(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await creating.create(ctx, tx, params)
    return {"TableDescription": await describing.described(tx, table, ctx.now(), CREATING, throughput.warming(params))}


@service.operation("DescribeTable")
async def describe_table(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await directory.by_name(ctx, tx, params["TableName"], "DescribeTable")
    access.authorize(ctx, table, "DescribeTable")
    table_keys.observe(ctx, table)
    return {"Table": await describing.described(tx, table, ctx.now())}


@service.operation("UpdateTable")
async def update_table(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await directory.by_name(ctx, tx, params["TableName"], "UpdateTable")
    access.authorize(ctx, table, "UpdateTable")
    changed = await updating.update(ctx, tx, table, params)
    return {
        "TableDescription": await describing.described(tx, changed, ctx.now(), UPDATING, throughput.warming(params))
    }


@service.operation("DeleteTable")
async def delete_table(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await directory.by_name(ctx, tx, params["TableName"], "DeleteTable")
    access.authorize(ctx, table, "DeleteTable")
    description = await describing.described(tx, table, ctx.now(), DELETING)
    await creating.delete(ctx, tx, table)
    return {"TableDescription": description}


@service.operation("ListTables")
async def list_tables(ctx: Context, tx: Transaction, params: Params) -> Result:
    after = params.get("ExclusiveStartTableName")
    names, last = await directory.listed(tx, ctx.account, ctx.region, after, params.get("Limit", _LISTED))
    return {"TableNames": names, "LastEvaluatedTableName": last}


# -- single items


@service.operation("GetItem")
async def get_item(ctx: Context, tx: Transaction, params: Params) -> Result:
    asked = clauses.read("GetItem", params)
    projection = asked.projection
    table = await directory.for_items(ctx, tx, params["TableName"], "GetItem")
    access.authorize(
        ctx,
        table,
        "GetItem",
        keys=lambda: condition_keys.of_items(table.keys, [params["Key"]], asked, params, reads=True),
    )
    key, _ = key_of(table, params["Key"])
    if throttle is not None:
        throttle.admit(table, "Read", ctx.now())
    if table.is_sealed:
        tx = table_keys.unlock(ctx, tx, table)
    raw = await tx.get(table.items_prefix + key)
    result: dict[str, Any] = {}
    if raw is not None:
        result["Item"] = items.to_api(ctx, raw) if projection is None else projection.of(items.item_of(raw))
    measures = is_measured(ctx.block)
    if measures or throttle is not None or "ReturnConsumedCapacity" in params:
        units = capacity.read_units(0 if raw is None else items.size_of(raw), params.get("ConsistentRead", False))
        if measures:
            ctx.measured = ((table, "Read", units, (), None),)
    if throttle is not None or "ReturnConsumedCapacity" in params:
        consumed = Consumed(units)
        result["ConsumedCapacity"] = capacity.to_api(params, params["TableName"], table, consumed)
        if throttle is not None:
            throttle.spend(table, "Read", consumed, ctx.now())
    return result


@service.operation("PutItem")
async def put_item(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _write(ctx, tx, "Put", "PutItem", params)


@service.operation("DeleteItem")
async def delete_item(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _write(ctx, tx, "Delete", "DeleteItem", params)


@service.operation("UpdateItem")
async def update_item(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _write(ctx, tx, "Update", "UpdateItem", params)


async def _write(ctx: Context, tx: Transaction, kind: str, operation: str, params: Params) -> Result:
    request = actions.read_alone(kind, operation, params)
    table = await directory.for_items(ctx, tx, request.table, operation)
    access.authorize(
        ctx,
        table,
        operation,
        keys=lambda: condition_keys.of_items(table.keys, [request.given], request.clauses, params),
    )
    if table.is_sealed:
        tx = table_keys.unlock(ctx, tx, table)
    done = await actions.do(ctx, tx, Action(table, request), ctx.now())
    result: dict[str, Any] = {}
    attributes = actions.returned(ctx, done, params.get("ReturnValues"))
    if attributes is not None:
        result["Attributes"] = attributes
    if "ReturnConsumedCapacity" in params:
        result["ConsumedCapacity"] = capacity.to_api(params, request.table, table, done.written.consumed)
    if "ReturnItemCollectionMetrics" in params:
        result["ItemCollectionMetrics"] = await item_collections.metrics(
            tx, table, done.action.attributes, params["ReturnItemCollectionMetrics"]
        )
    return result


# -- many items


@service.direct("Query")
async def query(ctx: Context, params: Params) -> Result:
    return await reading.read(ctx, "Query", params)


@service.direct("Scan")
async def scan(ctx: Context, params: Params) -> Result:
    return await reading.read(ctx, "Scan", params)


@service.direct("SearchVectors")
async def search_vectors(ctx: Context, params: Params) -> Result:
    return await vector_search.search(ctx, params)


@service.direct("BatchGetItem")
async def batch_get_item(ctx: Context, params: Params) -> Result | FinalTransaction:
    return await batches.get(ctx, params)


@service.direct("BatchWriteItem")
async def batch_write_item(ctx: Context, params: Params) -> Result:
    return await batches.write(ctx, params)


@service.operation("TransactGetItems")
async def transact_get_items(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await transactions.get(ctx, tx, params)


@service.direct("TransactWriteItems")
async def transact_write_items(ctx: Context, params: Params) -> FinalTransaction:
    return await transactions.write(ctx, params)
