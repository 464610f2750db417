"""The operations of Logs Insights: queries, their results, and definitions that are kept."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.core.background.workers import LARGE, offload_if, run_in_worker
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.logs import access, encryption, errors, events, filtering, lookup_table, scanning
from cloudlet.services.logs import group as groups
from cloudlet.services.logs import stream as streams
from cloudlet.services.logs.block import service
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.insights import definitions, discovering, parsing, planning, pointers, queries, session
from cloudlet.services.logs.insights.definitions import Definition
from cloudlet.services.logs.insights.planning import Plan
from cloudlet.services.logs.insights.pointers import Pointer
from cloudlet.services.logs.insights.problems import NotBuilt, QueryProblem
from cloudlet.services.logs.insights.queries import Piece, Query, Record, Searched
from cloudlet.services.logs.insights.syntax import Source
from cloudlet.services.logs.insights.times import Asked
from cloudlet.services.logs.protection import Mask
from cloudlet.services.logs.row_record import Row, StoredRow
from cloudlet.services.logs.scanning import Search

_LANGUAGE = "CWLI"
_MOST_GROUPS, _MOST_SOURCED = 50, 10_000
_MOST_ACTIVE = 100
_PAGE_RESULTS, _PAGE_BYTES = 10_000, 32 * 1024 * 1024
_PAGE_QUERIES = 1000
_LATEST_SECONDS = 10**11
"""Times beyond are in milliseconds."""
_SAMPLE_EVENTS = 10_000
_SYSTEM_FIELDS = ("@ingestionTime", "@log", "@logStream", "@message", "@timestamp")
_AROUND_MILLIS, _RECENT_MILLIS = 8 * 60_000, 15 * 60_000


# -- queries


@service.direct("StartQuery")
async def start_query(ctx: Context, params: Params) -> Result:
    _check_language(params)
    now = int(ctx.now() * 1000)
    start, end = _millis(params["startTime"]), _millis(params["endTime"])
    if end < start:
        raise errors.invalid("End time should not be before start time.")
    text, limit = params["queryString"], params.get("limit")
    source, plan = await run_in_worker(ctx.account, _checked, text, limit, Asked(now // 1000, start, end))

    async def body(tx: Transaction) -> str:
        if await queries.active(tx, ctx.account, ctx.region, _MOST_ACTIVE) == _MOST_ACTIVE:
            raise AwsError(
                "LimitExceededException", f"Account maximum query concurrency limit of {_MOST_ACTIVE} reached."
            )
        await _check_lookups(ctx, tx, plan)
        about = await _groups(ctx, tx, params, source)
        sides = [await _sourced(ctx, tx, feed.source) for feed in plan.feeds if feed.source]
        names = [group.name for some in (about, *sides) for group in some]
        for action in ("logs:StartQuery", "logs:Unmask") if access.is_unmasking(text) else ("logs:StartQuery",):
            await access.check_groups(ctx, tx, action, names)
        query = Query(
            uuid4(),
            ctx.account,
            ctx.region,
            text,
            _searched(about),
            start,
            end + queries.REST_MILLIS,
            limit,
            now,
            ctx.principal.arn,
            sides=[_searched(some) for some in sides],
        )
        queries.create(tx, query)
        return query.id

    return {"queryId": await ctx.transact(body)}


def _searched(some: list[Group]) -> list[Searched]:
    return [Searched(group.id, group.name) for group in some]


def _check_language(params: Params) -> None:
    language = params.get("queryLanguage", _LANGUAGE)
    if language != _LANGUAGE:
        raise errors.not_built(f"queries in {language}")


def _millis(time: int) -> int:
    """Return a time of a query, which is in seconds, in milliseconds."""
    return time * 1000 if time < _LATEST_SECONDS else min(time, scanning.FOREVER - 1000)


def _checked(text: str, limit: int | None, asked: Asked) -> tuple[Source | None, Plan]:
    """See whether a query can be run; return which log groups it names, and its plan. Raises AwsError."""
    try:
        query = parsing.parse(text)
        plan = planning.plan(query, limit, asked)
        session.check(query, plan)
    except QueryProblem as problem:
        raise _malformed(problem) from None
    except NotBuilt as missing:
        raise errors.not_built(str(missing)) from None
    return query.source, plan


def _malformed(problem: QueryProblem) -> AwsError:
    location = {"startCharOffset": problem.start, "endCharOffset": problem.end}
    return AwsError(
        "MalformedQueryException", str(problem), queryCompileError={"location": location, "message": str(problem)}
    )


async def _check_lookups(ctx: Context, tx: Transaction, plan: Plan) -> None:
    """Raise AwsError for a lookup table, or a column of one, that is not there."""
    for wanted in plan.lookups:
        table = await lookup_table.find(tx, ctx.account, ctx.region, wanted.name)
        if table is None:
            raise lookup_table.missing()
        if missing := wanted.missing(table.fields):
            message = f"the lookup table {wanted.name} has no column {missing[0]}"
            raise _malformed(QueryProblem(message, wanted.span.start, wanted.span.end))


async def _groups(ctx: Context, tx: Transaction, params: Params, source: Source | None) -> list[Group]:
    """Return the log groups that a query is about. Raises AwsError."""
    given = [name for name in ("logGroupName", "logGroupNames", "logGroupIdentifiers") if params.get(name)]
    if len(given) + (source is not None) != 1:
        raise errors.invalid(
            "Exactly one of logGroupName, logGroupNames, logGroupIdentifiers and the command SOURCE must be specified."
        )
    if source is not None:
        return await _sourced(ctx, tx, source)
    wanted = params[given[0]]
    names = [wanted] if isinstance(wanted, str) else [groups.name_of(ctx, one) for one in dict.fromkeys(wanted)]
    await access.check_groups(ctx, tx, "logs:StartQuery", names)
    if len(names) > _MOST_GROUPS:
        raise errors.invalid(f"A query can include up to {_MOST_GROUPS} log groups.")
    return [await groups.named(ctx, tx, name) for name in dict.fromkeys(names)]


async def _sourced(ctx: Context, tx: Transaction, source: Source) -> list[Group]:
    if source.name:
        return [await groups.named(ctx, tx, source.name)]
    if source.accounts and set(source.accounts) != {ctx.account}:
        raise errors.not_built("queries over several accounts")
    if source.classes and "STANDARD" not in source.classes:
        return []
    found: dict[str, Group] = {}
    for prefix in source.prefixes or ("",):
        for group in await groups.page(tx, ctx.account, ctx.region, prefix, "", _MOST_SOURCED + 1):
            found[group.name] = group
    if len(found) > _MOST_SOURCED:
        raise errors.invalid(f"A query can include up to {_MOST_SOURCED} log groups: choose fewer.")
    return [group for _, group in sorted(found.items())]


async def _query(ctx: Context, tx: Transaction, params: Params) -> Query:
    query = await queries.find(tx, ctx.account, ctx.region, params["queryId"], int(ctx.now() * 1000))
    if query is None:
        raise AwsError("ResourceNotFoundException", f"Query {params['queryId']} does not exist.")
    return query


@service.operation("StopQuery")
async def stop_query(ctx: Context, tx: Transaction, params: Params) -> Result:
    query = await _query(ctx, tx, params)
    if not query.is_active:
        raise errors.invalid(f"Query {query.id} is not in the Running or Scheduled state.")
    queries.end(tx, query, queries.CANCELLED, int(ctx.now() * 1000))
    return {"success": True}


@service.direct("GetQueryResults")
async def get_query_results(ctx: Context, params: Params) -> Result:
    begin = page_tokens.parse_name_token(params.get("nextToken"), errors.invalid_token()) or "0"
    if not begin.isdecimal() or int(begin) > parsing.MOST_RESULTS:
        raise errors.invalid_token()
    first, most = int(begin), params.get("maxItems", _PAGE_RESULTS)

    async def read(tx: Transaction) -> tuple[Query, list[Piece]]:
        query = await _query(ctx, tx, params)
        names = {one.name for some in (query.groups, *query.sides) for one in some}
        await access.check_groups(ctx, tx, "logs:GetQueryResults", sorted(names))
        is_complete = query.status == queries.COMPLETE
        return query, await queries.pieces(tx, query, first, most, _PAGE_BYTES) if is_complete else []

    query, pieces = await ctx.transact(read)
    takes_long = sum(len(piece.raw) for piece in pieces) > LARGE
    show = _written if ctx.protocol == "json" else _shown
    results = await offload_if(takes_long, ctx.account, lambda: show(query, queries.records_in(pieces, first, most)))
    following = first + len(results)
    has_more = query.status == queries.COMPLETE and following < query.found
    return {
        "queryLanguage": _LANGUAGE,
        "results": results,
        "statistics": {
            "recordsMatched": query.matched,
            "recordsScanned": query.scanned,
            "bytesScanned": query.bytes,
            "estimatedRecordsSkipped": 0,
            "estimatedBytesSkipped": 0,
            "logGroupsScanned": len(query.all_groups),
            "resultCount": query.found,
        },
        "status": query.status,
        **({"nextToken": page_tokens.make_page_token(str(following).encode())} if has_more else {}),
    }


def _shown(query: Query, records: list[Record]) -> list[Any]:
    """Return records as clients see them: what has no value is left out."""
    found = []
    for record in records:
        fields = zip(query.names, record.values, strict=True)
        shown = [{"field": name, "value": value} for name, value in fields if value is not None]
        found.append(shown if record.pointer is None else [*shown, {"field": "@ptr", "value": record.pointer}])
    return found


def _written(query: Query, records: list[Record]) -> list[Any]:
    """Return records as clients see them, each as JSON already."""
    return [msgspec.Raw(msgspec.json.encode(one)) for one in _shown(query, records)]


@service.operation("DescribeQueries")
async def describe_queries(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("queryLanguage", _LANGUAGE) != _LANGUAGE:
        return {"queries": []}
    group, status, most = params.get("logGroupName"), params.get("status"), params.get("maxResults", _PAGE_QUERIES)
    if group is not None:
        await groups.named(ctx, tx, group)
    now, before = int(ctx.now() * 1000), page_tokens.parse_page_token(params.get("nextToken"), errors.invalid_token())
    if before and not queries.is_place(before, ctx.account, ctx.region):
        raise errors.invalid_token()
    found: list[tuple[bytes, Query]] = []
    while len(found) <= most:
        some = await queries.recent(tx, ctx.account, ctx.region, before, now)
        if not some:
            break
        found += [
            (place, query)
            for place, query in some
            if status in (None, query.status) and (group is None or any(one.name == group for one in query.groups))
        ]
        before = some[-1][0]
    token = page_tokens.make_page_token(found[most - 1][0]) if len(found) > most else None
    return {"queries": [_described(query, now) for _, query in found[:most]], "nextToken": token}


def _described(query: Query, now: int) -> dict[str, Any]:
    return {
        "queryLanguage": _LANGUAGE,
        "queryId": query.id,
        "queryString": query.text,
        "status": query.status,
        "createTime": query.created,
        "logGroupName": query.groups[0].name if query.groups else None,
        "queryDuration": (query.ended or now) - query.created,
        "bytesScanned": query.bytes,
        "userIdentity": query.caller,
    }


# -- events and their fields


@service.direct("GetLogRecord")
async def get_log_record(ctx: Context, params: Params) -> Result:
    pointer = pointers.read(params["logRecordPointer"])

    async def find(tx: Transaction) -> tuple[Group, str, StoredRow, Mask | None]:
        for action in ("logs:GetLogRecord", "logs:Unmask") if params.get("unmask") else ("logs:GetLogRecord",):
            await access.check_groups(ctx, tx, action, [pointer.group])
        group = await groups.find(tx, ctx.account, ctx.region, pointer.group)
        if group is None or group.id != pointer.group_id or pointer.position.timestamp < group.horizon(ctx.now()):
            raise _no_record()
        stream = await streams.name_of(tx, group.id, pointer.position.stream)
        row = await events.holding(tx, group.id, pointer.position)
        if stream is None or row is None:
            raise _no_record()
        return group, stream, row, await filtering.masking(tx, group, params)

    group, stream, stored, mask = await ctx.transact(find)
    row = _pick(await encryption.open_row(ctx.block, group.id, stored), pointer)
    if row is None:
        raise _no_record()
    if mask:
        row = await mask.of_row(row)
    [message] = row.messages
    return {
        "logRecord": {
            **discovering.fields_of(message, group.name),
            "@ingestionTime": str(row.ingested),
            "@log": f"{group.account}:{group.name}",
            "@logStream": stream,
            "@message": message,
            "@ptr": params["logRecordPointer"],
            "@timestamp": str(pointer.position.timestamp),
        }
    }


def _no_record() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified log record does not exist.")


def _pick(row: Row, pointer: Pointer) -> Row | None:
    """Return a pointer's event as a row of its own, if the row has it."""
    position, nth = pointer.position, pointer.position.nth
    if nth >= len(row.messages) or row.timestamps[nth] != position.timestamp:
        return None
    return Row(row.ingested, [position.timestamp], [row.messages[nth]])


