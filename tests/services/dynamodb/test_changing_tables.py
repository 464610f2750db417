"""UpdateTable: what can be changed of a table, and what AWS does not admit."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.services.dynamodb.backup import copies
from tests.services.dynamodb.conftest import index
from tests.services.dynamodb.local import LocalDynamo

UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
STRING = [{"AttributeName": "x", "AttributeType": "S"}]


def described(dynamo: LocalDynamo, name: str = "orders") -> dict[str, Any]:
    found: dict[str, Any] = dynamo.call("DescribeTable", TableName=name)["Table"]
    return found


def change(dynamo: LocalDynamo, **params: Any) -> dict[str, Any]:
    dynamo.call("UpdateTable", TableName="orders", **params)
    return described(dynamo)


def provisioned(dynamo: LocalDynamo) -> None:
    """Make a provisioned table with an index."""
    dynamo.call(
        "CreateTable",
        TableName="orders",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}, *STRING],
        ProvisionedThroughput=UNITS,
        GlobalSecondaryIndexes=[{**index("by-x", "x"), "ProvisionedThroughput": UNITS}],
    )


def units(throughput: dict[str, Any]) -> tuple[int, int]:
    return throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]


def test_the_billing_mode_is_changed_with_its_indexes(dynamo: LocalDynamo) -> None:
    provisioned(dynamo)
    assert "BillingModeSummary" not in described(dynamo)
    table = change(dynamo, BillingMode="PAY_PER_REQUEST")
    assert table["BillingModeSummary"] == {
        "BillingMode": "PAY_PER_REQUEST",
        "LastUpdateToPayPerRequestDateTime": dynamo.now,
    }
    assert units(table["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]) == (0, 0)
    back = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": UNITS}
    error = dynamo.refused("UpdateTable", TableName="orders", **back)
    assert error.message.endswith("ProvisionedThroughput must be specified for index: by-x")
    update = {"IndexName": "by-x", "ProvisionedThroughput": {**UNITS, "ReadCapacityUnits": 7}}
    table = change(dynamo, **back, GlobalSecondaryIndexUpdates=[{"Update": update}])
    assert table["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert units(table["ProvisionedThroughput"]) == (5, 5)
    assert units(table["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]) == (7, 5)


def test_the_throughput_of_an_index_is_changed(dynamo: LocalDynamo) -> None:
    provisioned(dynamo)
    update: dict[str, Any] = {"IndexName": "by-x", "ProvisionedThroughput": {**UNITS, "WriteCapacityUnits": 2}}
    shown = change(dynamo, GlobalSecondaryIndexUpdates=[{"Update": update}])["GlobalSecondaryIndexes"][0]
    assert units(shown["ProvisionedThroughput"]) == (5, 2)
    assert shown["ProvisionedThroughput"]["LastDecreaseDateTime"] == dynamo.now
    error = dynamo.refused("UpdateTable", TableName="orders", GlobalSecondaryIndexUpdates=[{"Update": update}])
    assert error.message.startswith("The provisioned throughput for the index: by-x will not change.")
    change(dynamo, BillingMode="PAY_PER_REQUEST")
    error = dynamo.refused("UpdateTable", TableName="orders", GlobalSecondaryIndexUpdates=[{"Update": update}])
    assert error.message.endswith("for index: by-x when BillingMode is PAY_PER_REQUEST")


def test_decreases_are_counted_by_the_day(dynamo: LocalDynamo) -> None:
    provisioned(dynamo)
    for read in (4, 3):
        table = change(dynamo, ProvisionedThroughput={**UNITS, "ReadCapacityUnits": read})
    assert table["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 2
    dynamo.advance(86_400)
    assert described(dynamo)["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0
    table = change(dynamo, ProvisionedThroughput={**UNITS, "ReadCapacityUnits": 2})
    assert table["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 1


def test_after_four_decreases_a_day_each_takes_an_hour(dynamo: LocalDynamo) -> None:
    provisioned(dynamo)

    def to(read: int) -> dict[str, Any]:
        return {"ProvisionedThroughput": {**UNITS, "ReadCapacityUnits": read}}

    dynamo.advance(86_400 - dynamo.now % 86_400)
    for read in (4, 3, 2, 1):
        change(dynamo, **to(read))
    change(dynamo, **to(5))
    error = dynamo.refused("UpdateTable", TableName="orders", **to(4))
    assert error.code == "LimitExceededException"
    assert "Number of decreases today: 4. Last decrease at " in error.message
    assert "12:00:00 AM UTC. Next decrease can be made at " in error.message
    assert error.message.endswith(" 1:00:00 AM UTC")
    # An index has decreases of its own, but all of a request is done or nothing.
    of_index: dict[str, Any] = {"GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": "by-x", **to(4)}}]}
    assert dynamo.refused("UpdateTable", TableName="orders", **to(4), **of_index).code == "LimitExceededException"
    change(dynamo, **of_index)
    dynamo.advance(3_600)
    change(dynamo, **to(4))
    assert dynamo.refused("UpdateTable", TableName="orders", **to(3)).code == "LimitExceededException"
    # A table that is restored from it has had none.
    arn = dynamo.call("CreateBackup", TableName="orders", BackupName="before")["BackupDetails"]["BackupArn"]
    dynamo.until(lambda: dynamo.call("ListBackups")["BackupSummaries"][0]["BackupStatus"] == "AVAILABLE")
    dynamo.call("RestoreTableFromBackup", TargetTableName="restored", BackupArn=arn)
    dynamo.until(lambda: described(dynamo, "restored")["TableStatus"] == "ACTIVE")
    restored = described(dynamo, "restored")["ProvisionedThroughput"]
    assert restored == {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 4, "WriteCapacityUnits": 5}
    dynamo.call("UpdateTable", TableName="restored", **to(3))
    dynamo.advance(86_400)
    change(dynamo, **to(3))


def test_maximum_and_warm_throughput_are_changed(dynamo: LocalDynamo) -> None:
    dynamo.table()
    assert described(dynamo)["WarmThroughput"] == {
        "ReadUnitsPerSecond": 12_000,
        "WriteUnitsPerSecond": 4_000,
        "Status": "ACTIVE",
    }
    table = change(dynamo, OnDemandThroughput={"MaxReadRequestUnits": 9}, WarmThroughput={"WriteUnitsPerSecond": 5_000})
    assert table["OnDemandThroughput"] == {"MaxReadRequestUnits": 9, "MaxWriteRequestUnits": -1}
    assert table["WarmThroughput"]["WriteUnitsPerSecond"] == 5_000
    for asked in {"WriteUnitsPerSecond": 4_999}, {"ReadUnitsPerSecond": 11_999}:
        error = dynamo.refused("UpdateTable", TableName="orders", WarmThroughput=asked)
        assert error.message.startswith("One or more parameter values were invalid: ")
    assert "OnDemandThroughput" not in change(dynamo, OnDemandThroughput={"MaxReadRequestUnits": -1})
    error = dynamo.refused("UpdateTable", TableName="orders", OnDemandThroughput={"MaxReadRequestUnits": 0})
    assert error.message.endswith("MaxReadRequestUnits must be at least 1: 0")


def test_the_class_is_changed(dynamo: LocalDynamo) -> None:
    dynamo.table()
    table = change(dynamo, TableClass="STANDARD_INFREQUENT_ACCESS")
    assert table["TableClassSummary"] == {
        "TableClass": "STANDARD_INFREQUENT_ACCESS",
        "LastUpdateDateTime": dynamo.now,
    }


def test_a_stream_begins_and_ends(dynamo: LocalDynamo) -> None:
    dynamo.table()
    on = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    table = change(dynamo, StreamSpecification=on)
    assert table["StreamSpecification"] == on
    arn = table["LatestStreamArn"]
    error = dynamo.refused("UpdateTable", TableName="orders", StreamSpecification=on)
    assert error.message == "Table already has an enabled stream: TableName: orders"
    table = change(dynamo, StreamSpecification={"StreamEnabled": False})
    assert "StreamSpecification" not in table
    assert table["LatestStreamArn"] == arn
    error = dynamo.refused("UpdateTable", TableName="orders", StreamSpecification={"StreamEnabled": False})
    assert error.message == "Table is already in the desired state: stream is disabled"


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        (
            {"BillingMode": "PAY_PER_REQUEST", "ProvisionedThroughput": UNITS},
            "ValidationException",
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        (
            {"OnDemandThroughput": {"MaxReadRequestUnits": 1}},
            "ValidationException",
            "OnDemandThroughput cannot be specified when BillingMode is PROVISIONED",
        ),
        ({"GlobalSecondaryIndexUpdates": []}, "ValidationException", "GlobalSecondaryIndexUpdates is empty"),
        (
            {"GlobalSecondaryIndexUpdates": [{}]},
            "ValidationException",
            "Exactly one of Create, Update or Delete must be specified in each GlobalSecondaryIndexUpdate",
        ),
        (
            {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-x"}}, {"Delete": {"IndexName": "by-y"}}]},
            "LimitExceededException",
            "Only 1 online index can be created or deleted simultaneously per table",
        ),
        (
            {
                "GlobalSecondaryIndexUpdates": [
                    {"Update": {"IndexName": "by-x", "ProvisionedThroughput": {**UNITS, "ReadCapacityUnits": units}}}
                    for units in (6, 7)
                ]
            },
            "ValidationException",
            "Only one global secondary index update per index is allowed simultaneously",
        ),
        (
            {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "unknown"}}]},
            "ResourceNotFoundException",
            "Requested resource not found",
        ),
        (
            {
                "GlobalSecondaryIndexUpdates": [{"Create": {**index("by-x", "x"), "ProvisionedThroughput": UNITS}}],
                "AttributeDefinitions": STRING,
            },
            "ValidationException",
            "Attempting to create an index which already exists",
        ),
        (
            {"GlobalSecondaryIndexUpdates": [{"Create": index("by-p", "p")}]},
            "ValidationException",
            "ProvisionedThroughput must be specified for index: by-p",
        ),
        (
            {"GlobalSecondaryIndexUpdates": [{"Create": {**index("by-y", "y"), "ProvisionedThroughput": UNITS}}]},
            "ValidationException",
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [y], AttributeDefinitions: []",
        ),
        (
            {"AttributeDefinitions": [{"AttributeName": "x", "AttributeType": "N"}], "TableClass": "STANDARD"},
            "ValidationException",
            "Attributes cannot be redefined.",
        ),
        ({"SSESpecification": {"Enabled": False}}, "ValidationException", "Table is already encrypted by default"),
        (
            {"SSESpecification": {"Enabled": False, "KMSMasterKeyId": "x"}},
            "ValidationException",
            "KMSMasterKeyId cannot be specified when SSE is not enabled",
        ),
        (
            {"SSESpecification": {"Enabled": True, "SSEType": "AES256"}},
            "ValidationException",
            "SSEType AES256 is not supported",
        ),
        (
            {"SSESpecification": {"Enabled": True, "KMSMasterKeyId": "alias/own"}},
            "ValidationException",
            "One or more parameter values were invalid: SSEType KMS is required if KMSMasterKeyId is specified",
        ),
        (
            {"StreamSpecification": {"StreamEnabled": False, "StreamViewType": "KEYS_ONLY"}},
            "ValidationException",
            "StreamViewType cannot be specified when StreamEnabled is set to false",
        ),
        (
            {"ProvisionedThroughput": {**UNITS, "ReadCapacityUnits": 40_001}},
            "LimitExceededException",
            "ReadCapacityUnits of 40001 exceeds the limit of 40000 per table",
        ),
    ],
)
def test_what_aws_does_not_admit(dynamo: LocalDynamo, params: dict[str, Any], code: str, message: str) -> None:
    provisioned(dynamo)
    before = described(dynamo)
    error = dynamo.refused("UpdateTable", TableName="orders", **params)
    assert (error.code, message in error.message) == (code, True), error.message
    assert described(dynamo) == before


def test_a_table_that_is_being_restored_is_not_changed(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_ITEMS", 1)
    dynamo.table()
    for number in range(100):
        dynamo.put(str(number))
    arn = dynamo.call("CreateBackup", TableName="orders", BackupName="all")["BackupDetails"]["BackupArn"]
    dynamo.until(
        lambda: (
            dynamo.call("DescribeBackup", BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"]
            == "AVAILABLE"
        )
    )
    dynamo.call("RestoreTableFromBackup", TargetTableName="restored", BackupArn=arn)
    error = dynamo.refused("UpdateTable", TableName="restored", TableClass="STANDARD")
    assert error.code == "ResourceInUseException"
    error = dynamo.refused("DeleteTable", TableName="restored")
    assert error.message.endswith("Table is being created: restored")
    dynamo.until(lambda: described(dynamo, "restored")["TableStatus"] == "ACTIVE")
    dynamo.call("DeleteTable", TableName="restored")
