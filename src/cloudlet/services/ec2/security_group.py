"""Security groups and their rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.services.ec2.resource import Kind, Resource, Scope, list_dependents, to_tag_list

ALL: Final = "-1"
NUMBERS: Final = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
"""Protocols that have names, by number."""


class SecurityGroup(Resource, kw_only=True):
    vpc: str
    group_name: str
    description: str

    def list_parents(self) -> Iterable[str]:
        return (self.vpc, make_name_mark(self.vpc, self.group_name))


class Reference(msgspec.Struct, frozen=True):
    """The place of a group of another VPC, which a peering connection leads to."""

    account: str
    vpc: str
    peering: str

    def to_api(self) -> dict[str, str]:
        return {"UserId": self.account, "VpcId": self.vpc, "VpcPeeringConnectionId": self.peering}


class SecurityGroupRule(Resource, kw_only=True):
    vpc: str
    group: str
    is_egress: bool
    protocol: str
    """A name, a number, or -1 for all."""
    first_port: int
    """Of ICMP its type. -1: all."""
    last_port: int
    """Of ICMP its code. -1: all."""
    member: str
    """The kind of peer: CidrIpv4, CidrIpv6, PrefixListId or ReferencedGroupId."""
    peer: str
    description: str | None = None
    reference: Reference | None = None
    """The place of a peer that is a group of another VPC."""

    def list_parents(self) -> Iterable[str]:
        is_other = self.member in ("PrefixListId", "ReferencedGroupId") and self.peer != self.group
        # A group that another VPC refers to can be deleted all the same.
        peer = self.peer if self.reference is None else make_reference_mark(self.peer)
        return (f"rules/{self.group}", peer if is_other else "")

    @property
    def network(self) -> str:
        return self.vpc

    @property
    def key(self) -> tuple[object, ...]:
        """Return what no other rule of the group has."""
        return (self.is_egress, self.protocol, self.first_port, self.last_port, self.member, self.peer)


def make_reference_mark(group: str) -> str:
    """Return what rules are found by that refer to a group of another VPC."""
    return f"reference/{group}"


def make_name_mark(vpc: str, name: str) -> str:
    """Return what a group is found by with its name."""
    return f"name/{vpc}/{name}"


async def list_rules(scope: Scope, tx: Transaction, group: str) -> list[SecurityGroupRule]:
    """Return the rules of a group."""
    return await RULES.list_dependent(scope, tx, f"rules/{group}")


async def find_group_by_name(scope: Scope, tx: Transaction, vpc: str, name: str) -> SecurityGroup | None:
    """Return the group of a VPC with a name, None where there is none."""
    found = await list_dependents(scope, tx, make_name_mark(vpc, name), limit=1)
    return await GROUPS.get(scope, tx, found[0]) if found else None


async def _show_group(scope: Scope, tx: Transaction, group: SecurityGroup) -> dict[str, Any]:
    rules = await list_rules(scope, tx, group.name)
    return {
        "GroupId": group.name,
        "GroupName": group.group_name,
        "Description": group.description,
        "VpcId": group.vpc,
        "OwnerId": group.account,
        "SecurityGroupArn": GROUPS.make_arn(group),
        "IpPermissions": to_permissions([each for each in rules if not each.is_egress]),
        "IpPermissionsEgress": to_permissions([each for each in rules if each.is_egress]),
        "Tags": to_tag_list(group),
    }


def to_permissions(rules: Sequence[SecurityGroupRule]) -> list[dict[str, Any]]:
    """Return rules as permissions: one for all peers of a protocol and its ports."""
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    for rule in rules:
        key = (rule.protocol, rule.first_port, rule.last_port)
        if key not in found:
            found[key] = {"IpProtocol": rule.protocol}
            if rule.protocol != ALL:
                found[key] |= {"FromPort": rule.first_port, "ToPort": rule.last_port}
            found[key] |= {"IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
        text = {} if rule.description is None else {"Description": rule.description}
        if rule.member == "CidrIpv4":
            found[key]["IpRanges"].append({"CidrIp": rule.peer, **text})
        elif rule.member == "CidrIpv6":
            found[key]["Ipv6Ranges"].append({"CidrIpv6": rule.peer, **text})
        elif rule.member == "PrefixListId":
            found[key]["PrefixListIds"].append({"PrefixListId": rule.peer, **text})
        else:
            place = {"UserId": rule.account} if rule.reference is None else rule.reference.to_api()
            found[key]["UserIdGroupPairs"].append({"GroupId": rule.peer, **place, **text})
    return list(found.values())


async def _show_rule(scope: Scope, tx: Transaction, rule: SecurityGroupRule) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "SecurityGroupRuleId": rule.name,
        "SecurityGroupRuleArn": RULES.make_arn(rule),
        "GroupId": rule.group,
        "GroupOwnerId": rule.account,
        "IsEgress": rule.is_egress,
        "IpProtocol": rule.protocol,
        "FromPort": rule.first_port,
        "ToPort": rule.last_port,
        "Description": rule.description,
        "Tags": to_tag_list(rule),
    }
    if rule.member == "ReferencedGroupId":
        own = {"UserId": rule.account, "VpcId": rule.vpc}
        place = own if rule.reference is None else rule.reference.to_api()
        return {**shown, "ReferencedGroupInfo": {"GroupId": rule.peer, **place}}
    return {**shown, rule.member: rule.peer}


_PERMISSION: Final = {
    "cidr": "IpRanges.CidrIp",
    "from-port": "FromPort",
    "group-id": "UserIdGroupPairs.GroupId",
    "group-name": "UserIdGroupPairs.GroupName",
    "ipv6-cidr": "Ipv6Ranges.CidrIpv6",
    "prefix-list-id": "PrefixListIds.PrefixListId",
    "protocol": "IpProtocol",
    "to-port": "ToPort",
    "user-id": "UserIdGroupPairs.UserId",
}


def _make_absent(name: str) -> AwsError:
    return AwsError("InvalidGroup.NotFound", f"The security group '{name}' does not exist")


def _make_absent_rule(name: str) -> AwsError:
    return AwsError("InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{name}' does not exist")


GROUPS: Final = Kind(
    SecurityGroup, "sg", "security-group", "securityGroup", "InvalidGroupId", _show_group, "SecurityGroups", "GroupIds",
    {
        "description": "",
        "group-id": "",
        "group-name": "",
        "owner-id": "",
        "vpc-id": "",
        **{f"ip-permission.{name}": f"IpPermissions.{path}" for name, path in _PERMISSION.items()},
        **{f"egress.ip-permission.{name}": f"IpPermissionsEgress.{path}" for name, path in _PERMISSION.items()},
    },
    _make_absent,
)  # fmt: skip
RULES: Final = Kind(
    SecurityGroupRule, "sgr", "security-group-rule", "security group rule", "InvalidSecurityGroupRuleId", _show_rule,
    "SecurityGroupRules", "SecurityGroupRuleIds",
    {"group-id": "", "security-group-rule-id": ""},
    _make_absent_rule,
)  # fmt: skip
