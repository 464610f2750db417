"""Tables with a key of KMS: what is on disk, who may use them, and what becomes of them with the key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.dynamodb.conftest import index
from tests.services.dynamodb.local import ACCOUNT, REGION, LocalDynamo, item
from tests.standing import eventually

_SECRET = "a very secret text that nobody else may read"
_FIVE_MINUTES = 301
_BY_X = {
    "GlobalSecondaryIndexes": [index("by-x", "x")],
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "x")],
}


def _key(dynamo: LocalDynamo) -> str:
    return str(dynamo.call("CreateKey", service="kms")["KeyMetadata"]["Arn"])


def _sse(key: str) -> dict[str, Any]:
    return {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}}


def _table(dynamo: LocalDynamo, name: str = "orders") -> dict[str, Any]:
    found: dict[str, Any] = dynamo.call("DescribeTable", TableName=name)["Table"]
    return found


def _is_on_disk(dynamo: LocalDynamo, text: str = _SECRET) -> bool:
    """Whether DynamoDB's files have a text in the clear."""
    dynamo.restart()
    files = [file for file in (dynamo.cloud.config.data / "blocks" / "dynamodb").rglob("*") if file.is_file()]
    return any(text.encode() in file.read_bytes() for file in files)


def _disable(dynamo: LocalDynamo, key: str) -> None:
    dynamo.call("DisableKey", service="kms", KeyId=key)
    dynamo.clock.advance(_FIVE_MINUTES)


def test_contents_are_encrypted_wherever_they_lie(dynamo: LocalDynamo) -> None:
    """Items, indexes, streams, former states and backups."""
    dynamo.table(view="NEW_AND_OLD_IMAGES", **_BY_X, **_sse(_key(dynamo)))
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamo.call("UpdateContinuousBackups", TableName="orders", PointInTimeRecoverySpecification=recovery)
    dynamo.put("1", x="a", text=_SECRET)
    dynamo.put("1", x="b", text=f"{_SECRET}, too")
    arn = dynamo.call("CreateBackup", TableName="orders", BackupName="full")["BackupDetails"]["BackupArn"]
    eventually(lambda: _is_available(dynamo, arn))
    dynamo.table("plain")
    dynamo.put("1", "plain", text="in the clear, as before")
    assert _is_on_disk(dynamo, "in the clear, as before")
    assert not _is_on_disk(dynamo)
    assert dynamo.items()["1"]["text"]["S"] == f"{_SECRET}, too"
    found = dynamo.call(
        "Query",
        TableName="orders",
        IndexName="by-x",
        KeyConditionExpression="x = :x",
        ExpressionAttributeValues={":x": {"S": "b"}},
    )
    assert found["Items"] == [item("1", x="b", text=f"{_SECRET}, too")]
    assert [each["eventName"] for each in dynamo.records(dynamo.stream())] == ["INSERT", "MODIFY"]
    dynamo.call("RestoreTableFromBackup", TargetTableName="restored", BackupArn=arn)
    eventually(lambda: _table(dynamo, "restored")["TableStatus"] == "ACTIVE")
    assert dynamo.items("restored") == dynamo.items()


def _is_available(dynamo: LocalDynamo, arn: str) -> bool:
    described = dynamo.call("DescribeBackup", BackupArn=arn)["BackupDescription"]
    return bool(described["BackupDetails"]["BackupStatus"] == "AVAILABLE")


def test_a_table_without_a_key_is_as_before(dynamo: LocalDynamo) -> None:
    dynamo.table()
    dynamo.put("1", text=_SECRET)
    assert "SSEDescription" not in _table(dynamo)


