"""Streams: what happened to the items of a table, in order, for 24 hours.

A stream has a lane, or four by the hash of an item's partition key, so that all changes of an item are in one. A lane
is a chain of shards: one is open, and every four hours, and when the stream is disabled, it is closed. Its records are
numbered in the order in which their transactions were committed: who reads up to a number misses none before it.

Streams outlive their tables. Developer Guide, "Change data capture for DynamoDB Streams"; API reference, "Amazon
DynamoDB Streams".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict

import msgspec

from cloudlet.core import Arn, Context, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.dynamodb.item_data.item_json import AttributeValue
from cloudlet.services.dynamodb.item_data.values import Item, item_size
from cloudlet.services.dynamodb.requests.rows import list_records
from cloudlet.services.dynamodb.tables.features import Features, Stream
from cloudlet.services.dynamodb.tables.sealing_record import Sealing
from cloudlet.store import pack

LANES = 4
RETENTION = 24 * 3600 * 1000
"""Milliseconds for which a record can be read."""
SHARD_LIFE = 4 * 3600 * 1000
"""Milliseconds after which a shard is closed and has a child."""

_STREAMS = Subspace("stream")
_CONTENTS = Subspace("stream-of")
_IDS = pack(("stream-ids",))
_LATEST = 1 << 62
"""No shard begins later (ms): what is greater is not to be part of a key."""
_MAX_STREAMS = 1000
"""More than a table can have had in a day."""
_FIRST_NUMBER = 10**20
"""Sequence numbers have at least 21 digits."""


class StreamRecord(msgspec.Struct, array_like=True, frozen=True):
    """What is kept of a stream. Times are in seconds since the epoch."""

    id: int
    account: str
    region: str
    table: str
    label: str
    view: str
    keys: list[tuple[str, str]]
    """Attribute names and HASH or RANGE."""
    created: float
    closed: float | None = None
    sealing: Sealing | None = None
    """The encryption of its records, where its table is encrypted."""

    @property
    def arn(self) -> str:
        return arn_of(self.account, self.region, self.table, self.label)


class Lane(msgspec.Struct, array_like=True, frozen=True):
    """Where the next record of a lane goes: the open shard's beginning (ms), and the number."""

    shard: int
    next: int


class Shard(msgspec.Struct, array_like=True, frozen=True):
    """A shard: its numbers are from `first`, and before `end` once it is closed (`closed` in ms)."""

    first: int
    parent: int | None = None
    """The beginning (ms) of the shard before it in its lane."""
    end: int | None = None
    closed: int | None = None


class Record(NamedTuple):
    """A stream's record. `written` is in milliseconds since the epoch."""

    written: int
    size: int
    """The bytes that its keys and images count for."""
    json: bytes
    """The record exactly as the JSON protocol answers it."""


class _Change(TypedDict, total=False):
    ApproximateCreationDateTime: int
    Keys: dict[str, AttributeValue]
    NewImage: dict[str, AttributeValue]
    OldImage: dict[str, AttributeValue]
    SequenceNumber: str
    SizeBytes: int
    StreamViewType: str


class _Told(TypedDict, total=False):
    eventID: str
    eventName: str
    eventVersion: str
    eventSource: str
    awsRegion: str
    dynamodb: _Change
    userIdentity: dict[str, str]


_encode = msgspec.msgpack.Encoder().encode
_decode_stream = msgspec.msgpack.Decoder(StreamRecord).decode
_decode_lane = msgspec.msgpack.Decoder(Lane).decode
_decode_shard = msgspec.msgpack.Decoder(Shard).decode
_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder(_Told).decode
_RECORD_HEAD = struct.Struct(">QI")


class Contents:
    """Where the shards and records of a stream are."""

    __slots__ = ("all", "lanes", "records", "shards")

    def __init__(self, stream: int) -> None:
        self.all = _CONTENTS.sub(stream)
        self.lanes = self.all.sub("lane")
        """Lane → `Lane`, while the stream is enabled."""
        self.shards = self.all.sub("shard")
        """(Beginning in ms, lane) → `Shard`."""
        self.records = self.all.sub("record")
        """(Lane, number) → when it was written and its size, and its JSON."""


