"""AWS's own examples of calls, as botocore has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from botocore import xform_name
from botocore.loaders import Loader

from cloudlet.testing.server import Aws
from tests.services.iam.documents import LAMBDA, allow, policy

EXAMPLES: dict[str, list[dict[str, Any]]] = Loader().load_service_model("iam", "examples-1")["examples"]

USERS = ("Bob", "Alice", "Juan", "anika", "ExampleUser01")
ROLES = ("Test-Role", "S3Access", "ReadOnlyRole", "taggedrole", "taggedrole1", "S3AccessForEC2Instances")
GROUPS = ("Admins", "Finance", "Test")
POLICIES = ("ReadOnlyAccess", "AdministratorAccess", "ExamplePolicy1", "ExampleIamPolicy")
DOCUMENT = policy(allow("iam:*"), allow("ec2:*"))
TAGS = [{"Key": "Dept", "Value": "12345"}, {"Key": "Team", "Value": "Accounting"}]

PASSWORD = "h]6EszR}vJ*m"
OIDC = {"Url": "https://server.example.com", "ThumbprintList": ["3768084dfb3d2b68b7897bf5f565da8efEXAMPLE"]}
PASSWORD_POLICY = {"MaxPasswordAge": 90, "PasswordReusePrevention": 12, "HardExpiry": False}

PREPARED: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "AddClientIDToOpenIDConnectProvider": [("create_open_id_connect_provider", OIDC)],
    "CreateLoginProfile": [],
    "DeleteAccountAlias": [("create_account_alias", {"AccountAlias": "mycompany"})],
    "DeleteAccountPasswordPolicy": [("update_account_password_policy", {})],
    "DeleteLoginProfile": [("create_login_profile", {"UserName": "Bob", "Password": PASSWORD})],
    "DeleteVirtualMFADevice": [("create_virtual_mfa_device", {"VirtualMFADeviceName": "ExampleName"})],
    "GetAccountPasswordPolicy": [("update_account_password_policy", PASSWORD_POLICY)],
    "GetLoginProfile": [("create_login_profile", {"UserName": "anika", "Password": PASSWORD})],
    "ListAccountAliases": [("create_account_alias", {"AccountAlias": "exmaple-corporation"})],
    "ListVirtualMFADevices": [
        ("create_virtual_mfa_device", {"VirtualMFADeviceName": name}) for name in ("ExampleMFADevice", "Juan")
    ],
    "UpdateLoginProfile": [("create_login_profile", {"UserName": "Bob", "Password": PASSWORD})],
    "DeleteGroupPolicy": [("put_group_policy", {"GroupName": "Admins", "PolicyName": "ExamplePolicy"})],
    "DeleteRolePolicy": [("put_role_policy", {"RoleName": "Test-Role", "PolicyName": "ExamplePolicy"})],
    "DeleteUserPolicy": [("put_user_policy", {"UserName": "Juan", "PolicyName": "ExamplePolicy"})],
    "GetInstanceProfile": [
        ("add_role_to_instance_profile", {"InstanceProfileName": "ExampleInstanceProfile", "RoleName": "Test-Role"})
    ],
    "RemoveRoleFromInstanceProfile": [
        ("add_role_to_instance_profile", {"InstanceProfileName": "ExampleInstanceProfile", "RoleName": "Test-Role"})
    ],
    "ListGroupPolicies": [
        ("put_group_policy", {"GroupName": "Admins", "PolicyName": name}) for name in ("AdminRoot", "KeyPolicy")
    ],
    "ListGroupsForUser": [("add_user_to_group", {"GroupName": name, "UserName": "Bob"}) for name in ("Test", "Admins")],
    "RemoveUserFromGroup": [("add_user_to_group", {"GroupName": "Admins", "UserName": "Bob"})],
    "ListAccessKeys": [("create_access_key", {"UserName": "Alice"})] * 2,
    "ListRoleTags": [("tag_role", {"RoleName": "taggedrole1", "Tags": TAGS})],
    "ListUserTags": [("tag_user", {"UserName": "anika", "Tags": TAGS})],
    "UntagRole": [("tag_role", {"RoleName": "taggedrole", "Tags": TAGS})],
    "UntagUser": [("tag_user", {"UserName": "anika", "Tags": TAGS})],
    "ListPoliciesGrantingServiceAccess": [
        ("put_user_policy", {"UserName": "ExampleUser01", "PolicyName": "in"}),
        (
            "attach_user_policy",
            {"UserName": "ExampleUser01", "PolicyArn": "arn:aws:iam::123456789012:policy/ReadOnlyAccess"},
        ),
    ],
}
OPERATIONS = (
    *(f"Create{each}" for each in ("AccessKey", "AccountAlias", "Group", "InstanceProfile", "Role", "User")),
    *("CreateOpenIDConnectProvider", "UpdateAccountPasswordPolicy"),
    *(f"Delete{each}" for each in ("AccessKey", "InstanceProfile", "Role", "User")),
    *("AddRoleToInstanceProfile", "AddUserToGroup", "AttachGroupPolicy", "AttachRolePolicy", "AttachUserPolicy"),
    *("GenerateServiceLastAccessedDetails", "GetAccountSummary", "GetRole", "GetUser", "ListGroups", "ListUsers"),
    *("GetServiceLastAccessedDetails", "GetServiceLastAccessedDetailsWithEntities"),
    *("PutGroupPolicy", "PutRolePolicy", "PutUserPolicy", "TagRole", "TagUser", "UpdateAccessKey"),
    *("UpdateAssumeRolePolicy", "UpdateGroup", "UpdateUser"),
    *PREPARED,
)
# What is there only where it has a value.
OPTIONAL = {
    "GetRole": {"LastUsedDate", "Region"},
    "GetServiceLastAccessedDetails": {"LastAuthenticated", "LastAuthenticatedEntity"},
    "GetServiceLastAccessedDetailsWithEntities": {"LastAuthenticated"},
    "ListUsers": {"PasswordLastUsed"},
    # Of other parts of the account.
    "GetAccountSummary": {"GlobalEndpointTokenVersion", "PolicyVersionsInUseQuota"},
}


@pytest.fixture
def prepared(iam: Any) -> Any:
    """A client of an account that has what the examples name."""
    for name in USERS:
        iam.create_user(UserName=name)
    for name in GROUPS:
        iam.create_group(GroupName=name)
    for name in ROLES:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=LAMBDA)
    for name in ("Webserver", "ExampleInstanceProfile"):
        iam.create_instance_profile(InstanceProfileName=name)
    for name in POLICIES:
        iam.create_policy(PolicyName=name, PolicyDocument=DOCUMENT)
    return iam


def _fill(aws: Aws, iam: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Return an example's parameters with the account, the documents and the ids of this one."""
    text = json.dumps(params).replace("123456789012", aws.account)
    # Of AWS's policies this account has some of its own.
    filled: dict[str, Any] = json.loads(text.replace("iam::aws:", f"iam::{aws.account}:"))
    if "AssumeRolePolicyDocument" in filled:
        filled["AssumeRolePolicyDocument"] = LAMBDA
    if "AccessKeyId" in filled:
        filled["AccessKeyId"] = iam.create_access_key(UserName="Bob")["AccessKey"]["AccessKeyId"]
    if "JobId" in filled:
        arn = f"arn:aws:iam::{aws.account}:policy/ExamplePolicy1"
        iam.attach_user_policy(UserName="Bob", PolicyArn=arn)
        filled["JobId"] = iam.generate_service_last_accessed_details(Arn=arn)["JobId"]
    return filled