def test_every_operation_on_items_works(dynamo: LocalDynamo) -> None:
    dynamo.table(**_sse(_key(dynamo)))
    dynamo.table("plain")
    writes = [{"PutRequest": {"Item": item(str(number), n=number)}} for number in range(3)]
    dynamo.call("BatchWriteItem", RequestItems={"orders": writes, "plain": writes})
    put = [{"Put": {"TableName": name, "Item": item("t", n=9)}} for name in ("orders", "plain")]
    dynamo.call("TransactWriteItems", TransactItems=put)
    key = {"p": {"S": "t"}}
    got = dynamo.call("TransactGetItems", TransactItems=[{"Get": {"TableName": "orders", "Key": key}}])
    assert got["Responses"] == [{"Item": item("t", n=9)}]
    updated = dynamo.call(
        "UpdateItem",
        TableName="orders",
        Key=key,
        UpdateExpression="ADD n :one",
        ConditionExpression="n = :nine",
        ExpressionAttributeValues={":one": {"N": "1"}, ":nine": {"N": "9"}},
        ReturnValues="ALL_NEW",
    )
    assert updated["Attributes"] == item("t", n=10)
    found = dynamo.call("BatchGetItem", RequestItems={"orders": {"Keys": [key]}, "plain": {"Keys": [key]}})
    assert found["Responses"] == {"orders": [item("t", n=10)], "plain": [item("t", n=9)]}
    selected = dynamo.call("ExecuteStatement", Statement="SELECT * FROM orders WHERE p = 't'")
    assert selected["Items"] == [item("t", n=10)]
    statements = [
        {"Statement": "INSERT INTO orders VALUE {'p': 'i', 'n': 1}"},
        {"Statement": "UPDATE orders SET n = 2 WHERE p = 't'"},
    ]
    assert dynamo.call("BatchExecuteStatement", Statements=statements)["Responses"] == [{"TableName": "orders"}] * 2
    dynamo.call("ExecuteStatement", Statement="DELETE FROM orders WHERE p = 'i'")
    dynamo.delete("0")
    assert dynamo.items() == {"1": item("1", n=1), "2": item("2", n=2), "t": item("t", n=2)}


def test_the_keys_of_kms_are_told(dynamo: LocalDynamo) -> None:
    key = _key(dynamo)
    dynamo.table(**_sse(key.rpartition("/")[2]))
    described = {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key}
    assert _table(dynamo)["SSEDescription"] == described
    dynamo.table("managed", SSESpecification={"Enabled": True})
    managed = _table(dynamo, "managed")["SSEDescription"]["KMSMasterKeyArn"]
    known = dynamo.call("DescribeKey", service="kms", KeyId="alias/aws/dynamodb")["KeyMetadata"]["Arn"]
    assert managed == known


def test_a_table_with_items_gets_a_key_another_one_and_none(dynamo: LocalDynamo) -> None:
    dynamo.table(view="NEW_IMAGE", **_BY_X)
    for number in range(150):
        dynamo.put(str(number), x="a", text=_SECRET)
    before = dynamo.items()
    first, second = _key(dynamo), _key(dynamo)
    changed = dynamo.call("UpdateTable", TableName="orders", **_sse(first))["TableDescription"]["SSEDescription"]
    assert changed == {"Status": "UPDATING", "SSEType": "KMS", "KMSMasterKeyArn": first}
    assert dynamo.items() == before
    eventually(lambda: _table(dynamo)["SSEDescription"]["Status"] == "ENABLED")
    assert dynamo.items() == before
    error = dynamo.refused("UpdateTable", TableName="orders", **_sse(first))
    assert error.message.endswith("Table is already encrypted by given KMSMasterKeyId")
    dynamo.call("UpdateTable", TableName="orders", **_sse(second))
    # From now on the first key may go.
    _disable(dynamo, first)
    assert dynamo.items() == before
    assert len(dynamo.records(dynamo.stream())) == 150
    dynamo.call("UpdateTable", TableName="orders", SSESpecification={"Enabled": False})
    _disable(dynamo, second)
    assert "SSEDescription" not in _table(dynamo)
    assert dynamo.items() == before
    dynamo.put("new", text=_SECRET)
    dynamo.call("UpdateTable", TableName="orders", **_sse(_key(dynamo)))
    assert len(dynamo.items()) == 151


