"""VPCs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.ec2.resource import Kind, Resource, Scope, to_tag_list

DEFAULT_OPTIONS: Final = "default"
"""The id of DHCP options that stands for none."""


class CidrAssociation(msgspec.Struct):
    """An address range of a VPC."""

    id: str
    cidr: str


class Vpc(Resource, kw_only=True):
    cidrs: list[CidrAssociation]
    """The first is the primary one."""
    is_default: bool
    dhcp_options: str
    dns_support: bool = True
    dns_hostnames: bool = False
    network_metrics: bool = False
    main_table: str = ""
    main_association: str = ""
    default_group: str = ""
    default_acl: str = ""

    def list_parents(self) -> Iterable[str]:
        return (self.dhcp_options, self.main_association)

    @property
    def network(self) -> str:
        return self.name

    @property
    def ranges(self) -> list[str]:
        """Return all address ranges."""
        return [each.cidr for each in self.cidrs]

    @property
    def defaults(self) -> set[str]:
        """Return the ids of what comes and goes with the VPC."""
        return {self.main_table, self.default_group, self.default_acl}


def to_association(association: CidrAssociation, state: str = "associated") -> dict[str, Any]:
    """Return an address range as the API has it."""
    return {
        "AssociationId": association.id,
        "CidrBlock": association.cidr,
        "CidrBlockState": {"State": state},
    }


async def _show(scope: Scope, tx: Transaction, vpc: Vpc) -> dict[str, Any]:
    return {
        "VpcId": vpc.name,
        "OwnerId": vpc.account,
        "State": "available",
        "CidrBlock": vpc.cidrs[0].cidr,
        "CidrBlockAssociationSet": [to_association(each) for each in vpc.cidrs],
        "Ipv6CidrBlockAssociationSet": [],
        "IsDefault": vpc.is_default,
        "InstanceTenancy": "default",
        "DhcpOptionsId": vpc.dhcp_options,
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "Tags": to_tag_list(vpc),
    }


_BLOCK: Final = "CidrBlockAssociationSet."
_BLOCK6: Final = "Ipv6CidrBlockAssociationSet."
VPCS: Final = Kind(
    Vpc, "vpc", "vpc", "vpc", "InvalidVpcID", _show, "Vpcs", "VpcIds",
    {
        "cidr": "CidrBlock",
        "cidr-block": "CidrBlock",
        "cidr-block-association.cidr-block": _BLOCK + "CidrBlock",
        "cidr-block-association.association-id": _BLOCK + "AssociationId",
        "cidr-block-association.state": _BLOCK + "CidrBlockState.State",
        "dhcp-options-id": "",
        "instance-tenancy": "",
        "ipv6-cidr-block-association.ipv6-cidr-block": _BLOCK6 + "Ipv6CidrBlock",
        "ipv6-cidr-block-association.ipv6-pool": _BLOCK6 + "Ipv6Pool",
        "ipv6-cidr-block-association.association-id": _BLOCK6 + "AssociationId",
        "ipv6-cidr-block-association.state": _BLOCK6 + "Ipv6CidrBlockState.State",
        "is-default": "",
        "isDefault": "IsDefault",
        "owner-id": "",
        "state": "",
        "vpc-id": "",
    },
)  # fmt: skip
