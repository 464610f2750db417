"""Where permissions are enforced, a stack makes what its role may make, or else its caller."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.cli.serving import ROOT_KEYS
from cloudlet.testing.server import Aws, Server
from tests.services.cloudformation.deploying import Stacks, as_text, queue
from tests.services.cloudformation.stack_sets import StackSets

_ACCOUNT, _KEY, _SECRET = "123456789012", "AKIAEXAMPLEROOTKEY01", "a-secret-for-the-root-user"
_TEMPLATE = {"Resources": {"Q": queue()}}


_TARGET, _TARGET_KEY, _TARGET_SECRET = "210987654321", "AKIAEXAMPLEROOTKEY02", "a-secret-for-another-root-user"


class Keyed(Aws):
    """An account's user by an access key."""

    def __init__(self, endpoint: str, key: str, secret: str, account: str = _ACCOUNT) -> None:
        super().__init__(endpoint, account)
        object.__setattr__(self, "_keys", {"aws_access_key_id": key, "aws_secret_access_key": secret})

    def client(self, service: str, **options: Any) -> Any:
        return super().client(service, **{**self._keys, **options})  # type: ignore[attr-defined]


_ROOTS = f"{_ACCOUNT}:{_KEY}:{_SECRET} {_TARGET}:{_TARGET_KEY}:{_TARGET_SECRET}"


@pytest.fixture(scope="module")
def owner() -> Iterator[Keyed]:
    with Server.start("--ephemeral", "--auth", "strict", env={ROOT_KEYS: _ROOTS}) as server:
        yield Keyed(server.endpoint, _KEY, _SECRET)


def _policy(*statements: tuple[str, list[str]]) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": effect, "Action": actions, "Resource": "*"} for effect, actions in statements],
        }
    )


def _make_user(owner: Keyed, name: str, *actions: str) -> Stacks:
    iam = owner.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=_policy(("Allow", list(actions))))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Stacks(Keyed(owner.endpoint, key["AccessKeyId"], key["SecretAccessKey"]))


def test_a_caller_without_permission_makes_no_stack(owner: Keyed) -> None:
    user = _make_user(owner, "nobody", "sqs:*")
    with pytest.raises(ClientError, match="cloudformation:CreateStack"):
        user.client.create_stack(StackName="s", TemplateBody=as_text(_TEMPLATE))


def test_resources_are_made_as_the_caller(owner: Keyed) -> None:
    able = _make_user(owner, "able", "cloudformation:*", "sqs:*")
    assert able.create("able", _TEMPLATE)["StackStatus"] == "CREATE_COMPLETE"
    unable = _make_user(owner, "unable", "cloudformation:*")
    assert unable.create("unable", _TEMPLATE)["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = " ".join(reason for _, _, reason in unable.events("unable"))
    assert "sqs:createqueue" in reasons.lower()
    assert "HandlerErrorCode: AccessDenied" in reasons


def test_a_role_of_the_stack_makes_its_resources(owner: Keyed) -> None:
    iam = owner.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="deployer", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    iam.put_role_policy(RoleName="deployer", PolicyName="p", PolicyDocument=_policy(("Allow", ["sqs:*"])))
    user = _make_user(owner, "passer", "cloudformation:*", "iam:PassRole")
    stack = user.create("by-role", _TEMPLATE, RoleARN=role)
    assert stack["StackStatus"] == "CREATE_COMPLETE", user.events("by-role")
    assert stack["RoleARN"] == role
    assert user.delete("by-role")["StackStatus"] == "DELETE_COMPLETE"


def test_a_role_has_to_be_passed(owner: Keyed) -> None:
    user = _make_user(owner, "unpassing", "cloudformation:*")
    role = f"arn:aws:iam::{_ACCOUNT}:role/deployer"
    with pytest.raises(ClientError, match="iam:PassRole"):
        user.client.create_stack(StackName="x", TemplateBody=as_text(_TEMPLATE), RoleARN=role)


# Stack sets and macros


def _make_role(account: Keyed, name: str, principal: dict[str, str], *actions: str) -> str:
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    iam = account.client("iam")
    role: str = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=_policy(("Allow", list(actions))))
    return role


def test_a_stack_set_needs_both_roles(owner: Keyed) -> None:
    sets = StackSets(owner)
    target = Keyed(owner.endpoint, _TARGET_KEY, _TARGET_SECRET, _TARGET)
    sets.create("s", _TEMPLATE)

    def deploy() -> tuple[str, str]:
        operation = sets.deploy("s", [_TARGET], ["us-east-1"])["OperationId"]
        return sets.results("s", operation)[_TARGET, "us-east-1"]

    administration = f"arn:aws:iam::{_ACCOUNT}:role/AWSCloudFormationStackSetAdministrationRole"
    assert deploy() == ("FAILED", f"Role {administration} is invalid or cannot be assumed")
    service = {"Service": "cloudformation.amazonaws.com"}
    _make_role(owner, "AWSCloudFormationStackSetAdministrationRole", service, "sts:AssumeRole")
    missing = (
        f"Account {_TARGET} should have 'AWSCloudFormationStackSetExecutionRole' role with trust relationship to Role "
        "'AWSCloudFormationStackSetAdministrationRole'."
    )
    assert deploy() == ("FAILED", missing)
    _make_role(target, "AWSCloudFormationStackSetExecutionRole", {"AWS": _ACCOUNT}, "cloudformation:*")
    status, reason = deploy()
    assert status == "FAILED"
    assert "sqs:createqueue" in reason.lower()
    target.client("iam").put_role_policy(
        RoleName="AWSCloudFormationStackSetExecutionRole",
        PolicyName="p",
        PolicyDocument=_policy(("Allow", ["cloudformation:*", "sqs:*"])),
    )
    assert deploy() == ("SUCCEEDED", "")
    assert len(target.client("sqs").list_queues()["QueueUrls"]) == 1


_MACRO = """
def handler(event, context):
    return {"requestId": event["requestId"], "status": "success", "fragment": event["fragment"]}
"""


def test_the_function_of_a_macro_is_called_as_its_owner(owner: Keyed) -> None:
    role = _make_role(owner, "of-macro", {"Service": "lambda.amazonaws.com"}, "logs:*")
    function = {"Runtime": "python3.13", "Handler": "index.handler", "Role": role, "Code": {"ZipFile": _MACRO}}
    macro = {"Name": "Same", "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]}}
    template = {
        "Resources": {
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
            "Macro": {"Type": "AWS::CloudFormation::Macro", "Properties": macro},
        }
    }
    actions = ["cloudformation:*", "lambda:*", "iam:PassRole"]
    maker = _make_user(owner, "macro-maker", *actions)
    assert maker.create("macro", template)["StackStatus"] == "CREATE_COMPLETE", maker.events("macro")

    # Who uses it need not be able to call functions; who owns it must be.
    user = _make_user(owner, "macro-user", "cloudformation:*", "sqs:*")
    using = {**_TEMPLATE, "Transform": "Same"}
    expand = {"Capabilities": ["CAPABILITY_AUTO_EXPAND"]}
    assert user.create("using", using, **expand)["StackStatus"] == "CREATE_COMPLETE", user.events("using")
    owner.client("iam").delete_user_policy(UserName="macro-maker", PolicyName="p")
    assert user.create("failing", using, **expand)["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = " ".join(reason for _, _, reason in user.events("failing"))
    assert f"Failed to execute transform {_ACCOUNT}::Same" in reasons
