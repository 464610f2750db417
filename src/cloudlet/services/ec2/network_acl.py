"""Network ACLs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.ec2.resource import Kind, Resource, Scope, to_tag_list
from cloudlet.services.ec2.subnet import SUBNETS

LAST_RULE: Final = 32767
"""The number of the rule that denies all that no other one allows."""
ALL: Final = "-1"


class Entry(msgspec.Struct):
    """A rule."""

    number: int
    is_egress: bool
    protocol: str
    """A number, or -1 for all."""
    is_allowed: bool
    cidr: str = ""
    cidr6: str = ""
    first_port: int = -1
    """Of ICMP its type. -1: all."""
    last_port: int = -1
    """Of ICMP its code. -1: all."""


class NetworkAcl(Resource, kw_only=True):
    vpc: str
    is_default: bool = False
    entries: list[Entry] = msgspec.field(default_factory=list)
    """All but the last one."""

    def list_parents(self) -> Iterable[str]:
        return (self.vpc,)

    @property
    def network(self) -> str:
        return self.vpc


def to_entry(entry: Entry) -> dict[str, Any]:
    """Return a rule as the API has it."""
    shown: dict[str, Any] = {
        "RuleNumber": entry.number,
        "Egress": entry.is_egress,
        "Protocol": entry.protocol,
        "RuleAction": "allow" if entry.is_allowed else "deny",
    }
    shown |= {"Ipv6CidrBlock": entry.cidr6} if entry.cidr6 else {"CidrBlock": entry.cidr}
    if entry.protocol in ("6", "17"):
        shown["PortRange"] = {"From": entry.first_port, "To": entry.last_port}
    elif entry.protocol in ("1", "58"):
        shown["IcmpTypeCode"] = {"Type": entry.first_port, "Code": entry.last_port}
    return shown


async def _show(scope: Scope, tx: Transaction, acl: NetworkAcl) -> dict[str, Any]:
    entries = sorted(acl.entries, key=lambda each: (not each.is_egress, each.number))
    last = [Entry(LAST_RULE, is_egress, ALL, is_allowed=False, cidr="0.0.0.0/0") for is_egress in (True, False)]
    return {
        "NetworkAclId": acl.name,
        "VpcId": acl.vpc,
        "OwnerId": acl.account,
        "IsDefault": acl.is_default,
        "Entries": [to_entry(each) for each in [*entries, *last]],
        "Associations": [
            {"NetworkAclAssociationId": each.acl_association, "NetworkAclId": acl.name, "SubnetId": each.name}
            for each in await SUBNETS.list_dependent(scope, tx, acl.name)
        ],
        "Tags": to_tag_list(acl),
    }


ACLS: Final = Kind(
    NetworkAcl, "acl", "network-acl", "networkAcl", "InvalidNetworkAclID", _show, "NetworkAcls", "NetworkAclIds",
    {
        "association.association-id": "Associations.NetworkAclAssociationId",
        "association.network-acl-id": "Associations.NetworkAclId",
        "association.subnet-id": "Associations.SubnetId",
        "default": "IsDefault",
        "entry.cidr": "Entries.CidrBlock",
        "entry.egress": "Entries.Egress",
        "entry.icmp.code": "Entries.IcmpTypeCode.Code",
        "entry.icmp.type": "Entries.IcmpTypeCode.Type",
        "entry.ipv6-cidr": "Entries.Ipv6CidrBlock",
        "entry.port-range.from": "Entries.PortRange.From",
        "entry.port-range.to": "Entries.PortRange.To",
        "entry.protocol": "Entries.Protocol",
        "entry.rule-action": "Entries.RuleAction",
        "entry.rule-number": "Entries.RuleNumber",
        "network-acl-id": "",
        "owner-id": "",
        "vpc-id": "",
    },
    malformed="InvalidNetworkAclId.Malformed",
)  # fmt: skip
