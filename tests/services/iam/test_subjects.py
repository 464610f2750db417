"""Resources of operations, for policies: the ARN, with the path that requests do not tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.kernel.identity import Principal
from cloudlet.services.iam.api import service
from tests.services.iam.documents import policy
from tests.services.iam.local import ACCOUNT
from tests.services.iam.strict import ALLOW_ALL, StrictIam

_IAM = f"arn:aws:iam::{ACCOUNT}:"
_TRUST = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
_POLICY = f"{_IAM}policy/limits/small"
_DEVICE = f"{_IAM}mfa/phones/phone"
_OIDC = f"{_IAM}oidc-provider/issuer.example.com/a"
_SAML = f"{_IAM}saml-provider/company"
_TAGS = [{"Key": "k", "Value": "v"}]
_DOCUMENT = policy(ALLOW_ALL)
_CODES = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
_CREDENTIAL = {"ServiceSpecificCredentialId": "ACCAEXAMPLEEXAMPLE123"}
_STATUS = {"Status": "Active"}
_BODY = "-----BEGIN-----"

_USER, _GROUP, _ROLE = {"UserName": "BOB"}, {"GroupName": "Devs"}, {"RoleName": "DEPLOYER"}
"""Letters' case does not count in names, but in ARNs."""
_PROFILE, _CERTIFICATE = {"InstanceProfileName": "BOX"}, {"ServerCertificateName": "site"}
_ATTACHED = {"PolicyArn": _POLICY}
_INLINE = {"PolicyName": "p"}
_PUT = {**_INLINE, "PolicyDocument": _DOCUMENT}
_KEY = {"AccessKeyId": "AKIAEXAMPLEEXAMPLE12"}
_NOTHING: dict[str, Any] = {}

