"""Operations on queries of event data stores."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.enforcement import check_resource
from cloudlet.core.aws import page_tokens
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudtrail import buckets, resource_tags
from cloudlet.services.cloudtrail.block import service
from cloudlet.services.cloudtrail.lake import delivery, queries, statement, stores
from cloudlet.services.cloudtrail.lake.queries import Query

_MOST_RESULTS = 1000


@service.direct("StartQuery")
async def start_query(ctx: Context, params: Params) -> Result:
    _check_owner(ctx, params)
    if params.get("QueryAlias") or params.get("QueryParameters"):
        raise AwsError("UnsupportedOperationException", "Cloudlet has no dashboards, and so no query aliases.")
    text = params.get("QueryStatement")
    if not text:
        raise stores.invalid("There must be a QueryStatement.")
    parsed = await run_in_worker(ctx.account, statement.parse, text, ctx.now())
    uri = params.get("DeliveryS3Uri") or ""
    query = Query(ctx.account, ctx.region, uuid4(), text, parsed.stores, ctx.now(), delivery_uri=uri)
    await ctx.transact(lambda tx: _authorize(ctx, tx, "cloudtrail:StartQuery", parsed.stores))
    if uri:
        await buckets.check(ctx.block, delivery.target_of(query))

    async def add(tx: Transaction) -> None:
        for identity in parsed.stores:
            await stores.find_active(ctx, tx, identity)
        await queries.add(tx, query)

    await ctx.transact(add)
    return {"QueryId": query.id, "EventDataStoreOwnerAccountId": ctx.account}


async def _authorize(ctx: Context, tx: Transaction, action: str, ids: Iterable[str]) -> None:
    """Raise AwsError unless the caller may use the event data stores of a query."""
    if not ctx.strict:
        return
    for identity in ids:
        arn = stores.arn_of(ctx.account, ctx.region, identity)
        check_resource(ctx, "cloudtrail", action, arn, await resource_tags.find(ctx, tx, arn))


def _check_owner(ctx: Context, params: Params) -> None:
    if params.get("EventDataStoreOwnerAccountId") not in (None, ctx.account):
        raise AwsError("UnsupportedOperationException", "Cloudlet does not query event data stores of other accounts.")


@service.operation("DescribeQuery")
async def describe_query(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_owner(ctx, params)
    if params.get("QueryAlias") or params.get("RefreshId"):
        raise AwsError("UnsupportedOperationException", "Cloudlet has no dashboards, and so no query aliases.")
    store = params.get("EventDataStore")
    known = None if store is None else await stores.find_active(ctx, tx, store)
    identity = params.get("QueryId")
    if identity is None:
        if known is None:
            raise stores.invalid("There must be a QueryId.")
        identity = await queries.last_of(tx, known.id) or ""
    query = await queries.find(ctx, tx, identity)
    await _authorize(ctx, tx, "cloudtrail:DescribeQuery", query.stores)
    return {
        "QueryId": query.id,
        "QueryString": query.text,
        "QueryStatus": query.status,
        "QueryStatistics": queries.statistics(query),
        "ErrorMessage": query.error or None,
        "DeliveryS3Uri": query.delivery_uri or None,
        "DeliveryStatus": query.delivery if query.delivery_uri else None,
        "EventDataStoreOwnerAccountId": query.account,
    }


@service.operation("GetQueryResults")
async def get_query_results(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_owner(ctx, params)
    await _check_store(ctx, tx, params)
    query = await queries.find(ctx, tx, params["QueryId"])
    await _authorize(ctx, tx, "cloudtrail:GetQueryResults", query.stores)
    first = _index(params.get("NextToken"))
    count = params.get("MaxQueryResults") or _MOST_RESULTS
    rows = await queries.rows(tx, query, first, count) if query.status == "FINISHED" else []
    following = first + len(rows)
    return {
        "QueryStatus": query.status,
        "QueryStatistics": {
            "ResultsCount": len(rows),
            "TotalResultsCount": query.matched,
            "BytesScanned": query.bytes,
        },
        "QueryResultRows": [[{name: value} for name, value in row] for row in rows],
        "NextToken": page_tokens.make_page_token(str(following).encode())
        if rows and following < query.matched
        else None,
        "ErrorMessage": query.error or None,
    }


async def _check_store(ctx: Context, tx: Transaction, params: Params) -> None:
    """Raise AwsError where a store is named that is not there: whose query it is, its id tells."""
    if params.get("EventDataStore") is not None:
        await stores.find_active(ctx, tx, params["EventDataStore"])


def _index(token: str | None) -> int:
    """Return the index of the row that a page begins with. Raises AwsError."""
    wrong = AwsError("InvalidNextTokenException", "The next token is invalid.", status=400)
    told = page_tokens.parse_name_token(token, wrong)
    if not told:
        return 0
    if not told.isascii() or not told.isdigit() or len(told) > 9:
        raise wrong
    return int(told)


@service.operation("ListQueries")
async def list_queries(ctx: Context, tx: Transaction, params: Params) -> Result:
    store = await stores.find_active(ctx, tx, params["EventDataStore"])
    oldest = ctx.now() - queries.KEPT_SECONDS
    begin, end = max(params.get("StartTime", oldest), oldest), min(params.get("EndTime", ctx.now()), ctx.now())
    if params.get("StartTime", oldest) > params.get("EndTime", ctx.now()):
        raise AwsError("InvalidDateRangeException", "The start time must be before the end time.", status=400)
    count = params.get("MaxResults") or _MOST_RESULTS
    wrong = AwsError("InvalidNextTokenException", "The next token is invalid.", status=400)
    before = page_tokens.parse_page_token(params.get("NextToken"), wrong)
    found = await queries.of_store(ctx, tx, store.id, begin, end, before, count)
    wanted = params.get("QueryStatus")
    return {
        "Queries": [
            {"QueryId": query.id, "QueryStatus": query.status, "CreationTime": query.made}
            for _, query in found
            if wanted in (None, query.status)
        ],
        "NextToken": page_tokens.make_page_token(found[-1][0]) if len(found) == count else None,
    }


@service.operation("CancelQuery")
async def cancel_query(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_owner(ctx, params)
    await _check_store(ctx, tx, params)
    query = await queries.find(ctx, tx, params["QueryId"])
    await _authorize(ctx, tx, "cloudtrail:CancelQuery", query.stores)
    if not query.is_active:
        raise AwsError("InactiveQueryException", f"The query is {query.status} already: {query.id}", status=400)
    cancelled: Query = msgspec.structs.replace(query, status="CANCELLED", delivery="CANCELLED")
    queries.save(tx, cancelled)
    return {"QueryId": query.id, "QueryStatus": cancelled.status, "EventDataStoreOwnerAccountId": ctx.account}
