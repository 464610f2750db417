"""What is measured of DynamoDB on one running server; each result checked by what is in the table in the end."""

import itertools
import json
import random
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks import wrk
from benchmarks.api import JsonApi
from benchmarks.scenarios import CONNECTIONS, Meter, Speed, Started, Wrong
from benchmarks.signing import Key

ITEMS = 1_000
PARTITION = 10
"""Items of a partition that is queried."""
TEXT_BYTES = 250
BATCH = 25

_numbers = itertools.count(1)
_random = random.Random(20)  # Fixed, so that every contender and every run gets the same.


class DynamoApi(JsonApi):
    """DynamoDB at `host`, called with `key`."""

    def __init__(self, host: str, key: Key) -> None:
        super().__init__(host, key, "dynamodb", "DynamoDB_20120810", "ListTables")

    def create_table(self, name: str | None = None) -> str:
        """The name of a fresh table with the partition key p and the sort key c."""
        name = name or f"benchmark-{next(_numbers)}"
        names = ("p", "c")
        self.call(
            "CreateTable",
            {
                "TableName": name,
                "KeySchema": [
                    {"AttributeName": each, "KeyType": kind}
                    for each, kind in zip(names, ("HASH", "RANGE"), strict=True)
                ],
                "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in names],
                "BillingMode": "PAY_PER_REQUEST",
            },
        )
        while self.call("DescribeTable", {"TableName": name})["Table"]["TableStatus"] != "ACTIVE":
            pass
        return name

    def fill(self, table: str, numbers: Sequence[int]) -> None:
        """Puts items, 25 a request."""
        for begin in range(0, len(numbers), BATCH):
            puts = [{"PutRequest": {"Item": item(number)}} for number in numbers[begin : begin + BATCH]]
            answer = self.call("BatchWriteItem", {"RequestItems": {table: puts}})
            if answer.get("UnprocessedItems"):
                raise Wrong("items of a batch were not processed")

    def total(self, table: str) -> tuple[int, int]:
        """How many items there are, and the sum of their numbers."""
        count = total = 0
        start: Mapping[str, object] = {}
        while True:
            page = self.call("Scan", {"TableName": table, **start})
            count += len(page["Items"])
            total += sum(int(each["n"]["N"]) for each in page["Items"])
            if "LastEvaluatedKey" not in page:
                return count, total
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def key(number: int) -> dict[str, object]:
    """The key of an item: ten share a partition."""
    return {"p": {"S": f"partition-{number // PARTITION:07}"}, "c": {"S": f"item-{number:08}"}}


def item(number: int, n: int = 0) -> dict[str, object]:
    """An item of some 300 bytes, in a few attributes of different types."""
    text = "".join(_random.choices(string.ascii_letters + string.digits, k=TEXT_BYTES))
    return {**key(number), "n": {"N": str(n)}, "text": {"S": text}, "tags": {"SS": ["a", "b"]}, "live": {"BOOL": True}}


@contextmanager
def table_of(server: Started[DynamoApi], items: int) -> Iterator[str]:
    """A fresh table with items, deleted afterwards."""
    table = server.api.create_table()
    server.api.fill(table, range(items))
    yield table
    server.api.call("DeleteTable", {"TableName": table})


def get(server: Started[DynamoApi], seconds: int) -> Speed:
    """GetItem, of 1,000 items in turn."""
    with table_of(server, ITEMS) as table:
        return _read(server, "GetItem", [{"TableName": table, "Key": key(number)} for number in _order(ITEMS)], seconds)


