"""Secondary indexes: in line with their table, sparse, projected, of several attributes, made on a live table."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.core import Transaction
from cloudlet.services.dynamodb.item_data import items
from cloudlet.services.dynamodb.tables import backfill
from cloudlet.services.dynamodb.tables.table import Table
from tests.services.dynamodb.conftest import MakeTable, index
from tests.services.dynamodb.local import LocalDynamo

Item = dict[str, Any]


def strings(**values: str) -> Item:
    """Return attributes that are strings."""
    return {name: {"S": value} for name, value in values.items()}


def found(db: Any, table: str, name: str, condition: str, **more: Any) -> list[Item]:
    """Return what a query of an index finds: `x = 1` compares with strings."""
    names, values = {}, {}
    parts = []
    for number, part in enumerate(condition.split(" AND ")):
        attribute, operator, value = part.split(" ")
        names[f"#{number}"], values[f":{number}"] = attribute, {"S": value}
        parts.append(f"#{number} {operator} :{number}")
    items: list[Item] = db.query(
        TableName=table,
        IndexName=name,
        KeyConditionExpression=" AND ".join(parts),
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=values,
        **more,
    )["Items"]
    return items


def until_active(db: Any, table: str, name: str) -> None:
    """Wait for an index to be filled."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        indexes = db.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"]
        [status] = [each["IndexStatus"] for each in indexes if each["IndexName"] == name]
        if status == "ACTIVE":
            return
        time.sleep(0.02)
    raise AssertionError(f"{name} is still {status}")


def test_an_index_follows_its_table(db: Any, make_table: MakeTable) -> None:
    table = make_table("orders", "p:S", attributes="x:S", GlobalSecondaryIndexes=[index("by-x", "x")])
    db.put_item(TableName=table, Item=strings(p="1", x="a", note="first"))
    db.put_item(TableName=table, Item=strings(p="2", x="a"))
    db.put_item(TableName=table, Item=strings(p="3"))
    assert [item["p"]["S"] for item in found(db, table, "by-x", "x = a")] == ["1", "2"]
    # The item moves within the index, changes in it, leaves it, and comes back.
    db.put_item(TableName=table, Item=strings(p="1", x="b", note="second"))
    assert [item["p"]["S"] for item in found(db, table, "by-x", "x = a")] == ["2"]
    assert found(db, table, "by-x", "x = b") == [strings(p="1", x="b", note="second")]
    db.update_item(TableName=table, Key=strings(p="1"), UpdateExpression="REMOVE note")
    assert found(db, table, "by-x", "x = b") == [strings(p="1", x="b")]
    db.update_item(TableName=table, Key=strings(p="1"), UpdateExpression="REMOVE x")
    assert found(db, table, "by-x", "x = b") == []
    assert len(db.scan(TableName=table, IndexName="by-x")["Items"]) == 1
    db.delete_item(TableName=table, Key=strings(p="2"))
    assert db.scan(TableName=table, IndexName="by-x")["Items"] == []


def test_an_item_and_its_rows_in_local_indexes_have_400_kilobytes(db: Any, make_table: MakeTable) -> None:
    local = [index("by-x", "p x"), index("by-y", "p y", "KEYS_ONLY")]
    table = make_table("orders", "p:S c:S", attributes="x:S y:S", LocalSecondaryIndexes=local)
    large = strings(p="1", c="1", y="1", note="n" * 210_000)
    db.put_item(TableName=table, Item=large)
    with pytest.raises(ClientError, match="Item size has exceeded the maximum allowed size"):
        db.put_item(TableName=table, Item={**large, **strings(x="1")})
    with pytest.raises(ClientError, match="Item size to update has exceeded the maximum allowed size"):
        db.update_item(
            TableName=table,
            Key=strings(p="1", c="1"),
            UpdateExpression="SET x = :x",
            ExpressionAttributeValues={":x": {"S": "1"}},
        )
    db.put_item(TableName=table, Item=strings(p="1", c="1", x="1", y="1", note="n" * 200_000))
    db.put_item(TableName=table, Item=strings(p="1", c="1", y="1", note="n" * 400_000))


