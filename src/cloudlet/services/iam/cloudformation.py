"""The resource types of AWS IAM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Items, Name, Part, Properties, ResourceType, render

_CAPABILITY: Final = "CAPABILITY_IAM"


def _get_policy_name(item: Any) -> str:
    return str(item["PolicyName"])


_POLICY: Final = {"PolicyName": "Item.PolicyName", "PolicyDocument": "Item.PolicyDocument"}


def _make_inline(kind: str) -> Items:
    """Return the inline policies of a role, user or group."""
    return Items(
        "Policies",
        Call(f"Put{kind}Policy", _POLICY),
        Call(f"Delete{kind}Policy", {"PolicyName": "Item.PolicyName"}),
        key=_get_policy_name,
        is_removed_first=True,
    )


def _make_managed(kind: str) -> Items:
    """Return the managed policies that are attached to a role, user or group."""
    return Items(
        "ManagedPolicyArns",
        Call(f"Attach{kind}Policy", {"PolicyArn": "Item"}),
        Call(f"Detach{kind}Policy", {"PolicyArn": "Item"}),
        is_removed_first=True,
    )


def _make_boundary(kind: str) -> Part:
    return Part(
        "PermissionsBoundary",
        Call(f"Put{kind}PermissionsBoundary"),
        Call(f"Delete{kind}PermissionsBoundary"),
    )


def _list_attachments(kind: str) -> Any:
    """Return a source of the roles, users or groups that a policy belongs to."""

    def list_all(properties: Properties) -> list[dict[str, Any]]:
        document, name = properties.get("PolicyDocument"), properties.get("PolicyName")
        return [{"Entity": one, "Name": name, "Document": document} for one in properties.get(f"{kind}s") or ()]

    return list_all


def _make_inline_of(kind: str) -> Items:
    """Return the items of a policy that is inline in several roles, users or groups."""
    name = {f"{kind}Name": "Item.Entity", "PolicyName": "Item.Name"}
    return Items(
        _list_attachments(kind),
        Call(f"Put{kind}Policy", {**name, "PolicyDocument": "Item.Document"}),
        Call(f"Delete{kind}Policy", name),
        key=lambda item: (item["Entity"], item["Name"]),
        is_removed_first=True,
    )


def _make_attachments(kind: str) -> Items:
    """Return the roles, users or groups that a managed policy is attached to."""
    members = {f"{kind}Name": "Item", "PolicyArn": "PolicyArn"}
    return Items(
        f"{kind}s", Call(f"Attach{kind}Policy", members), Call(f"Detach{kind}Policy", members), is_removed_first=True
    )


def _make_single_inline(kind: str) -> ResourceType:
    """Return the type of one inline policy of a role, user or group."""
    return ResourceType(
        f"AWS::IAM::{kind}Policy",
        "iam",
        create=Call(f"Put{kind}Policy"),
        read=Call(f"Get{kind}Policy"),
        updates=(Call(f"Put{kind}Policy"),),
        delete=Call(f"Delete{kind}Policy"),
        capability=_CAPABILITY,
    )


def _make_arn(kind: str, name: str) -> Callable[[Properties], str | None]:
    """Return a source of the ARN of what has a path.

    `name` is the property with its name.
    """

    def make(properties: Properties) -> str | None:
        path = properties.get("Path") or "/"
        return render(f"arn:{{partition}}:iam::{{account}}:{kind}{path}{{{name}}}", properties)

    return make


RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::IAM::Role",
        "iam",
        create=Call("CreateRole", {"PermissionsBoundary": "PermissionsBoundary"}),
        read=Call("GetRole"),
        updates=(
            Call("UpdateRole", absent={"Description": "", "MaxSessionDuration": 3600}),
            Call("UpdateAssumeRolePolicy", {"PolicyDocument": "AssumeRolePolicyDocument"}),
        ),
        parts=(_make_inline("Role"), _make_managed("Role"), _make_boundary("Role")),
        delete=Call("DeleteRole"),
        named=Name("RoleName", 64),
        tag=Call("TagRole"),
        capability=_CAPABILITY,
        list=Call("ListRoles"),
    ),
    ResourceType(
        "AWS::IAM::Policy",
        "iam",
        parts=(_make_inline_of("Role"), _make_inline_of("User"), _make_inline_of("Group")),
        capability=_CAPABILITY,
    ),
    _make_single_inline("Role"),
    _make_single_inline("User"),
    _make_single_inline("Group"),
    ResourceType(
        "AWS::IAM::ManagedPolicy",
        "iam",
        create=Call("CreatePolicy", {"PolicyName": "ManagedPolicyName"}),
        read=Call("GetPolicy"),
        exists=Call("GetPolicy", {"PolicyArn": "arn:{partition}:iam::{account}:policy/{ManagedPolicyName}"}),
        updates=(Call("CreatePolicyVersion", {"SetAsDefault": lambda properties: True}),),
        parts=(_make_attachments("Role"), _make_attachments("User"), _make_attachments("Group")),
        delete=Call("DeletePolicy"),
        named=Name("ManagedPolicyName", 128),
        attributes={"PolicyArn": "Arn"},
        capability=_CAPABILITY,
    ),
    ResourceType(
        "AWS::IAM::User",
        "iam",
        create=Call("CreateUser"),
        read=Call("GetUser"),
        updates=(Call("UpdateUser", {"NewPath": "Path", "NewUserName": None}),),
        parts=(
            _make_inline("User"),
            _make_managed("User"),
            _make_boundary("User"),
            Items(
                "Groups",
                Call("AddUserToGroup", {"GroupName": "Item"}),
                Call("RemoveUserFromGroup", {"GroupName": "Item"}),
                is_removed_first=True,
            ),
            Items(
                lambda properties: [properties["LoginProfile"]] if "LoginProfile" in properties else [],
                Call(
                    "CreateLoginProfile",
                    {"Password": "Item.Password", "PasswordResetRequired": "Item.PasswordResetRequired"},
                ),
                Call("DeleteLoginProfile"),
                is_removed_first=True,
            ),
        ),
        delete=Call("DeleteUser"),
        named=Name("UserName", 64),
        tag=Call("TagUser"),
        capability=_CAPABILITY,
    ),
    ResourceType(
        "AWS::IAM::Group",
        "iam",
        create=Call("CreateGroup"),
        read=Call("GetGroup", {"Marker": None, "MaxItems": None}),
        updates=(Call("UpdateGroup", {"NewPath": "Path", "NewGroupName": None}),),
        parts=(_make_inline("Group"), _make_managed("Group")),
        delete=Call("DeleteGroup"),
        named=Name("GroupName", 128),
        attributes={"Arn": "Group.Arn"},
        capability=_CAPABILITY,
    ),
    ResourceType(
        "AWS::IAM::UserToGroupAddition",
        "iam",
        parts=(
            Items(
                "Users",
                Call("AddUserToGroup", {"UserName": "Item"}),
                Call("RemoveUserFromGroup", {"UserName": "Item"}),
                is_removed_first=True,
            ),
        ),
        unlisted=("GroupName",),
        capability=_CAPABILITY,
    ),
    ResourceType(
        "AWS::IAM::InstanceProfile",
        "iam",
        create=Call("CreateInstanceProfile"),
        read=Call("GetInstanceProfile"),
        parts=(
            Items(
                "Roles",
                Call("AddRoleToInstanceProfile", {"RoleName": "Item"}),
                Call("RemoveRoleFromInstanceProfile", {"RoleName": "Item"}),
                is_removed_first=True,
            ),
        ),
        delete=Call("DeleteInstanceProfile"),
        named=Name("InstanceProfileName", 128),
        capability=_CAPABILITY,
    ),
    ResourceType(
        "AWS::IAM::AccessKey",
        "iam",
        create=Call("CreateAccessKey"),
        parts=(Part("Status", Call("UpdateAccessKey", {"AccessKeyId": "Id"})),),
        delete=Call("DeleteAccessKey", {"AccessKeyId": "Id"}),
        attributes={"Id": "AccessKey.AccessKeyId", "SecretAccessKey": "AccessKey.SecretAccessKey"},
        unlisted=("Serial",),
        capability=_CAPABILITY,
    ),
    ResourceType(
        "AWS::IAM::ServiceLinkedRole",
        "iam",
        create=Call("CreateServiceLinkedRole"),
        read=Call("GetRole"),
        updates=(Call("UpdateRole", absent={"Description": ""}),),
        delete=Call("DeleteServiceLinkedRole"),
    ),
    ResourceType(
        "AWS::IAM::OIDCProvider",
        "iam",
        create=Call("CreateOpenIDConnectProvider"),
        updates=(Call("UpdateOpenIDConnectProviderThumbprint", {"OpenIDConnectProviderArn": "Arn"}),),
        parts=(
            Items(
                "ClientIdList",
                Call("AddClientIDToOpenIDConnectProvider", {"OpenIDConnectProviderArn": "Arn", "ClientID": "Item"}),
                Call(
                    "RemoveClientIDFromOpenIDConnectProvider", {"OpenIDConnectProviderArn": "Arn", "ClientID": "Item"}
                ),
                is_made=True,
            ),
        ),
        delete=Call("DeleteOpenIDConnectProvider", {"OpenIDConnectProviderArn": "Arn"}),
        attributes={"Arn": "OpenIDConnectProviderArn"},
        tag=Call("TagOpenIDConnectProvider", {"OpenIDConnectProviderArn": "Arn"}),
    ),
    ResourceType(
        "AWS::IAM::SAMLProvider",
        "iam",
        create=Call("CreateSAMLProvider"),
        read=Call("GetSAMLProvider", {"SAMLProviderArn": "Arn"}),
        exists=Call("GetSAMLProvider", {"SAMLProviderArn": "arn:{partition}:iam::{account}:saml-provider/{Name}"}),
        updates=(Call("UpdateSAMLProvider", {"SAMLProviderArn": "Arn"}),),
        delete=Call("DeleteSAMLProvider", {"SAMLProviderArn": "Arn"}),
        named=Name("Name", 128),
        attributes={
            "Arn": "arn:{partition}:iam::{account}:saml-provider/{Name}",
            "SamlProviderUUID": "SAMLProviderUUID",
        },
        tag=Call("TagSAMLProvider", {"SAMLProviderArn": "Arn"}),
    ),
    ResourceType(
        "AWS::IAM::ServerCertificate",
        "iam",
        create=Call("UploadServerCertificate"),
        read=Call("GetServerCertificate"),
        updates=(
            Call(
                "UpdateServerCertificate",
                {"NewPath": "Path", "NewServerCertificateName": None},
                absent={"NewPath": "/"},
            ),
        ),
        delete=Call("DeleteServerCertificate"),
        named=Name("ServerCertificateName", 128),
        attributes={"Arn": _make_arn("server-certificate", "ServerCertificateName")},
        tag=Call("TagServerCertificate"),
    ),
    # A device is given to a user by two of its codes, which a template cannot have.
    ResourceType(
        "AWS::IAM::VirtualMFADevice",
        "iam",
        create=Call("CreateVirtualMFADevice"),
        delete=Call("DeleteVirtualMFADevice"),
        named=Name("VirtualMfaDeviceName", 226),
        attributes={"SerialNumber": _make_arn("mfa", "VirtualMfaDeviceName")},
        tag=Call("TagMFADevice"),
    ),
)
