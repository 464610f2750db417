"""How quickly a change in IAM holds: at once in one process, within a second or so where IAM has its own.

Access keys are verified in open mode, too, where an unknown key is let in as root.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from cloudlet.cli.serving import ROOT_KEYS
from cloudlet.testing.server import Server
from tests.strict_accounts import Account, Caller, allow, deny, document

_MAX_SECONDS: Final = 5.0
"""Of patience with another process, on a busy machine; a second is promised."""
_NUMBERS: Final = [str(100_000_000_000 + number) for number in range(20)]
_REFUSED: Final = ("InvalidClientTokenId", "UnrecognizedClient")


class Place:
    """A server, and how long its changes may take."""

    def __init__(self, server: Server, seconds: float) -> None:
        self._endpoint = server.endpoint
        self._seconds = seconds
        self._numbers = iter(_NUMBERS)

    def account(self) -> Account:
        return Account(self._endpoint, next(self._numbers))

    def becomes(self, look: Callable[[], str], wanted: str) -> None:
        """See that something is as wanted, now or soon."""
        end = time.monotonic() + self._seconds
        while (seen := look()) != wanted:
            assert time.monotonic() < end, f"{seen}, not {wanted}"


@pytest.fixture(scope="module", params=["one process", "isolated"])
def strict(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A server that enforces permissions."""
    yield from _run(request.param, "strict")


@pytest.fixture(scope="module", params=["open", "open, isolated", "strict", "strict, isolated"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from _run(request.param, request.param.partition(",")[0])


def _run(how: str, auth: str) -> Iterator[Place]:
    is_isolated = "isolated" in how
    options = ["--ephemeral", "--auth", auth, *(["--isolate"] if is_isolated else [])]
    keys = " ".join(f"{number}:{number}:test" for number in _NUMBERS)
    with Server.start(*options, env={ROOT_KEYS: keys}) as server:
        yield Place(server, _MAX_SECONDS if is_isolated else 0)


def _try(caller: Caller, service: str = "sts", operation: str = "get_caller_identity", **params: Any) -> str:
    """Make a call; return its error's code, or "" where there is none."""
    try:
        getattr(caller.client(service), operation)(**params)
    except ClientError as error:
        return str(error.response["Error"]["Code"]).removesuffix("Exception")
    return ""


def test_a_key_is_good_while_it_is_active(place: Place) -> None:
    account = place.account()
    account.iam.create_user(UserName="alice")
    made = account.iam.create_access_key(UserName="alice")["AccessKey"]
    key = {"UserName": "alice", "AccessKeyId": made["AccessKeyId"]}
    secrets = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    alice = Caller(account.endpoint, "", **secrets)
    place.becomes(lambda: _try(alice), "")
    account.iam.update_access_key(**key, Status="Inactive")
    place.becomes(lambda: _try(alice), _REFUSED[0])
    account.iam.update_access_key(**key, Status="Active")
    place.becomes(lambda: _try(alice), "")
    account.iam.delete_access_key(**key)
    place.becomes(lambda: _try(alice), _REFUSED[0])
    account.iam.delete_user(UserName="alice")
    place.becomes(lambda: _try(alice), _REFUSED[0])
    assert _try(alice, "sqs", "list_queues") in _REFUSED


def test_policies_hold_at_once(strict: Place) -> None:
    account = strict.account()
    alice = account.user()

    def try_to_list() -> str:
        return _try(alice, "sqs", "list_queues")

    strict.becomes(try_to_list, "AccessDenied")
    account.iam.put_user_policy(UserName="alice", PolicyName="a", PolicyDocument=document(allow("sqs:*")))
    strict.becomes(try_to_list, "")
    managed = account.policy("limit", allow("sqs:*"))
    account.iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=managed)
    strict.becomes(try_to_list, "")
    account.iam.create_policy_version(
        PolicyArn=managed, PolicyDocument=document(deny("sqs:ListQueues")), SetAsDefault=True
    )
    strict.becomes(try_to_list, "AccessDenied")
    account.iam.delete_user_permissions_boundary(UserName="alice")
    strict.becomes(try_to_list, "")
    account.iam.create_group(GroupName="limited")
    account.iam.put_group_policy(GroupName="limited", PolicyName="no", PolicyDocument=document(deny("sqs:*")))
    account.iam.add_user_to_group(GroupName="limited", UserName="alice")
    strict.becomes(try_to_list, "AccessDenied")


def test_sessions_end_with_their_role(strict: Place) -> None:
    account = strict.account()
    alice = account.user()
    role = account.role({"AWS": alice.arn}, allow("sqs:*"))
    session = account.assume(role, alice)

    def try_to_list() -> str:
        return _try(session, "sqs", "list_queues")

    strict.becomes(try_to_list, "")
    account.iam.delete_role_policy(RoleName="r", PolicyName="p")
    account.iam.delete_role(RoleName="r")
    strict.becomes(try_to_list, "AccessDenied")
    # One of the same name is another role.
    account.role({"AWS": alice.arn}, allow("sqs:*"))
    fresh = account.assume(role, alice)
    strict.becomes(lambda: _try(fresh, "sqs", "list_queues"), "")
    assert try_to_list() == "AccessDenied"


def test_sessions_end_with_their_user(strict: Place) -> None:
    account = strict.account()
    alice = account.user(allow("sqs:*"))
    given = alice.client("sts").get_session_token()["Credentials"]
    session = Caller(
        account.endpoint,
        alice.arn,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    strict.becomes(lambda: _try(session, "sqs", "list_queues"), "")
    key = account.iam.list_access_keys(UserName="alice")["AccessKeyMetadata"][0]["AccessKeyId"]
    account.iam.delete_access_key(UserName="alice", AccessKeyId=key)
    account.iam.delete_user_policy(UserName="alice", PolicyName="p")
    account.iam.delete_user(UserName="alice")
    strict.becomes(lambda: _try(session, "sqs", "list_queues"), "AccessDenied")
    account.user(allow("sqs:*"))
    strict.becomes(lambda: _try(session, "sqs", "list_queues"), "AccessDenied")


def test_a_service_calls_for_its_caller(strict: Place) -> None:
    """A parameter is decrypted by the permissions of who asks for it, by way of Parameter Store."""
    account = strict.account()
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    account.client("ssm").put_parameter(Name="/secret", Value="v", Type="SecureString", KeyId=key)
    alice = account.user(allow("ssm:GetParameter"))

    def try_to_read() -> str:
        return _try(alice, "ssm", "get_parameter", Name="/secret", WithDecryption=True)

    strict.becomes(try_to_read, "AccessDenied")
    keys = {"kms:ViaService": "ssm.us-east-1.amazonaws.com", "aws:ViaAWSService": "true", "aws:username": "alice"}
    by_way = {"Condition": {"StringEquals": keys}}
    account.iam.put_user_policy(
        UserName="alice", PolicyName="k", PolicyDocument=document(allow("kms:Decrypt", key, **by_way))
    )
    strict.becomes(try_to_read, "")