def _list_members(value: Any, path: str = "") -> Iterator[tuple[str, type]]:
    """Return the members of an answer, down to the leaves, with their types."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _list_members(each, f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from _list_members(each, f"{path}[]")
    else:
        yield path, type(value)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_answers_as_the_example_does(aws: Aws, iam: Any, request: pytest.FixtureRequest, operation: str) -> None:
    if operation in PREPARED or not operation.startswith("Create") or operation == "CreateAccessKey":
        request.getfixturevalue("prepared")
    for name, params in PREPARED.get(operation, ()):
        documents = {"PolicyDocument": DOCUMENT} if name.startswith("put_") else {}
        getattr(iam, name)(**_fill(aws, iam, params), **documents)
    for example in EXAMPLES[operation]:
        params = _fill(aws, iam, example.get("input") or {})
        answer = getattr(iam, xform_name(operation))(**params)
        answer.pop("ResponseMetadata")
        expected = example.get("output") or {}
        assert bool(answer) == bool(expected)
        members = {path for path, _ in _list_members(answer)}
        for path, kind in _list_members(expected):
            if path.rpartition(".")[2].removesuffix("[]") in OPTIONAL.get(operation, ()):
                continue
            if "PolicyDocument" in path:
                # Clients take it apart.
                assert any(each.startswith(path) for each in members)
            else:
                assert path in members, kind
        assert all(kind is datetime for path, kind in _list_members(answer) if path.endswith("Date"))
