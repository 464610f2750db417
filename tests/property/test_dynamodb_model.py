"""Random calls on a table with indexes and a stream, against a model of plain dictionaries.

After each call what Scan, Query and the stream show is what the model says: of the table, of a local and a global
index, of one that is added and deleted meanwhile, page by page, forwards and backwards, also after a restart.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.services.dynamodb.local import LocalDynamo
from tests.sizes import examples

Item = dict[str, Any]
Key = tuple[str, str]

_TABLE = "orders"
_IMAGES = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
_GROUPS = ("red", "green", "")
_LATER = {
    "IndexName": "later",
    "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}, {"AttributeName": "g", "KeyType": "RANGE"}],
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["text"]},
}

keys = st.tuples(st.sampled_from("ab"), st.sampled_from(["1", "10", "2", "é"]))
numbers = st.sampled_from(["0", "-1", "3", "2.5", "-1E-5", "1E+30", "99999999999999999999999999999999999999"])
texts = st.sampled_from(["", "x", "long " * 20])
attributes = st.fixed_dictionaries({}, optional={"g": st.sampled_from(_GROUPS[:2]), "n": numbers, "text": texts})


def key_of(key: Key) -> Item:
    return {"p": {"S": key[0]}, "c": {"S": key[1]}}


def item_of(key: Key, attributes: dict[str, str]) -> Item:
    return key_of(key) | {name: {"N" if name == "n" else "S": value} for name, value in attributes.items()}


def same(item: Item) -> tuple[Any, ...]:
    """Return what an item is, however its number is written."""
    return tuple(
        sorted(
            (name, kind, Decimal(text) if kind == "N" else text)
            for name, [(kind, text)] in ((name, list(value.items())) for name, value in item.items())
        )
    )


class Tables(RuleBasedStateMachine):
    """One table, as a dictionary of items by their keys."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.dynamo = LocalDynamo(Path(self.folder.name))
        self.items: dict[Key, Item] = {}
        self.changes: list[tuple[str, Key, Any, Any]] = []
        """Since the stream was enabled."""
        self.later = False
        """Whether the table has the index that is added while it is used."""

    @initialize()
    def create(self) -> None:
        names = {"p": "S", "c": "S", "g": "S", "n": "N"}
        self.dynamo.call(
            "CreateTable",
            TableName=_TABLE,
            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "c", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()],
            BillingMode="PAY_PER_REQUEST",
            LocalSecondaryIndexes=[
                {
                    "IndexName": "local",
                    "KeySchema": [
                        {"AttributeName": "p", "KeyType": "HASH"},
                        {"AttributeName": "n", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "global",
                    "KeySchema": [
                        {"AttributeName": "g", "KeyType": "HASH"},
                        {"AttributeName": "n", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            StreamSpecification=_IMAGES,
        )

    # -- writing

    def wrote(self, key: Key, new: Item | None) -> None:
        """Let the model know of a write."""
        old = self.items.get(key)
        if new is None:
            self.items.pop(key, None)
        else:
            self.items[key] = new
        before, after = (None if item is None else same(item) for item in (old, new))
        if before != after:
            event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
            self.changes.append((event, key, before, after))

    @rule(key=keys, attributes=attributes)
    def put(self, key: Key, attributes: dict[str, str]) -> None:
        new = item_of(key, attributes)
        answer = self.dynamo.call("PutItem", TableName=_TABLE, Item=new, ReturnValues="ALL_OLD")
        self.check_old(answer, key)
        self.wrote(key, new)

    @rule(key=keys)
    def delete(self, key: Key) -> None:
        answer = self.dynamo.call("DeleteItem", TableName=_TABLE, Key=key_of(key), ReturnValues="ALL_OLD")
        self.check_old(answer, key)
        self.wrote(key, None)

    def check_old(self, answer: Item, key: Key) -> None:
        old = self.items.get(key)
        assert (same(answer["Attributes"]) if "Attributes" in answer else None) == (old and same(old))

    @rule(key=keys, group=st.sampled_from(_GROUPS[:2]), text=texts)
    def update(self, key: Key, group: str, text: str) -> None:
        answer = self.dynamo.call(
            "UpdateItem",
            TableName=_TABLE,
            Key=key_of(key),
            UpdateExpression="SET g = :g, #t = if_not_exists(#t, :t) REMOVE n",
            ExpressionAttributeNames={"#t": "text"},
            ExpressionAttributeValues={":g": {"S": group}, ":t": {"S": text}},
            ReturnValues="ALL_NEW",
        )
        old = self.items.get(key, key_of(key))
        new = {name: value for name, value in old.items() if name != "n"} | {"g": {"S": group}}
        new.setdefault("text", {"S": text})
        assert same(answer["Attributes"]) == same(new)
        self.wrote(key, new)

    @rule(key=keys, delta=st.sampled_from(["1", "-0.5", "1E+3"]))
    def add(self, key: Key, delta: str) -> None:
        old = self.items.get(key, key_of(key))
        with localcontext(prec=200):
            total = (Decimal(old.get("n", {"N": "0"})["N"]) + Decimal(delta)).normalize()
        if len(total.as_tuple().digits) > 38:
            return
        self.dynamo.call(
            "UpdateItem",
            TableName=_TABLE,
            Key=key_of(key),
            UpdateExpression="ADD n :d",
            ExpressionAttributeValues={":d": {"N": delta}},
        )
        self.wrote(key, {**old, "n": {"N": str(total)}})

    @rule(key=keys, attributes=attributes)
    def put_if_absent(self, key: Key, attributes: dict[str, str]) -> None:
        new = item_of(key, attributes)
        asked = {"TableName": _TABLE, "Item": new, "ConditionExpression": "attribute_not_exists(p)"}
        if key in self.items:
            assert self.dynamo.refused("PutItem", **asked).code == "ConditionalCheckFailedException"
        else:
            self.dynamo.call("PutItem", **asked)
            self.wrote(key, new)

    @rule(chosen=st.lists(keys, min_size=2, max_size=4, unique=True), attributes=attributes, data=st.data())
    def transact(self, chosen: list[Key], attributes: dict[str, str], data: st.DataObject) -> None:
        """Some are put, some deleted, and the last must exist."""
        *written, checked = chosen
        kept = {key: data.draw(st.booleans()) for key in written}
        actions: list[Item] = [
            {"Put": {"TableName": _TABLE, "Item": item_of(key, attributes)}}
            if kept[key]
            else {"Delete": {"TableName": _TABLE, "Key": key_of(key)}}
            for key in written
        ]
        condition = {"TableName": _TABLE, "Key": key_of(checked), "ConditionExpression": "attribute_exists(p)"}
        actions.append({"ConditionCheck": condition})
        if checked not in self.items:
            error = self.dynamo.refused("TransactWriteItems", TransactItems=actions)
            assert error.code == "TransactionCanceledException"
            return
        self.dynamo.call("TransactWriteItems", TransactItems=actions)
        for key in written:
            self.wrote(key, item_of(key, attributes) if kept[key] else None)

    @rule(chosen=st.lists(keys, min_size=1, max_size=5, unique=True), attributes=attributes, data=st.data())
    def batch(self, chosen: list[Key], attributes: dict[str, str], data: st.DataObject) -> None:
        kept = {key: data.draw(st.booleans()) for key in chosen}
        requests: list[Item] = [
            {"PutRequest": {"Item": item_of(key, attributes)}} if kept[key] else {"DeleteRequest": {"Key": key_of(key)}}
            for key in chosen
        ]
        answer = self.dynamo.call("BatchWriteItem", RequestItems={_TABLE: requests})
        assert not answer.get("UnprocessedItems")
        for key in chosen:
            self.wrote(key, item_of(key, attributes) if kept[key] else None)

    # -- the table itself

    @precondition(lambda self: not self.later)
    @rule()
    def add_an_index(self) -> None:
        names = {"p": "S", "c": "S", "g": "S", "n": "N"}
        self.dynamo.call(
            "UpdateTable",
            TableName=_TABLE,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()],
            GlobalSecondaryIndexUpdates=[{"Create": _LATER}],
        )
        self.dynamo.until(lambda: self.index_status() == "ACTIVE")
        self.later = True

    @precondition(lambda self: self.later)
    @rule()
    def drop_the_index(self) -> None:
        self.dynamo.call(
            "UpdateTable", TableName=_TABLE, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "later"}}]
        )
        self.dynamo.until(lambda: self.index_status() is None)
        self.later = False

    def index_status(self) -> str | None:
        table = self.dynamo.call("DescribeTable", TableName=_TABLE)["Table"]
        if table["TableStatus"] != "ACTIVE":
            return "UPDATING"
        found = [each for each in table["GlobalSecondaryIndexes"] if each["IndexName"] == "later"]
        return found[0]["IndexStatus"] if found else None

    @rule()
    def begin_another_stream(self) -> None:
        self.check_stream()
        self.dynamo.call("UpdateTable", TableName=_TABLE, StreamSpecification={"StreamEnabled": False})
        self.dynamo.call("UpdateTable", TableName=_TABLE, StreamSpecification=_IMAGES)
        self.changes = []

    @rule(hours=st.sampled_from([1, 5]))
    def wait(self, hours: int) -> None:
        """Shards are closed and have children; nothing gets as old as a day here."""
        if self.dynamo.now - 1_700_000_000 < 15 * 3600:
            self.dynamo.advance(hours * 3600)

    @rule()
    def restart(self) -> None:
        self.dynamo.restart()

    # -- what is shown

    @invariant()
    def the_table_shows_the_items(self) -> None:
        if not self.dynamo.cloud.running():
            return
        found = self.pages("Scan", {}, 3)
        assert sorted(map(same, found)) == sorted(map(same, self.items.values()))

    @rule(partition=st.sampled_from("ab"), backwards=st.booleans(), limit=st.integers(1, 4), low=keys)
    def query_the_table(self, partition: str, backwards: bool, limit: int, low: Key) -> None:
        found = self.query("p = :p AND c >= :c", {":p": {"S": partition}, ":c": {"S": low[1]}}, limit, backwards)
        expected = [
            item
            for (p, c), item in sorted(self.items.items(), key=lambda row: row[0][1].encode())
            if p == partition and c.encode() >= low[1].encode()
        ]
        assert list(map(same, found)) == list(map(same, expected[::-1] if backwards else expected))

    @rule(partition=st.sampled_from("ab"), backwards=st.booleans(), limit=st.integers(1, 4), high=numbers)
    def query_the_local_index(self, partition: str, backwards: bool, limit: int, high: str) -> None:
        values = {":p": {"S": partition}, ":n": {"N": high}}
        found = self.query("p = :p AND n < :n", values, limit, backwards, IndexName="local")
        self.check_index(found, lambda item: item["p"]["S"] == partition, high, backwards)
        expected = [
            item
            for item in self.items.values()
            if item["p"]["S"] == partition and "n" in item and Decimal(item["n"]["N"]) < Decimal(high)
        ]
        assert sorted(map(same, found)) == sorted(map(same, expected))

    @rule(group=st.sampled_from(_GROUPS[:2]), backwards=st.booleans(), limit=st.integers(1, 4), high=numbers)
    def query_the_global_index(self, group: str, backwards: bool, limit: int, high: str) -> None:
        values = {":g": {"S": group}, ":n": {"N": high}}
        found = self.query("g = :g AND n < :n", values, limit, backwards, IndexName="global")
        self.check_index(found, lambda item: item["g"]["S"] == group, high, backwards)
        expected = [
            {name: item[name] for name in ("p", "c", "g", "n")}
            for item in self.items.values()
            if "n" in item and item.get("g") == {"S": group} and Decimal(item["n"]["N"]) < Decimal(high)
        ]
        assert sorted(map(same, found)) == sorted(map(same, expected))

    def check_index(self, found: list[Item], belongs: Callable[[Item], bool], high: str, backwards: bool) -> None:
        order = [Decimal(item["n"]["N"]) for item in found]
        assert order == sorted(order, reverse=backwards)
        assert all(map(belongs, found))
        assert all(number < Decimal(high) for number in order)

    @precondition(lambda self: self.later)
    @rule(limit=st.integers(1, 4))
    def scan_the_later_index(self, limit: int) -> None:
        found = self.pages("Scan", {"IndexName": "later"}, limit)
        shown = ("p", "c", "g", "n", "text")
        expected = [
            {name: item[name] for name in shown if name in item}
            for item in self.items.values()
            if "n" in item and "g" in item
        ]
        assert sorted(map(same, found)) == sorted(map(same, expected))

    def query(self, condition: str, values: Item, limit: int, backwards: bool, **params: Any) -> list[Item]:
        asked = {
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not backwards,
            **params,
        }
        return self.pages("Query", asked, limit)

    def pages(self, operation: str, params: Item, limit: int) -> list[Item]:
        """Return what all pages show."""
        found: list[Item] = []
        start: Item = {}
        while True:
            page = self.dynamo.call(operation, TableName=_TABLE, Limit=limit, **params, **start)
            assert page["Count"] == len(page["Items"]) <= limit
            found += page["Items"]
            if "LastEvaluatedKey" not in page:
                return found
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    @rule()
    def check_stream(self) -> None:
        """Each item's changes are told once, in order; items of different partitions come in any order."""
        told: dict[Key, list[Any]] = {}
        for record in self.dynamo.records(self.dynamo.stream(_TABLE)):
            change = record["dynamodb"]
            key = (change["Keys"]["p"]["S"], change["Keys"]["c"]["S"])
            old, new = (same(change[name]) if name in change else None for name in ("OldImage", "NewImage"))
            told.setdefault(key, []).append((record["eventName"], key, old, new))
        expected: dict[Key, list[Any]] = {}
        for each in self.changes:
            expected.setdefault(each[1], []).append(each)
        assert told == expected

    def teardown(self) -> None:
        if self.dynamo.cloud.running():
            self.check_stream()
        self.dynamo.close()
        self.folder.cleanup()


TestTables = Tables.TestCase
TestTables.settings = settings(
    max_examples=examples(25),
    stateful_step_count=40,
)