# -- naming


def arn_of(account: str, region: str, table: str, label: str) -> str:
    """Return a stream's ARN."""
    return str(Arn(partition_of(region), "dynamodb", region, account, f"table/{table}/stream/{label}"))


def parse_arn(text: str) -> tuple[str, str, str, str]:
    """Return the account, region, table and label of a stream's ARN. Raises ValueError for anything else."""
    arn = Arn.parse(text)
    kind, _, rest = arn.resource.partition("/")
    table, _, tail = rest.partition("/")
    stream, _, label = tail.partition("/")
    if arn.service != "dynamodb" or kind != "table" or stream != "stream" or not table or not label:
        raise ValueError(f"not the ARN of a stream: {text!r}")
    return arn.account, arn.region, table, label


def shard_id(began: int, lane: int) -> str:
    """Return the id of a shard; ids sort by the time of beginning."""
    return f"shardId-{began:020d}-{lane:08x}"


def read_shard_id(text: str) -> tuple[int, int] | None:
    """Return the beginning (ms) and the lane of a shard, or None for what is no id of one."""
    name, _, rest = text.partition("-")
    began, _, lane = rest.partition("-")
    if name != "shardId" or len(began) != 20 or not began.isdecimal() or len(lane) != 8:
        return None
    try:
        place = int(began), int(lane, 16)
    except ValueError:
        return None
    return place if place[0] <= _LATEST else None


def sequence_number(lane: int, number: int) -> str:
    """Return a record's number as clients see it: unique in the stream, growing in a shard."""
    return str(_FIRST_NUMBER + number * LANES + lane)


def read_sequence_number(text: str, lane: int) -> int | None:
    """Return the number in its lane, or None for what is no number of that lane."""
    if not text.isdecimal():
        return None
    number, of_lane = divmod(int(text) - _FIRST_NUMBER, LANES)
    return number if of_lane == lane and number >= 0 else None


# -- a stream's life


async def enable(
    tx: Transaction,
    *,
    account: str,
    region: str,
    table: str,
    keys: Sequence[tuple[str, str]],
    view: str,
    now: float,
    lanes: int,
    sealing: Sealing | None = None,
) -> Stream:
    """Begin a stream of a table (its name; attribute names and HASH or RANGE) at `now`, with 1 lane or LANES."""
    millis = int(now * 1000)
    while await tx.get(_STREAMS.key(account, region, table, _label(millis))) is not None:
        millis += 1
    tx.add(_IDS, 1)
    record = StreamRecord(
        await tx.counter(_IDS), account, region, table, _label(millis), view, list(keys), now, None, sealing
    )
    _store(tx, record)
    contents = Contents(record.id)
    for lane in range(lanes):
        tx.put(contents.lanes.key(lane), _encode(Lane(millis, 0)))
        tx.put(contents.shards.key(millis, lane), _encode(Shard(0)))
    return Stream(record.id, record.label, view, lanes=lanes)


async def disable(tx: Transaction, stream: Stream, *, account: str, region: str, table: str, now: float) -> Stream:
    """Close a stream at `now`: what is in it stays for 24 hours, nothing is added."""
    record = await find(tx, account, region, table, stream.label)
    if record is not None and record.closed is None:
        _store(tx, msgspec.structs.replace(record, closed=now))
        contents = Contents(record.id)
        for lane in range(LANES):
            raw = await tx.get(contents.lanes.key(lane))
            if raw is not None:
                await _close_shard(tx, contents, lane, _decode_lane(raw), int(now * 1000))
        tx.delete_range(contents.lanes.begin, contents.lanes.end)
    return msgspec.structs.replace(stream, enabled=False)


async def set_sealing(tx: Transaction, account: str, region: str, table: str, by: Sealing, label: str | None) -> None:
    """Have the streams encrypted that have a table's key, and that of a label."""
    for record in await listed(tx, account, region, table, None, _MAX_STREAMS):
        if record.label == label or (record.sealing is not None and record.sealing.is_same(by)):
            _store(tx, msgspec.structs.replace(record, sealing=by))


