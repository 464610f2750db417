"""Aliases, and the AWS managed keys behind those that are reserved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.kms.keys import create_key


def test_an_alias_names_a_key(aws: Aws, kms: Any) -> None:
    key = create_key(kms)
    kms.create_alias(AliasName="alias/shop/one", TargetKeyId=key)
    shown = kms.list_aliases()["Aliases"][0]
    arn = f"arn:aws:kms:us-east-1:{aws.account}:alias/shop/one"
    assert (shown["AliasName"], shown["AliasArn"], shown["TargetKeyId"]) == ("alias/shop/one", arn, key)
    assert shown["CreationDate"] == shown["LastUpdatedDate"]
    blob = kms.encrypt(KeyId="alias/shop/one", Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(KeyId=arn, CiphertextBlob=blob)["Plaintext"] == b"x"


def test_an_alias_moves_to_a_key_of_the_same_type(kms: Any) -> None:
    one, two = create_key(kms), create_key(kms)
    kms.create_alias(AliasName="alias/a", TargetKeyId=one)
    kms.update_alias(AliasName="alias/a", TargetKeyId=two)
    assert kms.describe_key(KeyId="alias/a")["KeyMetadata"]["KeyId"] == two
    assert kms.list_aliases(KeyId=one)["Aliases"] == []
    assert [each["AliasName"] for each in kms.list_aliases(KeyId=two)["Aliases"]] == ["alias/a"]
    mac = create_key(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    assert code_of(kms.update_alias, AliasName="alias/a", TargetKeyId=mac) == "ValidationException"


def test_an_alias_is_deleted(aws: Aws, kms: Any) -> None:
    key = create_key(kms)
    kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    kms.delete_alias(AliasName="alias/a")
    message = f"Alias arn:aws:kms:us-east-1:{aws.account}:alias/a is not found."
    assert refused(kms.delete_alias, AliasName="alias/a") == ("NotFoundException", message)
    assert refused(kms.update_alias, AliasName="alias/a", TargetKeyId=key) == ("NotFoundException", message)
    assert kms.list_aliases(KeyId=key)["Aliases"] == []


def test_aliases_that_are_refused(aws: Aws, kms: Any) -> None:
    key = create_key(kms)
    kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    assert refused(kms.create_alias, AliasName="alias/a", TargetKeyId=key) == (
        "AlreadyExistsException",
        f"An alias with the name arn:aws:kms:us-east-1:{aws.account}:alias/a already exists",
    )
    assert refused(kms.create_alias, AliasName="a", TargetKeyId=key) == (
        "ValidationException",
        'Alias must start with the prefix "alias/". Please see '
        "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
    )
    assert code_of(kms.create_alias, AliasName="alias/a:b", TargetKeyId=key) == "InvalidAliasNameException"
    assert code_of(kms.create_alias, AliasName="alias/aws/s3", TargetKeyId=key) == "NotAuthorizedException"
    assert code_of(kms.create_alias, AliasName="alias/b", TargetKeyId="alias/a") == "NotFoundException"


def test_aliases_are_listed_in_pages(kms: Any) -> None:
    key = create_key(kms)
    names = [f"alias/{number}" for number in range(5)]
    for name in names:
        kms.create_alias(AliasName=name, TargetKeyId=key)
    for params in ({}, {"KeyId": key}):
        first = kms.list_aliases(Limit=3, **params)
        rest = kms.list_aliases(Limit=3, Marker=first["NextMarker"], **params)
        assert [each["AliasName"] for each in first["Aliases"] + rest["Aliases"]] == names
        assert (first["Truncated"], rest["Truncated"]) == (True, False)


@pytest.mark.parametrize(
    "service", ["s3", "sqs", "secretsmanager", "ssm", "dynamodb", "lambda", "sns", "logs", "kinesis", "rds"]
)
def test_an_aws_managed_key_is_there_once_it_is_named(aws: Aws, kms: Any, service: str) -> None:
    assert kms.list_aliases()["Aliases"] == []
    shown = kms.describe_key(KeyId=f"alias/aws/{service}")["KeyMetadata"]
    assert (shown["KeyManager"], shown["KeyState"], shown["Origin"]) == ("AWS", "Enabled", "AWS_KMS")
    assert shown["Description"].startswith("Default key that protects my ")
    assert kms.describe_key(KeyId=f"alias/aws/{service}")["KeyMetadata"] == shown
    assert kms.list_aliases()["Aliases"][0]["TargetKeyId"] == shown["KeyId"]
    policy = json.loads(kms.get_key_policy(KeyId=shown["KeyId"])["Policy"])
    assert policy["Statement"][0]["Condition"]["StringEquals"] == {
        "kms:CallerAccount": aws.account,
        "kms:ViaService": f"{service}.us-east-1.amazonaws.com",
    }
    assert kms.get_key_rotation_status(KeyId=shown["KeyId"])["KeyRotationEnabled"]


def test_nobody_changes_an_aws_managed_key(aws: Aws, kms: Any) -> None:
    shown = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    key = shown["KeyId"]
    assert refused(kms.disable_key, KeyId=key) == (
        "AccessDeniedException",
        f"User: arn:aws:iam::{aws.account}:root is not authorized to perform: kms:DisableKey on resource: "
        f"{shown['Arn']} because no resource-based policy allows the kms:DisableKey action",
    )
    calls: list[tuple[Any, dict[str, Any]]] = [
        (kms.schedule_key_deletion, {}),
        (kms.put_key_policy, {"Policy": "{}"}),
        (kms.tag_resource, {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        (kms.update_key_description, {"Description": "mine"}),
        (kms.disable_key_rotation, {}),
        (kms.rotate_key_on_demand, {}),
    ]
    for call, params in calls:
        assert code_of(call, KeyId=key, **params) == "AccessDeniedException"
    assert code_of(kms.create_alias, AliasName="alias/mine", TargetKeyId=key) == "AccessDeniedException"


def test_an_alias_of_no_service(kms: Any) -> None:
    assert code_of(kms.describe_key, KeyId="alias/aws/nonsense") == "NotFoundException"
