"""Secrets and the users of their account, where permissions are enforced: policies of both sides, condition keys."""

from __future__ import annotations

from typing import Any

from tests.refused import code_of, refused
from tests.strict_accounts import Account, allow, deny, document, is_denied


def _create(account: Account, **more: Any) -> str:
    arn: str = account.client("secretsmanager").create_secret(Name="s", SecretString="v", **more)["ARN"]
    return arn


def test_either_policy_is_enough_within_an_account(strict_account: Account) -> None:
    arn = _create(strict_account)
    by_own = strict_account.user(allow("secretsmanager:GetSecretValue", f"{arn[:-6]}??????"))
    assert by_own.client("secretsmanager").get_secret_value(SecretId="s")["SecretString"] == "v"
    assert is_denied(by_own.client("secretsmanager").describe_secret, SecretId="s")
    named = strict_account.user(name="named")
    assert is_denied(named.client("secretsmanager").get_secret_value, SecretId="s")
    policy = document(allow("secretsmanager:GetSecretValue", Principal={"AWS": named.arn}))
    strict_account.client("secretsmanager").put_resource_policy(SecretId="s", ResourcePolicy=policy)
    # The key that encrypts the secret is the user's to use by way of Secrets Manager.
    assert named.client("secretsmanager").get_secret_value(SecretId="s")["SecretString"] == "v"
    denied = strict_account.user(allow("secretsmanager:*"), deny("secretsmanager:GetSecretValue", arn), name="denied")
    message = refused(denied.client("secretsmanager").get_secret_value, SecretId="s")[1]
    assert message.endswith("with an explicit deny in an identity-based policy")


def test_tags_and_stages_are_conditions(strict_account: Account) -> None:
    _create(strict_account, Tags=[{"Key": "team", "Value": "red"}])
    keys = {"secretsmanager:ResourceTag/team": "red", "secretsmanager:VersionStage": "AWSCURRENT"}
    by_tag = {"Condition": {"StringEquals": keys}}
    client = strict_account.user(allow("secretsmanager:GetSecretValue", **by_tag)).client("secretsmanager")
    client.get_secret_value(SecretId="s")
    assert is_denied(client.get_secret_value, SecretId="s", VersionStage="AWSPREVIOUS")
    strict_account.client("secretsmanager").tag_resource(SecretId="s", Tags=[{"Key": "team", "Value": "blue"}])
    assert is_denied(client.get_secret_value, SecretId="s")


def test_who_may_not_read_a_secret_does_not_learn_whether_it_is_there(strict_account: Account) -> None:
    nobody = strict_account.user().client("secretsmanager")
    assert code_of(nobody.get_secret_value, SecretId="none") == "AccessDeniedException"
    reader = strict_account.user(allow("secretsmanager:GetSecretValue"), name="reader").client("secretsmanager")
    assert code_of(reader.get_secret_value, SecretId="none") == "ResourceNotFoundException"


def test_tags_and_replicas_of_a_new_secret_are_allowed_by_themselves(strict_account: Account) -> None:
    client = strict_account.user(allow("secretsmanager:CreateSecret")).client("secretsmanager")
    tags = [{"Key": "team", "Value": "red"}]
    assert is_denied(client.create_secret, Name="a", Tags=tags)
    assert is_denied(client.create_secret, Name="a", AddReplicaRegions=[{"Region": "eu-west-1"}])
    tagger = strict_account.user(
        allow(["secretsmanager:CreateSecret", "secretsmanager:TagResource"]), name="tagger"
    ).client("secretsmanager")
    tagger.create_secret(Name="a", Tags=tags)


def test_a_tag_must_have_a_key(strict_account: Account) -> None:
    _create(strict_account)
    client = strict_account.client("secretsmanager")
    assert code_of(client.tag_resource, SecretId="s", Tags=[{"Value": "v"}]) == "InvalidParameterException"
    given: dict[str, Any] = {"SecretId": "s", "AddReplicaRegions": [{}]}
    assert code_of(client.replicate_secret_to_regions, **given) == "InvalidParameterException"
