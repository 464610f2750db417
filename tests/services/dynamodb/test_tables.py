"""Tables: made, described, listed, changed and deleted, and what AWS does not admit."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.services.dynamodb.tables import creating
from tests.services.dynamodb.conftest import MakeTable, index
from tests.services.dynamodb.local import LocalDynamo


def failure(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    """Return an error's code and message."""
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_a_table_is_creating_when_made_and_active_right_after(db: Any) -> None:
    made = db.create_table(
        TableName="orders",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
    )["TableDescription"]
    assert made["TableStatus"] == "CREATING"
    table = db.describe_table(TableName="orders")["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert table["KeySchema"] == [{"AttributeName": "p", "KeyType": "HASH"}]
    assert table["AttributeDefinitions"] == [{"AttributeName": "p", "AttributeType": "S"}]
    assert (table["ItemCount"], table["TableSizeBytes"]) == (0, 0)
    assert table["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] == table["CreationDateTime"]
    assert db.describe_table(TableName=table["TableArn"])["Table"]["TableId"] == table["TableId"]


def test_warm_throughput_is_shown_of_a_new_table_where_it_was_asked_for(dynamo: LocalDynamo) -> None:
    key: dict[str, Any] = {
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    by_p = index("by-p", "p")
    made = dynamo.call("CreateTable", TableName="t-1", GlobalSecondaryIndexes=[by_p], **key)["TableDescription"]
    assert "WarmThroughput" not in made
    assert "WarmThroughput" not in made["GlobalSecondaryIndexes"][0]
    usual = {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"}
    assert dynamo.call("DescribeTable", TableName="t-1")["Table"]["WarmThroughput"] == usual
    warm = {"ReadUnitsPerSecond": 15_000, "WriteUnitsPerSecond": 4_000}
    made = dynamo.call(
        "CreateTable",
        TableName="t-2",
        WarmThroughput=warm,
        GlobalSecondaryIndexes=[by_p | {"WarmThroughput": warm}],
        **key,
    )["TableDescription"]
    assert (
        made["WarmThroughput"] == made["GlobalSecondaryIndexes"][0]["WarmThroughput"] == warm | {"Status": "UPDATING"}
    )
    described = dynamo.call("DescribeTable", TableName="t-2")["Table"]
    assert described["WarmThroughput"] == warm | {"Status": "ACTIVE"}
    for less in {"ReadUnitsPerSecond": 11_999}, {"WriteUnitsPerSecond": 3_999}:
        error = dynamo.refused("CreateTable", TableName="t-3", WarmThroughput=warm | less, **key)
        assert error.code == "ValidationException"


def test_items_and_bytes_are_counted(db: Any, make_table: MakeTable) -> None:
    make_table("t-1", "p:S", attributes="x:S", GlobalSecondaryIndexes=[index("by-x", "x", "KEYS_ONLY")])
    db.put_item(TableName="t-1", Item={"p": {"S": "a"}, "x": {"S": "1"}, "text": {"S": "12345"}})
    db.put_item(TableName="t-1", Item={"p": {"S": "b"}})
    db.put_item(TableName="t-1", Item={"p": {"S": "a"}, "x": {"S": "1"}, "text": {"S": "1"}})
    table = db.describe_table(TableName="t-1")["Table"]
    assert (table["ItemCount"], table["TableSizeBytes"]) == (2, 2 + 2 + 5 + 2)
    [by_x] = table["GlobalSecondaryIndexes"]
    assert (by_x["ItemCount"], by_x["IndexSizeBytes"]) == (1, 2 + 2)
    db.delete_item(TableName="t-1", Key={"p": {"S": "a"}})
    table = db.describe_table(TableName="t-1")["Table"]
    assert (table["ItemCount"], table["TableSizeBytes"]) == (1, 2)
    assert table["GlobalSecondaryIndexes"][0]["ItemCount"] == 0


def test_a_deleted_table_is_gone_with_its_items(db: Any, make_table: MakeTable) -> None:
    make_table("t-1", "p:S")
    db.put_item(TableName="t-1", Item={"p": {"S": "a"}})
    assert db.delete_table(TableName="t-1")["TableDescription"]["TableStatus"] == "DELETING"
    with pytest.raises(ClientError) as error:
        db.describe_table(TableName="t-1")
    assert failure(error) == ("ResourceNotFoundException", "Requested resource not found: Table: t-1 not found")
    with pytest.raises(ClientError) as error:
        db.get_item(TableName="t-1", Key={"p": {"S": "a"}})
    assert failure(error) == ("ResourceNotFoundException", "Requested resource not found")
    make_table("t-1", "p:S")
    assert db.scan(TableName="t-1")["Items"] == []


def test_names_are_listed_by_pages(db: Any, make_table: MakeTable) -> None:
    for name in ("c-table", "a-table", "b-table"):
        make_table(name, "p:S")
    page = db.list_tables(Limit=2)
    assert (page["TableNames"], page["LastEvaluatedTableName"]) == (["a-table", "b-table"], "b-table")
    page = db.list_tables(ExclusiveStartTableName="b-table")
    assert page["TableNames"] == ["c-table"]
    assert "LastEvaluatedTableName" not in page


def test_a_protected_table_is_not_deleted(db: Any, make_table: MakeTable) -> None:
    make_table("t-1", "p:S", DeletionProtectionEnabled=True)
    with pytest.raises(ClientError) as error:
        db.delete_table(TableName="t-1")
    assert failure(error)[1].startswith("Resource cannot be deleted as it is currently protected against deletion.")
    db.update_table(TableName="t-1", DeletionProtectionEnabled=False)
    db.delete_table(TableName="t-1")


def test_provisioned_throughput_is_kept_and_changed(db: Any, make_table: MakeTable) -> None:
    wanted = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    make_table("t-1", "p:S", BillingMode="PROVISIONED", ProvisionedThroughput=wanted)
    with pytest.raises(ClientError) as error:
        db.update_table(TableName="t-1", ProvisionedThroughput=wanted)
    assert failure(error)[1].startswith("The provisioned throughput for the table will not change.")
    db.update_table(TableName="t-1", ProvisionedThroughput={"ReadCapacityUnits": 4, "WriteCapacityUnits": 7})
    shown = db.describe_table(TableName="t-1")["Table"]["ProvisionedThroughput"]
    assert (shown["ReadCapacityUnits"], shown["WriteCapacityUnits"]) == (4, 7)
    assert shown["NumberOfDecreasesToday"] == 1
    assert "LastIncreaseDateTime" in shown
    db.update_table(TableName="t-1", BillingMode="PAY_PER_REQUEST")
    table = db.describe_table(TableName="t-1")["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 0


def test_table_class_maximum_throughput_and_tags_are_kept(db: Any, make_table: MakeTable) -> None:
    make_table(
        "t-1",
        "p:S",
        TableClass="STANDARD_INFREQUENT_ACCESS",
        OnDemandThroughput={"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20},
        SSESpecification={"Enabled": False},
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    table = db.describe_table(TableName="t-1")["Table"]
    assert table["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert table["OnDemandThroughput"] == {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20}
    assert db.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"] == [{"Key": "team", "Value": "shop"}]


def test_a_name_is_taken_once(make_table: MakeTable) -> None:
    make_table("t-1", "p:S")
    with pytest.raises(ClientError) as error:
        make_table("t-1", "p:S")
    assert failure(error) == ("ResourceInUseException", "Table already exists: t-1")


def test_what_is_not_built_says_so(db: Any, make_table: MakeTable) -> None:
    with pytest.raises(ClientError, match="Cloudlet does not implement global tables"):
        make_table("t-1", "p:S", GlobalTableSourceArn="arn:aws:dynamodb:us-east-1:111111111111:table/other")
    make_table("t-1", "p:S")
    with pytest.raises(ClientError, match="Cloudlet does not implement global tables"):
        db.update_table(TableName="t-1", ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])


HASH = {"AttributeName": "p", "KeyType": "HASH"}
RANGE = {"AttributeName": "c", "KeyType": "RANGE"}
STRINGS = [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "c")]
WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"TableName": "ab"},
        "Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3",
    ),
    ({"TableName": "a b c"}, "Member must satisfy regular expression pattern"),
    ({"KeySchema": [RANGE, HASH]}, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
    (
        {"KeySchema": [HASH, {**RANGE, "KeyType": "HASH"}]},
        "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
    ),
    ({"KeySchema": [HASH, {**RANGE, "AttributeName": "p"}]}, "Some index key attribute have no definition"),
    ({"AttributeDefinitions": STRINGS[:1]}, "Some index key attributes are not defined in AttributeDefinitions."),
    (
        {"KeySchema": [HASH]},
        "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
    ),
    ({"AttributeDefinitions": [*STRINGS, STRINGS[0]]}, "Duplicate AttributeName"),
    ({"BillingMode": "PROVISIONED"}, "ReadCapacityUnits and WriteCapacityUnits must both be specified"),
    (
        {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
    ),
    ({"GlobalSecondaryIndexes": []}, "List of GlobalSecondaryIndexes is empty"),
    ({"GlobalSecondaryIndexes": [index("one", "c"), index("one", "c")]}, "Duplicate index name: one"),
    ({"GlobalSecondaryIndexes": [index(f"one-{n}", "c") for n in range(21)]}, "per-table limit of 20"),
    ({"LocalSecondaryIndexes": [index(f"one-{n}", "p c") for n in range(6)]}, "per-table limit of 5"),
    ({"LocalSecondaryIndexes": [index("one", "c p")]}, "does not have the same leading hash key as table KeySchema"),
    ({"LocalSecondaryIndexes": [index("one", "p")]}, "does not have a range key for index: one"),
    ({"GlobalSecondaryIndexes": [index("one", "c", "INCLUDE")]}, "NonKeyAttributes is not specified"),
    ({"GlobalSecondaryIndexes": [index("one", "c", "ALL", "x")]}, "ProjectionType is ALL, but NonKeyAttributes"),
    ({"GlobalSecondaryIndexes": [{**index("one", "c"), "Projection": {}}]}, "Unknown ProjectionType: null"),
    (
        {"GlobalSecondaryIndexes": [index("one", "c", "INCLUDE", "x", "x")]},
        "Duplicate attribute in NonKeyAttributes for index: one",
    ),
    (
        {
            "GlobalSecondaryIndexes": [
                index(f"one-{number}", "c", "INCLUDE", *(f"x{number}-{n}" for n in range(17))) for number in range(6)
            ]
        },
        "Number of projected NonKeyAttributes of all indexes exceeds the per-table limit of 100",
    ),
    (
        {"LocalSecondaryIndexes": [{**index("one", "p c"), "KeySchema": [HASH, RANGE, RANGE]}]},
        "'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2",
    ),
    ({"GlobalSecondaryIndexes": [index("one", "c+c")]}, "Some index key attributes have the same name"),
    (
        {"GlobalSecondaryIndexes": [{**index("one", "c"), "KeySchema": [RANGE, HASH]}]},
        "Invalid KeySchema: HASH keys must precede RANGE keys: one",
    ),
    (
        {"GlobalSecondaryIndexes": [index("one", "c+p+q+r+s")]},
        "Number of HASH key attributes exceeds the limit of 4 for index: one",
    ),
    (
        {"GlobalSecondaryIndexes": [index("one", "c p+q+r+s+t")]},
        "Number of RANGE key attributes exceeds the limit of 4 for index: one",
    ),
    (
        {
            "AttributeDefinitions": [*STRINGS, {"AttributeName": "x", "AttributeType": "S"}],
            "GlobalSecondaryIndexes": [index("one", "c")],
        },
        "Some AttributeDefinitions are not used. AttributeDefinitions: [p, c, x], keys used: [p, c]",
    ),
    ({"StreamSpecification": {"StreamEnabled": True}}, "StreamViewType must be specified"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_definition_that_aws_does_not_admit(db: Any, change: dict[str, Any], message: str) -> None:
    definition = {
        "TableName": "table",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [HASH, RANGE],
        "AttributeDefinitions": STRINGS,
    }
    with pytest.raises(ClientError) as error:
        db.create_table(**{**definition, **change})
    code, said = failure(error)
    assert code == "ValidationException"
    assert message in said


def test_an_update_that_changes_nothing_is_refused(db: Any, make_table: MakeTable) -> None:
    make_table("t-1", "p:S")
    with pytest.raises(ClientError, match="At least one of ProvisionedThroughput, BillingMode"):
        db.update_table(TableName="t-1")


def test_tables_belong_to_an_account_and_a_region(aws: Any, db: Any, make_table: MakeTable) -> None:
    make_table("t-1", "p:S")
    elsewhere = aws.session.client("dynamodb", region_name="eu-west-1")
    assert elsewhere.list_tables()["TableNames"] == []
    assert db.list_tables()["TableNames"] == ["t-1"]


def test_a_table_can_be_named_by_its_arn(db: Any, aws: Any) -> None:
    arn = f"arn:aws:dynamodb:us-east-1:{aws.account}:table/orders"
    keys = {
        "KeySchema": [HASH],
        "AttributeDefinitions": STRINGS[:1],
        "BillingMode": "PAY_PER_REQUEST",
    }
    assert db.create_table(TableName=arn, **keys)["TableDescription"]["TableArn"] == arn
    db.put_item(TableName=arn, Item={"p": {"S": "a"}})
    assert db.get_item(TableName="orders", Key={"p": {"S": "a"}})["Item"] == {"p": {"S": "a"}}
    with pytest.raises(ClientError, match="ResourceInUseException"):
        db.create_table(TableName="orders", **keys)
    for wrong in (
        arn.replace("us-east-1", "eu-west-1"),
        arn.replace("dynamodb", "sqs"),
        f"{arn}/index/by-x",
        "arn:aws:dynamodb",
    ):
        with pytest.raises(ClientError) as error:
            db.get_item(TableName=wrong, Key={"p": {"S": "a"}})
        assert failure(error)[0] == "ValidationException"
        with pytest.raises(ClientError) as error:
            db.create_table(TableName=wrong, **keys)
        assert failure(error)[0] == "ValidationException"


def test_an_account_has_2500_tables_in_a_region(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert creating.TABLES == 2500
    monkeypatch.setattr(creating, "TABLES", 2)
    dynamo.table("orders-1")
    dynamo.table("orders-2")
    asked: dict[str, Any] = {
        "TableName": "orders-3",
        "KeySchema": [HASH],
        "AttributeDefinitions": STRINGS[:1],
        "BillingMode": "PAY_PER_REQUEST",
    }
    error = dynamo.refused("CreateTable", **asked)
    assert (error.code, "limit of 2 tables" in error.message) == ("LimitExceededException", True)
    dynamo.call("DeleteTable", TableName="orders-1")
    dynamo.call("CreateTable", **asked)
