"""Environment variables of functions that a KMS key encrypts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from cloudlet.testing.server import Aws, Server
from tests.modes import document
from tests.services.kms.keys import allow_account, create_key, make_policy
from tests.services.lambda_.cloud import FunctionCloud, make_role
from tests.services.lambda_.programs import invoke, python
from tests.standing import eventually

SECRET = {"PASSWORD": "hunter2-hunter2"}
BODY = "return os.environ.get('PASSWORD')"
RESTARTS = "The function is started anew."


@pytest.fixture
def key(cloud: FunctionCloud) -> str:
    """The ARN of a key of the account."""
    kms = cloud.aws.client("kms")
    return str(kms.describe_key(KeyId=create_key(kms))["KeyMetadata"]["Arn"])


def secret(cloud: FunctionCloud, key: str, **more: Any) -> None:
    """Create a function with a variable that is encrypted."""
    python(cloud, BODY, KMSKeyArn=key, Environment={"Variables": SECRET}, **more)


def start_anew(cloud: FunctionCloud) -> None:
    """Have the next invocation start a new environment."""
    cloud.client.update_function_configuration(FunctionName="f", Description=RESTARTS)
    cloud.wait()


def test_a_function_has_its_variables(cloud: FunctionCloud, key: str) -> None:
    secret(cloud, key)
    assert invoke(cloud).value == SECRET["PASSWORD"]


def test_who_may_decrypt_them_sees_them(cloud: FunctionCloud, key: str) -> None:
    secret(cloud, key)
    client, shown = cloud.client, {"Variables": SECRET}
    for configuration in (
        client.get_function_configuration(FunctionName="f"),
        client.get_function(FunctionName="f")["Configuration"],
        client.list_functions()["Functions"][0],
        client.list_versions_by_function(FunctionName="f")["Versions"][0],
        client.publish_version(FunctionName="f"),
    ):
        assert (configuration["KMSKeyArn"], configuration["Environment"]) == (key, shown)
    made = cloud.function("g", KMSKeyArn=key, Environment=shown)
    assert (made["KMSKeyArn"], made["Environment"]) == (key, shown)
    changed = client.update_function_configuration(FunctionName="g", Timeout=5)
    assert (changed["KMSKeyArn"], changed["Environment"]) == (key, shown)


def test_a_published_version_keeps_them(cloud: FunctionCloud, key: str) -> None:
    secret(cloud, key, Publish=True)
    cloud.client.update_function_configuration(FunctionName="f", Environment={"Variables": {"PASSWORD": "other"}})
    cloud.wait()
    assert invoke(cloud).value == "other"
    assert invoke(cloud, Qualifier="1").value == SECRET["PASSWORD"]


def test_another_key_can_encrypt_them_or_none(cloud: FunctionCloud, key: str) -> None:
    kms = cloud.aws.client("kms")
    secret(cloud, key)
    other = kms.describe_key(KeyId=create_key(kms))["KeyMetadata"]["Arn"]
    cloud.client.update_function_configuration(FunctionName="f", KMSKeyArn=other)
    cloud.wait()
    kms.disable_key(KeyId=key)
    assert invoke(cloud).value == SECRET["PASSWORD"]
    changed = cloud.client.update_function_configuration(FunctionName="f", KMSKeyArn="")
    assert "KMSKeyArn" not in changed
    cloud.wait()
    kms.disable_key(KeyId=other)
    assert invoke(cloud).value == SECRET["PASSWORD"]


def test_the_key_of_the_account_for_lambda_can_be_named(cloud: FunctionCloud) -> None:
    kms = cloud.aws.client("kms")
    secret(cloud, kms.describe_key(KeyId="alias/aws/lambda")["KeyMetadata"]["Arn"])
    assert invoke(cloud).value == SECRET["PASSWORD"]


def test_its_role_is_granted_to_decrypt_them(cloud: FunctionCloud, key: str) -> None:
    secret(cloud, key)
    start_anew(cloud)
    (grant,) = cloud.aws.client("kms").list_grants(KeyId=key)["Grants"]
    assert (grant["GranteePrincipal"], grant["Operations"]) == (cloud.role, ["Decrypt"])
    assert grant["Constraints"] == {"EncryptionContextEquals": {"aws:lambda:FunctionArn": cloud.arn()}}


def test_its_grants_are_retired_once_no_version_needs_them(cloud: FunctionCloud, key: str) -> None:
    secret(cloud, key, Publish=True)
    kms = cloud.aws.client("kms")
    other = str(kms.describe_key(KeyId=create_key(kms))["KeyMetadata"]["Arn"])

    def count() -> tuple[int, int]:
        first, second = (len(kms.list_grants(KeyId=each)["Grants"]) for each in (key, other))
        return first, second

    cloud.client.update_function_configuration(FunctionName="f", KMSKeyArn=other)
    cloud.wait()
    # The published version has the first key yet.
    assert invoke(cloud, Qualifier="1").value == SECRET["PASSWORD"]
    assert count() == (1, 1)
    cloud.client.delete_function(FunctionName="f", Qualifier="1")
    eventually(lambda: count() == (0, 1))
    cloud.client.update_function_configuration(FunctionName="f", KMSKeyArn="")
    eventually(lambda: count() == (0, 0))
    cloud.wait()
    cloud.client.update_function_configuration(FunctionName="f", KMSKeyArn=key)
    cloud.wait()
    assert count() == (1, 0)
    cloud.client.delete_function(FunctionName="f")
    eventually(lambda: count() == (0, 0))
    secret(cloud, key)
    assert invoke(cloud).value == SECRET["PASSWORD"]


@pytest.mark.parametrize(
    ("operation", "params", "code", "reason", "said"),
    [
        ("disable_key", {}, "KMSDisabledException", "the KMS key used is disabled", "DisabledException"),
        (
            "schedule_key_deletion",
            {"PendingWindowInDays": 7},
            "KMSInvalidStateException",
            "the KMS key is not valid for Decrypt",
            "KMSInvalidStateException",
        ),
    ],
)
def test_without_its_key_a_function_does_not_start(
    cloud: FunctionCloud, key: str, operation: str, params: dict[str, Any], code: str, reason: str, said: str
) -> None:
    secret(cloud, key)
    getattr(cloud.aws.client("kms"), operation)(KeyId=key, **params)
    found, message, status = cloud.refused("invoke", FunctionName="f")
    assert (found, status) == (code, 502)
    assert message.startswith(
        f"Lambda was unable to decrypt the environment variables because {reason}. Please check the function's KMS "
        f"key settings. KMS Exception: {said}KMS Message: "
    )
    error = cloud.client.get_function_configuration(FunctionName="f")["Environment"]["Error"]
    assert error["ErrorCode"] == said
    assert error["Message"].startswith(
        f"Lambda was unable to decrypt your environment variables because {reason}. Please check your KMS key settings."
    )


def test_a_key_has_to_be_there(cloud: FunctionCloud) -> None:
    none = f"arn:aws:kms:{cloud.aws.region}:{cloud.account}:key/00000000-0000-4000-8000-000000000000"
    cloud.function()
    given = {"KMSKeyArn": none, "Environment": {"Variables": SECRET}}
    code, message, _ = cloud.refused("update_function_configuration", FunctionName="f", **given)
    assert (code, message) == (
        "InvalidParameterValueException",
        "Lambda was unable to configure access to your environment variables because the KMS key was not found. Please "
        "check your KMS key settings. KMS Exception: NotFoundExceptionKMS Message: "
        f"Key '{none}' does not exist",
    )


def test_they_are_not_on_the_disk(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, "111111111111"))
        kms = cloud.aws.client("kms")
        secret(cloud, kms.describe_key(KeyId=create_key(kms))["KeyMetadata"]["Arn"])
        cloud.function("plain", Environment={"Variables": {"PLAIN": "to-be-found"}})
        assert invoke(cloud).value == SECRET["PASSWORD"]
    contents = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert SECRET["PASSWORD"].encode() not in contents
    assert b"to-be-found" in contents
    with Server.start("--data", str(tmp_path)) as server:
        assert invoke(FunctionCloud(Aws(server.endpoint, "111111111111"))).value == SECRET["PASSWORD"]


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[FunctionCloud]:
    """The root of an account where permissions are enforced."""
    with Server.start(
        "--data", str(tmp_path), "--auth", "strict", "--root-key=111111111111:111111111111:test"
    ) as server:
        yield FunctionCloud(Aws(server.endpoint, "111111111111"))


def user(cloud: FunctionCloud, name: str, *statements: dict[str, Any]) -> Any:
    """Make a user with a policy; return his client for functions."""
    iam = cloud.aws.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=cloud.aws.region)
    return session.client("lambda", endpoint_url=cloud.aws.endpoint)


def allow(*actions: str, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return statement | ({"Condition": condition} if condition else {})


def test_permissions_on_the_key_are_needed(strict: FunctionCloud) -> None:
    kms, iam = strict.aws.client("kms"), strict.aws.client("iam")
    make_role(iam, allow("logs:*"))
    policy = make_policy(allow_account(strict.account))
    key = kms.describe_key(KeyId=create_key(kms, Policy=policy))["KeyMetadata"]["Arn"]
    via = {"StringEquals": {"kms:ViaService": f"lambda.{strict.aws.region}.amazonaws.com"}}
    nobody = user(strict, "nobody", allow("lambda:*", "iam:PassRole"))
    writer = user(strict, "writer", allow("lambda:*", "iam:PassRole"), allow("kms:Encrypt", "kms:CreateGrant", **via))
    reader = user(strict, "reader", allow("lambda:*"), allow("kms:Decrypt", **via))
    strict.function()
    given = {"FunctionName": "f", "KMSKeyArn": key, "Environment": {"Variables": SECRET}}
    with pytest.raises(nobody.exceptions.InvalidParameterValueException, match="kms:CreateGrant"):
        nobody.update_function_configuration(**given)
    shown = writer.update_function_configuration(**given)["Environment"]
    assert shown["Error"]["ErrorCode"] == "AccessDeniedException"
    assert "is not authorized to perform: kms:Decrypt on resource" in shown["Error"]["Message"]
    strict.wait()
    assert "Variables" not in nobody.get_function_configuration(FunctionName="f")["Environment"]
    assert reader.get_function_configuration(FunctionName="f")["Environment"] == {"Variables": SECRET}
    # The role may decrypt them by the grant, in the name of Lambda alone.
    assert json.load(strict.client.invoke(FunctionName="f", Payload=b"{}")["Payload"]) == {}
    (grant,) = kms.list_grants(KeyId=key)["Grants"]
    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    # What is updated is started anew.
    writer.update_function_configuration(FunctionName="f", Description="d")
    strict.wait()
    code, message, status = strict.refused("invoke", FunctionName="f")
    assert (code, status) == ("KMSAccessDeniedException", 502)
    assert "KMS access was denied. Please check the function's KMS key settings. KMS Exception: " in message
    iam.put_role_policy(RoleName="shop", PolicyName="own", PolicyDocument=document(allow("kms:Decrypt")))
    assert json.load(strict.client.invoke(FunctionName="f", Payload=b"{}")["Payload"]) == {}