def test_a_table_whose_key_is_disabled_cannot_be_used_until_it_is_enabled(dynamo: LocalDynamo) -> None:
    key = _key(dynamo)
    dynamo.table(view="NEW_IMAGE", **_sse(key))
    dynamo.put("1", text=_SECRET)
    stream = dynamo.stream()
    iterator = dynamo.iterator(stream, dynamo.shards(stream)[0]["ShardId"])
    _disable(dynamo, key)
    known = {"p": {"S": "1"}}
    for operation, params in (
        ("GetItem", {"TableName": "orders", "Key": known}),
        ("PutItem", {"TableName": "orders", "Item": item("2")}),
        ("Scan", {"TableName": "orders"}),
        ("BatchGetItem", {"RequestItems": {"orders": {"Keys": [known]}}}),
        ("TransactWriteItems", {"TransactItems": [{"Delete": {"TableName": "orders", "Key": known}}]}),
        ("GetRecords", {"ShardIterator": iterator}),
    ):
        error = dynamo.refused(operation, **params)
        assert error.code == "AccessDeniedException", operation
        assert error.message.startswith("KMS key access denied error: com.amazonaws.services.kms.model.Disabled")
    table = _table(dynamo)
    assert table["TableStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
    assert table["SSEDescription"]["InaccessibleEncryptionDateTime"] == dynamo.clock.now()
    dynamo.call("EnableKey", service="kms", KeyId=key)
    dynamo.clock.advance(_FIVE_MINUTES)
    table = _table(dynamo)
    assert (table["TableStatus"], "InaccessibleEncryptionDateTime" in table["SSEDescription"]) == ("ACTIVE", False)
    assert dynamo.items()["1"]["text"]["S"] == _SECRET


def test_a_table_is_found_to_be_unusable_without_being_used(dynamo: LocalDynamo) -> None:
    key = _key(dynamo)
    dynamo.table(**_sse(key))
    _disable(dynamo, key)
    assert _table(dynamo)["TableStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
    dynamo.call("DeleteTable", TableName="orders")


def test_a_restored_table_has_the_key_of_its_source_or_another(dynamo: LocalDynamo) -> None:
    key, other = _key(dynamo), _key(dynamo)
    dynamo.table(**_sse(key))
    dynamo.put("1", text=_SECRET)
    arn = dynamo.call("CreateBackup", TableName="orders", BackupName="full")["BackupDetails"]["BackupArn"]
    eventually(lambda: _is_available(dynamo, arn))
    wanted = {
        "same": {},
        "other": {"SSESpecificationOverride": _sse(other)["SSESpecification"]},
        "owned": {"SSESpecificationOverride": {"Enabled": False}},
    }
    for name, override in wanted.items():
        dynamo.call("RestoreTableFromBackup", TargetTableName=name, BackupArn=arn, **override)
        eventually(lambda name=name: _table(dynamo, name)["TableStatus"] == "ACTIVE")
        assert dynamo.items(name)["1"]["text"]["S"] == _SECRET
    keys = {name: _table(dynamo, name).get("SSEDescription", {}).get("KMSMasterKeyArn") for name in wanted}
    assert keys == {"same": key, "other": other, "owned": None}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"KMSMasterKeyId": "alias/missing", "SSEType": "KMS"},
            "KMS validation error: com.amazonaws.services.kms.model.NotFoundException: Alias "
            f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/missing is not found.",
        ),
        ({"KMSMasterKeyId": "alias/own"}, "SSEType KMS is required if KMSMasterKeyId is specified"),
        ({"SSEType": "AES256"}, "SSEType AES256 is not supported"),
    ],
)
def test_a_key_that_cannot_be_is_refused(dynamo: LocalDynamo, given: dict[str, Any], message: str) -> None:
    key = [{"AttributeName": "p", "KeyType": "HASH"}]
    error = dynamo.refused(
        "CreateTable",
        TableName="orders",
        KeySchema=key,
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, **given},
    )
    assert error.code == "ValidationException"
    assert message in error.message
    assert dynamo.call("ListTables")["TableNames"] == []


def test_items_expire_from_encrypted_tables(dynamo: LocalDynamo) -> None:
    dynamo.table(**_sse(_key(dynamo)))
    expiry = {"Enabled": True, "AttributeName": "t"}
    dynamo.call("UpdateTimeToLive", TableName="orders", TimeToLiveSpecification=expiry)
    dynamo.put("1", t=int(dynamo.clock.now()) + 60)
    dynamo.clock.advance(120)
    eventually(lambda: dynamo.items() == {})


