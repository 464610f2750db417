"""The operations of DynamoDB Streams."""

from __future__ import annotations

from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Service, Transaction
from cloudlet.services.dynamodb import access
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.measuring import Fetched
from cloudlet.services.dynamodb.streaming import iterators, streams, streams_jobs
from cloudlet.services.dynamodb.streaming.iterators import Iterator
from cloudlet.services.dynamodb.streaming.streams import Record, Shard, StreamRecord
from cloudlet.services.dynamodb.tables import directory, table_keys

_LISTED = 100
_RECORDS = 1000
_RECORD_BYTES = 1024 * 1024
_FIRST_ROWS = 4
_MOST_ROWS = 100
"""Rows read from the store in one go, at first and at most: records may be large."""


def declare(service: Service) -> None:
    """Add the operations, and the job that trims streams, to the block's service."""
    service.operation("dynamodbstreams:ListStreams")(list_streams)
    service.operation("dynamodbstreams:DescribeStream")(describe_stream)
    service.operation("dynamodbstreams:GetShardIterator")(get_shard_iterator)
    service.operation("dynamodbstreams:GetRecords")(get_records)
    service.job(streams_jobs.trim)


def _limit(params: Params, most: int) -> int:
    limit: int = params.get("Limit") or most
    if limit > most:
        raise validation(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            f"Member must have value less than or equal to {most}"
        )
    return limit


def _parsed(arn: str) -> tuple[str, str, str, str]:
    try:
        return streams.parse_arn(arn)
    except ValueError:
        raise validation(f"Invalid StreamArn: {arn}") from None


async def _stream(ctx: Context, tx: Transaction, parsed: tuple[str, str, str, str], action: str) -> StreamRecord:
    """Return a stream that the caller may do this to, if it is in the region and has not passed away."""
    account, region, name, label = parsed
    if ctx.strict:
        table = await directory.find_at(tx, account, region, name)
        access.authorize_stream(ctx, account, region, name, label, table, action)
    record = await streams.find(tx, account, region, name, label) if region == ctx.region else None
    if record is None or streams.is_over(record, ctx.now()):
        arn = streams.arn_of(account, region, name, label)
        raise AwsError("ResourceNotFoundException", f"Requested resource not found: Stream: {arn} not found")
    return record


