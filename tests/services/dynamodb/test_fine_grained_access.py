"""Policies that say which items, which attributes and which forms of a call they allow."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cloudlet.core import AwsError
from tests.services.dynamodb.conftest import index
from tests.services.dynamodb.local import ACCOUNT, OTHER, LocalDynamo, item, root

ARN = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders"
Allowed = Callable[..., bool]


def allow(dynamo: LocalDynamo, *actions: str, **condition: dict[str, Any]) -> None:
    """Let the other account do this to the table and its indexes, under a condition."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": OTHER},
        "Action": [f"dynamodb:{action}" for action in actions],
        "Resource": [ARN, f"{ARN}/index/*"],
        "Condition": {operator.replace("__", ":"): keys for operator, keys in condition.items()},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    dynamo.call("PutResourcePolicy", ResourceArn=ARN, Policy=document, by=root(ACCOUNT))


@pytest.fixture
def allowed(strict_dynamo: LocalDynamo) -> Allowed:
    """Make a call as the other account; say whether it was allowed to."""

    def call(operation: str, **params: Any) -> bool:
        try:
            strict_dynamo.call(operation, by=root(OTHER), **params)
        except AwsError as error:
            if error.code != "AccessDeniedException":
                raise
            return False
        return True

    return call


def key_calls(key: str) -> dict[str, dict[str, Any]]:
    """Return calls about the item or the partition with a key, by the action that they take."""
    values = {":p": {"S": key}}
    table: dict[str, Any] = {"TableName": ARN}
    return {
        "GetItem": {**table, "Key": item(key)},
        "PutItem": {**table, "Item": item(key, n=1)},
        "UpdateItem": {**table, "Key": item(key), "UpdateExpression": "REMOVE x"},
        "DeleteItem": {**table, "Key": item(key)},
        "Query": {**table, "KeyConditionExpression": "p = :p", "ExpressionAttributeValues": values},
        "BatchGetItem": {"RequestItems": {ARN: {"Keys": [item("mine"), item(key)] if key != "mine" else [item(key)]}}},
        "BatchWriteItem": {
            "RequestItems": {
                ARN: [{"PutRequest": {"Item": item("mine")}}, {"DeleteRequest": {"Key": item(key)}}][key == "mine" :]
            }
        },
    }


@pytest.mark.parametrize("name", ["LeadingKeys", "FirstPartitionKeyValues"])
@pytest.mark.parametrize("action", list(key_calls("")))
def test_a_policy_can_be_about_some_partitions(
    strict_dynamo: LocalDynamo, allowed: Allowed, action: str, name: str
) -> None:
    strict_dynamo.table()
    allow(strict_dynamo, action, ForAllValues__StringEquals={f"dynamodb:{name}": ["mine"]})
    assert allowed(action, **key_calls("mine")[action])
    assert not allowed(action, **key_calls("yours")[action])


def test_each_action_of_a_transaction_is_about_its_partition(strict_dynamo: LocalDynamo, allowed: Allowed) -> None:
    strict_dynamo.table()
    allow(
        strict_dynamo,
        *("PutItem", "GetItem", "ConditionCheckItem"),
        ForAllValues__StringEquals={"dynamodb:LeadingKeys": ["mine"]},
    )
    for key, expected in (("mine", True), ("yours", False)):
        put = {"Put": {"TableName": ARN, "Item": item(key)}}
        check = {"TableName": ARN, "Key": item(key), "ConditionExpression": "attribute_not_exists(q)"}
        gets = [{"Get": {"TableName": ARN, "Key": item(each)}} for each in {"mine", key}]
        assert allowed("TransactWriteItems", TransactItems=[put]) is expected
        assert allowed("TransactWriteItems", TransactItems=[{"ConditionCheck": check}]) is expected
        assert allowed("TransactGetItems", TransactItems=gets) is expected
    assert list(strict_dynamo.items()) == ["mine"]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM \"{}\" WHERE p = '{}'",
        "INSERT INTO \"{}\" VALUE {{'p': '{}'}}",
        "UPDATE \"{}\" SET n = 1 WHERE p = '{}'",
        "DELETE FROM \"{}\" WHERE p = '{}'",
    ],
)
def test_statements_are_about_partitions_too(strict_dynamo: LocalDynamo, allowed: Allowed, statement: str) -> None:
    strict_dynamo.table()
    if "UPDATE" in statement:
        strict_dynamo.put("mine")
        strict_dynamo.put("yours")
    allow(
        strict_dynamo,
        *("PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"),
        ForAllValues__StringEquals={"dynamodb:LeadingKeys": ["mine"]},
    )
    assert not allowed("ExecuteStatement", Statement=statement.format(ARN, "yours"))
    assert not allowed("ExecuteTransaction", TransactStatements=[{"Statement": statement.format(ARN, "yours")}])
    batch = [{"Statement": statement.format(ARN, key)} for key in ("mine", "yours")]
    answer = strict_dynamo.call("BatchExecuteStatement", Statements=batch, by=root(OTHER))
    assert [each.get("Error", {}).get("Code") for each in answer["Responses"]] == [None, "AccessDenied"]


