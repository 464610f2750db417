"""The operations on lookup tables."""

from __future__ import annotations

from functools import partial
from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.background.workers import run_in_worker
from cloudlet.services.logs import errors, lookup_table, tagging
from cloudlet.services.logs.block import service
from cloudlet.services.logs.insights import parsing, queries
from cloudlet.services.logs.lookup_table import Content
from cloudlet.services.logs.lookup_table_record import LookupTable

_PAGE = 50
_READ_BYTES = 16 * 1024 * 1024


@service.direct("CreateLookupTable")
async def create_lookup_table(ctx: Context, params: Params) -> Result:
    given = await _content(ctx, params)
    name, now = params["lookupTableName"], int(ctx.now() * 1000)

    async def body(tx: Transaction) -> LookupTable:
        if await lookup_table.find(tx, ctx.account, ctx.region, name) is not None:
            raise AwsError("ResourceAlreadyExistsException", f"The lookup table {name} already exists.")
        if await lookup_table.count(ctx, tx) == lookup_table.MOST:
            raise AwsError(
                "LimitExceededException", f"An account can have {lookup_table.MOST} lookup tables in a region."
            )
        table = LookupTable(ctx.account, ctx.region, name, params.get("description"), now, [], 0, 0)
        table.tags = tagging.merged({}, params.get("tags") or {})
        lookup_table.put(tx, table, given, now)
        return table

    table = await ctx.transact(body)
    return {"lookupTableArn": table.arn, "createdAt": now}


@service.direct("UpdateLookupTable")
async def update_lookup_table(ctx: Context, params: Params) -> Result:
    given = await _content(ctx, params)
    now = int(ctx.now() * 1000)

    async def body(tx: Transaction) -> LookupTable:
        table = await lookup_table.of_arn(ctx, tx, params["lookupTableArn"])
        table.description = params.get("description", table.description)
        lookup_table.put(tx, table, given, now)
        return table

    table = await ctx.transact(body)
    return {"lookupTableArn": table.arn, "lastUpdatedTime": now}


@service.operation("GetLookupTable")
async def get_lookup_table(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await lookup_table.of_arn(ctx, tx, params["lookupTableArn"])
    shown: dict[str, Any] = {**table.shown(), "tableBody": await lookup_table.text_of(tx, table)}
    del shown["tableFields"], shown["recordsCount"]
    return shown


@service.operation("DeleteLookupTable")
async def delete_lookup_table(ctx: Context, tx: Transaction, params: Params) -> Result:
    lookup_table.remove(tx, await lookup_table.of_arn(ctx, tx, params["lookupTableArn"]))
    return None


@service.operation("DescribeLookupTables")
async def describe_lookup_tables(ctx: Context, tx: Transaction, params: Params) -> Result:
    prefix, most = params.get("lookupTableNamePrefix", ""), params.get("maxResults", _PAGE)
    found, token = await lookup_table.page(ctx, tx, prefix, params.get("nextToken"), most)
    return {"lookupTables": [table.shown() for table in found], "nextToken": token}


async def _content(ctx: Context, params: Params) -> Content:
    """Return the content that is given, or that a query has found. Raises AwsError."""
    if params.get("kmsKeyId"):
        raise errors.not_built("the encryption of lookup tables with keys of KMS (kmsKeyId)")
    if ("tableBody" in params) == ("queryId" in params):
        raise errors.invalid("Exactly one of tableBody and queryId must be specified.")
    if "tableBody" in params:
        return await run_in_worker(ctx.account, lookup_table.content, params["tableBody"])
    names, records = await ctx.transact(partial(_found, ctx, params["queryId"]))
    return await run_in_worker(ctx.account, lambda: lookup_table.content(lookup_table.written(names, records)))


async def _found(ctx: Context, id: str, tx: Transaction) -> tuple[list[str], list[list[str | None]]]:
    """Return what a query has found: the names of fields, and their values. Raises AwsError."""
    query = await queries.find(tx, ctx.account, ctx.region, id, int(ctx.now() * 1000))
    if query is None:
        raise AwsError("ResourceNotFoundException", f"Query {id} does not exist.")
    if query.status != queries.COMPLETE:
        raise errors.invalid(f"Query {id} has no results: its status is {query.status}.")
    records = await queries.records(tx, query, 0, parsing.MOST_RESULTS, _READ_BYTES)
    return query.names, [record.values for record in records]
