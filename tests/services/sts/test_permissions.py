"""Permissions to call STS, and those of its sessions, in strict mode."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import refused
from tests.strict_accounts import Account, Caller, allow, deny, document, is_denied

_LIST = allow("sqs:ListQueues")


def _is_refused(caller: Caller, role: str, **more: Any) -> bool:
    """Try to assume a role; return whether that is denied."""
    return is_denied(caller.client("sts").assume_role, **{"RoleArn": role, "RoleSessionName": "session", **more})


def _open(account: Account, answer: dict[str, Any]) -> Caller:
    given = answer["Credentials"]
    return Caller(
        account.endpoint,
        "",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def test_a_role_that_trusts_a_user_needs_no_other_permission(strict_account: Account) -> None:
    alice = strict_account.user()
    role = strict_account.role({"AWS": alice.arn})
    assert not _is_refused(alice, role)
    assert _is_refused(strict_account.user(allow("sts:*"), name="bob"), role)
    assert _is_refused(strict_account.user(deny("sts:AssumeRole"), name="carol"), role)


def test_a_role_that_trusts_an_account_leaves_it_to_the_users_policies(strict_account: Account) -> None:
    role = strict_account.role({"AWS": strict_account.number})
    alice = strict_account.user()
    message = refused(alice.client("sts").assume_role, RoleArn=role, RoleSessionName="session")[1]
    assert message.endswith("because no identity-based policy allows the sts:AssumeRole action")
    assert not _is_refused(strict_account.user(allow("sts:AssumeRole", role), name="bob"), role)
    assert _is_refused(strict_account.user(allow("sts:AssumeRole", f"{role}2"), name="carol"), role)


def test_another_account_must_allow_it_too(strict_account: Account, other_account: Account) -> None:
    alice = other_account.user()
    role = strict_account.role({"AWS": alice.arn})
    assert _is_refused(alice, role)
    other_account.iam.put_user_policy(
        UserName="alice", PolicyName="p", PolicyDocument=document(allow("sts:AssumeRole", role))
    )
    assert not _is_refused(alice, role)
    assert _is_refused(other_account.user(allow("sts:*"), name="bob"), role)


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        ("sts:RoleSessionName", {"RoleSessionName": "aa"}, {"RoleSessionName": "bb"}),
        ("sts:ExternalId", {"ExternalId": "aa"}, {"ExternalId": "bb"}),
        ("aws:RequestTag/team", {"Tags": [{"Key": "team", "Value": "a"}]}, {"Tags": [{"Key": "team", "Value": "b"}]}),
    ],
)
def test_the_users_policies_have_conditions_on_what_is_passed(
    strict_account: Account, key: str, right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": strict_account.number}}
    role = strict_account.iam.create_role(
        RoleName="r",
        AssumeRolePolicyDocument=document({**trust, "Action": ["sts:AssumeRole", "sts:TagSession"]}),
    )["Role"]["Arn"]
    like = {"Condition": {"StringLike": {key: "a*"}}}
    alice = strict_account.user(allow(["sts:AssumeRole", "sts:TagSession"], **like))
    assert not _is_refused(alice, role, **right)
    assert _is_refused(alice, role, **wrong)


def test_a_federated_user_has_what_both_allow(strict_account: Account) -> None:
    named = {"Name": "carol"}
    alice = strict_account.user(_LIST, allow("sts:GetFederationToken"))
    assert is_denied(strict_account.user(_LIST, name="bob").client("sts").get_federation_token, **named)
    sts = alice.client("sts")
    everything = _open(strict_account, sts.get_federation_token(**named, Policy=document(allow("*"))))
    everything.client("sqs").list_queues()
    assert is_denied(everything.client("sqs").create_queue, QueueName="q")
    nothing = _open(strict_account, sts.get_federation_token(**named, Policy=document(allow("s3:*"))))
    assert is_denied(nothing.client("sqs").list_queues)
    assert is_denied(_open(strict_account, sts.get_federation_token(**named)).client("sqs").list_queues)


def test_a_federated_user_of_the_root_has_what_is_passed(strict_account: Account) -> None:
    sts = strict_account.client("sts")
    carol = _open(strict_account, sts.get_federation_token(Name="carol", Policy=document(_LIST)))
    carol.client("sqs").list_queues()
    assert is_denied(carol.client("sqs").create_queue, QueueName="q")
    assert is_denied(_open(strict_account, sts.get_federation_token(Name="carol")).client("sqs").list_queues)


def test_sessions_of_users_have_neither_iam_nor_most_of_sts(strict_account: Account) -> None:
    alice = strict_account.user(allow("*"))
    role = strict_account.role({"AWS": alice.arn}, _LIST)
    sts = alice.client("sts")
    token = ("InvalidClientTokenId", "The security token included in the request is invalid")
    session = _open(strict_account, sts.get_session_token())
    federated = _open(strict_account, sts.get_federation_token(Name="carol", Policy=document(allow("*"))))
    for each in (session, federated):
        each.client("sts").get_caller_identity()
        assert refused(each.client("iam").list_users) == token
        assert is_denied(each.client("sts").decode_authorization_message, EncodedMessage="x")
        each.client("sqs").list_queues()
    assert not _is_refused(session, role)
    assert _is_refused(federated, role)
    assumed = strict_account.assume(role, alice)
    assert is_denied(assumed.client("sts").get_session_token)
    assert is_denied(assumed.client("iam").list_users), "by its policies"


def test_a_session_is_named_by_the_id_of_its_role(strict_account: Account) -> None:
    alice = strict_account.user()
    role = strict_account.role({"AWS": alice.arn}, _LIST)
    id = strict_account.iam.get_role(RoleName="r")["Role"]["RoleId"]
    session = strict_account.assume(role, alice)
    assert session.client("sts").get_caller_identity()["UserId"] == f"{id}:session"
    own = {"Condition": {"StringEquals": {"aws:userid": f"{id}:session"}}}
    strict_account.let_role(allow("sqs:ListQueues", **own))
    session.client("sqs").list_queues()