@pytest.mark.parametrize(
    ("kind", "value", "text"), [("N", {"N": "1.50"}, "1.5"), ("B", {"B": b"\x00\xff"}, "AP8="), ("S", {"S": "a"}, "a")]
)
def test_keys_of_all_types_can_be_named(
    strict_dynamo: LocalDynamo, allowed: Allowed, kind: str, value: dict[str, Any], text: str
) -> None:
    strict_dynamo.call(
        "CreateTable",
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": kind}],
        BillingMode="PAY_PER_REQUEST",
    )
    allow(strict_dynamo, "GetItem", ForAllValues__StringEquals={"dynamodb:LeadingKeys": [text]})
    assert allowed("GetItem", TableName=ARN, Key={"p": value})
    allow(strict_dynamo, "GetItem", ForAllValues__StringEquals={"dynamodb:LeadingKeys": ["other"]})
    assert not allowed("GetItem", TableName=ARN, Key={"p": value})
    # What is no key at all is told so.
    with pytest.raises(AwsError, match="does not match the schema"):
        allowed("GetItem", TableName=ARN, Key={"q": value})


def test_keys_of_an_index_can_have_several_parts(strict_dynamo: LocalDynamo, allowed: Allowed) -> None:
    strict_dynamo.call(
        "CreateTable",
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "pab"],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[index("by-ab", "a+b")],
    )
    allow(
        strict_dynamo,
        "Query",
        ForAllValues__StringEquals={"dynamodb:LeadingKeys": ["1"], "dynamodb:SecondPartitionKeyValues": ["2"]},
    )
    for values, expected in ((("1", "2"), True), (("1", "1"), False), (("2", "2"), False)):
        asked = {
            "KeyConditionExpression": "a = :a AND b = :b",
            "ExpressionAttributeValues": {":a": {"S": values[0]}, ":b": {"S": values[1]}},
        }
        assert allowed("Query", TableName=ARN, IndexName="by-ab", **asked) is expected