def query(server: Started[DynamoApi], seconds: int) -> Speed:
    """Query of a partition of ten items, of 100 partitions in turn."""
    with table_of(server, ITEMS) as table:
        bodies = [
            {
                "TableName": table,
                "KeyConditionExpression": "p = :p",
                "ExpressionAttributeValues": {":p": key(number * PARTITION)["p"]},
            }
            for number in _order(ITEMS // PARTITION)
        ]
        answer = server.api.call("Query", bodies[0])
        if answer["Count"] != PARTITION or len(answer["Items"]) != PARTITION:
            raise Wrong(f"a query found {answer['Count']} of {PARTITION} items")
        return _read(server, "Query", bodies, seconds)


def put(server: Started[DynamoApi], seconds: int) -> Speed:
    """PutItem of 1,000 items in turn, none of which is there before."""
    with table_of(server, 0) as table:
        bodies = [{"TableName": table, "Item": item(number, n=1)} for number in _order(ITEMS)]
        speed = measured(server, "PutItem", bodies, seconds)
        expected = min(ITEMS, speed.messages)
        found, total = server.api.total(table)
        if not expected <= found == total <= ITEMS:
            raise Wrong(f"{found} items are in the table, and there should be {expected}")
        return speed


def update(server: Started[DynamoApi], seconds: int) -> Speed:
    """UpdateItem that adds one to a number, of 1,000 items in turn."""
    with table_of(server, ITEMS) as table:
        bodies = [
            {
                "TableName": table,
                "Key": key(number),
                "UpdateExpression": "SET n = n + :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            }
            for number in _order(ITEMS)
        ]
        speed = measured(server, "UpdateItem", bodies, seconds)
        _, total = server.api.total(table)
        # When its time is over wrk drops what is under way: at most one request a connection.
        if not speed.messages <= total <= speed.messages + CONNECTIONS:
            raise Wrong(f"the numbers add up to {total} after {speed.messages} updates")
        return speed


def batch(server: Started[DynamoApi], seconds: int) -> Speed:
    """BatchWriteItem of 25 items; the figure is items."""
    with table_of(server, 0) as table:
        bodies = [
            {"RequestItems": {table: [{"PutRequest": {"Item": item(at + each, n=1)}} for each in range(BATCH)]}}
            for at in range(0, ITEMS, BATCH)
        ]
        speed = measured(server, "BatchWriteItem", bodies, seconds, BATCH)
        found, _ = server.api.total(table)
        if found != min(ITEMS, found) or found < min(ITEMS, speed.messages):
            raise Wrong(f"{found} items are in the table after {speed.messages} were put")
        return speed


def transact(server: Started[DynamoApi], seconds: int) -> Speed:
    """TransactWriteItems that adds one to the numbers of two items; the figure is transactions."""
    with table_of(server, ITEMS) as table:
        bodies = []
        for number in _order(ITEMS // 2):
            updates = [
                {
                    "TableName": table,
                    "Key": key(each),
                    "UpdateExpression": "SET n = n + :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
                for each in (number, number + ITEMS // 2)
            ]
            bodies.append({"TransactItems": [{"Update": each} for each in updates]})
        speed = measured(server, "TransactWriteItems", bodies, seconds)
        _, total = server.api.total(table)
        if not 2 * speed.messages <= total <= 2 * (speed.messages + CONNECTIONS):
            raise Wrong(f"the numbers add up to {total} after {speed.messages} transactions of two updates")
        return speed


def _order(count: int) -> list[int]:
    return _random.sample(range(count), count)


def _read(server: Started[DynamoApi], operation: str, bodies: list[dict[str, object]], seconds: int) -> Speed:
    """Measures reads, of which the answers are the same before and after."""
    before = server.api.call(operation, bodies[0])
    if not (before.get("Item") or before.get("Items")):
        raise Wrong(f"{operation} found nothing")
    speed = measured(server, operation, bodies, seconds)
    if server.api.call(operation, bodies[0]) != before:
        raise Wrong(f"{operation} answers otherwise after being measured")
    return speed


def measured(
    server: Started[DynamoApi], operation: str, bodies: Sequence[dict[str, object]], seconds: int, messages: int = 1
) -> Speed:
    """How fast requests with these bodies are answered, one after the other; a request counts for so many messages."""
    signer = server.api.signer
    requests = [signer.request(operation, json.dumps(body, separators=(",", ":")).encode()) for body in bodies]
    meter = Meter(server.process)
    with meter:
        report = wrk.run_many(server.api.host, requests, CONNECTIONS, seconds)
    return meter.speed(report.requests * messages, 0, report.seconds, report.p50_ms, report.p99_ms)