def test_a_local_index_sorts_a_partition_otherwise(db: Any, make_table: MakeTable) -> None:
    table = make_table("orders", "p:S c:S", attributes="x:S", LocalSecondaryIndexes=[index("by-x", "p x")])
    for c, x in (("1", "c"), ("2", "a"), ("3", "b")):
        db.put_item(TableName=table, Item=strings(p="p", c=c, x=x))
    db.put_item(TableName=table, Item=strings(p="p", c="4"))
    assert [item["c"]["S"] for item in found(db, table, "by-x", "p = p", ConsistentRead=True)] == ["2", "3", "1"]
    assert [item["c"]["S"] for item in found(db, table, "by-x", "p = p AND x >= b")] == ["3", "1"]


def test_what_an_index_shows_and_what_it_does_not(db: Any, make_table: MakeTable) -> None:
    table = make_table(
        "orders",
        "p:S c:S",
        attributes="x:S",
        GlobalSecondaryIndexes=[index("keys", "x", "KEYS_ONLY"), index("some", "x", "INCLUDE", "a")],
        LocalSecondaryIndexes=[index("local", "p x", "KEYS_ONLY")],
    )
    item = strings(p="p", c="c", x="x", a="a", b="b")
    db.put_item(TableName=table, Item=item)
    assert found(db, table, "keys", "x = x") == [strings(p="p", c="c", x="x")]
    assert found(db, table, "some", "x = x") == [strings(p="p", c="c", x="x", a="a")]
    with pytest.raises(ClientError, match=r"Global secondary index some does not project \[b\]"):
        found(db, table, "some", "x = x", ProjectionExpression="b")
    with pytest.raises(ClientError, match="Select type ALL_ATTRIBUTES is not supported for global secondary index"):
        found(db, table, "keys", "x = x", Select="ALL_ATTRIBUTES")
    # A local index fetches what it does not show.
    assert found(db, table, "local", "p = p") == [strings(p="p", c="c", x="x")]
    assert found(db, table, "local", "p = p", ProjectionExpression="b") == [strings(b="b")]
    assert found(db, table, "local", "p = p", Select="ALL_ATTRIBUTES") == [item]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"N": "1"}, "Type mismatch for Index Key x Expected: S Actual: N IndexName: by-x"),
        ({"NULL": True}, "Type mismatch for Index Key x Expected: S Actual: NULL IndexName: by-x"),
        ({"S": ""}, "cannot contain an empty string value. IndexName: by-x, IndexKey: x"),
        ({"S": "a" * 2049}, "has exceeded the maximum size limit of2048 bytes"),
    ],
)
def test_what_cannot_be_a_key_of_an_index_is_refused(db: Any, make_table: MakeTable, value: Item, message: str) -> None:
    table = make_table("orders", "p:S", attributes="x:S", GlobalSecondaryIndexes=[index("by-x", "x")])
    with pytest.raises(ClientError) as error:
        db.put_item(TableName=table, Item={"p": {"S": "1"}, "x": value})
    assert message in error.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as error:
        db.update_item(
            TableName=table,
            Key=strings(p="1"),
            UpdateExpression="SET x = :x",
            ExpressionAttributeValues={":x": value},
        )
    assert message in error.value.response["Error"]["Message"]
    assert db.scan(TableName=table)["Items"] == []