PROJECTED = {"ProjectionExpression": "p, n"}
VALUES = {"ExpressionAttributeValues": {":v": {"N": "1"}}}


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("GetItem", {"Key": item("a"), **PROJECTED}, True),
        ("GetItem", {"Key": item("a")}, False),
        ("GetItem", {"Key": item("a"), "ProjectionExpression": "p, secret"}, False),
        ("GetItem", {"Key": item("a"), "AttributesToGet": ["n"]}, True),
        ("GetItem", {"Key": item("a"), "AttributesToGet": ["secret"]}, False),
        ("Scan", {**PROJECTED}, True),
        ("Scan", {}, False),
        ("Scan", {"Select": "COUNT"}, False),
        ("Scan", {**PROJECTED, "FilterExpression": "n = :v", **VALUES}, True),
        ("Scan", {**PROJECTED, "FilterExpression": "size(secret) = :v", **VALUES}, False),
        ("Scan", {**PROJECTED, "IndexName": "by-n"}, True),
        ("Scan", {"IndexName": "by-n"}, False),
        ("PutItem", {"Item": item("a", n=1)}, True),
        ("PutItem", {"Item": item("a", secret=1)}, False),
        ("PutItem", {"Item": item("a", n=1), "ReturnValues": "NONE"}, True),
        ("PutItem", {"Item": item("a", n=1), "ReturnValues": "ALL_OLD"}, False),
        ("PutItem", {"Item": item("a"), "ConditionExpression": "attribute_not_exists(secret)"}, False),
        ("UpdateItem", {"Key": item("a"), "UpdateExpression": "SET n = :v", **VALUES}, True),
        ("UpdateItem", {"Key": item("a"), "UpdateExpression": "SET secret = :v", **VALUES}, False),
        ("UpdateItem", {"Key": item("a"), "UpdateExpression": "SET n = if_not_exists(secret, :v)", **VALUES}, False),
        ("UpdateItem", {"Key": item("a"), "UpdateExpression": "SET n = n + secret"}, False),
        ("UpdateItem", {"Key": item("a"), "UpdateExpression": "SET n = list_append(secret, n)"}, False),
        ("UpdateItem", {"Key": item("a"), "UpdateExpression": "SET n = secret"}, False),
        ("UpdateItem", {"Key": item("a"), "AttributeUpdates": {"secret": {"Action": "DELETE"}}}, False),
        ("BatchGetItem", {"RequestItems": {ARN: {"Keys": [item("a")], **PROJECTED}}}, True),
        ("BatchGetItem", {"RequestItems": {ARN: {"Keys": [item("a")]}}}, False),
        ("ExecuteStatement", {"Statement": f'SELECT p, n FROM "{ARN}"'}, True),
        ("ExecuteStatement", {"Statement": f'SELECT p, n FROM "{ARN}" WHERE secret = 1'}, False),
        ("ExecuteStatement", {"Statement": f'SELECT * FROM "{ARN}"'}, False),
    ],
)
def test_a_policy_can_be_about_some_attributes(
    strict_dynamo: LocalDynamo, allowed: Allowed, operation: str, params: dict[str, Any], expected: bool
) -> None:
    strict_dynamo.call(
        "CreateTable",
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[index("by-n", "n")],
    )
    allow(
        strict_dynamo,
        *("GetItem", "Scan", "PutItem", "UpdateItem", "BatchGetItem", "PartiQLSelect"),
        ForAllValues__StringEquals={"dynamodb:Attributes": ["p", "n"]},
        StringEqualsIfExists={"dynamodb:Select": "SPECIFIC_ATTRIBUTES", "dynamodb:ReturnValues": "NONE"},
    )
    named = {} if "RequestItems" in params or "Statement" in params else {"TableName": ARN}
    assert allowed(operation, **named, **params) is expected


def test_what_is_selected_without_saying_so(strict_dynamo: LocalDynamo, allowed: Allowed) -> None:
    strict_dynamo.table(GlobalSecondaryIndexes=[index("by-p", "p")])
    for select, expected in (
        ("ALL_ATTRIBUTES", [True, False, False, False]),
        ("ALL_PROJECTED_ATTRIBUTES", [False, True, False, False]),
        ("SPECIFIC_ATTRIBUTES", [False, False, True, False]),
        ("COUNT", [False, False, False, True]),
    ):
        allow(strict_dynamo, "Scan", StringEquals={"dynamodb:Select": select})
        asked: list[dict[str, Any]] = [
            {},
            {"IndexName": "by-p"},
            {"ProjectionExpression": "p"},
            {"IndexName": "by-p", "Select": "COUNT"},
        ]
        assert [allowed("Scan", TableName=ARN, **params) for params in asked] == expected


