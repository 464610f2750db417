"""Permissions on secrets, where they are enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server
from tests.services.secretsmanager.cloud import SecretCloud, make_token
from tests.services.secretsmanager.test_policies import make_policy

OWNER, STRANGER = "111111111111", "222222222222"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    keys = [part for account in (OWNER, STRANGER) for part in ("--root-key", f"{account}:{account}:test")]
    with Server.start("--ephemeral", "--auth", "strict", *keys) as server:
        yield server


@pytest.fixture
def owner(server: Server) -> Iterator[SecretCloud]:
    """The account that has secrets."""
    cloud = SecretCloud(Aws(server.endpoint, OWNER))
    yield cloud
    for name in cloud.names(IncludePlannedDeletion=True):
        cloud.client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def stranger(server: Server) -> SecretCloud:
    """Another account."""
    return SecretCloud(Aws(server.endpoint, STRANGER))


def _make_shared_key(owner: SecretCloud) -> str:
    """Return a KMS key that both accounts may use."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in (OWNER, STRANGER)]},
        "Action": "kms:*",
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    key: str = owner.aws.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    return key


def _allow(owner: SecretCloud, **more: Any) -> None:
    owner.client.put_resource_policy(
        SecretId="s", ResourcePolicy=make_policy({"AWS": f"arn:aws:iam::{STRANGER}:root"}, "secretsmanager:*", **more)
    )


def test_an_account_uses_its_own_secrets(owner: SecretCloud) -> None:
    owner.create()
    assert owner.value() == "first"


def test_another_account_needs_to_be_allowed(owner: SecretCloud, stranger: SecretCloud) -> None:
    arn = owner.create(KmsKeyId=_make_shared_key(owner))
    code, message = stranger.refused("get_secret_value", SecretId=arn)
    assert code == "AccessDeniedException"
    assert "secretsmanager:GetSecretValue" in message
    _allow(owner)
    assert stranger.value(arn) == "first"
    stranger.client.put_secret_value(SecretId=arn, SecretString="theirs")
    assert owner.value() == "theirs"


def test_the_key_that_aws_manages_is_for_its_own_account(owner: SecretCloud, stranger: SecretCloud) -> None:
    arn = owner.create()
    _allow(owner)
    assert stranger.refused("get_secret_value", SecretId=arn) == (
        "AccessDeniedException",
        "Access to KMS is not allowed",
    )
    assert stranger.client.describe_secret(SecretId=arn)["ARN"] == arn


@pytest.mark.parametrize(
    ("key", "value", "allowed", "denied"),
    [
        ("VersionStage", "AWSCURRENT", {}, {"VersionStage": "AWSPREVIOUS"}),
        ("VersionId", make_token(1), {"VersionId": make_token(1)}, {"VersionId": make_token(2)}),
        ("ResourceTag/team", "blue", {}, None),
    ],
)
def test_a_policy_can_depend_on_the_version_and_on_tags(
    owner: SecretCloud,
    stranger: SecretCloud,
    key: str,
    value: str,
    allowed: dict[str, str],
    denied: dict[str, str] | None,
) -> None:
    tags = [{"Key": "team", "Value": "blue"}]
    arn = owner.create(KmsKeyId=_make_shared_key(owner), ClientRequestToken=make_token(1), Tags=tags)
    owner.client.put_secret_value(SecretId="s", SecretString="second", ClientRequestToken=make_token(2))
    _allow(owner, Condition={"StringEquals": {f"secretsmanager:{key}": value}})
    assert stranger.value(arn, **allowed)
    if denied is None:
        owner.client.untag_resource(SecretId="s", TagKeys=["team"])
    assert stranger.refused("get_secret_value", SecretId=arn, **(denied or {}))[0] == "AccessDeniedException"


def test_a_policy_denies_its_own_account_too(owner: SecretCloud) -> None:
    owner.create()
    policy = make_policy("*", "secretsmanager:DeleteSecret", Effect="Deny")
    owner.client.put_resource_policy(SecretId="s", ResourcePolicy=policy)
    assert owner.refused("delete_secret", SecretId="s")[0] == "AccessDeniedException"
    assert owner.value() == "first"
    owner.client.delete_resource_policy(SecretId="s")


def test_nobody_takes_his_own_permission_away_by_tags(owner: SecretCloud) -> None:
    owner.create(Tags=[{"Key": "team", "Value": "blue"}])
    condition = {"StringNotEquals": {"aws:ResourceTag/team": "blue"}}
    policy = make_policy("*", "secretsmanager:*", Effect="Deny", Condition=condition)
    owner.client.put_resource_policy(SecretId="s", ResourcePolicy=policy)
    assert owner.refused("untag_resource", SecretId="s", TagKeys=["team"])[0] == "AccessDeniedException"
    owner.client.tag_resource(SecretId="s", Tags=[{"Key": "other", "Value": "1"}])
    assert len(owner.client.describe_secret(SecretId="s")["Tags"]) == 2


def test_errors_of_a_batch_stand_beside_the_values(owner: SecretCloud, stranger: SecretCloud) -> None:
    arn = owner.create()
    stranger.create("own", SecretString="mine")
    answer = stranger.client.batch_get_secret_value(SecretIdList=["own", arn])
    assert [each["SecretString"] for each in answer["SecretValues"]] == ["mine"]
    assert [(each["SecretId"], each["ErrorCode"]) for each in answer["Errors"]] == [(arn, "AccessDeniedException")]
    stranger.client.delete_secret(SecretId="own", ForceDeleteWithoutRecovery=True)


def test_a_function_must_let_secrets_manager_in(owner: SecretCloud) -> None:
    owner.create()
    arn = f"arn:aws:lambda:us-east-1:{OWNER}:function:none"
    assert owner.refused("rotate_secret", SecretId="s", RotationLambdaARN=arn) == (
        "AccessDeniedException",
        "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access "
        "to the principal secretsmanager.amazonaws.com.",
    )
