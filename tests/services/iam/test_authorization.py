"""Permissions to call IAM in strict mode: the examples of the User Guide, condition keys, escalation."""

from __future__ import annotations

import time
from base64 import b32decode
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.services.iam import totp
from tests.refused import code_of, refused
from tests.services.iam.documents import LAMBDA, READ, allow, deny
from tests.services.iam.local import ACCOUNT
from tests.services.iam.strict import StrictIam, strict_iam
from tests.strict_accounts import Account, Caller, is_denied

__all__ = ["strict_iam"]

_OWN = "arn:aws:iam::*:user/${aws:username}"
_SELF_MANAGEMENT = (
    allow(["iam:GetAccountPasswordPolicy", "iam:ListVirtualMFADevices"], Sid="AllowViewAccountInfo"),
    allow(["iam:ChangePassword", "iam:GetUser"], _OWN, Sid="AllowManageOwnPasswords"),
    allow(
        [
            "iam:CreateAccessKey",
            "iam:DeleteAccessKey",
            "iam:ListAccessKeys",
            "iam:UpdateAccessKey",
            "iam:GetAccessKeyLastUsed",
        ],
        _OWN,
        Sid="AllowManageOwnAccessKeys",
    ),
    allow(
        [
            "iam:DeleteSigningCertificate",
            "iam:ListSigningCertificates",
            "iam:UpdateSigningCertificate",
            "iam:UploadSigningCertificate",
        ],
        _OWN,
        Sid="AllowManageOwnSigningCertificates",
    ),
    allow(
        [
            "iam:DeleteSSHPublicKey",
            "iam:GetSSHPublicKey",
            "iam:ListSSHPublicKeys",
            "iam:UpdateSSHPublicKey",
            "iam:UploadSSHPublicKey",
        ],
        _OWN,
        Sid="AllowManageOwnSSHPublicKeys",
    ),
    allow(
        [
            "iam:CreateServiceSpecificCredential",
            "iam:DeleteServiceSpecificCredential",
            "iam:ListServiceSpecificCredentials",
            "iam:ResetServiceSpecificCredential",
            "iam:UpdateServiceSpecificCredential",
        ],
        _OWN,
        Sid="AllowManageOwnGitCredentials",
    ),
    allow(["iam:CreateVirtualMFADevice"], "arn:aws:iam::*:mfa/*", Sid="AllowManageOwnVirtualMFADevice"),
    allow(
        ["iam:DeactivateMFADevice", "iam:EnableMFADevice", "iam:ListMFADevices", "iam:ResyncMFADevice"],
        _OWN,
        Sid="AllowManageOwnUserMFA",
    ),
    {
        "Sid": "DenyAllExceptListedIfNoMFA",
        "Effect": "Deny",
        "NotAction": [
            "iam:CreateVirtualMFADevice",
            "iam:EnableMFADevice",
            "iam:GetUser",
            "iam:GetMFADevice",
            "iam:ListMFADevices",
            "iam:ListVirtualMFADevices",
            "iam:ResyncMFADevice",
            "sts:GetSessionToken",
        ],
        "Resource": "*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    },
)
"""IAM User Guide, "AWS: Allows MFA-authenticated IAM users to manage their own credentials"."""


def _open_session(account: Account, by: Caller, **proof: str) -> Caller:
    given = by.client("sts").get_session_token(**proof)["Credentials"]
    return Caller(
        account.endpoint,
        by.arn,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def test_users_manage_their_own_credentials_with_mfa(strict_account: Account) -> None:
    """The example policy of the User Guide does what the guide says of it."""
    alice = strict_account.user(*_SELF_MANAGEMENT)
    strict_account.user(name="bob")
    iam = alice.client("iam")
    assert iam.get_user()["User"]["UserName"] == "alice"
    assert is_denied(iam.get_user, UserName="bob")
    assert is_denied(iam.create_access_key), "without MFA"
    assert is_denied(iam.get_account_password_policy), "without MFA"
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="alice")["VirtualMFADevice"]
    seed, step = b32decode(device["Base32StringSeed"]), totp.get_step(time.time())
    codes = [totp.make_code(seed, step + number) for number in (-1, 0, 1)]
    own = {"UserName": "alice", "SerialNumber": device["SerialNumber"]}
    pair = {"AuthenticationCode1": codes[0], "AuthenticationCode2": codes[1]}
    assert is_denied(iam.enable_mfa_device, **{**own, "UserName": "bob"}, **pair)
    iam.enable_mfa_device(**own, **pair)
    assert code_of(_open_session(strict_account, alice).client("iam").get_user) == "InvalidClientTokenId"
    session = _open_session(strict_account, alice, SerialNumber=device["SerialNumber"], TokenCode=codes[2])
    iam = session.client("iam")
    key = iam.create_access_key()["AccessKey"]
    assert key["UserName"] == "alice"
    iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    iam.delete_access_key(AccessKeyId=key["AccessKeyId"], UserName="alice")
    iam.create_service_specific_credential(UserName="alice", ServiceName="codecommit.amazonaws.com")
    assert len(iam.list_service_specific_credentials()["ServiceSpecificCredentials"]) == 1
    assert is_denied(iam.list_service_specific_credentials, AllUsers=True)
    assert is_denied(iam.create_access_key, UserName="bob")
    assert is_denied(iam.list_users)
    iam.deactivate_mfa_device(**own)


def test_a_boundary_keeps_administrators_from_giving_more(strict_account: Account) -> None:
    """IAM User Guide, "Delegating responsibility to others using permissions boundaries"."""
    limit = strict_account.policy("limit", allow("s3:*"))
    with_limit = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": limit}}}
    changing = ["iam:CreateUser", "iam:PutUserPermissionsBoundary", "iam:PutUserPolicy", "iam:AttachUserPolicy"]
    maria = strict_account.user(
        allow(changing, **with_limit), deny("iam:DeleteUserPermissionsBoundary"), allow("iam:Get*"), name="maria"
    )
    iam = maria.client("iam")
    assert is_denied(iam.create_user, UserName="a")
    iam.create_user(UserName="a", PermissionsBoundary=limit)
    iam.put_user_policy(UserName="a", PolicyName="p", PolicyDocument=READ)
    assert is_denied(iam.delete_user_permissions_boundary, UserName="a")
    other = strict_account.policy("other", allow("*"))
    assert is_denied(iam.put_user_permissions_boundary, UserName="a", PermissionsBoundary=other)
    assert is_denied(iam.put_user_policy, UserName="maria", PolicyName="p", PolicyDocument=READ)


def test_which_policies_may_be_attached(strict_account: Account) -> None:
    wanted = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    only = {"Condition": {"ArnEquals": {"iam:PolicyARN": wanted}}}
    iam = strict_account.user(allow("iam:Attach*", **only)).client("iam")
    iam.attach_user_policy(UserName="alice", PolicyArn=wanted)
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert is_denied(iam.attach_user_policy, UserName="alice", PolicyArn=administrator)


def test_tags_decide(strict_account: Account) -> None:
    tags = [{"Key": "team", "Value": "red"}]
    strict_account.iam.create_role(RoleName="mine", AssumeRolePolicyDocument=LAMBDA, Tags=tags)
    strict_account.iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=LAMBDA)
    by_tag = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "red", "iam:ResourceTag/team": "red"}}}
    given = {"Condition": {"StringEquals": {"aws:RequestTag/team": "red"}}}
    statements = (allow("iam:DeleteRole", **by_tag), allow("iam:CreateRole", **given))
    iam = strict_account.user(*statements).client("iam")
    iam.delete_role(RoleName="mine")
    assert is_denied(iam.delete_role, RoleName="theirs")
    new: dict[str, Any] = {"RoleName": "new", "AssumeRolePolicyDocument": LAMBDA}
    assert is_denied(iam.create_role, **new)
    assert is_denied(iam.create_role, **new, Tags=tags), "iam:TagRole is needed, too"
    iam = strict_account.user(*statements, allow("iam:TagRole"), name="tagger").client("iam")
    iam.create_role(**new, Tags=tags)