def test_callers_need_the_key_too(strict_dynamo: LocalDynamo) -> None:
    """A policy of the key that denies it to the caller."""
    dynamo = strict_dynamo
    root = f"arn:aws:iam::{ACCOUNT}:root"
    statement = {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"}
    key = _key(dynamo)
    dynamo.table(**_sse(key))
    dynamo.put("1", text=_SECRET)
    denial = {**statement, "Effect": "Deny", "Action": "kms:Decrypt"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement, denial]})
    dynamo.call("PutKeyPolicy", service="kms", KeyId=key, Policy=policy)
    dynamo.clock.advance(_FIVE_MINUTES)
    error = dynamo.refused("GetItem", TableName="orders", Key={"p": {"S": "1"}})
    assert error.code == "AccessDeniedException"
    assert "com.amazonaws.services.kms.model.AWSKMSException" in error.message
    assert _table(dynamo)["TableStatus"] == "ACTIVE"


def test_encrypted_tables_are_exported_and_imported(dynamo: LocalDynamo) -> None:
    arn = dynamo.table(**_sse(_key(dynamo)))
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamo.call("UpdateContinuousBackups", TableName="orders", PointInTimeRecoverySpecification=recovery)
    dynamo.put("1", text="one")
    dynamo.put("1", text="two")
    where = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    dynamo.call("CreateBucket", service="s3", Bucket="exported-items", **where)
    made = dynamo.call("ExportTableToPointInTime", TableArn=arn, S3Bucket="exported-items")["ExportDescription"]

    def export_status() -> str:
        found = dynamo.call("DescribeExport", ExportArn=made["ExportArn"])["ExportDescription"]
        return str(found["ExportStatus"])

    eventually(export_status, lambda seen: seen == "COMPLETED")
    key = _key(dynamo)
    wanted = {
        "TableName": "imported",
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        **_sse(key),
    }
    folder = made["ExportArn"].rpartition("/")[2]
    dynamo.call(
        "ImportTable",
        S3BucketSource={"S3Bucket": "exported-items", "S3KeyPrefix": f"AWSDynamoDB/{folder}/data/"},
        InputFormat="DYNAMODB_JSON",
        InputCompressionType="GZIP",
        TableCreationParameters=wanted,
    )
    eventually(lambda: _table(dynamo, "imported")["TableStatus"] == "ACTIVE")
    assert _table(dynamo, "imported")["SSEDescription"]["KMSMasterKeyArn"] == key
    assert dynamo.items("imported") == {"1": item("1", text="two")}


def test_a_vector_index_of_an_encrypted_table_is_searched(dynamo: LocalDynamo) -> None:
    vector = {"L": [{"N": "1"}, {"N": "0.5"}]}
    index_of_v = {
        "IndexName": "by-v",
        "VectorAttribute": {"AttributeName": "v"},
        "Dimensions": 2,
        "DistanceFunction": "COSINE",
        "Projection": {"ProjectionType": "ALL"},
    }
    dynamo.table(VectorIndexes=[index_of_v], **_sse(_key(dynamo)))
    dynamo.call("PutItem", TableName="orders", Item={**item("1", text=_SECRET), "v": vector})
    found = dynamo.call("SearchVectors", TableName="orders", IndexName="by-v", SearchVector=vector["L"], TopK=1)
    assert _SECRET in str(found)
    assert not _is_on_disk(dynamo)


def test_an_index_is_added_to_an_encrypted_table(dynamo: LocalDynamo) -> None:
    dynamo.table(**_sse(_key(dynamo)))
    for number in range(3):
        dynamo.put(str(number), x="a", text=_SECRET)
    update = {"GlobalSecondaryIndexUpdates": [{"Create": index("by-x", "x")}]}
    defined = [{"AttributeName": "x", "AttributeType": "S"}]
    dynamo.call("UpdateTable", TableName="orders", AttributeDefinitions=defined, **update)
    eventually(lambda: _table(dynamo)["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE")
    assert dynamo.call("Scan", TableName="orders", IndexName="by-x")["Count"] == 3
    assert not _is_on_disk(dynamo)
