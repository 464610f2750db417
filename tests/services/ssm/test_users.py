"""Parameters and the users of their account, where permissions are enforced."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import code_of
from tests.strict_accounts import Account, allow, deny, document, is_denied


@pytest.fixture
def ssm(strict_account: Account) -> Any:
    """A client of the root, which has put some parameters."""
    client = strict_account.client("ssm")
    for name in ("/app/a", "/app/b", "/other"):
        client.put_parameter(Name=name, Value=name, Type="String")
    return client


def test_a_path_is_a_prefix_of_arns(strict_account: Account, ssm: Any) -> None:
    own = strict_account.arn_of("ssm", "parameter/app*")
    alice = strict_account.user(allow(["ssm:GetParameter*", "ssm:PutParameter"], own)).client("ssm")
    assert alice.get_parameter(Name="/app/a")["Parameter"]["Value"] == "/app/a"
    assert len(alice.get_parameters_by_path(Path="/app")["Parameters"]) == 2
    assert is_denied(alice.get_parameters_by_path, Path="/")
    assert is_denied(alice.get_parameter, Name="/other")
    assert is_denied(alice.get_parameters, Names=["/app/a", "/other"])
    assert is_denied(alice.delete_parameter, Name="/app/a")
    assert is_denied(alice.describe_parameters)
    assert code_of(alice.get_parameter, Name="/app/none") == "ParameterNotFound"
    assert is_denied(alice.get_parameter, Name="/none")


def test_names_that_nothing_can_have_are_no_way_in(strict_account: Account, ssm: Any) -> None:
    nobody = strict_account.user().client("ssm")
    assert is_denied(nobody.get_parameters, Names=["not a name"])
    assert is_denied(nobody.delete_parameters, Names=["not a name"])
    everybody = strict_account.user(allow("ssm:*"), name="everybody").client("ssm")
    assert everybody.get_parameters(Names=["not a name"])["InvalidParameters"] == ["not a name"]


def test_a_secure_string_takes_its_key_too(strict_account: Account) -> None:
    root = strict_account.client("ssm")
    key = strict_account.client("kms").create_key()["KeyMetadata"]["Arn"]
    root.put_parameter(Name="/secret", Value="v", Type="SecureString", KeyId=key)
    named = {"Name": "/secret", "WithDecryption": True}
    alice = strict_account.user(allow("ssm:GetParameter"))
    assert is_denied(alice.client("ssm").get_parameter, **named)
    by_way = {"Condition": {"StringEquals": {"kms:ViaService": "ssm.us-east-1.amazonaws.com"}}}
    statements = (allow("ssm:GetParameter"), allow("kms:Decrypt", key, **by_way))
    strict_account.iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=document(*statements))
    assert alice.client("ssm").get_parameter(**named)["Parameter"]["Value"] == "v"
    blob = strict_account.client("kms").encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert is_denied(alice.client("kms").decrypt, CiphertextBlob=blob), "not by itself"


def test_tags_of_a_new_parameter_are_allowed_by_themselves(strict_account: Account) -> None:
    given: dict[str, Any] = {"Name": "/a", "Value": "v", "Type": "String", "Tags": [{"Key": "k", "Value": "v"}]}
    alice = strict_account.user(allow("ssm:PutParameter")).client("ssm")
    assert is_denied(alice.put_parameter, **given)
    tagger = strict_account.user(allow(["ssm:PutParameter", "ssm:AddTagsToResource"]), name="tagger").client("ssm")
    tagger.put_parameter(**given)
    by_tag = {"Condition": {"StringEquals": {"ssm:resourceTag/k": "v"}}}
    limited = strict_account.user(allow("ssm:*"), deny("ssm:GetParameter", **by_tag), name="limited")
    assert is_denied(limited.client("ssm").get_parameter, Name="/a")