def to_api(features: Features, account: str, region: str, table: str) -> dict[str, Any]:
    """Return the members of a TableDescription that are about the table's latest stream."""
    stream = features.stream
    if stream is None:
        return {}
    described: dict[str, Any] = {
        "LatestStreamLabel": stream.label,
        "LatestStreamArn": arn_of(account, region, table, stream.label),
    }
    if stream.enabled:
        described["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream.view}
    return described


def _label(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{millis % 1000:03}"


def _store(tx: Transaction, record: StreamRecord) -> None:
    tx.put(_STREAMS.key(record.account, record.region, record.table, record.label), _encode(record))


# -- writing


class Image(NamedTuple):
    """What a record can show of an item: its JSON, and the bytes that it counts for."""

    json: bytes
    size: int


async def write(
    tx: Transaction,
    stream: Stream,
    region: str,
    key: bytes,
    keys: Item,
    old: Image | None,
    new: Image | None,
    *,
    now: float,
    identity: str | None = None,
) -> None:
    """Add the record of a change: `key` is where the item is stored, `keys` its key attributes.

    `identity` is the service that made the change, where no caller did.
    """
    # A key begins with a hash.
    number_lane = key[0] * stream.lanes >> 8
    contents = Contents(stream.id)
    lane_key = contents.lanes.key(number_lane)
    raw = await tx.get(lane_key)
    if raw is None:
        return
    millis = int(now * 1000)
    lane = _decode_lane(raw)
    if millis - lane.shard >= SHARD_LIFE:
        lane = await _follow(tx, contents, number_lane, lane, millis)
    event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    size = item_size(keys)
    change: dict[str, Any] = {"ApproximateCreationDateTime": millis // 1000, "Keys": keys}
    if new is not None and stream.view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        change["NewImage"] = msgspec.Raw(new.json)
        size += new.size
    if old is not None and stream.view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
        change["OldImage"] = msgspec.Raw(old.json)
        size += old.size
    change["SequenceNumber"] = sequence_number(number_lane, lane.next)
    change["SizeBytes"] = size
    change["StreamViewType"] = stream.view
    record: dict[str, Any] = {
        "eventID": random_bytes(16).hex(),
        "eventName": event,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": change,
    }
    if identity is not None:
        record["userIdentity"] = {"PrincipalId": identity, "Type": "Service"}
    head = _RECORD_HEAD.pack(millis, size)
    tx.put(contents.records.key(number_lane, lane.next), head + _encode_json(record))
    tx.put(lane_key, _encode(Lane(lane.shard, lane.next + 1)))


async def _follow(tx: Transaction, contents: Contents, number: int, lane: Lane, now: int) -> Lane:
    """Close a lane's shard at `now` (ms) and begin the next."""
    end = await _close_shard(tx, contents, number, lane, now)
    following = Lane(now, end)
    tx.put(contents.shards.key(now, number), _encode(Shard(end, parent=lane.shard)))
    tx.put(contents.lanes.key(number), _encode(following))
    return following


async def _close_shard(tx: Transaction, contents: Contents, number: int, lane: Lane, now: int) -> int:
    """Return the first number after those of the shard. Its own last number is no record's: it marks the end."""
    key = contents.shards.key(lane.shard, number)
    raw = await tx.get(key)
    end = lane.next + 1
    if raw is not None:
        tx.put(key, _encode(msgspec.structs.replace(_decode_shard(raw), end=end, closed=now)))
    return end


# -- finding


async def find(tx: Transaction, account: str, region: str, table: str, label: str) -> StreamRecord | None:
    """Return a stream, or None."""
    raw = await tx.get(_STREAMS.key(account, region, table, label))
    return None if raw is None else _decode_stream(raw)


def is_over(record: StreamRecord, now: float) -> bool:
    """Whether nothing is left of a stream at `now`: it was closed 24 hours ago."""
    return record.closed is not None and record.closed * 1000 + RETENTION <= now * 1000


async def listed(
    tx: Transaction, account: str, region: str, table: str | None, after: tuple[str, str] | None, count: int
) -> list[StreamRecord]:
    """Return up to `count` streams, those of a table or all, that come after one (its table and label)."""
    key = None if after is None else _STREAMS.key(account, region, *after)
    return list(map(_decode_stream, await list_records(tx, _STREAMS, account, region, table, key, count)))


async def shards(
    tx: Transaction, stream: int, after: tuple[int, int] | None, count: int
) -> list[tuple[int, int, Shard]]:
    """Return up to `count` shards (beginning in ms, lane, shard) that come after one."""
    space = Contents(stream).shards
    begin = space.begin if after is None else space.key(*after) + b"\x00"
    rows = await tx.range(begin, space.end, limit=count)
    return [(*space.unpack(key), _decode_shard(value)) for key, value in rows]


async def shard(tx: Transaction, stream: int, began: int, lane: int) -> Shard | None:
    """Return a shard, or None."""
    raw = await tx.get(Contents(stream).shards.key(began, lane))
    return None if raw is None else _decode_shard(raw)


async def end_of(tx: Transaction, stream: int, lane: int, shard: Shard) -> int:
    """Return the number after the last record of a shard, which is also the closing number of a closed one."""
    if shard.end is not None:
        return shard.end - 1
    raw = await tx.get(Contents(stream).lanes.key(lane))
    return shard.first if raw is None else _decode_lane(raw).next


async def read(tx: Transaction, stream: int, lane: int, first: int, end: int, count: int) -> list[tuple[int, Record]]:
    """Return up to `count` records, each with its number, with first <= number < end."""
    space = Contents(stream).records
    rows = await tx.range(space.key(lane, first), space.key(lane, end), limit=count)
    found = []
    for key, value in rows:
        written, size = _RECORD_HEAD.unpack_from(value)
        found.append((space.unpack(key)[1], Record(written, size, value[_RECORD_HEAD.size :])))
    return found


def told(ctx: Context, record: Record) -> Any:
    """Return a record as GetRecords answers it: undecoded where it goes out as JSON."""
    return msgspec.Raw(record.json) if ctx.protocol == "json" else _decode_json(record.json)


async def first_since(tx: Transaction, stream: int, lane: int, first: int, end: int, millis: int) -> int:
    """Return the number of the first record of first <= number < end that was written at `millis` or later, or end."""
    low, high = first, end
    while low < high:
        middle = (low + high) // 2
        found = await read(tx, stream, lane, middle, high, 1)
        if not found or found[0][1].written >= millis:
            high = middle
        else:
            low = found[0][0] + 1
    return low


# -- trimming


async def all_after(tx: Transaction, after: bytes, count: int) -> list[bytes]:
    """Return the keys of up to `count` streams of all accounts, from behind the key `after`."""
    return [key for key, _ in await tx.range(max(after + b"\x00", _STREAMS.begin), _STREAMS.end, limit=count)]


async def trim(tx: Transaction, key: bytes, now: float) -> None:
    """Delete what is older than 24 hours of the stream whose record is at `key`, and the stream if that is all of it.

    Shards are deleted whole, so an open one that is due is closed first.
    """
    raw = await tx.get(key)
    if raw is None:
        return
    record = _decode_stream(raw)
    contents = Contents(record.id)
    if is_over(record, now):
        tx.delete(key)
        tx.delete_range(contents.all.begin, contents.all.end)
        return
    millis = int(now * 1000)
    for row, value in await tx.range(contents.shards.begin, contents.shards.end, limit=1000):
        began, number = contents.shards.unpack(row)
        found = _decode_shard(value)
        if found.closed is not None and found.closed + RETENTION <= millis and found.end is not None:
            tx.delete(row)
            tx.delete_range(contents.records.key(number, found.first), contents.records.key(number, found.end))
        elif found.closed is None and millis - began >= SHARD_LIFE:
            open_lane = await tx.get(contents.lanes.key(number))
            if open_lane is not None and (lane := _decode_lane(open_lane)).next > found.first:
                await _follow(tx, contents, number, lane, millis)