@service.direct("GetLogGroupFields")
async def get_log_group_fields(ctx: Context, params: Params) -> Result:

    async def find(tx: Transaction) -> tuple[Group, Mask | None]:
        group = await groups.identified(ctx, tx, params)
        return group, await filtering.masking(tx, group, {})

    group, mask = await ctx.transact(find)
    now = int(ctx.now() * 1000)
    center = params.get("time")
    first, last = now - _RECENT_MILLIS, now
    if center is not None:
        first, last = max(_millis(center) - _AROUND_MILLIS, 0), _millis(center) + _AROUND_MILLIS
    first = max(first, group.horizon(ctx.now()))
    seen: Counter[str] = Counter()
    total, after = 0, None
    while total < _SAMPLE_EVENTS:
        search = Search(group.id, first=first, last=last, after=after, mask=mask)
        found, after = await scanning.page(ctx.block, search, _SAMPLE_EVENTS - total)
        messages = [event.message for event in found]
        seen.update(await run_in_worker(ctx.account, _names, messages, group.name))
        total += len(found)
        if after is None:
            break
    shares = {name: count * 100 // total for name, count in seen.items()}
    if total:
        shares |= dict.fromkeys(_SYSTEM_FIELDS, 100)
    ordered = sorted(shares.items(), key=lambda one: (-one[1], one[0]))
    return {"logGroupFields": [{"name": name, "percent": percent} for name, percent in ordered]}


def _names(messages: list[str], group: str) -> Counter[str]:
    """Return in how many messages of a log group fields are."""
    return Counter(name for message in messages for name in discovering.fields_of(message, group))


# -- definitions


@service.operation("PutQueryDefinition")
async def put_query_definition(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_language(params)
    id, token = params.get("queryDefinitionId"), params.get("clientToken")
    if id is not None:
        await definitions.find(ctx, tx, id)
    else:
        known = await definitions.all_of(ctx, tx)
        for one in known:
            if token is not None and one.client_token == token:
                return {"queryDefinitionId": one.id}
        if len(known) == definitions.MOST:
            raise AwsError("LimitExceededException", "There are as many query definitions as there can be.")
    definition = Definition(
        id or uuid4(),
        params["name"],
        params["queryString"],
        params.get("logGroupNames", []),
        int(ctx.now() * 1000),
        params.get("parameters", []),
        token,
    )
    definitions.put(ctx, tx, definition)
    return {"queryDefinitionId": definition.id}


@service.operation("DeleteQueryDefinition")
async def delete_query_definition(ctx: Context, tx: Transaction, params: Params) -> Result:
    definition = await definitions.find(ctx, tx, params["queryDefinitionId"])
    definitions.remove(ctx, tx, definition.id)
    return {"success": True}


@service.operation("DescribeQueryDefinitions")
async def describe_query_definitions(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("queryLanguage", _LANGUAGE) != _LANGUAGE:
        return {"queryDefinitions": []}
    prefix, most = params.get("queryDefinitionNamePrefix", ""), params.get("maxResults", definitions.MOST)
    after = page_tokens.parse_name_token(params.get("nextToken"), errors.invalid_token())
    known = [one for one in await definitions.all_of(ctx, tx) if one.name.startswith(prefix)]
    if after:
        last = next((one for one in known if one.id == after), None)
        known = known[known.index(last) + 1 :] if last is not None else []
    token = page_tokens.make_page_token(known[most - 1].id.encode()) if len(known) > most else None
    return {"queryDefinitions": [_defined(one) for one in known[:most]], "nextToken": token}


def _defined(one: Definition) -> dict[str, Any]:
    return {
        "queryLanguage": _LANGUAGE,
        "queryDefinitionId": one.id,
        "name": one.name,
        "queryString": one.text,
        "lastModified": one.modified,
        "logGroupNames": one.groups,
        "parameters": one.parameters,
    }
