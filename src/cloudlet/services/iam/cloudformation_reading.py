"""The way to read resources of AWS IAM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import ANSWER, BASE, Listing, Read, ReadEach, Reading, find_in


def _list_names(path: str, member: str) -> Callable[[Properties], list[Any]]:
    """Return a source of one member of each item of a list."""
    return lambda properties: [item[member] for item in properties[ANSWER].get(path) or ()]


def _list_roles(properties: Properties) -> list[Any]:
    return [role["RoleName"] for role in properties[ANSWER]["InstanceProfile"].get("Roles") or ()]


def _read_inline(kind: str) -> ReadEach:
    """Return the reading of the inline policies of a role, user or group."""
    return ReadEach("Policies", Call(f"List{kind}Policies"), Call(f"Get{kind}Policy", {"PolicyName": "Item"}))


def _read_managed(kind: str) -> Read:
    """Return the reading of the managed policies of a role, user or group."""
    return Read(
        Call(f"ListAttached{kind}Policies"),
        {"ManagedPolicyArns": _list_names("AttachedPolicies", "PolicyArn")},
        is_exact=True,
    )


def _get_version(properties: Properties) -> Any:
    return properties[BASE]["Policy"]["DefaultVersionId"]


def _make_inline_reading(kind: str) -> Reading:
    """Return the reading of one inline policy of a role, user or group."""
    return Reading(
        list=Listing(Call(f"List{kind}Policies"), properties={"PolicyName": lambda properties: properties["Item"]})
    )


def _find_last(name: str) -> Callable[[Properties], str]:
    """Return a source of the name at the end of a property, an ARN."""
    return lambda properties: str(properties[name]).rpartition("/")[2]


def _find_device_path(properties: Properties) -> str:
    return f"/{str(properties['SerialNumber']).partition('/')[2].rpartition('/')[0]}/".replace("//", "/")


_ROLE: Final = {"PermissionsBoundary": "Role.PermissionsBoundary.PermissionsBoundaryArn", "Policies": None}
_USER: Final = {
    "PermissionsBoundary": "User.PermissionsBoundary.PermissionsBoundaryArn",
    "LoginProfile": None,
    "Groups": None,
}

READINGS: Final = {
    "AWS::IAM::Role": Reading(Read(Call("GetRole"), _ROLE), (_read_managed("Role"), _read_inline("Role"))),
    "AWS::IAM::User": Reading(
        Read(Call("GetUser"), _USER),
        (
            _read_managed("User"),
            _read_inline("User"),
            Read(Call("ListGroupsForUser"), {"Groups": _list_names("Groups", "GroupName")}, is_exact=True),
            Read(Call("GetLoginProfile"), {"LoginProfile": "LoginProfile"}, is_exact=True),
        ),
        Listing(Call("ListUsers")),
    ),
    "AWS::IAM::Group": Reading(
        Read(Call("GetGroup", {"Marker": None, "MaxItems": None}), {"Arn": "Group.Arn"}),
        (_read_managed("Group"), _read_inline("Group")),
        Listing(Call("ListGroups")),
    ),
    "AWS::IAM::ManagedPolicy": Reading(
        Read(Call("GetPolicy"), {"PolicyDocument": None, "Groups": None, "Roles": None, "Users": None}),
        (
            Read(
                Call("GetPolicyVersion", {"VersionId": _get_version}),
                {"PolicyDocument": "PolicyVersion.Document"},
                is_exact=True,
            ),
            Read(
                Call("ListEntitiesForPolicy", {"PolicyArn": "PolicyArn", "PathPrefix": None}),
                {
                    "Groups": _list_names("PolicyGroups", "GroupName"),
                    "Roles": _list_names("PolicyRoles", "RoleName"),
                    "Users": _list_names("PolicyUsers", "UserName"),
                },
                is_exact=True,
            ),
        ),
        Listing(Call("ListPolicies", {"Scope": lambda properties: "Local"}), properties={"PolicyArn": "Arn"}),
    ),
    "AWS::IAM::RolePolicy": _make_inline_reading("Role"),
    "AWS::IAM::UserPolicy": _make_inline_reading("User"),
    "AWS::IAM::GroupPolicy": _make_inline_reading("Group"),
    "AWS::IAM::InstanceProfile": Reading(
        Read(Call("GetInstanceProfile"), {"Roles": _list_roles}), list=Listing(Call("ListInstanceProfiles"))
    ),
    "AWS::IAM::AccessKey": Reading(
        Read(Call("GetAccessKeyLastUsed", {"AccessKeyId": "Id"}), {"UserName": "UserName"}, is_exact=True),
        (
            Read(
                Call("ListAccessKeys", {"UserName": f"{BASE}.UserName"}),
                root=find_in("AccessKeyMetadata", "AccessKeyId", "Id"),
            ),
        ),
        Listing(Call("ListAccessKeys"), properties={"Id": "AccessKeyId"}, owner=("AWS::IAM::User", "UserName")),
        unread=("Serial",),
    ),
    "AWS::IAM::OIDCProvider": Reading(
        Read(Call("GetOpenIDConnectProvider", {"OpenIDConnectProviderArn": "Arn"})),
        list=Listing(Call("ListOpenIDConnectProviders"), properties={"Arn": "Arn"}),
    ),
    "AWS::IAM::SAMLProvider": Reading(
        Read(Call("GetSAMLProvider", {"SAMLProviderArn": "Arn"}), {"Name": _find_last("Arn")}),
        list=Listing(Call("ListSAMLProviders")),
    ),
    "AWS::IAM::ServerCertificate": Reading(
        Read(Call("GetServerCertificate"), {"Path": "ServerCertificate.ServerCertificateMetadata.Path"}),
        list=Listing(Call("ListServerCertificates")),
    ),
    "AWS::IAM::VirtualMFADevice": Reading(
        Read(
            Call("ListMFADeviceTags"),
            {"VirtualMfaDeviceName": _find_last("SerialNumber"), "Path": _find_device_path},
        ),
        list=Listing(Call("ListVirtualMFADevices")),
        unread=("Users",),
    ),
}
