"""Users of the account, whose own policies say what they may do with tables, items and streams."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.identity import Principal
from cloudlet.testing.server import Aws, Server
from tests.services.dynamodb.conftest import index
from tests.services.dynamodb.local import ACCOUNT, OTHER, LocalDynamo, item, root

TABLES = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table"
ARN = f"{TABLES}/orders"
VALUES = {"ExpressionAttributeValues": {":p": {"S": "a"}}}
Statement = dict[str, Any]


def allow(*actions: str, resource: str | list[str] = ARN, effect: str = "Allow", **condition: Any) -> Statement:
    """Return a statement; conditions are given as `StringEquals={…}`, with `__` for a colon."""
    statement = {"Effect": effect, "Action": [f"dynamodb:{action}" for action in actions], "Resource": resource}
    conditions = {name.replace("__", ":"): keys for name, keys in condition.items()}
    return statement | ({"Condition": conditions} if conditions else {})


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def user(dynamo: LocalDynamo, *statements: Statement, account: str = ACCOUNT) -> Principal:
    """Make a user with a policy."""
    owner = root(account)
    made = dynamo.call("CreateUser", service="iam", by=owner, UserName="alice")["User"]
    dynamo.call(
        "PutUserPolicy",
        service="iam",
        by=owner,
        UserName="alice",
        PolicyName="own",
        PolicyDocument=document(*statements),
    )
    return Principal("user", account, made["Arn"], made["UserId"], "AKIAEXAMPLE")


def may(dynamo: LocalDynamo, by: Principal, operation: str, **params: Any) -> bool:
    """Make a call; return whether it was allowed."""
    try:
        dynamo.call(operation, by=by, **params)
    except AwsError as error:
        if error.code != "AccessDeniedException":
            raise
        return False
    return True


NAMED: dict[str, Any] = {"TableName": "orders"}
PAIR = {"BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}]}
NEW = {**PAIR, "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}]}
TAG = [{"Key": "team", "Value": "red"}]

CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("GetItem", "GetItem", {**NAMED, "Key": item("a")}),
    ("PutItem", "PutItem", {**NAMED, "Item": item("a")}),
    ("UpdateItem", "UpdateItem", {**NAMED, "Key": item("a"), "UpdateExpression": "REMOVE x"}),
    ("DeleteItem", "DeleteItem", {**NAMED, "Key": item("a")}),
    ("Query", "Query", {**NAMED, "KeyConditionExpression": "p = :p", **VALUES}),
    ("Scan", "Scan", NAMED),
    ("BatchGetItem", "BatchGetItem", {"RequestItems": {"orders": {"Keys": [item("a")]}}}),
    ("BatchWriteItem", "BatchWriteItem", {"RequestItems": {"orders": [{"PutRequest": {"Item": item("a")}}]}}),
    ("TransactGetItems", "GetItem", {"TransactItems": [{"Get": {**NAMED, "Key": item("a")}}]}),
    ("TransactWriteItems", "PutItem", {"TransactItems": [{"Put": {**NAMED, "Item": item("a")}}]}),
    ("TransactWriteItems", "DeleteItem", {"TransactItems": [{"Delete": {**NAMED, "Key": item("a")}}]}),
    ("ExecuteStatement", "PartiQLSelect", {"Statement": "SELECT * FROM orders WHERE p = 'a'"}),
    ("ExecuteStatement", "PartiQLInsert", {"Statement": "INSERT INTO orders VALUE {'p': 'b'}"}),
    ("ExecuteStatement", "PartiQLDelete", {"Statement": "DELETE FROM orders WHERE p = 'a'"}),
    (
        "ExecuteTransaction",
        "PartiQLDelete",
        {"TransactStatements": [{"Statement": "DELETE FROM orders WHERE p = 'a'"}]},
    ),
    ("DescribeTable", "DescribeTable", NAMED),
    ("DescribeTimeToLive", "DescribeTimeToLive", NAMED),
    ("DescribeContinuousBackups", "DescribeContinuousBackups", NAMED),
    ("ListTagsOfResource", "ListTagsOfResource", {"ResourceArn": ARN}),
    ("TagResource", "TagResource", {"ResourceArn": ARN, "Tags": TAG}),
    ("CreateBackup", "CreateBackup", {**NAMED, "BackupName": "night"}),
    ("UpdateTable", "UpdateTable", {**NAMED, "DeletionProtectionEnabled": False}),
    ("DeleteTable", "DeleteTable", NAMED),
]


@pytest.mark.parametrize(("operation", "action", "params"), CALLS)
def test_a_user_may_do_what_his_policy_allows_on_the_table(
    strict_dynamo: LocalDynamo, operation: str, action: str, params: dict[str, Any]
) -> None:
    strict_dynamo.table()
    alice = user(strict_dynamo, allow(action))
    assert may(strict_dynamo, alice, operation, **params)


@pytest.mark.parametrize(("operation", "action", "params"), CALLS)
@pytest.mark.parametrize("statement", [allow("ListTables", resource="*"), allow("*", resource=f"{TABLES}/other")])
def test_he_may_do_nothing_else(
    strict_dynamo: LocalDynamo, operation: str, action: str, params: dict[str, Any], statement: Statement
) -> None:
    strict_dynamo.table()
    alice = user(strict_dynamo, statement)
    error = strict_dynamo.refused(operation, by=alice, **params)
    assert (error.code, error.message) == (
        "AccessDeniedException",
        f"User: {alice.arn} is not authorized to perform: dynamodb:{action} on resource: {ARN} because no "
        f"identity-based policy allows the dynamodb:{action} action",
    )


@pytest.mark.parametrize(("operation", "action", "params"), CALLS)
def test_whether_a_table_exists_is_told_to_who_may_use_it(
    strict_dynamo: LocalDynamo, operation: str, action: str, params: dict[str, Any]
) -> None:
    alice = user(strict_dynamo, allow("ListTables", resource="*"))
    assert not may(strict_dynamo, alice, operation, **params)
    assert strict_dynamo.refused(operation, **params).code in (
        "ResourceNotFoundException",
        "TableNotFoundException",
    )


def test_a_batch_of_statements_tells_which_of_them_are_denied(strict_dynamo: LocalDynamo) -> None:
    strict_dynamo.table()
    alice = user(strict_dynamo, allow("PartiQLInsert"))
    asked = [
        "INSERT INTO orders VALUE {'p': 'b'}",
        "DELETE FROM orders WHERE p = 'a'",
        "DELETE FROM bills WHERE p = 'a'",
    ]
    answer = strict_dynamo.call("BatchExecuteStatement", by=alice, Statements=[{"Statement": each} for each in asked])
    assert [each.get("Error", {}).get("Code") for each in answer["Responses"]] == [None, "AccessDenied", "AccessDenied"]
    wrong = strict_dynamo.call("BatchExecuteStatement", by=alice, Statements=[{"Statement": "no statement"}])
    assert wrong["Responses"][0]["Error"]["Code"] == "ValidationError"


def test_an_index_is_a_resource_of_its_own(strict_dynamo: LocalDynamo) -> None:
    strict_dynamo.table(GlobalSecondaryIndexes=[index("by-p", "p")])
    alice = user(strict_dynamo, allow("Query", "Scan", resource=f"{ARN}/index/by-p"))
    asked = {**NAMED, "KeyConditionExpression": "p = :p", **VALUES}
    assert may(strict_dynamo, alice, "Query", IndexName="by-p", **asked)
    assert not may(strict_dynamo, alice, "Query", **asked)
    assert may(strict_dynamo, alice, "Scan", IndexName="by-p", **NAMED)
    assert not may(strict_dynamo, alice, "Scan", **NAMED)


def test_a_stream_is_a_resource_of_its_own(strict_dynamo: LocalDynamo) -> None:
    strict_dynamo.table(view="KEYS_ONLY")
    stream = strict_dynamo.stream()
    (shard, *_) = strict_dynamo.shards(stream)
    place = {"StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "LATEST"}
    iterator = strict_dynamo.call("GetShardIterator", **place)["ShardIterator"]
    alice = user(strict_dynamo, allow("DescribeStream", "GetShardIterator", "GetRecords", resource=f"{ARN}/stream/*"))
    bob = user(strict_dynamo, allow("*", resource=f"{TABLES}/*"), account=OTHER)
    for operation, params in (
        ("DescribeStream", {"StreamArn": stream}),
        ("GetShardIterator", place),
        ("GetRecords", {"ShardIterator": iterator}),
    ):
        assert may(strict_dynamo, alice, operation, **params)
        assert not may(strict_dynamo, bob, operation, **params)
    assert not may(strict_dynamo, alice, "ListStreams")


def test_a_denial_by_either_policy_counts(strict_dynamo: LocalDynamo) -> None:
    strict_dynamo.table()
    alice = user(strict_dynamo, allow("*"), allow("DeleteItem", effect="Deny"))
    assert not may(strict_dynamo, alice, "DeleteItem", **NAMED, Key=item("a"))
    denied = {**allow("GetItem", effect="Deny"), "Principal": "*"}
    strict_dynamo.call("PutResourcePolicy", ResourceArn=ARN, Policy=document(denied))
    assert not may(strict_dynamo, alice, "GetItem", **NAMED, Key=item("a"))
    assert may(strict_dynamo, alice, "PutItem", **NAMED, Item=item("a"))


def test_the_policy_of_the_table_lets_in_a_user_who_has_none(strict_dynamo: LocalDynamo) -> None:
    strict_dynamo.table()
    alice = user(strict_dynamo, allow("ListTables", resource="*"))
    granted = {**allow("GetItem"), "Principal": {"AWS": alice.arn}}
    strict_dynamo.call("PutResourcePolicy", ResourceArn=ARN, Policy=document(granted))
    assert may(strict_dynamo, alice, "GetItem", **NAMED, Key=item("a"))
    assert not may(strict_dynamo, alice, "PutItem", **NAMED, Item=item("a"))


def test_a_user_of_another_account_needs_both(strict_dynamo: LocalDynamo) -> None:
    strict_dynamo.table()
    alice = user(strict_dynamo, allow("GetItem"), account=OTHER)
    asked = {"TableName": ARN, "Key": item("a")}
    assert not may(strict_dynamo, alice, "GetItem", **asked)
    granted = {**allow("GetItem", "PutItem"), "Principal": {"AWS": OTHER}}
    strict_dynamo.call("PutResourcePolicy", ResourceArn=ARN, Policy=document(granted))
    assert may(strict_dynamo, alice, "GetItem", **asked)
    assert not may(strict_dynamo, alice, "PutItem", TableName=ARN, Item=item("a"))


@pytest.mark.parametrize(
    ("operation", "keys", "allowed", "denied"),
    [
        ("GetItem", {"LeadingKeys": ["a"]}, {"Key": item("a")}, {"Key": item("b")}),
        (
            "GetItem",
            {"Attributes": ["p", "n"]},
            {"Key": item("a"), "ProjectionExpression": "p, n"},
            {"Key": item("a"), "ProjectionExpression": "p, secret"},
        ),
        (
            "Scan",
            {"Select": ["SPECIFIC_ATTRIBUTES"]},
            {"ProjectionExpression": "p"},
            {"Select": "COUNT"},
        ),
        (
            "PutItem",
            {"ReturnValues": ["NONE"]},
            {"Item": item("a"), "ReturnValues": "NONE"},
            {"Item": item("a"), "ReturnValues": "ALL_OLD"},
        ),
    ],
)
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_conditions_are_about_the_items_of_a_call(
    strict_dynamo: LocalDynamo,
    operation: str,
    keys: dict[str, list[str]],
    allowed: dict[str, Any],
    denied: dict[str, Any],
    effect: str,
) -> None:
    strict_dynamo.table()
    named = {f"dynamodb:{name}": values for name, values in keys.items()}
    if effect == "Allow":
        alice = user(strict_dynamo, allow(operation, ForAllValues__StringEquals=named))
    else:
        denial = allow(operation, effect="Deny", ForAnyValue__StringNotEquals=named)
        alice = user(strict_dynamo, allow(operation), denial)
    assert may(strict_dynamo, alice, operation, **NAMED, **allowed)
    assert not may(strict_dynamo, alice, operation, **NAMED, **denied)


def test_a_condition_can_be_about_the_transaction_around_a_call(strict_dynamo: LocalDynamo) -> None:
    strict_dynamo.table()
    only = {"dynamodb:EnclosingOperation": "TransactWriteItems"}
    alice = user(strict_dynamo, allow("PutItem", StringEquals=only))
    assert may(strict_dynamo, alice, "TransactWriteItems", TransactItems=[{"Put": {**NAMED, "Item": item("a")}}])
    assert not may(strict_dynamo, alice, "PutItem", **NAMED, Item=item("a"))


def test_a_condition_can_be_about_the_tags_of_the_table(strict_dynamo: LocalDynamo) -> None:
    strict_dynamo.table(Tags=TAG)
    strict_dynamo.table("bills")
    alice = user(strict_dynamo, allow("*", resource=f"{TABLES}/*", StringEquals={"aws:ResourceTag/team": "red"}))
    assert may(strict_dynamo, alice, "GetItem", **NAMED, Key=item("a"))
    assert not may(strict_dynamo, alice, "GetItem", TableName="bills", Key=item("a"))


def test_variables_of_a_policy_stand_for_the_user(strict_dynamo: LocalDynamo) -> None:
    strict_dynamo.table()
    own = {"dynamodb:LeadingKeys": ["${aws:username}"]}
    alice = user(strict_dynamo, allow("GetItem", ForAllValues__StringEquals=own))
    assert may(strict_dynamo, alice, "GetItem", **NAMED, Key=item("alice"))
    assert not may(strict_dynamo, alice, "GetItem", **NAMED, Key=item("bob"))


@pytest.mark.parametrize(
    ("needed", "params"),
    [
        ((), {}),
        (("TagResource",), {"Tags": TAG}),
        (("PutResourcePolicy",), {"ResourcePolicy": document({**allow("GetItem"), "Principal": {"AWS": OTHER}})}),
    ],
)
def test_to_make_a_table_takes_what_it_is_made_with(
    strict_dynamo: LocalDynamo, needed: tuple[str, ...], params: dict[str, Any]
) -> None:
    alice = user(strict_dynamo, allow("CreateTable", *needed))
    assert may(strict_dynamo, alice, "CreateTable", **NAMED, **NEW, **params)
    assert not may(strict_dynamo, alice, "CreateTable", TableName="bills", **NEW, **params)
    if needed:
        bob = user(strict_dynamo, allow("CreateTable", resource="*"), account=OTHER)
        assert not may(strict_dynamo, bob, "CreateTable", **NAMED, **NEW, **params)


def test_the_tags_of_a_new_table_can_be_prescribed(strict_dynamo: LocalDynamo) -> None:
    wanted = {"StringEquals": {"aws:RequestTag/team": "red"}}
    alice = user(strict_dynamo, allow("CreateTable", "TagResource", **wanted))
    assert not may(strict_dynamo, alice, "CreateTable", **NAMED, **NEW)
    assert not may(strict_dynamo, alice, "CreateTable", **NAMED, **NEW, Tags=[{"Key": "team", "Value": "blue"}])
    assert may(strict_dynamo, alice, "CreateTable", **NAMED, **NEW, Tags=TAG)


RESTORING = ("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")


def test_to_restore_a_table_takes_reading_and_writing_the_new_one(strict_dynamo: LocalDynamo) -> None:
    strict_dynamo.table()
    backup = strict_dynamo.call("CreateBackup", **NAMED, BackupName="night")["BackupDetails"]["BackupArn"]
    on = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    strict_dynamo.call("UpdateContinuousBackups", **NAMED, **on)
    strict_dynamo.advance(1)
    alice = user(
        strict_dynamo,
        allow("RestoreTableFromBackup", resource=f"{ARN}/backup/*"),
        allow("RestoreTableToPointInTime"),
        allow(*RESTORING, resource=f"{TABLES}/restored-*"),
    )
    from_backup: dict[str, Any] = {"BackupArn": backup}
    earlier: dict[str, Any] = {"SourceTableName": "orders", "UseLatestRestorableTime": True}
    for number, (operation, params) in enumerate(
        (("RestoreTableFromBackup", from_backup), ("RestoreTableToPointInTime", earlier))
    ):
        assert not may(strict_dynamo, alice, operation, TargetTableName="other", **params)
        assert may(strict_dynamo, alice, operation, TargetTableName=f"restored-{number}", **params)


def end_of(dynamo: LocalDynamo, operation: str, **named: str) -> dict[str, Any]:
    """Return the description of an export or an import once it has ended."""
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(*dynamo.call(operation, **named).values())
        return "IN_PROGRESS" not in (found.get("ExportStatus"), found.get("ImportStatus"))

    dynamo.until(has_ended)
    return found


@pytest.mark.parametrize("is_permitted", [True, False])
def test_an_export_and_an_import_use_the_bucket_as_who_asked_for_them(
    strict_dynamo: LocalDynamo, is_permitted: bool
) -> None:
    strict_dynamo.table()
    on = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    strict_dynamo.call("UpdateContinuousBackups", **NAMED, **on)
    strict_dynamo.advance(1)
    where = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    strict_dynamo.call("CreateBucket", service="s3", Bucket="bucket", **where)
    bucket = {"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]}
    own = allow("ExportTableToPointInTime", "ImportTable", resource=f"{TABLES}/*")
    alice = user(strict_dynamo, own, *([bucket] if is_permitted else []))
    started = strict_dynamo.call("ExportTableToPointInTime", by=alice, TableArn=ARN, S3Bucket="bucket")
    ended = end_of(strict_dynamo, "DescribeExport", ExportArn=started["ExportDescription"]["ExportArn"])
    assert (ended["ExportStatus"], ended.get("FailureCode")) == (
        ("COMPLETED", None) if is_permitted else ("FAILED", "AccessDenied")
    )
    started = strict_dynamo.call(
        "ImportTable",
        by=alice,
        S3BucketSource={"S3Bucket": "bucket", "S3KeyPrefix": "none"},
        InputFormat="DYNAMODB_JSON",
        TableCreationParameters={"TableName": "copies", **NEW},
    )
    ended = end_of(strict_dynamo, "DescribeImport", ImportArn=started["ImportTableDescription"]["ImportArn"])
    assert (ended.get("FailureCode") == "AccessDenied") is not is_permitted


def test_a_user_signs_with_his_own_key(tmp_path: Path) -> None:
    key = f"{ACCOUNT}:AKIAEXAMPLEROOTKEY01:secret"
    with Server.start("--data", str(tmp_path), "--auth", "strict", "--root-key", key) as server:
        own = {"aws_access_key_id": "AKIAEXAMPLEROOTKEY01", "aws_secret_access_key": "secret"}
        iam = Aws(server.endpoint, ACCOUNT).client("iam", **own)
        iam.create_user(UserName="alice")
        iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=document(allow("CreateTable", "Put*")))
        made = iam.create_access_key(UserName="alice")["AccessKey"]
        keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
        db = Aws(server.endpoint, ACCOUNT).client("dynamodb", region_name="eu-west-1", **keys)
        db.create_table(**NAMED, **NEW)
        db.put_item(**NAMED, Item=item("a"))
        with pytest.raises(db.exceptions.ClientError, match="dynamodb:GetItem"):
            db.get_item(**NAMED, Key=item("a"))
        # What changes in IAM holds at once.
        iam.put_user_policy(UserName="alice", PolicyName="own", PolicyDocument=document(allow("GetItem")))
        assert db.get_item(**NAMED, Key=item("a"))["Item"] == item("a")
        with pytest.raises(db.exceptions.ClientError, match="dynamodb:PutItem"):
            db.put_item(**NAMED, Item=item("a"))
