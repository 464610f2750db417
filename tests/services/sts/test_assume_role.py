"""AssumeRole, by clients over a socket, where no permissions are enforced."""

from __future__ import annotations

import json
import random
import string
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.modes import meaningless_in
from tests.refused import code_of, refused
from tests.services.sts.conftest import ALLOW_ALL, make_role, policy, trust, with_credentials

pytestmark = meaningless_in("strict", because="the root user of an account can assume no role")

_NAMED = {"RoleSessionName": "session"}


def _assume(aws: Aws, role: str, **params: Any) -> Any:
    return aws.client("sts").assume_role(**{"RoleArn": role, **_NAMED, **params})


def test_the_credentials_are_those_of_a_session_of_the_role(aws: Aws) -> None:
    role = make_role(aws, Path="/team/")
    id = aws.client("iam").get_role(RoleName="demo")["Role"]["RoleId"]
    answer = _assume(aws, role)
    session = f"arn:aws:sts::{aws.account}:assumed-role/demo/session"
    assert answer["AssumedRoleUser"] == {"AssumedRoleId": f"{id}:session", "Arn": session}
    identity = with_credentials(aws, "sts", answer).get_caller_identity()
    assert (identity["UserId"], identity["Arn"], identity["Account"]) == (f"{id}:session", session, aws.account)
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    lasts = answer["Credentials"]["Expiration"] - datetime.now(UTC)
    assert 3590 <= lasts.total_seconds() <= 3600
    assert answer["PackedPolicySize"] == answer["SessionTokenUtilization"] == answer["SessionTokenSize"] * 100 // 4096
    assert "SourceIdentity" not in answer


def _read_example(operation: str) -> Any:
    examples = json.loads((files("botocore") / "data/sts/2011-06-15/examples-1.json").read_text())
    return examples["examples"][operation][0]


def test_the_example_of_the_api_reference(aws: Aws) -> None:
    example = _read_example("AssumeRole")
    answer = aws.client("sts").assume_role(**{**example["input"], "RoleArn": make_role(aws)})
    assert answer["AssumedRoleUser"]["Arn"].endswith(":assumed-role/demo/testAssumeRoleSession")
    assert 0 < answer["PackedPolicySize"] < 100
    assert example["output"].keys() <= answer.keys()


@pytest.mark.parametrize("operation", ["GetCallerIdentity", "GetFederationToken", "GetSessionToken"])
def test_the_examples_of_other_operations(aws: Aws, operation: str) -> None:
    example = _read_example(operation)
    # There is no such device.
    asked = {name: value for name, value in example["input"].items() if name not in ("SerialNumber", "TokenCode")}
    answer = aws.client("sts")._make_api_call(operation, asked)
    assert example["output"].keys() <= answer.keys()


def test_the_session_works_in_other_blocks(aws: Aws) -> None:
    sqs = with_credentials(aws, "sqs", _assume(aws, make_role(aws)))
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    assert aws.client("sqs").list_queues()["QueueUrls"] == [url]


@pytest.mark.parametrize("role", ["role/other", "role/team/demo", "role/Demo"])
def test_a_role_that_does_not_exist_cannot_be_assumed(aws: Aws, role: str) -> None:
    make_role(aws)
    arn = f"arn:aws:iam::{aws.account}:{role}"
    assert refused(_assume, aws, arn) == (
        "AccessDenied",
        f"User: arn:aws:iam::{aws.account}:root is not authorized to perform: sts:AssumeRole on resource: {arn}",
    )


@pytest.mark.parametrize(
    "arn",
    [
        "there-is-no-such-role-at-all",
        "arn:aws:iam::123456789012:user/demo",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::12345678901x:role/demo",
        "arn:aws:sts::123456789012:role/demo",
        "arn:aws:iam:eu-west-1:123456789012:role/demo",
    ],
)
def test_what_is_no_arn_of_a_role_is_invalid(aws: Aws, arn: str) -> None:
    assert refused(_assume, aws, arn) == ("ValidationError", f"{arn} is invalid")


def test_a_session_lasts_as_long_as_its_role_allows(aws: Aws) -> None:
    role = make_role(aws, MaxSessionDuration=7200)
    _assume(aws, role, DurationSeconds=7200)
    assert refused(_assume, aws, role, DurationSeconds=7201) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )


def test_a_session_of_a_chain_lasts_an_hour_at_most(aws: Aws) -> None:
    role = make_role(aws, MaxSessionDuration=7200)
    chained = with_credentials(aws, "sts", _assume(aws, role))
    chained.assume_role(RoleArn=role, **_NAMED, DurationSeconds=3600)
    assert refused(chained.assume_role, RoleArn=role, **_NAMED, DurationSeconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )


def test_a_session_policy_must_be_a_policy(aws: Aws) -> None:
    role = make_role(aws)
    assert code_of(_assume, aws, role, Policy="{}") == "MalformedPolicyDocument"
    assert code_of(_assume, aws, role, Policy="no JSON") == "MalformedPolicyDocument"
    long = policy({**ALLOW_ALL, "Sid": "a" * 2048})
    code, message = refused(_assume, aws, role, Policy=long)
    assert (code, message.rpartition(": ")[2]) == (
        "ValidationError",
        "Member must have length less than or equal to 2048",
    )


