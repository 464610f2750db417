"""Single items: put, got, updated and deleted, with what is returned of them, and keys that cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.dynamodb.conftest import MakeTable

Item = dict[str, Any]

EVERYTHING: Item = {
    "p": {"S": "a"},
    "c": {"N": "1"},
    "binary": {"B": b"\x00\xff null"},
    "true": {"BOOL": True},
    "null": {"NULL": True},
    "list": {"L": [{"S": "x"}, {"N": "-0.5"}, {"L": []}]},
    "map": {"M": {"inner": {"M": {}}, "": {"S": ""}}},
    "strings": {"SS": ["b", "a"]},
    "numbers": {"NS": ["1", "20"]},
    "binaries": {"BS": [b"1", b"2"]},
    "empty": {"S": ""},
    "wörter": {"S": 'ä "quoted" \u2028 😀'},
}
KEY: Item = {"p": {"S": "a"}, "c": {"N": "1"}}


@pytest.fixture
def table(make_table: MakeTable) -> str:
    return make_table("items", "p:S c:N")


def normal(item: Item) -> Item:
    """Return an item with its sets in order."""
    return {
        name: {kind: sorted(v) if kind in ("SS", "NS", "BS") else v for kind, v in value.items()}
        for name, value in item.items()
    }


def test_every_type_comes_back_as_it_was(db: Any, table: str) -> None:
    db.put_item(TableName=table, Item=EVERYTHING)
    assert normal(db.get_item(TableName=table, Key=KEY)["Item"]) == normal(EVERYTHING)
    assert normal(db.scan(TableName=table)["Items"][0]) == normal(EVERYTHING)


def test_numbers_come_back_in_one_form_and_are_one_key(db: Any, table: str) -> None:
    db.put_item(TableName=table, Item={"p": {"S": "a"}, "c": {"N": "001.50e1"}, "n": {"N": "+1.000"}})
    item = db.get_item(TableName=table, Key={"p": {"S": "a"}, "c": {"N": "15"}})["Item"]
    assert item == {"p": {"S": "a"}, "c": {"N": "15"}, "n": {"N": "1"}}


def test_answers_carry_the_checksum_of_their_body(db: Any, table: str) -> None:
    """Those numbers are in many a log of AWS: they are of `{}`, and of a condition that did not hold."""

    def checksum(answer: dict[str, Any]) -> str:
        sent: str = answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-crc32"]
        return sent

    assert checksum(db.put_item(TableName=table, Item=EVERYTHING)) == "2745614147"
    with pytest.raises(ClientError, match="conditional request failed") as error:
        db.put_item(TableName=table, Item=EVERYTHING, ConditionExpression="attribute_not_exists(p)")
    assert checksum(error.value.response) == "396270901"
    # botocore compares it, and would fail.
    assert checksum(db.get_item(TableName=table, Key=KEY))


def test_an_item_that_is_not_there(db: Any, table: str) -> None:
    assert "Item" not in db.get_item(TableName=table, Key=KEY)
    assert "Attributes" not in db.delete_item(TableName=table, Key=KEY, ReturnValues="ALL_OLD")


def test_put_replaces_and_returns_the_old_item(db: Any, table: str) -> None:
    assert "Attributes" not in db.put_item(TableName=table, Item={**KEY, "x": {"S": "1"}}, ReturnValues="ALL_OLD")
    replaced = db.put_item(TableName=table, Item={**KEY, "y": {"S": "2"}}, ReturnValues="ALL_OLD")
    assert replaced["Attributes"] == {**KEY, "x": {"S": "1"}}
    assert db.get_item(TableName=table, Key=KEY)["Item"] == {**KEY, "y": {"S": "2"}}
    deleted = db.delete_item(TableName=table, Key=KEY, ReturnValues="ALL_OLD")
    assert deleted["Attributes"] == {**KEY, "y": {"S": "2"}}


@pytest.mark.parametrize(
    ("wanted", "returned"),
    [
        ("NONE", None),
        ("ALL_OLD", {**KEY, "x": {"N": "1"}, "y": {"S": "kept"}}),
        ("ALL_NEW", {**KEY, "x": {"N": "3"}, "y": {"S": "kept"}, "z": {"S": "new"}}),
        ("UPDATED_OLD", {"x": {"N": "1"}}),
        ("UPDATED_NEW", {"x": {"N": "3"}, "z": {"S": "new"}}),
    ],
)
def test_an_update_returns_what_is_asked_for(db: Any, table: str, wanted: str, returned: Item | None) -> None:
    db.put_item(TableName=table, Item={**KEY, "x": {"N": "1"}, "y": {"S": "kept"}})
    answer = db.update_item(
        TableName=table,
        Key=KEY,
        UpdateExpression="SET x = x + :two, z = :new",
        ExpressionAttributeValues={":two": {"N": "2"}, ":new": {"S": "new"}},
        ReturnValues=wanted,
    )
    assert answer.get("Attributes") == returned


def test_an_update_makes_the_item_that_is_not_there(db: Any, table: str) -> None:
    db.update_item(TableName=table, Key=KEY)
    assert db.get_item(TableName=table, Key=KEY)["Item"] == KEY


def test_a_condition_that_fails_changes_nothing_and_shows_the_item_if_asked(db: Any, table: str) -> None:
    item = {**KEY, "x": {"N": "1"}}
    db.put_item(TableName=table, Item=item)
    condition = {"TableName": table, "ConditionExpression": "attribute_not_exists(p)"}
    show = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    for call in (
        lambda **more: db.put_item(Item=KEY, **condition, **more),
        lambda **more: db.delete_item(Key=KEY, **condition, **more),
        lambda **more: db.update_item(Key=KEY, UpdateExpression="REMOVE x", **condition, **more),
    ):
        with pytest.raises(db.exceptions.ConditionalCheckFailedException) as error:
            call()
        assert error.value.response["Error"]["Message"] == "The conditional request failed"
        assert "Item" not in error.value.response
        with pytest.raises(db.exceptions.ConditionalCheckFailedException) as error:
            call(**show)
        assert error.value.response["Item"] == item
    assert db.get_item(TableName=table, Key=KEY)["Item"] == item


def test_an_item_may_be_400_kb_and_not_a_byte_more(db: Any, table: str) -> None:
    room = 400 * 1024 - len("pac") - 2 - len("x")
    db.put_item(TableName=table, Item={**KEY, "x": {"S": "y" * room}})
    assert len(db.get_item(TableName=table, Key=KEY)["Item"]["x"]["S"]) == room
    with pytest.raises(ClientError, match="Item size has exceeded the maximum allowed size"):
        db.put_item(TableName=table, Item={**KEY, "x": {"S": "y" * (room + 1)}})
    with pytest.raises(ClientError, match="Item size to update has exceeded the maximum allowed size"):
        db.update_item(
            TableName=table,
            Key=KEY,
            UpdateExpression="SET z = :z",
            ExpressionAttributeValues={":z": {"S": ""}},
        )


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({"p": {"S": "a"}}, "The provided key element does not match the schema"),
        ({**KEY, "x": {"S": "a"}}, "The provided key element does not match the schema"),
        ({"p": {"N": "1"}, "c": {"N": "1"}}, "The provided key element does not match the schema"),
        ({"p": {"S": ""}, "c": {"N": "1"}}, "cannot contain an empty string value. Key: p"),
        ({"p": {"S": "a"}, "c": {"N": "one"}}, "The parameter cannot be converted to a numeric value: one"),
        ({"p": {"S": "a" * 2049}, "c": {"N": "1"}}, "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
    ],
)
def test_keys_that_name_no_item(db: Any, table: str, key: Item, message: str) -> None:
    for call in (db.get_item, db.delete_item, db.update_item):
        with pytest.raises(ClientError) as error:
            call(TableName=table, Key=key)
        assert error.value.response["Error"]["Code"] == "ValidationException"
        assert message in error.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"p": {"S": "a"}}, "One or more parameter values were invalid: Missing the key c in the item"),
        ({"p": {"N": "1"}, "c": {"N": "1"}}, "Type mismatch for key p expected: S actual: N"),
        ({"p": {"S": ""}, "c": {"N": "1"}}, "cannot contain an empty string value. Key: p"),
    ],
)
def test_items_without_a_proper_key(db: Any, table: str, item: Item, message: str) -> None:
    with pytest.raises(ClientError) as error:
        db.put_item(TableName=table, Item=item)
    assert message in error.value.response["Error"]["Message"]


def test_a_sort_key_of_more_than_1024_bytes(db: Any, make_table: MakeTable) -> None:
    table = make_table("long", "p:S c:B")
    db.put_item(TableName=table, Item={"p": {"S": "ä" * 1024}, "c": {"B": b"x" * 1024}})
    with pytest.raises(ClientError, match="Aggregated size of all range keys has exceeded the size limit of 1024"):
        db.put_item(TableName=table, Item={"p": {"S": "a"}, "c": {"B": b"x" * 1025}})


def test_the_key_of_an_item_cannot_be_updated(db: Any, table: str) -> None:
    with pytest.raises(ClientError, match=r"Cannot update attribute c\. This attribute is part of the key"):
        db.update_item(
            TableName=table, Key=KEY, UpdateExpression="SET c = :c", ExpressionAttributeValues={":c": {"N": "2"}}
        )


def test_put_and_delete_return_old_values_or_none(db: Any, table: str) -> None:
    with pytest.raises(ClientError, match="ReturnValues can only be ALL_OLD or NONE"):
        db.put_item(TableName=table, Item=KEY, ReturnValues="ALL_NEW")


def test_a_projection_shows_parts_of_an_item(db: Any, table: str) -> None:
    db.put_item(TableName=table, Item=EVERYTHING)
    item = db.get_item(
        TableName=table, Key=KEY, ProjectionExpression="#l[1], c", ExpressionAttributeNames={"#l": "list"}
    )["Item"]
    assert item == {"c": {"N": "1"}, "list": {"L": [{"N": "-0.5"}]}}
    assert db.get_item(TableName=table, Key=KEY, ProjectionExpression="nothing")["Item"] == {}


def test_a_request_may_have_16_mb(db: Any, table: str) -> None:
    with pytest.raises(ClientError) as error:
        db.put_item(TableName=table, Item={**KEY, "x": {"S": "y" * (16 << 20)}})
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_hundred_clients_add_to_one_counter(db: Any, table: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def add(_: int) -> None:
        db.update_item(
            TableName=table, Key=KEY, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}}
        )

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(add, range(100)))
    assert db.get_item(TableName=table, Key=KEY)["Item"]["n"] == {"N": "100"}
