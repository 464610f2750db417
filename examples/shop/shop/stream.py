"""Reading the stream of a table: what has become of each of its items, in order.

A stream is kept in shards. What becomes of one item is always in the same shard, until that is closed and goes on in a
child. How far a reader has come is kept in a table of its own, so that it goes on from there when it is started again.
What it had seen to, but not written down, comes once more: as with a queue, the second time must change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boto3.dynamodb.conditions import Key
from boto3.dynamodb.types import TypeDeserializer

Row = dict[str, Any]
Handler = Callable[[Row | None, Row | None], None]
"""Is given the row before a change, and after it; None where there is none."""

_python = TypeDeserializer().deserialize


class Reader:
    """One reader of a stream. `streams` is a client of DynamoDB Streams, `positions` the name of a table."""

    def __init__(self, streams: Any, dynamodb: Any, stream_arn: str, positions: str) -> None:
        self._streams = streams
        self._dynamodb = dynamodb
        self._arn = stream_arn
        self._table = positions
        self._positions = self._load_positions()
        self._open: list[str] = []
        self._iterators: dict[str, str] = {}

    def read(self, handle: Handler) -> None:
        """Give each change that is new to `handle`. Where that raises, it gets the same again next time."""
        if not self._open:
            self._open = self._find_open_shards()
        for shard in list(self._open):
            try:
                self._read_shard(shard, handle)
            except self._streams.exceptions.ExpiredIteratorException:
                # Iterators are good for a quarter of an hour: it is what `handle` needs that was away for longer.
                del self._iterators[shard]

    def _read_shard(self, shard: str, handle: Handler) -> None:
        iterator = self._iterators.get(shard) or self._iterator(shard)
        self._iterators[shard] = iterator
        answer = self._streams.get_records(ShardIterator=iterator)
        records = [record["dynamodb"] for record in answer["Records"]]
        for record in records:
            handle(*images(record))
        following = answer.get("NextShardIterator")
        if records or following is None:
            position = {"shard": shard, "sequence": records[-1]["SequenceNumber"] if records else ""}
            self._write_down(position | {"closed": following is None})
        if following is None:
            del self._iterators[shard]
            # The next time we look for its children.
            self._open = []
        else:
            self._iterators[shard] = following

    def _iterator(self, shard: str) -> str:
        """Return where to go on in a shard, or its start where we were not there yet."""
        where = {"ShardIteratorType": "TRIM_HORIZON"}
        if shard in self._positions:
            where = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "SequenceNumber": self._positions[shard]["sequence"],
            }
        answer = self._streams.get_shard_iterator(StreamArn=self._arn, ShardId=shard, **where)
        return str(answer["ShardIterator"])

    def _find_open_shards(self) -> list[str]:
        """Return the shards in which there may be something new, of which the parents are read to the end."""
        shards: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        while True:
            description = self._streams.describe_stream(StreamArn=self._arn, **page)["StreamDescription"]
            shards += description["Shards"]
            if "LastEvaluatedShardId" not in description:
                break
            page = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}
        unread = {shard["ShardId"] for shard in shards if not self._is_closed(shard["ShardId"])}
        return [
            shard["ShardId"]
            for shard in shards
            if shard["ShardId"] in unread and shard.get("ParentShardId") not in unread
        ]

    def _is_closed(self, shard: str) -> bool:
        return bool(self._positions.get(shard, {}).get("closed"))

    def _load_positions(self) -> dict[str, Row]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table, KeyConditionExpression=Key("stream").eq(self._arn), ConsistentRead=True
        )
        return {row["shard"]: row for page in pages for row in page["Items"]}

    def _write_down(self, position: Row) -> None:
        self._dynamodb.put_item(TableName=self._table, Item={"stream": self._arn, **position})
        self._positions[position["shard"]] = position


def images(record: dict[str, Any]) -> tuple[Row | None, Row | None]:
    """Return the row before the change that a record is about, and after it; None where there is none."""
    return _row(record.get("OldImage")), _row(record.get("NewImage"))


def _row(image: dict[str, Any] | None) -> Row | None:
    return None if image is None else {name: _python(value) for name, value in image.items()}
