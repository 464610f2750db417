"""Where permissions are enforced, resources are made as the caller, or by the role of the request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from cloudlet.cli.serving import ROOT_KEYS
from cloudlet.testing.server import Aws, Server
from tests.services.cloudcontrol.control import Control, failing

_ACCOUNT, _KEY, _SECRET = "123456789012", "AKIAEXAMPLEROOTKEY02", "a-secret-for-the-root-user"
QUEUE = "AWS::SQS::Queue"


class Keyed(Aws):
    """An account's user by an access key."""

    def __init__(self, endpoint: str, key: str, secret: str) -> None:
        super().__init__(endpoint, _ACCOUNT)
        object.__setattr__(self, "_keys", {"aws_access_key_id": key, "aws_secret_access_key": secret})

    def client(self, service: str, **options: Any) -> Any:
        return super().client(service, **{**self._keys, **options})  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def owner() -> Iterator[Keyed]:
    with Server.start("--ephemeral", "--auth", "strict", env={ROOT_KEYS: f"{_ACCOUNT}:{_KEY}:{_SECRET}"}) as server:
        yield Keyed(server.endpoint, _KEY, _SECRET)


def _policy(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _make_user(owner: Keyed, name: str, *actions: str) -> Control:
    iam = owner.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=_policy(*actions))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Control(Keyed(owner.endpoint, key["AccessKeyId"], key["SecretAccessKey"]))


def test_a_caller_needs_permission_for_both(owner: Keyed) -> None:
    nobody = _make_user(owner, "nobody", "sqs:*")
    with failing("AccessDeniedException", "cloudformation:CreateResource"):
        nobody.create(QUEUE, {"QueueName": "a"})
    unable = _make_user(owner, "unable", "cloudformation:*")
    done = unable.create(QUEUE, {"DelaySeconds": 1})
    assert (done["OperationStatus"], done["ErrorCode"]) == ("FAILED", "AccessDenied")
    assert "sqs:createqueue" in done["StatusMessage"].lower()
    with failing("InvalidCredentialsException", "HandlerErrorCode: AccessDenied"):
        unable.list(QUEUE)
    able = _make_user(owner, "able", "cloudformation:*", "sqs:*")
    assert able.create(QUEUE, {"QueueName": "a"})["OperationStatus"] == "SUCCESS"
    assert len(able.list(QUEUE)) == 1


def test_a_role_makes_the_resource(owner: Keyed) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = owner.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="maker", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName="maker", PolicyName="p", PolicyDocument=_policy("sqs:*"))
    unpassing = _make_user(owner, "unpassing", "cloudformation:*")
    with failing("AccessDeniedException", "iam:PassRole"):
        unpassing.create(QUEUE, {}, RoleArn=role)
    for call in (
        partial(unpassing.client.delete_resource, Identifier="q"),
        partial(unpassing.client.get_resource, Identifier="q"),
        unpassing.client.list_resources,
    ):
        with failing("AccessDeniedException", "iam:PassRole"):
            call(TypeName=QUEUE, RoleArn=role)
    passing = _make_user(owner, "passing", "cloudformation:*", "iam:PassRole")
    assert passing.create(QUEUE, {}, RoleArn=role)["OperationStatus"] == "SUCCESS"
