"""Streams: each change of an item is told once, in order, for 24 hours."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from cloudlet.services.dynamodb.streaming import iterators, streams
from cloudlet.services.dynamodb.streaming.iterators import Iterator
from cloudlet.services.dynamodb.tables.features import Stream
from tests.services.dynamodb.local import ACCOUNT, REGION, LocalDynamo, item

HOUR = 3600
IMAGES = "NEW_AND_OLD_IMAGES"
WIDE = {"ReadUnitsPerSecond": 24_000, "WriteUnitsPerSecond": 8_000}
"""Warm throughput of a table with several partitions."""


def changes(records: list[dict[str, Any]]) -> list[tuple[str, Any, Any]]:
    return [
        (record["eventName"], record["dynamodb"].get("OldImage"), record["dynamodb"].get("NewImage"))
        for record in records
    ]


def test_records_tell_what_an_item_was_and_is(dynamo: LocalDynamo) -> None:
    dynamo.table(view=IMAGES)
    dynamo.put("a", n=1)
    dynamo.put("a", n=2)
    dynamo.put("a", n=2)
    dynamo.delete("a")
    dynamo.delete("a")
    records = dynamo.records(dynamo.stream())
    assert changes(records) == [
        ("INSERT", None, item("a", n=1)),
        ("MODIFY", item("a", n=1), item("a", n=2)),
        ("REMOVE", item("a", n=2), None),
    ]
    first = records[0]
    assert (first["eventSource"], first["eventVersion"], first["awsRegion"]) == ("aws:dynamodb", "1.1", REGION)
    assert "userIdentity" not in first
    assert first["dynamodb"]["Keys"] == item("a")
    assert first["dynamodb"]["SizeBytes"] == len("pa") + len("pan") + 2
    assert first["dynamodb"]["ApproximateCreationDateTime"] == int(dynamo.now)
    assert len({record["eventID"] for record in records}) == 3
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    assert numbers == sorted(set(numbers))
    assert all(21 <= len(str(number)) <= 40 for number in numbers)


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        (IMAGES, {"NewImage", "OldImage"}),
    ],
)
def test_the_view_says_what_records_show(dynamo: LocalDynamo, view: str, images: set[str]) -> None:
    dynamo.table(view=view)
    dynamo.put("a", n=1)
    dynamo.put("a", n=2)
    record = dynamo.records(dynamo.stream())[1]["dynamodb"]
    assert record["StreamViewType"] == view
    assert {"NewImage", "OldImage"} & record.keys() == images


def test_changes_of_an_item_are_in_one_shard_and_items_are_spread(dynamo: LocalDynamo) -> None:
    dynamo.table(view="KEYS_ONLY", WarmThroughput=WIDE)
    for turn in range(2):
        for number in range(40):
            dynamo.put(f"k{number}", n=turn)
    stream = dynamo.stream()
    where: dict[str, set[str]] = {}
    for shard in dynamo.shards(stream):
        for record in dynamo.call("GetRecords", ShardIterator=dynamo.iterator(stream, shard["ShardId"]))["Records"]:
            where.setdefault(record["dynamodb"]["Keys"]["p"]["S"], set()).add(shard["ShardId"])
    assert len(where) == 40
    assert all(len(shards) == 1 for shards in where.values())
    assert len(set.union(*where.values())) == 4


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({}, 1),
        ({"WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000}}, 1),
        ({"BillingMode": "PROVISIONED", "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}, 1),
        (
            {
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1_001},
            },
            4,
        ),
    ],
)
def test_a_new_stream_has_one_shard_where_the_table_has_one_partition(
    dynamo: LocalDynamo, params: dict[str, Any], count: int
) -> None:
    dynamo.table(view="KEYS_ONLY", **params)
    assert len(dynamo.shards(dynamo.stream())) == count


def test_a_stream_of_an_older_cloudlet_has_four_lanes() -> None:
    stored = msgspec.msgpack.encode([1, "2026-11-30T00:00:00.000", "KEYS_ONLY", True])
    assert msgspec.msgpack.decode(stored, type=Stream).lanes == streams.LANES


def test_what_a_transaction_and_a_batch_write_is_told(dynamo: LocalDynamo) -> None:
    dynamo.table(view=IMAGES)
    dynamo.call(
        "TransactWriteItems",
        TransactItems=[{"Put": {"TableName": "orders", "Item": item(key, n=1)}} for key in ("a", "b")],
    )
    requests = [{"DeleteRequest": {"Key": item("a")}}, {"PutRequest": {"Item": item("c")}}]
    dynamo.call("BatchWriteItem", RequestItems={"orders": requests})
    told = sorted((name, key) for name, key in _names(dynamo.records(dynamo.stream())))
    assert told == [("INSERT", "a"), ("INSERT", "b"), ("INSERT", "c"), ("REMOVE", "a")]


def _names(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(record["eventName"], record["dynamodb"]["Keys"]["p"]["S"]) for record in records]


def test_iterators_begin_where_they_are_told_to(dynamo: LocalDynamo) -> None:
    dynamo.table(view="KEYS_ONLY")
    for number in range(3):
        dynamo.put("a", n=number)
        dynamo.advance(10)
    stream = dynamo.stream()
    shard, records = _only_shard_with_records(dynamo, stream)
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]

    def found(kind: str, **params: Any) -> list[str]:
        page = dynamo.call("GetRecords", ShardIterator=dynamo.iterator(stream, shard, kind, **params))
        return [record["dynamodb"]["SequenceNumber"] for record in page["Records"]]

    assert found("TRIM_HORIZON") == numbers
    assert found("AT_SEQUENCE_NUMBER", SequenceNumber=numbers[1]) == numbers[1:]
    assert found("AFTER_SEQUENCE_NUMBER", SequenceNumber=numbers[1]) == numbers[2:]
    assert found("AT_TIMESTAMP", Timestamp=dynamo.now - 20) == numbers[1:]
    assert found("AT_TIMESTAMP", Timestamp=dynamo.now) == []
    latest = dynamo.iterator(stream, shard, "LATEST")
    assert dynamo.call("GetRecords", ShardIterator=latest)["Records"] == []
    dynamo.put("a", n=9)
    assert len(dynamo.call("GetRecords", ShardIterator=latest)["Records"]) == 1


def _only_shard_with_records(dynamo: LocalDynamo, stream: str) -> tuple[str, list[dict[str, Any]]]:
    for shard in dynamo.shards(stream):
        page = dynamo.call("GetRecords", ShardIterator=dynamo.iterator(stream, shard["ShardId"]))
        if page["Records"]:
            return shard["ShardId"], page["Records"]
    raise AssertionError("no shard has records")


def test_pages_follow_each_other_and_end_at_what_is_not_there_yet(dynamo: LocalDynamo) -> None:
    dynamo.table(view="NEW_IMAGE")
    for number in range(7):
        dynamo.put("a", n=number)
    stream = dynamo.stream()
    shard, _ = _only_shard_with_records(dynamo, stream)
    iterator = dynamo.iterator(stream, shard)
    pages = []
    for _ in range(4):
        page = dynamo.call("GetRecords", ShardIterator=iterator, Limit=3)
        pages.append([int(record["dynamodb"]["NewImage"]["n"]["N"]) for record in page["Records"]])
        iterator = page["NextShardIterator"]
    assert pages == [[0, 1, 2], [3, 4, 5], [6], []]


def test_a_page_has_one_megabyte_at_most(dynamo: LocalDynamo) -> None:
    dynamo.table(view=IMAGES)
    for number in range(6):
        dynamo.put("a", n=number, text="x" * 300_000)
    stream = dynamo.stream()
    _, first = _only_shard_with_records(dynamo, stream)
    assert len(first) == 2
    assert len(dynamo.records(stream)) == 6


def test_a_page_of_large_records_reads_no_others(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    dynamo.table(view=IMAGES)
    for number in range(20):
        dynamo.put("a", n=number, text="x" * 300_000)
    read = streams.read
    rows: list[int] = []

    async def counted(*given: Any) -> Any:
        found = await read(*given)
        rows.append(len(found))
        return found

    stream = dynamo.stream()
    iterators = [dynamo.iterator(stream, shard["ShardId"]) for shard in dynamo.shards(stream)]
    monkeypatch.setattr(streams, "read", counted)
    found = [len(dynamo.call("GetRecords", ShardIterator=iterator)["Records"]) for iterator in iterators]
    assert sum(found) == 2
    assert max(rows) <= 4


def test_a_shard_is_closed_after_four_hours_and_has_a_child(dynamo: LocalDynamo) -> None:
    dynamo.table(view=IMAGES)
    dynamo.put("a", n=1)
    stream = dynamo.stream()
    shard, [record] = _only_shard_with_records(dynamo, stream)
    dynamo.clock.time += 4 * HOUR
    dynamo.put("a", n=2)
    shards = {each["ShardId"]: each for each in dynamo.shards(stream)}
    [child] = [each for each in shards.values() if each.get("ParentShardId") == shard]
    ended = int(shards[shard]["SequenceNumberRange"]["EndingSequenceNumber"])
    assert int(record["dynamodb"]["SequenceNumber"]) < ended
    assert ended < int(child["SequenceNumberRange"]["StartingSequenceNumber"])
    assert "EndingSequenceNumber" not in child["SequenceNumberRange"]
    page = dynamo.call("GetRecords", ShardIterator=dynamo.iterator(stream, shard))
    assert changes(page["Records"]) == [("INSERT", None, item("a", n=1))]
    assert "NextShardIterator" not in page
    page = dynamo.call("GetRecords", ShardIterator=dynamo.iterator(stream, child["ShardId"]))
    assert changes(page["Records"]) == [("MODIFY", item("a", n=1), item("a", n=2))]
    asked = {"Type": "CHILD_SHARDS", "ShardId": shard}
    found = dynamo.call("DescribeStream", StreamArn=stream, ShardFilter=asked)["StreamDescription"]["Shards"]
    assert [each["ShardId"] for each in found] == [child["ShardId"]]


def test_what_is_older_than_a_day_is_trimmed(dynamo: LocalDynamo) -> None:
    dynamo.table(view=IMAGES)
    dynamo.put("a", n=1)
    stream = dynamo.stream()
    shard, [old] = _only_shard_with_records(dynamo, stream)
    dynamo.advance(3 * HOUR)
    dynamo.put("a", n=2)
    dynamo.clock.time += 21 * HOUR
    assert changes(dynamo.records(stream)) == [("MODIFY", item("a", n=1), item("a", n=2))]
    error = dynamo.refused(
        "GetShardIterator",
        StreamArn=stream,
        ShardId=shard,
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=old["dynamodb"]["SequenceNumber"],
    )
    assert error.code == "TrimmedDataAccessException"
    dynamo.advance(HOUR)
    dynamo.advance(28 * HOUR)
    dynamo.until(lambda: all(each["ShardId"] != shard for each in dynamo.shards(stream)))
    assert dynamo.records(stream) == []
    error = dynamo.refused("GetShardIterator", StreamArn=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    assert error.code == "ResourceNotFoundException"
    dynamo.put("a", n=3)
    assert changes(dynamo.records(stream)) == [("MODIFY", item("a", n=2), item("a", n=3))]


def test_an_iterator_that_points_at_what_was_trimmed_meanwhile_is_refused(dynamo: LocalDynamo) -> None:
    dynamo.table(view="KEYS_ONLY")
    dynamo.put("a")
    stream = dynamo.stream()
    shard, [record] = _only_shard_with_records(dynamo, stream)
    dynamo.clock.time += 24 * HOUR - 60
    iterator = dynamo.iterator(stream, shard, "AT_SEQUENCE_NUMBER", SequenceNumber=record["dynamodb"]["SequenceNumber"])
    dynamo.clock.time += 60
    assert dynamo.refused("GetRecords", ShardIterator=iterator).code == "TrimmedDataAccessException"


def test_an_iterator_is_good_for_fifteen_minutes(dynamo: LocalDynamo) -> None:
    dynamo.table(view="KEYS_ONLY")
    stream = dynamo.stream()
    iterator = dynamo.iterator(stream, dynamo.shards(stream)[0]["ShardId"])
    dynamo.clock.time += 900
    assert dynamo.call("GetRecords", ShardIterator=iterator)["Records"] == []
    dynamo.clock.time += 1
    assert dynamo.refused("GetRecords", ShardIterator=iterator).code == "ExpiredIteratorException"


def test_a_disabled_stream_can_be_read_for_a_day_and_is_followed_by_another(dynamo: LocalDynamo) -> None:
    dynamo.table(view=IMAGES)
    dynamo.put("a")
    first = dynamo.stream()
    dynamo.call("UpdateTable", TableName="orders", StreamSpecification={"StreamEnabled": False})
    dynamo.put("b")
    described = dynamo.call("DescribeStream", StreamArn=first)["StreamDescription"]
    assert described["StreamStatus"] == "DISABLED"
    assert all("EndingSequenceNumber" in shard["SequenceNumberRange"] for shard in described["Shards"])
    enabled = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    dynamo.call("UpdateTable", TableName="orders", StreamSpecification=enabled)
    second = dynamo.stream()
    dynamo.put("c")
    assert _names(dynamo.records(first)) == [("INSERT", "a")]
    assert _names(dynamo.records(second)) == [("INSERT", "c")]
    assert _listed(dynamo) == [first, second]
    dynamo.clock.time += 24 * HOUR
    assert _listed(dynamo) == [second]
    assert dynamo.refused("DescribeStream", StreamArn=first).code == "ResourceNotFoundException"


def _listed(dynamo: LocalDynamo, **params: Any) -> list[str]:
    return [each["StreamArn"] for each in dynamo.call("ListStreams", **params)["Streams"]]


def test_the_stream_of_a_deleted_table_can_be_read_for_a_day(dynamo: LocalDynamo) -> None:
    dynamo.table(view="KEYS_ONLY")
    dynamo.put("a")
    stream = dynamo.stream()
    dynamo.call("DeleteTable", TableName="orders")
    dynamo.table(view="KEYS_ONLY")
    dynamo.put("b")
    assert dynamo.stream() != stream
    assert _names(dynamo.records(stream)) == [("INSERT", "a")]
    assert _names(dynamo.records(dynamo.stream())) == [("INSERT", "b")]
    dynamo.clock.time += 24 * HOUR
    assert dynamo.refused("DescribeStream", StreamArn=stream).code == "ResourceNotFoundException"


def test_streams_are_listed_by_page_and_by_table(dynamo: LocalDynamo) -> None:
    arns = []
    for name in ("first", "second", "third"):
        dynamo.table(name, view="KEYS_ONLY")
        arns.append(dynamo.stream(name))
    page = dynamo.call("ListStreams", Limit=2)
    assert page["LastEvaluatedStreamArn"] == arns[1]
    assert _listed(dynamo, Limit=2, ExclusiveStartStreamArn=arns[1]) == arns[2:]
    assert _listed(dynamo, TableName="second") == arns[1:2]
    assert dynamo.call("ListStreams", TableName="none-such")["Streams"] == []


def test_a_stream_survives_a_restart(dynamo: LocalDynamo) -> None:
    dynamo.table(view=IMAGES)
    dynamo.put("a", n=1)
    dynamo.restart()
    dynamo.put("a", n=2)
    assert changes(dynamo.records(dynamo.stream())) == [
        ("INSERT", None, item("a", n=1)),
        ("MODIFY", item("a", n=1), item("a", n=2)),
    ]


def test_a_write_that_is_refused_is_not_told(dynamo: LocalDynamo) -> None:
    dynamo.table(view=IMAGES)
    dynamo.put("a", n=1)
    refused = dynamo.refused(
        "PutItem", TableName="orders", Item=item("a", n=2), ConditionExpression="attribute_not_exists(p)"
    )
    assert refused.code == "ConditionalCheckFailedException"
    actions = [
        {"Put": {"TableName": "orders", "Item": item("b")}},
        {"ConditionCheck": {"TableName": "orders", "Key": item("c"), "ConditionExpression": "attribute_exists(p)"}},
    ]
    assert dynamo.refused("TransactWriteItems", TransactItems=actions).code == "TransactionCanceledException"
    assert _names(dynamo.records(dynamo.stream())) == [("INSERT", "a")]


def test_what_is_no_stream_shard_or_iterator_is_refused(dynamo: LocalDynamo) -> None:
    dynamo.table(view="KEYS_ONLY")
    stream = dynamo.stream()
    shard = dynamo.shards(stream)[0]["ShardId"]
    missing = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/none-such/stream/2026-01-01T00:00:00.000"
    assert dynamo.refused("DescribeStream", StreamArn="x" * 40).code == "ValidationException"
    error = dynamo.refused("DescribeStream", StreamArn=missing)
    assert error.code == "ResourceNotFoundException"
    assert error.message == f"Requested resource not found: Stream: {missing} not found"
    error = dynamo.refused(
        "GetShardIterator", StreamArn=stream, ShardId="shardId-none-none-none-none-none", ShardIteratorType="LATEST"
    )
    assert error.message == "Requested resource not found: Shard does not exist"
    for params in (
        {"ShardIteratorType": "AT_SEQUENCE_NUMBER"},
        {"ShardIteratorType": "LATEST", "SequenceNumber": "1" * 21},
        {"ShardIteratorType": "AT_TIMESTAMP"},
        {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "9" * 30},
    ):
        error = dynamo.refused("GetShardIterator", StreamArn=stream, ShardId=shard, **params)
        assert error.code == "ValidationException"
    for text in ("", "x", f"{stream}|1|", f"{stream}|1|AAAA", f"{missing}|2|AAAA"):
        assert dynamo.refused("GetRecords", ShardIterator=text).code == "ValidationException"
    assert dynamo.refused("GetRecords", ShardIterator=dynamo.iterator(stream, shard), Limit=1001).code == (
        "ValidationException"
    )


def test_a_boto3_client_reads_a_stream(aws: Any) -> None:
    db, client = aws.client("dynamodb"), aws.client("dynamodbstreams")
    db.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "B"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    stored = {"p": {"B": b"\x00\xff"}, "set": {"NS": ["1", "2.5"]}, "map": {"M": {"list": {"L": [{"NULL": True}]}}}}
    db.put_item(TableName="orders", Item=stored)
    [listed] = client.list_streams(TableName="orders")["Streams"]
    shards = client.describe_stream(StreamArn=listed["StreamArn"])["StreamDescription"]["Shards"]
    images = []
    for shard in shards:
        iterator = client.get_shard_iterator(
            StreamArn=listed["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        page = client.get_records(ShardIterator=iterator)
        images += [record["dynamodb"]["NewImage"] for record in page["Records"]]
    assert images == [stored]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.describe_stream(StreamArn=listed["StreamArn"].replace("orders", "others"))


def test_shards_are_described_by_page(dynamo: LocalDynamo) -> None:
    dynamo.table(view="KEYS_ONLY", WarmThroughput=WIDE)
    stream = dynamo.stream()
    for turn in range(2):
        dynamo.clock.time += 4 * HOUR
        for number in range(40):
            dynamo.put(f"k{number}", n=turn)
    whole = [shard["ShardId"] for shard in dynamo.shards(stream)]
    assert len(whole) == 12
    found: list[str] = []
    start: dict[str, Any] = {}
    while True:
        page = dynamo.call("DescribeStream", StreamArn=stream, Limit=5, **start)["StreamDescription"]
        found += [shard["ShardId"] for shard in page["Shards"]]
        if "LastEvaluatedShardId" not in page:
            break
        assert page["LastEvaluatedShardId"] == found[-1]
        start = {"ExclusiveStartShardId": found[-1]}
    assert found == whole
    behind = dynamo.call("DescribeStream", StreamArn=stream, ExclusiveStartShardId="shardId-none-none-none-none-none")
    assert behind["StreamDescription"]["Shards"] == []


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"ShardId": "shardId-00000000000000000001-00000001"}, "ShardFilter.Type must be provided"),
        ({"Type": "CHILD_SHARDS"}, "ShardFilter.ShardId must be provided"),
        ({"Type": "CHILD_SHARDS", "ShardId": "shardId-00000000000000000001-0000000x"}, "Invalid ShardFilter.ShardId"),
        ({"Type": "CHILD_SHARDS", "ShardId": "shardId-0000000000000000000x-00000001"}, "Invalid ShardFilter.ShardId"),
    ],
)
def test_a_filter_for_shards_must_be_whole(dynamo: LocalDynamo, wanted: dict[str, str], message: str) -> None:
    dynamo.table(view="KEYS_ONLY")
    error = dynamo.refused("DescribeStream", StreamArn=dynamo.stream(), ShardFilter=wanted)
    assert (error.code, message in error.message) == ("ValidationException", True)


@pytest.mark.parametrize(
    "place",
    [
        Iterator(0, streams.LANES, 0, 0),
        Iterator(0, 0, -1, 0),
        Iterator(-1, 0, 0, 0),
        Iterator(0, -1, 0, 0),
    ],
)
def test_an_iterator_that_was_made_up_is_refused(dynamo: LocalDynamo, place: Iterator) -> None:
    dynamo.table(view="KEYS_ONLY")
    made_up = msgspec.structs.replace(place, issued=int(dynamo.now * 1000))
    error = dynamo.refused("GetRecords", ShardIterator=iterators.text_of(dynamo.stream(), made_up))
    assert (error.code, error.message) == ("ValidationException", "Invalid ShardIterator")


def test_an_iterator_of_no_shard_is_refused(dynamo: LocalDynamo) -> None:
    dynamo.table(view="KEYS_ONLY")
    for place in (Iterator(1, 0, 0, 0), Iterator(1 << 63, 3, 1 << 63, 0)):
        made_up = msgspec.structs.replace(place, issued=int(dynamo.now * 1000))
        error = dynamo.refused("GetRecords", ShardIterator=iterators.text_of(dynamo.stream(), made_up))
        assert error.code == "ResourceNotFoundException"


def test_a_shard_that_begins_later_than_any_is_none(dynamo: LocalDynamo) -> None:
    dynamo.table(view="KEYS_ONLY")
    stream, shard = dynamo.stream(), f"shardId-{'9' * 20}-00000000"
    error = dynamo.refused("GetShardIterator", StreamArn=stream, ShardId=shard, ShardIteratorType="LATEST")
    assert error.code == "ResourceNotFoundException"
    described = dynamo.call("DescribeStream", StreamArn=stream, ExclusiveStartShardId=shard)
    assert described["StreamDescription"]["Shards"] == []


def test_a_stream_that_is_over_leaves_nothing(dynamo: LocalDynamo) -> None:
    dynamo.table(view="KEYS_ONLY")
    dynamo.put("a")
    dynamo.call("DeleteTable", TableName="orders")
    dynamo.clock.time += 25 * HOUR

    async def swept() -> None:
        store = dynamo.cloud.block("dynamodb").store
        for key in await store.transact(lambda tx: streams.all_after(tx, b"", 100)):
            await store.transact(partial(streams.trim, key=key, now=dynamo.now))
        left = await store.transact(lambda tx: tx.range(b"", b"\xff", limit=100))
        assert [key for key, _ in left if b"stream" in key] == [b"\x02stream-ids\x00"]

    dynamo.run(swept())


@pytest.mark.parametrize("operation", ["ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"])
def test_what_partiql_writes_is_told(dynamo: LocalDynamo, operation: str) -> None:
    dynamo.table(view=IMAGES)
    for statement in (
        "INSERT INTO orders VALUE {'p': 'a', 'n': 1}",
        "UPDATE orders SET n = n + 1 WHERE p = 'a'",
        "UPDATE orders SET n = 2 WHERE p = 'a'",
        "DELETE FROM orders WHERE p = 'a'",
        "DELETE FROM orders WHERE p = 'a'",
    ):
        if operation == "ExecuteStatement":
            dynamo.call(operation, Statement=statement)
        else:
            member = "Statements" if operation == "BatchExecuteStatement" else "TransactStatements"
            dynamo.call(operation, **{member: [{"Statement": statement}]})
    assert changes(dynamo.records(dynamo.stream())) == [
        ("INSERT", None, item("a", n=1)),
        ("MODIFY", item("a", n=1), item("a", n=2)),
        ("REMOVE", item("a", n=2), None),
    ]
