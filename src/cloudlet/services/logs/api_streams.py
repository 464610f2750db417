"""The operations on log streams."""

from __future__ import annotations

from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.services.logs import errors, events, resource_policy
from cloudlet.services.logs import group as groups
from cloudlet.services.logs import stream as streams
from cloudlet.services.logs.block import service
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.stream_record import Stream

_PAGE = 50


@service.operation("CreateLogStream")
async def create_log_stream(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params["logStreamName"]
    await resource_policy.authorize(ctx, tx, params["logGroupName"], "CreateLogStream", name)
    group = await groups.named(ctx, tx, params["logGroupName"])
    if await streams.find(tx, group, name) is not None:
        raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")
    streams.create(tx, group, Stream(await groups.new_id(tx), name, int(ctx.now() * 1000)))
    return None


@service.direct("DeleteLogStream")
async def delete_log_stream(ctx: Context, params: Params) -> Result:
    async def forget(tx: Transaction) -> tuple[Group, Stream]:
        group = await groups.named(ctx, tx, params["logGroupName"])
        stream = await streams.named(tx, group, params["logStreamName"])
        streams.remove(tx, group, stream)
        events.orphan(tx, group.id, stream.id)
        return group, stream

    group, stream = await ctx.transact(forget)
    await events.clear_orphan(ctx.block.store, group.id, stream.id, events.STEPS)
    return None


@service.operation("DescribeLogStreams")
async def describe_log_streams(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.identified(ctx, tx, params)
    prefix, most = params.get("logStreamNamePrefix"), params.get("limit", _PAGE)
    descending = params.get("descending", False)
    after = page_tokens.parse_page_token(params.get("nextToken"), errors.invalid_token())
    if params.get("orderBy") == "LastEventTime":
        if prefix is not None:
            raise errors.invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        rows = await streams.recent_page(tx, group, after, most + 1, descending=descending)
    else:
        rows = await streams.page(tx, group, prefix or "", after, most + 1, descending=descending)
    token = page_tokens.make_page_token(rows[most - 1][0]) if len(rows) > most else None
    return {"logStreams": [_described(group, stream) for _, stream in rows[:most]], "nextToken": token}


def _described(group: Group, stream: Stream) -> dict[str, Any]:
    return {
        "logStreamName": stream.name,
        "creationTime": stream.created,
        "firstEventTimestamp": stream.first,
        "lastEventTimestamp": stream.last,
        "lastIngestionTime": stream.ingested,
        "uploadSequenceToken": None if stream.last is None else f"{stream.batches:056d}",
        "arn": f"{group.arn}:log-stream:{stream.name}",
        "storedBytes": 0,
    }