_ABOUT: dict[str, dict[str, dict[str, Any]]] = {
    "user/staff/bob": {
        "AttachUserPolicy": {**_USER, **_ATTACHED},
        "CreateAccessKey": _USER,
        "CreateLoginProfile": {**_USER, "Password": "secret-Word1"},
        "CreateServiceSpecificCredential": {**_USER, "ServiceName": "codecommit.amazonaws.com"},
        "DeactivateMFADevice": {**_USER, "SerialNumber": _DEVICE},
        "DeleteAccessKey": {**_USER, **_KEY},
        "DeleteLoginProfile": _USER,
        "DeleteSSHPublicKey": {**_USER, "SSHPublicKeyId": "APKAEXAMPLEEXAMPLE123"},
        "DeleteServiceSpecificCredential": {**_USER, **_CREDENTIAL},
        "DeleteSigningCertificate": {**_USER, "CertificateId": "C" * 24},
        "DeleteUser": _USER,
        "DeleteUserPermissionsBoundary": _USER,
        "DeleteUserPolicy": {**_USER, **_INLINE},
        "DetachUserPolicy": {**_USER, **_ATTACHED},
        "EnableMFADevice": {**_USER, "SerialNumber": _DEVICE, **_CODES},
        "GetLoginProfile": _USER,
        "GetMFADevice": {**_USER, "SerialNumber": _DEVICE},
        "GetSSHPublicKey": {**_USER, "SSHPublicKeyId": "APKAEXAMPLEEXAMPLE123", "Encoding": "PEM"},
        "GetUser": _USER,
        "GetUserPolicy": {**_USER, **_INLINE},
        "ListAccessKeys": _USER,
        "ListAttachedUserPolicies": _USER,
        "ListGroupsForUser": _USER,
        "ListMFADevices": _USER,
        "ListPoliciesGrantingServiceAccess": {"Arn": f"{_IAM}user/staff/bob", "ServiceNamespaces": ["s3"]},
        "ListSSHPublicKeys": _USER,
        "ListServiceSpecificCredentials": _USER,
        "ListSigningCertificates": _USER,
        "ListUserPolicies": _USER,
        "ListUserTags": _USER,
        "PutUserPermissionsBoundary": {**_USER, "PermissionsBoundary": _POLICY},
        "PutUserPolicy": {**_USER, **_PUT},
        "ResetServiceSpecificCredential": {**_USER, **_CREDENTIAL},
        "ResyncMFADevice": {**_USER, "SerialNumber": _DEVICE, **_CODES},
        "TagUser": {**_USER, "Tags": _TAGS},
        "UntagUser": {**_USER, "TagKeys": ["k"]},
        "UpdateAccessKey": {**_USER, **_KEY, **_STATUS},
        "UpdateLoginProfile": {**_USER, "Password": "secret-Word1"},
        "UpdateSSHPublicKey": {**_USER, "SSHPublicKeyId": "APKAEXAMPLEEXAMPLE123", **_STATUS},
        "UpdateServiceSpecificCredential": {**_USER, **_CREDENTIAL, **_STATUS},
        "UpdateSigningCertificate": {**_USER, "CertificateId": "C" * 24, **_STATUS},
        "UpdateUser": {**_USER, "NewUserName": "robert"},
        "UploadSSHPublicKey": {**_USER, "SSHPublicKeyBody": _BODY},
        "UploadSigningCertificate": {**_USER, "CertificateBody": _BODY},
    },
    "user/staff/alice": {"ChangePassword": {"OldPassword": "a", "NewPassword": "b"}},
    "user/new/carol": {"CreateUser": {"UserName": "carol", "Path": "/new/"}},
    "group/teams/devs": {
        "AddUserToGroup": {**_GROUP, **_USER},
        "AttachGroupPolicy": {**_GROUP, **_ATTACHED},
        "DeleteGroup": _GROUP,
        "DeleteGroupPolicy": {**_GROUP, **_INLINE},
        "DetachGroupPolicy": {**_GROUP, **_ATTACHED},
        "GetGroup": _GROUP,
        "GetGroupPolicy": {**_GROUP, **_INLINE},
        "ListAttachedGroupPolicies": _GROUP,
        "ListGroupPolicies": _GROUP,
        "PutGroupPolicy": {**_GROUP, **_PUT},
        "RemoveUserFromGroup": {**_GROUP, **_USER},
        "UpdateGroup": {**_GROUP, "NewPath": "/x/"},
    },
    "group/new/ops": {"CreateGroup": {"GroupName": "ops", "Path": "/new/"}},
    "role/ci/deployer": {
        "AttachRolePolicy": {**_ROLE, **_ATTACHED},
        "DeleteRole": _ROLE,
        "DeleteRolePermissionsBoundary": _ROLE,
        "DeleteRolePolicy": {**_ROLE, **_INLINE},
        "DeleteServiceLinkedRole": _ROLE,
        "DetachRolePolicy": {**_ROLE, **_ATTACHED},
        "GetContextKeysForPrincipalPolicy": {"PolicySourceArn": f"{_IAM}role/deployer"},
        "GetRole": _ROLE,
        "GetRolePolicy": {**_ROLE, **_INLINE},
        "ListAttachedRolePolicies": _ROLE,
        "ListInstanceProfilesForRole": _ROLE,
        "ListRolePolicies": _ROLE,
        "ListRoleTags": _ROLE,
        "PutRolePermissionsBoundary": {**_ROLE, "PermissionsBoundary": _POLICY},
        "PutRolePolicy": {**_ROLE, **_PUT},
        "SimulatePrincipalPolicy": {
            "PolicySourceArn": f"{_IAM}role/deployer",
            "ActionNames": ["s3:GetObject"],
            "ResourceArns": [f"{_IAM}role/other"],
        },
        "TagRole": {**_ROLE, "Tags": _TAGS},
        "UntagRole": {**_ROLE, "TagKeys": ["k"]},
        "UpdateAssumeRolePolicy": {**_ROLE, "PolicyDocument": _TRUST},
        "UpdateRole": _ROLE,
        "UpdateRoleDescription": {**_ROLE, "Description": "d"},
    },
    "role/new/builder": {"CreateRole": {"RoleName": "builder", "Path": "/new/", "AssumeRolePolicyDocument": _TRUST}},
    "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS": {
        "CreateServiceLinkedRole": {"AWSServiceName": "ecs.amazonaws.com"},
        "GetServiceLinkedRoleDeletionStatus": {
            "DeletionTaskId": "task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/"
            "12345678-1234-1234-1234-123456789012"
        },
    },
    "instance-profile/machines/box": {
        "AddRoleToInstanceProfile": {**_PROFILE, **_ROLE},
        "DeleteInstanceProfile": _PROFILE,
        "GetInstanceProfile": _PROFILE,
        "ListInstanceProfileTags": _PROFILE,
        "RemoveRoleFromInstanceProfile": {**_PROFILE, **_ROLE},
        "TagInstanceProfile": {**_PROFILE, "Tags": _TAGS},
        "UntagInstanceProfile": {**_PROFILE, "TagKeys": ["k"]},
    },
    "instance-profile/new/tin": {"CreateInstanceProfile": {"InstanceProfileName": "tin", "Path": "/new/"}},
    "policy/limits/small": {
        "CreatePolicyVersion": {**_ATTACHED, "PolicyDocument": _DOCUMENT},
        "DeletePolicy": _ATTACHED,
        "DeletePolicyVersion": {**_ATTACHED, "VersionId": "v2"},
        "GenerateServiceLastAccessedDetails": {"Arn": _POLICY},
        "GetPolicy": _ATTACHED,
        "GetPolicyVersion": {**_ATTACHED, "VersionId": "v1"},
        "ListEntitiesForPolicy": _ATTACHED,
        "ListPolicyTags": _ATTACHED,
        "ListPolicyVersions": _ATTACHED,
        "SetDefaultPolicyVersion": {**_ATTACHED, "VersionId": "v1"},
        "TagPolicy": {**_ATTACHED, "Tags": _TAGS},
        "UntagPolicy": {**_ATTACHED, "TagKeys": ["k"]},
    },
    "policy/new/large": {"CreatePolicy": {"PolicyName": "large", "Path": "/new/", "PolicyDocument": _DOCUMENT}},
    "mfa/phones/phone": {
        "DeleteVirtualMFADevice": {"SerialNumber": _DEVICE},
        "ListMFADeviceTags": {"SerialNumber": _DEVICE},
        "TagMFADevice": {"SerialNumber": _DEVICE, "Tags": _TAGS},
        "UntagMFADevice": {"SerialNumber": _DEVICE, "TagKeys": ["k"]},
    },
    "mfa/new/tablet": {"CreateVirtualMFADevice": {"VirtualMFADeviceName": "tablet", "Path": "/new/"}},
    "oidc-provider/issuer.example.com/a": {
        "AddClientIDToOpenIDConnectProvider": {"OpenIDConnectProviderArn": _OIDC, "ClientID": "c"},
        "CreateOpenIDConnectProvider": {"Url": "https://issuer.example.com/a"},
        "DeleteOpenIDConnectProvider": {"OpenIDConnectProviderArn": _OIDC},
        "GetOpenIDConnectProvider": {"OpenIDConnectProviderArn": _OIDC},
        "ListOpenIDConnectProviderTags": {"OpenIDConnectProviderArn": _OIDC},
        "RemoveClientIDFromOpenIDConnectProvider": {"OpenIDConnectProviderArn": _OIDC, "ClientID": "c"},
        "TagOpenIDConnectProvider": {"OpenIDConnectProviderArn": _OIDC, "Tags": _TAGS},
        "UntagOpenIDConnectProvider": {"OpenIDConnectProviderArn": _OIDC, "TagKeys": ["k"]},
        "UpdateOpenIDConnectProviderThumbprint": {"OpenIDConnectProviderArn": _OIDC, "ThumbprintList": ["a" * 40]},
    },
    "saml-provider/company": {
        "CreateSAMLProvider": {"Name": "company", "SAMLMetadataDocument": "m" * 1000},
        "DeleteSAMLProvider": {"SAMLProviderArn": _SAML},
        "GetSAMLProvider": {"SAMLProviderArn": _SAML},
        "ListSAMLProviderTags": {"SAMLProviderArn": _SAML},
        "TagSAMLProvider": {"SAMLProviderArn": _SAML, "Tags": _TAGS},
        "UntagSAMLProvider": {"SAMLProviderArn": _SAML, "TagKeys": ["k"]},
        "UpdateSAMLProvider": {"SAMLProviderArn": _SAML},
    },
    "server-certificate/site": {
        "DeleteServerCertificate": _CERTIFICATE,
        "GetServerCertificate": _CERTIFICATE,
        "ListServerCertificateTags": _CERTIFICATE,
        "TagServerCertificate": {**_CERTIFICATE, "Tags": _TAGS},
        "UntagServerCertificate": {**_CERTIFICATE, "TagKeys": ["k"]},
        "UpdateServerCertificate": {**_CERTIFICATE, "NewPath": "/x/"},
    },
    "server-certificate/new/shop": {
        "UploadServerCertificate": {
            "ServerCertificateName": "shop",
            "Path": "/new/",
            "CertificateBody": _BODY,
            "PrivateKey": _BODY,
        }
    },
    "*": {
        "CreateAccountAlias": {"AccountAlias": "acme"},
        "DeleteAccountAlias": {"AccountAlias": "acme"},
        "DeleteAccountPasswordPolicy": _NOTHING,
        "GenerateCredentialReport": _NOTHING,
        "GetAccessKeyLastUsed": _KEY,
        "GetAccountAuthorizationDetails": _NOTHING,
        "GetAccountPasswordPolicy": _NOTHING,
        "GetAccountSummary": _NOTHING,
        "GetContextKeysForCustomPolicy": {"PolicyInputList": [_DOCUMENT]},
        "GetCredentialReport": _NOTHING,
        "GetServiceLastAccessedDetails": {"JobId": "1" * 36},
        "GetServiceLastAccessedDetailsWithEntities": {"JobId": "1" * 36, "ServiceNamespace": "s3"},
        "ListAccountAliases": _NOTHING,
        "ListGroups": _NOTHING,
        "ListInstanceProfiles": _NOTHING,
        "ListOpenIDConnectProviders": _NOTHING,
        "ListPolicies": _NOTHING,
        "ListRoles": _NOTHING,
        "ListSAMLProviders": _NOTHING,
        "ListServerCertificates": _NOTHING,
        "ListUsers": _NOTHING,
        "ListVirtualMFADevices": _NOTHING,
        "SimulateCustomPolicy": {"PolicyInputList": [_DOCUMENT], "ActionNames": ["s3:GetObject"]},
        "UpdateAccountPasswordPolicy": _NOTHING,
    },
}
"""The operations by what they are about, with parameters that name it."""
_OF_THE_CALLER = (
    "CreateAccessKey",
    "DeleteAccessKey",
    "GetLoginProfile",
    "GetMFADevice",
    "GetUser",
    "ListAccessKeys",
    "ListMFADevices",
    "ListSSHPublicKeys",
    "ListServiceSpecificCredentials",
    "ListSigningCertificates",
    "UpdateAccessKey",
    "UploadSigningCertificate",
)
"""The operations that may leave out whose credentials they are about."""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StrictIam, Principal]]:
    """An account with one of everything, and a user who may do nothing."""
    iam = StrictIam(Path(tmp_path_factory.mktemp("iam")))
    iam.call("CreatePolicy", PolicyName="small", Path="/limits/", PolicyDocument=_DOCUMENT)
    iam.call("CreateUser", UserName="bob", Path="/staff/")
    iam.call("CreateGroup", GroupName="devs", Path="/teams/")
    iam.call("CreateRole", RoleName="deployer", Path="/ci/", AssumeRolePolicyDocument=_TRUST)
    iam.call("CreateInstanceProfile", InstanceProfileName="box", Path="/machines/")
    iam.call("CreateVirtualMFADevice", VirtualMFADeviceName="phone", Path="/phones/")
    yield iam, iam.user("alice", path="/staff/")
    iam.close()