def test_managed_session_policies_must_exist_in_the_roles_account(aws: Aws) -> None:
    role, iam = make_role(aws), aws.client("iam")
    own = iam.create_policy(PolicyName="own", PolicyDocument=policy(ALLOW_ALL))["Policy"]["Arn"]
    aws_managed = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    _assume(aws, role, PolicyArns=[{"arn": own}, {"arn": aws_managed}])
    missing = f"arn:aws:iam::{aws.account}:policy/missing"
    assert refused(_assume, aws, role, PolicyArns=[{"arn": missing}]) == (
        "ValidationError",
        f"Policy {missing} does not exist or is not attachable.",
    )
    for arn in (f"arn:aws:iam::999999999999:policy/{'a' * 9}", role):
        assert refused(_assume, aws, role, PolicyArns=[{"arn": arn}]) == ("ValidationError", f"{arn} is invalid")
    many = [{"arn": f"{own}{index}"} for index in range(11)]
    assert code_of(_assume, aws, role, PolicyArns=many) == "ValidationError"


def test_what_does_not_fit_into_the_token_is_refused(aws: Aws) -> None:
    drawn = random.Random(1)
    tags = [
        {"Key": f"key{index}", "Value": "".join(drawn.choices(string.ascii_letters + string.digits, k=256))}
        for index in range(50)
    ]
    role = make_role(aws)
    code, message = refused(_assume, aws, role, Tags=tags)
    assert code == "PackedPolicyTooLarge"
    assert message.endswith("more than the maximum allowed size of 4096 bytes.")
    # What is repeated takes little.
    fits = _assume(aws, role, Tags=[{**tag, "Value": "a" * 256} for tag in tags])
    assert fits["PackedPolicySize"] < 100


@pytest.mark.parametrize(
    ("tags", "transitive", "message"),
    [
        (["a", "A"], [], "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
        (["a"], ["b"], "The specified transitive tag key must be included in the requested tags."),
        (["aws:a"], [], "Tag key aws:a is reserved: keys must not begin with aws:"),
    ],
)
def test_tags_that_make_no_sense_are_refused(aws: Aws, tags: list[str], transitive: list[str], message: str) -> None:
    params = {"Tags": [{"Key": key, "Value": "v"} for key in tags], "TransitiveTagKeys": transitive}
    assert refused(_assume, aws, make_role(aws), **params) == ("ValidationError", message)


def test_a_tag_that_a_chain_hands_on_cannot_be_passed_again(aws: Aws) -> None:
    role = make_role(aws)
    tag = {"Tags": [{"Key": "Team", "Value": "x"}]}
    chained = with_credentials(aws, "sts", _assume(aws, role, **tag, TransitiveTagKeys=["Team"]))
    assert refused(chained.assume_role, RoleArn=role, **_NAMED, Tags=[{"Key": "team", "Value": "y"}]) == (
        "ValidationError",
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the "
        "calling session.",
    )
    # One that is not transitive can.
    other = with_credentials(aws, "sts", _assume(aws, role, **tag))
    other.assume_role(RoleArn=role, **_NAMED, **tag)


def test_a_source_identity_stays_for_the_whole_chain(aws: Aws) -> None:
    role = make_role(aws)
    first = _assume(aws, role, SourceIdentity="ann")
    assert first["SourceIdentity"] == "ann"
    chained = with_credentials(aws, "sts", first)
    assert chained.assume_role(RoleArn=role, **_NAMED)["SourceIdentity"] == "ann"
    assert chained.assume_role(RoleArn=role, **_NAMED, SourceIdentity="ann")["SourceIdentity"] == "ann"
    assert code_of(chained.assume_role, RoleArn=role, **_NAMED, SourceIdentity="bob") == "AccessDenied"


def test_context_assertions_are_those_of_no_provider(aws: Aws) -> None:
    provider = "arn:aws:iam::aws:contextProvider/IdentityCenter"
    contexts = [{"ProviderArn": provider, "ContextAssertion": "assertion"}]
    assert code_of(_assume, aws, make_role(aws), ProvidedContexts=contexts) == "InvalidContextAssertion"


def test_who_gives_a_device_must_give_a_code(aws: Aws) -> None:
    role, serial = make_role(aws), f"arn:aws:iam::{aws.account}:mfa/phone"
    assert refused(_assume, aws, role, SerialNumber=serial) == (
        "AccessDenied",
        "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
    )
    code, message = refused(_assume, aws, role, SerialNumber=serial, TokenCode="123456")
    assert (code, message.strip()) == (
        "AccessDenied",
        "MultiFactorAuthentication failed with invalid MFA one time pass code.",
    )


@pytest.mark.parametrize("size", [0, 1, 1_001, 4_096])
def test_the_token_is_as_long_as_it_is_asked_for(aws: Aws, size: int) -> None:
    answer = _assume(aws, make_role(aws), MinimumSessionTokenSize=size)
    assert size <= answer["SessionTokenSize"] == len(answer["Credentials"]["SessionToken"]) <= 4096
    assert with_credentials(aws, "sts", answer).get_caller_identity()["Account"] == aws.account


def test_a_role_of_another_account_can_be_assumed(aws: Aws, other: Aws) -> None:
    answer = _assume(aws, make_role(other, trust_policy=trust({"AWS": aws.account})))
    assert with_credentials(aws, "sts", answer).get_caller_identity()["Account"] == other.account


@pytest.fixture
def other(aws: Aws, cloudlet_server: Any) -> Any:
    with cloudlet_server.account() as account:
        yield account