def test_a_role_is_passed_to_an_instance_profile(strict_account: Account) -> None:
    iam = strict_account.iam
    iam.create_instance_profile(InstanceProfileName="box")
    iam.create_role(RoleName="web", Path="/app/", AssumeRolePolicyDocument=LAMBDA)
    pair = {"InstanceProfileName": "box", "RoleName": "web"}
    adding = allow("iam:AddRoleToInstanceProfile")
    to = {"Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}}
    for number, resource in enumerate(("arn:aws:iam::*:role/web", "arn:aws:iam::*:role/other/*")):
        wrong = strict_account.user(adding, allow("iam:PassRole", resource), name=f"wrong{number}")
        assert is_denied(wrong.client("iam").add_role_to_instance_profile, **pair)
    right = strict_account.user(adding, allow("iam:PassRole", "arn:aws:iam::*:role/app/*", **to))
    right.client("iam").add_role_to_instance_profile(**pair)


def test_a_user_is_renamed_by_those_who_may_change_both(strict_account: Account) -> None:
    bob = "arn:aws:iam::*:user/bob"
    strict_account.iam.create_user(UserName="bob")
    one = strict_account.user(allow("iam:UpdateUser", bob))
    assert is_denied(one.client("iam").update_user, UserName="bob", NewUserName="robert")
    assert is_denied(one.client("iam").update_user, UserName="bob", NewPath="/admins/")
    both = strict_account.user(allow("iam:UpdateUser", [bob, "arn:aws:iam::*:user/robert"]), name="both")
    both.client("iam").update_user(UserName="bob", NewUserName="robert")


@pytest.mark.parametrize("name", ["root", "ROOT", "Root"])
def test_a_path_is_not_left_out_by_another_spelling(strict_iam: StrictIam, name: str) -> None:
    strict_iam.call("CreateUser", UserName="root", Path="/admins/")
    alice = strict_iam.user("alice", allow("iam:*"), deny("iam:*", "arn:aws:iam::*:user/admins/*"))
    assert strict_iam.denied("CreateAccessKey", alice, UserName=name) == (
        "iam:CreateAccessKey",
        f"arn:aws:iam::{ACCOUNT}:user/admins/root",
    )


def test_a_provider_is_deleted_by_its_own_arn_alone(strict_iam: StrictIam) -> None:
    arn = strict_iam.call("CreateOpenIDConnectProvider", Url="https://issuer.example.com")["OpenIDConnectProviderArn"]
    alice = strict_iam.user("alice", allow("iam:*"), deny("iam:Delete*", arn))
    assert strict_iam.denied("DeleteOpenIDConnectProvider", alice, OpenIDConnectProviderArn=arn)[1] == arn
    strict_iam.call("DeleteOpenIDConnectProvider", alice, OpenIDConnectProviderArn=arn.replace("issuer", "ISSUER"))
    assert strict_iam.call("GetOpenIDConnectProvider", OpenIDConnectProviderArn=arn)


def test_a_service_linked_role_is_of_a_service(strict_account: Account) -> None:
    only = {"Condition": {"StringEquals": {"iam:AWSServiceName": "ecs.amazonaws.com"}}}
    iam = strict_account.user(allow("iam:CreateServiceLinkedRole", **only)).client("iam")
    iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    assert is_denied(iam.create_service_linked_role, AWSServiceName="eks.amazonaws.com")


def test_credentials_of_a_service_are_conditions_too(strict_account: Account) -> None:
    key = "iam:ServiceSpecificCredentialServiceName"
    only = {"Condition": {"StringEquals": {key: "codecommit.amazonaws.com"}}}
    iam = strict_account.user(allow("iam:*ServiceSpecificCredential", **only)).client("iam")
    own = iam.create_service_specific_credential(UserName="alice", ServiceName="codecommit.amazonaws.com")
    id = own["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    assert is_denied(iam.create_service_specific_credential, UserName="alice", ServiceName="cassandra.amazonaws.com")
    iam.delete_service_specific_credential(UserName="alice", ServiceSpecificCredentialId=id)


def test_the_last_use_of_a_key_has_the_prefix_of_actions(strict_account: Account) -> None:
    alice = strict_account.user(allow("*"))
    (key,) = strict_account.iam.list_access_keys(UserName="alice")["AccessKeyMetadata"]
    alice.client("cloudwatch").list_metrics()
    end = time.monotonic() + 20
    while True:
        used = strict_account.iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
        if used["ServiceName"] == "cloudwatch":
            break
        assert time.monotonic() < end, used


def test_denials_are_in_iams_words(strict_account: Account) -> None:
    alice = strict_account.user()
    assert refused(alice.client("iam").get_role, RoleName="nothing") == (
        "AccessDenied",
        f"User: {alice.arn} is not authorized to perform: iam:GetRole on resource: "
        f"arn:aws:iam::{strict_account.number}:role/nothing because no identity-based policy allows the iam:GetRole "
        "action",
    )
    with pytest.raises(ClientError, match="NoSuchEntity"):
        strict_account.iam.get_role(RoleName="nothing")