@pytest.mark.parametrize("about", _ABOUT)
def test_each_operation_is_about_a_resource(company: tuple[StrictIam, Principal], about: str) -> None:
    iam, alice = company
    arn = about if about == "*" else f"{_IAM}{about}"
    found = {operation: iam.denied(operation, alice, **params) for operation, params in _ABOUT[about].items()}
    assert found == {operation: (f"iam:{operation}", arn) for operation in _ABOUT[about]}


def test_all_operations_are_in_the_table() -> None:
    known = {name for name, handler in service.handlers.items() if not handler.is_internal}
    assert known == {operation for operations in _ABOUT.values() for operation in operations}


@pytest.mark.parametrize("operation", _OF_THE_CALLER)
def test_who_names_nobody_means_himself(company: tuple[StrictIam, Principal], operation: str) -> None:
    iam, alice = company
    params = {key: value for key, value in _ABOUT["user/staff/bob"][operation].items() if key != "UserName"}
    assert iam.denied(operation, alice, **params)[1] == alice.arn


def test_credentials_of_all_users_are_not_ones_own(company: tuple[StrictIam, Principal]) -> None:
    iam, alice = company
    assert iam.denied("ListServiceSpecificCredentials", alice, AllUsers=True)[1] == f"{_IAM}user/*"


def test_what_is_not_there_is_as_it_is_named(company: tuple[StrictIam, Principal]) -> None:
    iam, alice = company
    assert iam.denied("GetUser", alice, UserName="nobody")[1] == f"{_IAM}user/nobody"
    assert iam.denied("DeleteVirtualMFADevice", alice, SerialNumber="GAHT12345678")[1] == "*"
    assert iam.denied("CreateServiceLinkedRole", alice, AWSServiceName="nothing.amazonaws.com")[1] == "*"


def test_a_key_is_its_users(company: tuple[StrictIam, Principal]) -> None:
    iam, alice = company
    key = iam.call("CreateAccessKey", UserName="bob")["AccessKey"]["AccessKeyId"]
    assert iam.denied("GetAccessKeyLastUsed", alice, AccessKeyId=key)[1] == f"{_IAM}user/staff/bob"