def test_an_update_makes_nothing_of_an_index_key_that_it_cannot_be(db: Any, make_table: MakeTable) -> None:
    table = make_table("orders", "p:S", attributes="x:S", GlobalSecondaryIndexes=[index("by-x", "x")])
    db.put_item(TableName=table, Item={**strings(p="1", x="a", story="l" * 3000), "n": {"N": "1"}})

    def refusal(update: str, condition: str = "attribute_exists(p)") -> str:
        values = {name: value for name, value in ((":n", {"N": "2"}), (":s", {"S": "s"})) if name in update}
        with pytest.raises(ClientError) as error:
            db.update_item(
                TableName=table,
                Key=strings(p="1"),
                UpdateExpression=update,
                ConditionExpression=condition,
                **({"ExpressionAttributeValues": values} if values else {}),
            )
        return str(error.value.response["Error"]["Message"])

    attempted = "The update expression attempted to update the secondary index key"
    for update in ("SET x = n", "SET x = n + :n", "SET x = if_not_exists(y, :n)"):
        assert refusal(update) == f"{attempted} to unsupported type"
    assert refusal("SET x = story") == f"{attempted} beyond allowed size limits"
    scalars = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: x"
    for update in ("SET x.y = :s", "REMOVE x[0]", "ADD x.y :n"):
        assert refusal(update) == scalars
    # What the request says is wrong whatever is there.
    assert "Type mismatch for Index Key x" in refusal("SET x = :n", "attribute_not_exists(p)")
    assert "Type mismatch" not in refusal("SET x = n", "attribute_not_exists(p)")


def test_keys_of_several_attributes(db: Any, make_table: MakeTable) -> None:
    table = make_table(
        "orders", "id:S", attributes="a:S b:S c:S d:S", GlobalSecondaryIndexes=[index("wide", "a+b c+d")]
    )
    for number, (c, d) in enumerate([("1", "2"), ("1", "1"), ("0", "9"), ("10", "0")]):
        db.put_item(TableName=table, Item=strings(id=str(number), a="a", b="b", c=c, d=d))
    db.put_item(TableName=table, Item=strings(id="sparse", a="a", b="b", c="1"))

    def ids(condition: str) -> list[str]:
        return [item["id"]["S"] for item in found(db, table, "wide", condition)]

    assert ids("a = a AND b = b") == ["2", "1", "0", "3"]
    assert ids("a = a AND b = b AND c = 1") == ["1", "0"]
    assert ids("a = a AND b = b AND c = 1 AND d > 1") == ["0"]
    assert ids("a = a AND b = other") == []
    with pytest.raises(ClientError, match="ValidationException"):
        ids("a = a")