def test_a_search_needs_the_permission_for_the_index(strict_dynamo: LocalDynamo, allowed: Allowed) -> None:
    names = ("by-v", "v-by")
    vectors = [
        {
            "IndexName": name,
            "VectorAttribute": {"AttributeName": "v"},
            "Projection": {"ProjectionType": "ALL"},
            "Dimensions": 1,
            "DistanceFunction": "COSINE",
        }
        for name in names
    ]
    strict_dynamo.table(VectorIndexes=vectors)
    asked: dict[str, Any] = {"TableName": ARN, "SearchVector": [{"N": "1"}], "TopK": 1}
    assert not allowed("SearchVectors", IndexName="by-v", **asked)
    allow(strict_dynamo, "SearchVectors", ArnEquals={"aws:PrincipalArn": f"arn:aws:iam::{OTHER}:root"})
    assert allowed("SearchVectors", IndexName="by-v", **asked)
    document = {
        "Effect": "Allow",
        "Principal": {"AWS": OTHER},
        "Action": "dynamodb:SearchVectors",
        "Resource": f"{ARN}/index/v-by",
    }
    strict_dynamo.call("PutResourcePolicy", ResourceArn=ARN, Policy=json.dumps({"Statement": document}))
    assert [allowed("SearchVectors", IndexName=name, **asked) for name in names] == [False, True]


def test_a_policy_can_ask_for_a_transaction(strict_dynamo: LocalDynamo, allowed: Allowed) -> None:
    strict_dynamo.table()
    put = {"TableName": ARN, "Item": item("a")}
    statement = {"Statement": f"INSERT INTO \"{ARN}\" VALUE {{'p': 'b'}}"}
    get = {"TableName": ARN, "Key": item("a")}
    for enclosing in ("TransactWriteItems", "TransactGetItems", "ExecuteTransaction"):
        allow(
            strict_dynamo,
            *("PutItem", "GetItem", "PartiQLInsert"),
            StringEquals={"dynamodb:EnclosingOperation": enclosing},
        )
        assert not allowed("PutItem", **put)
        assert not allowed("GetItem", **get)
        assert not allowed("ExecuteStatement", **statement)
        done = {
            "TransactWriteItems": allowed("TransactWriteItems", TransactItems=[{"Put": put}]),
            "TransactGetItems": allowed("TransactGetItems", TransactItems=[{"Get": get}]),
            "ExecuteTransaction": allowed("ExecuteTransaction", TransactStatements=[statement]),
        }
        assert [name for name, was_allowed in done.items() if was_allowed] == [enclosing]


def test_a_policy_can_be_against_scans_by_statements(strict_dynamo: LocalDynamo, allowed: Allowed) -> None:
    strict_dynamo.table()
    allow(strict_dynamo, "PartiQLSelect", Bool={"dynamodb:FullTableScan": "false"})
    assert allowed("ExecuteStatement", Statement=f"SELECT * FROM \"{ARN}\" WHERE p IN ['a', 'b']")
    assert not allowed("ExecuteStatement", Statement=f"SELECT * FROM \"{ARN}\" WHERE p > 'a'")
    single = {"Statement": f"SELECT * FROM \"{ARN}\" WHERE p = 'a'"}
    answer = strict_dynamo.call("BatchExecuteStatement", Statements=[single], by=root(OTHER))
    assert answer["Responses"] == [{"TableName": ARN}]


def test_a_policy_can_be_about_tags_and_what_is_returned(strict_dynamo: LocalDynamo, allowed: Allowed) -> None:
    strict_dynamo.table(Tags=[{"Key": "stage", "Value": "test"}])
    for value, expected in (("test", True), ("live", False)):
        allow(strict_dynamo, "Scan", "DescribeTable", StringEquals={"aws:ResourceTag/stage": value})
        assert allowed("Scan", TableName=ARN) is expected
        assert allowed("DescribeTable", TableName=ARN) is expected
    allow(strict_dynamo, "Scan", StringEqualsIfExists={"dynamodb:ReturnConsumedCapacity": "NONE"})
    assert allowed("Scan", TableName=ARN)
    assert not allowed("Scan", TableName=ARN, ReturnConsumedCapacity="TOTAL")