async def list_streams(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit = _limit(params, _LISTED)
    start = params.get("ExclusiveStartStreamArn")
    after = None if start is None else _parsed(start)[2:]
    now = ctx.now()
    found: list[StreamRecord] = []
    more = True
    while more and len(found) <= limit:
        page = await streams.listed(tx, ctx.account, ctx.region, params.get("TableName"), after, limit + 1)
        more = len(page) > limit
        found += [record for record in page if not streams.is_over(record, now)]
        if page:
            after = (page[-1].table, page[-1].label)
    result: dict[str, Any] = {
        "Streams": [
            {"StreamArn": record.arn, "TableName": record.table, "StreamLabel": record.label}
            for record in found[:limit]
        ]
    }
    if len(found) > limit:
        result["LastEvaluatedStreamArn"] = found[limit - 1].arn
    return result


async def describe_stream(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit = _limit(params, _LISTED)
    record = await _stream(ctx, tx, _parsed(params["StreamArn"]), "DescribeStream")
    start = params.get("ExclusiveStartShardId")
    after = None
    if start is not None:
        # An id that is none comes after all shards: nothing follows it.
        after = streams.read_shard_id(start) or (1 << 62, 0)
    parent = _wanted_parent(params.get("ShardFilter"))
    found, more = await _described_shards(tx, record, after, parent, limit)
    description: dict[str, Any] = {
        "StreamArn": record.arn,
        "StreamLabel": record.label,
        "StreamStatus": "ENABLED" if record.closed is None else "DISABLED",
        "StreamViewType": record.view,
        "CreationRequestDateTime": record.created,
        "TableName": record.table,
        "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in record.keys],
        "Shards": found,
    }
    if more:
        description["LastEvaluatedShardId"] = found[-1]["ShardId"]
    return {"StreamDescription": description}


def _wanted_parent(wanted: Params | None) -> tuple[int, int] | None:
    """Return the shard whose children are asked for."""
    if not wanted:
        return None
    for member in ("Type", "ShardId"):
        if not wanted.get(member):
            raise validation(f"ShardFilter.{member} must be provided when ShardFilter is used")
    parent = streams.read_shard_id(wanted["ShardId"])
    if parent is None:
        raise validation("Invalid ShardFilter.ShardId")
    return parent


async def _described_shards(
    tx: Transaction, record: StreamRecord, after: tuple[int, int] | None, parent: tuple[int, int] | None, limit: int
) -> tuple[list[dict[str, Any]], bool]:
    """Return up to `limit` shards of a stream behind one, all or the children of one, and whether there are more."""
    found: list[dict[str, Any]] = []
    while True:
        page = await streams.shards(tx, record.id, after, _LISTED)
        for began, lane, shard in page:
            if parent is not None and (shard.parent, lane) != parent:
                continue
            if len(found) == limit:
                return found, True
            found.append(_described(began, lane, shard))
        if len(page) < _LISTED:
            return found, False
        after = page[-1][:2]


def _described(began: int, lane: int, shard: Shard) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": streams.sequence_number(lane, shard.first)}
    if shard.end is not None:
        numbers["EndingSequenceNumber"] = streams.sequence_number(lane, shard.end - 1)
    described: dict[str, Any] = {"ShardId": streams.shard_id(began, lane), "SequenceNumberRange": numbers}
    if shard.parent is not None:
        described["ParentShardId"] = streams.shard_id(shard.parent, lane)
    return described


async def get_shard_iterator(ctx: Context, tx: Transaction, params: Params) -> Result:
    kind, sequence, timestamp = params["ShardIteratorType"], params.get("SequenceNumber"), params.get("Timestamp")
    parsed = _parsed(params["StreamArn"])
    numbered = kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
    if numbered != (sequence is not None):
        what = "must be provided" if numbered else "must not be provided"
        raise validation(f"SequenceNumber {what} for ShardIteratorType {kind}")
    if (kind == "AT_TIMESTAMP") != (timestamp is not None):
        what = "must be provided" if kind == "AT_TIMESTAMP" else "must not be provided"
        raise validation(f"Timestamp {what} for ShardIteratorType {kind}")
    record = await _stream(ctx, tx, parsed, "GetShardIterator")
    place = streams.read_shard_id(params["ShardId"])
    shard = None if place is None else await streams.shard(tx, record.id, *place)
    if place is None or shard is None:
        raise AwsError("ResourceNotFoundException", "Requested resource not found: Shard does not exist")
    if record.sealing is not None:
        tx = table_keys.unlock_below(ctx, tx, record.sealing, record, (streams.Contents(record.id).records.prefix,))
    began, lane = place
    now = int(ctx.now() * 1000)
    at = shard.first
    if sequence is not None:
        at = await _numbered(tx, record, lane, shard, sequence, kind, now)
    elif kind == "LATEST":
        at = await streams.end_of(tx, record.id, lane, shard)
    elif timestamp is not None:
        end = await streams.end_of(tx, record.id, lane, shard)
        at = await streams.first_since(tx, record.id, lane, shard.first, end, int(timestamp * 1000))
    iterator = Iterator(began, lane, at, now, oldest=not numbered)
    return {"ShardIterator": iterators.text_of(record.arn, iterator)}


async def _numbered(
    tx: Transaction, record: StreamRecord, lane: int, shard: Shard, sequence: str, kind: str, now: int
) -> int:
    """Return the place at or after a sequence number."""
    number = streams.read_sequence_number(sequence, lane)
    end = await streams.end_of(tx, record.id, lane, shard)
    if number is None or not shard.first <= number <= end:
        raise validation("Invalid SequenceNumber")
    if number < end and await _is_trimmed(tx, record, lane, number, now):
        raise _trimmed()
    return number + 1 if kind == "AFTER_SEQUENCE_NUMBER" else number


async def _is_trimmed(tx: Transaction, record: StreamRecord, lane: int, number: int, now: int) -> bool:
    found = await streams.read(tx, record.id, lane, number, number + 1, 1)
    return not found or found[0][1].written + streams.RETENTION <= now


def _trimmed() -> AwsError:
    return AwsError(
        "TrimmedDataAccessException", "The operation attempted to read past the oldest stream record in a shard."
    )


async def get_records(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit = _limit(params, _RECORDS)
    now = int(ctx.now() * 1000)
    parsed, place = iterators.read(params["ShardIterator"], now)
    record = await _stream(ctx, tx, parsed, "GetRecords")
    if record.sealing is not None:
        tx = table_keys.unlock_below(ctx, tx, record.sealing, record, (streams.Contents(record.id).records.prefix,))
    shard = await streams.shard(tx, record.id, place.shard, place.lane)
    if shard is None:
        raise AwsError("ResourceNotFoundException", "Invalid ShardId in ShardIterator")
    end = await streams.end_of(tx, record.id, place.lane, shard)
    at = max(place.at, shard.first)
    if place.oldest:
        at = await streams.first_since(tx, record.id, place.lane, at, end, now - streams.RETENTION + 1)
    elif at < end and await _is_trimmed(tx, record, place.lane, at, now):
        raise _trimmed()
    found = await _records(tx, record, place.lane, at, end, limit)
    size = sum(each.size for _, each in found)
    ctx.measured = Fetched(record.account, record.region, record.table, record.label, len(found), size)
    following = found[-1][0] + 1 if found else at
    result: dict[str, Any] = {"Records": [streams.told(ctx, each) for _, each in found]}
    if shard.end is None or following < end:
        later = Iterator(place.shard, place.lane, following, now, oldest=place.oldest and not found)
        result["NextShardIterator"] = iterators.text_of(record.arn, later)
    return result


async def _records(
    tx: Transaction, stream: StreamRecord, lane: int, at: int, end: int, limit: int
) -> list[tuple[int, Record]]:
    """Return the records from a number on: up to `limit`, and up to 1 MB of them but one at least."""
    found: list[tuple[int, Record]] = []
    size, rows = 0, _FIRST_ROWS
    while at < end and len(found) < limit:
        page = await streams.read(tx, stream.id, lane, at, end, min(rows, limit - len(found)))
        for number, record in page:
            size += record.size
            if found and size > _RECORD_BYTES:
                return found
            found.append((number, record))
        if not page:
            break
        at = page[-1][0] + 1
        rows = min(_MOST_ROWS, (_RECORD_BYTES - size) * len(found) // max(1, size) + 1)
    return found