def test_an_index_on_a_live_table_is_filled_while_it_is_written_to(db: Any, make_table: MakeTable) -> None:
    table = make_table("orders", "p:S")
    for start in range(0, 300, 25):
        requests = [
            {"PutRequest": {"Item": strings(p=str(number), x="even" if number % 2 == 0 else "odd")}}
            for number in range(start, start + 25)
        ]
        db.batch_write_item(RequestItems={table: requests})
    # What could not be a key of the index is left out of it.
    db.put_item(TableName=table, Item={"p": {"S": "number"}, "x": {"N": "1"}})
    db.put_item(TableName=table, Item=strings(p="empty", x=""))
    db.put_item(TableName=table, Item=strings(p="long", x="a" * 3000))
    answer = db.update_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "x", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": index("by-x", "x", "KEYS_ONLY")}],
    )["TableDescription"]
    assert answer["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"
    db.put_item(TableName=table, Item=strings(p="0", x="zero"))
    db.delete_item(TableName=table, Key=strings(p="2"))
    until_active(db, table, "by-x")
    assert len(found(db, table, "by-x", "x = even")) == 148
    assert len(found(db, table, "by-x", "x = odd")) == 150
    assert len(found(db, table, "by-x", "x = zero")) == 1
    described = db.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"][0]
    assert described["ItemCount"] == 299
    assert "Backfilling" not in described
    with pytest.raises(ClientError, match="Type mismatch for Index Key x"):
        db.put_item(TableName=table, Item={"p": {"S": "new"}, "x": {"N": "1"}})


def test_an_index_is_deleted_and_its_attribute_free_again(db: Any, make_table: MakeTable) -> None:
    table = make_table("orders", "p:S", attributes="x:S", GlobalSecondaryIndexes=[index("by-x", "x")])
    db.put_item(TableName=table, Item=strings(p="1", x="a"))
    db.update_table(TableName=table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-x"}}])
    described = db.describe_table(TableName=table)["Table"]
    assert "GlobalSecondaryIndexes" not in described
    assert described["AttributeDefinitions"] == [{"AttributeName": "p", "AttributeType": "S"}]
    with pytest.raises(ClientError, match="The table does not have the specified index: by-x"):
        found(db, table, "by-x", "x = a")
    db.put_item(TableName=table, Item={"p": {"S": "1"}, "x": {"N": "1"}})
    with pytest.raises(db.exceptions.ResourceNotFoundException):
        db.update_table(TableName=table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-x"}}])


def test_one_index_is_made_at_a_time(db: Any, make_table: MakeTable) -> None:
    table = make_table("orders", "p:S")
    defined = [{"AttributeName": name, "AttributeType": "S"} for name in ("x", "y")]
    with pytest.raises(db.exceptions.LimitExceededException):
        db.update_table(
            TableName=table,
            AttributeDefinitions=defined,
            GlobalSecondaryIndexUpdates=[{"Create": index("by-x", "x")}, {"Create": index("by-y", "y")}],
        )


def test_global_indexes_are_not_read_consistently(db: Any, make_table: MakeTable) -> None:
    table = make_table("orders", "p:S", attributes="x:S", GlobalSecondaryIndexes=[index("by-x", "x")])
    with pytest.raises(ClientError, match="Consistent reads are not supported on global secondary indexes"):
        found(db, table, "by-x", "x = a", ConsistentRead=True)


def test_the_longest_keys_there_can_be(db: Any, make_table: MakeTable) -> None:
    table = make_table("long", "p:S c:S", attributes="x:S y:S", GlobalSecondaryIndexes=[index("by-x", "x y")])
    items = [strings(p="p" * 2048, c="c" * 1023 + c, x="x" * 2048, y="y" * 1023 + y) for c, y in ("12", "21", "30")]
    for item in items:
        db.put_item(TableName=table, Item=item)
    twin = strings(p="p" * 2047 + "q", c="c", x="x" * 2048, y="y" * 1023 + "2")
    db.put_item(TableName=table, Item=twin)
    for item in items:
        key = {name: item[name] for name in ("p", "c")}
        assert db.get_item(TableName=table, Key=key)["Item"] == item
    by_x = found(db, table, "by-x", f"x = {'x' * 2048}")
    assert [item["y"]["S"][-1] for item in by_x] == ["0", "1", "2", "2"]
    first = db.scan(TableName=table, IndexName="by-x", Limit=3)
    last = db.scan(TableName=table, IndexName="by-x", ExclusiveStartKey=first["LastEvaluatedKey"])
    assert [*first["Items"], *last["Items"]] == by_x
    assert len(found(db, table, "by-x", f"x = {'x' * 2048} AND y > {'y' * 1023}1")) == 2


def test_an_index_that_is_being_filled_is_not_read(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not even one item is put into it at a time.
    monkeypatch.setattr(backfill, "_BYTES", -1)
    dynamo.table()
    dynamo.put("a", x="1")
    created = {"Create": index("by-x", "x")}
    definitions = [{"AttributeName": "x", "AttributeType": "S"}]
    dynamo.call(
        "UpdateTable", TableName="orders", AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=[created]
    )
    error = dynamo.refused("Scan", TableName="orders", IndexName="by-x")
    assert error.message == "Cannot read from backfilling global secondary index: by-x"
    monkeypatch.setattr(backfill, "_BYTES", 0)
    for key in "bcde":
        dynamo.put(key, x=key)

    def described() -> Item:
        found: list[Item] = dynamo.call("DescribeTable", TableName="orders")["Table"]["GlobalSecondaryIndexes"]
        return found[0]

    dynamo.until(lambda: described()["IndexStatus"] == "ACTIVE")
    assert described()["ItemCount"] == 5
    found = dynamo.call("Scan", TableName="orders", IndexName="by-x")["Items"]
    assert sorted(each["p"]["S"] for each in found) == list("abcde")


def test_a_large_index_that_is_being_filled_does_not_hold_up_others(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    active, activate = [], backfill._activate

    def noted(tx: Transaction, table: Table, number: int) -> None:
        active.append(table.name)
        activate(tx, table, number)

    monkeypatch.setattr(backfill, "_activate", noted)
    monkeypatch.setattr(backfill, "_STEPS", 1)
    monkeypatch.setattr(backfill, "_ROWS", 1)
    monkeypatch.setattr(backfill, "_TABLES", 1)
    for name, count in (("orders", 20), ("others", 1)):
        dynamo.table(name)
        for number in range(count):
            dynamo.put(str(number), name, x="1")
    # Until both are asked for, none is begun with.
    monkeypatch.setattr(backfill, "_BYTES", -1)
    for name in ("orders", "others"):
        dynamo.call(
            "UpdateTable",
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "x", "AttributeType": "S"}],
            GlobalSecondaryIndexUpdates=[{"Create": index("by-x", "x")}],
        )
    monkeypatch.setattr(backfill, "_BYTES", 0)
    dynamo.until(lambda: len(active) == 2)
    assert active == ["others", "orders"]


def test_rows_of_indexes_that_have_all_of_an_item_are_not_encoded_again(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[Item] = []
    stored = items.stored

    def noted(item: Item) -> bytes:
        encoded.append(item)
        return stored(item)

    names = [f"a{n}" for n in range(20)]
    dynamo.call(
        "CreateTable",
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("p", *names)],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[index(f"by-{name}", name, "KEYS_ONLY" if name == "a7" else "ALL") for name in names],
    )
    whole = {"p": {"S": "1"}, "n": {"N": "1"}, **{name: {"S": name} for name in names}}
    keys = {"p": {"S": "1"}, "a7": {"S": "a7"}}
    monkeypatch.setattr(items, "stored", noted)
    dynamo.call("PutItem", TableName="orders", Item=whole)
    # Once for the table, unless it is done by a compiled module, and once for the index that has the keys only.
    assert [item for item in encoded if item != whole] == [keys]
    assert encoded.count(whole) <= 1
    encoded.clear()
    dynamo.call("DeleteItem", TableName="orders", Key={"p": {"S": "1"}})
    assert encoded == [keys]


def test_what_many_indexes_show_of_a_large_item_is_encoded_once(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"a{n}" for n in range(5)]
    dynamo.call(
        "CreateTable",
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("p", *names)],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[index(f"by-{name}", name, "INCLUDE", "é", "l") for name in names],
    )
    large = {"S": "é" * 4_000}
    shown = {"p": {"S": "1"}, "l": {"L": [{"N": "1"}]}, "é": large, **{name: {"S": name} for name in names}}
    encoded: list[Item] = []
    stored = items.stored

    def noted(item: Item) -> bytes:
        encoded.append(item)
        return stored(item)

    monkeypatch.setattr(items, "stored", noted)
    dynamo.call("PutItem", TableName="orders", Item={**shown, "n": {"N": "1"}})
    assert [item for item in encoded if "é" in item and "n" not in item] == [{"é": large}]
    for name in names:
        found = dynamo.call("Scan", TableName="orders", IndexName=f"by-{name}")["Items"]
        assert found == [{each: value for each, value in shown.items() if each in ("p", "l", "é", name)}]
    described = dynamo.call("DescribeTable", TableName="orders")["Table"]
    sizes = {each["IndexSizeBytes"] for each in described["GlobalSecondaryIndexes"]}
    assert sizes == {sum((1 + 1, 1 + 6, 2 + 8_000, 2 + 2))}
    item = {**shown, "n": {"N": "1"}}
    assert items.joined([stored({name: value}) for name, value in item.items()]) == stored(item)
