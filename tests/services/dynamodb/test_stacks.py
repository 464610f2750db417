"""DynamoDB's tables in stacks of CloudFormation."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.services.cloudformation.deploying import Stacks


def _describe(encryption: dict[str, Any] | None) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "TableName": "orders",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
    }
    if encryption is not None:
        properties["SSESpecification"] = encryption
    return {"Resources": {"Orders": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}}


def test_the_key_of_a_table_is_set_changed_and_taken_away(aws: Aws, db: Any) -> None:
    stacks, kms = Stacks(aws), aws.client("kms")

    def get_key() -> str | None:
        found: str | None = (
            db.describe_table(TableName="orders")["Table"].get("SSEDescription", {}).get("KMSMasterKeyArn")
        )
        return found

    keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    stacks.create("s", _describe({"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": keys[0]}))
    db.put_item(TableName="orders", Item={"p": {"S": "1"}})
    assert get_key() == keys[0]
    stacks.update("s", _describe({"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": keys[1]}))
    assert get_key() == keys[1]
    stacks.update("s", _describe(None))
    assert get_key() is None
    assert db.scan(TableName="orders")["Items"] == [{"p": {"S": "1"}}]
    stacks.delete("s")
    assert db.list_tables()["TableNames"] == []
