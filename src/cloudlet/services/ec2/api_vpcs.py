"""The operations on VPCs."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import defaults, limits, peering
from cloudlet.services.ec2.cidr import find_overlap, parse_network
from cloudlet.services.ec2.errors import (
    DependencyViolation,
    ForbiddenOperation,
    InvalidCombination,
    MissingParameter,
    UnsupportedFeature,
)
from cloudlet.services.ec2.making import make_association_id, make_vpc
from cloudlet.services.ec2.network_acl import ACLS
from cloudlet.services.ec2.operations import IPAM, declare, describe
from cloudlet.services.ec2.resource import list_dependents
from cloudlet.services.ec2.route_table import ROUTE_TABLES
from cloudlet.services.ec2.security_group import GROUPS, RULES, list_rules
from cloudlet.services.ec2.subnet import SUBNETS
from cloudlet.services.ec2.tagging import read_specifications
from cloudlet.services.ec2.vpc import VPCS, CidrAssociation, Vpc, to_association

_IPV6: Final = ("Ipv6Pool", "Ipv6CidrBlock", "Ipv6CidrBlockNetworkBorderGroup", "AmazonProvidedIpv6CidrBlock")
_ATTRIBUTES: Final = {
    "enableDnsSupport": "dns_support",
    "enableDnsHostnames": "dns_hostnames",
    "enableNetworkAddressUsageMetrics": "network_metrics",
}
_RESTRICTED: Final = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))
"""Ranges that cannot be a VPC's."""

describe(VPCS, "DescribeVpcs")


def _parse_range(text: str) -> IPv4Network:
    network = parse_network(text, "cidrBlock")
    if not 16 <= network.prefixlen <= 28 or any(network.overlaps(each) for each in _RESTRICTED):
        raise AwsError("InvalidVpc.Range", f"The CIDR '{text}' is invalid.")
    return network


@declare("CreateVpc", (*_IPV6, *IPAM, "VpcEncryptionControl"))
async def create_vpc(ctx: Context, tx: Transaction, params: Params) -> Result:
    if "CidrBlock" not in params:
        raise MissingParameter("CidrBlock")
    network = _parse_range(params["CidrBlock"])
    if params.get("InstanceTenancy", "default") != "default":
        raise UnsupportedFeature("dedicated tenancy")
    tags = read_specifications(params, VPCS.resource_type)
    await VPCS.check_quota(ctx, tx, limits.MAX_VPCS, "VpcLimitExceeded", "VPCs")
    vpc = make_vpc(ctx, tx, str(network), tags)
    vpc.dhcp_options = await defaults.get_dhcp_options(ctx, tx)
    VPCS.save(tx, vpc)
    return {"Vpc": {**await VPCS.show(ctx, tx, vpc), "State": "pending"}}


@declare("CreateDefaultVpc")
async def create_default_vpc(ctx: Context, tx: Transaction, params: Params) -> Result:
    if await defaults.find_default_vpc(ctx, tx) is not None:
        raise AwsError("DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.")
    await VPCS.check_quota(ctx, tx, limits.MAX_VPCS, "VpcLimitExceeded", "VPCs")
    vpc = await defaults.make_default_vpc(ctx, tx)
    return {"Vpc": {**await VPCS.show(ctx, tx, vpc), "State": "pending"}}


@declare("DeleteVpc")
async def delete_vpc(ctx: Context, tx: Transaction, params: Params) -> Result:
    vpc = await VPCS.get(ctx, tx, params["VpcId"])
    await peering.forget_ended(ctx, tx)
    if set(await list_dependents(ctx, tx, vpc.name)) - vpc.defaults:
        raise DependencyViolation(VPCS.noun, vpc.name)
    for name in vpc.defaults:
        if set(await list_dependents(ctx, tx, name)) - vpc.defaults:
            raise DependencyViolation(VPCS.noun, vpc.name)
    for rule in await list_rules(ctx, tx, vpc.default_group):
        RULES.remove(tx, rule)
    GROUPS.remove(tx, await GROUPS.get(ctx, tx, vpc.default_group))
    ACLS.remove(tx, await ACLS.get(ctx, tx, vpc.default_acl))
    ROUTE_TABLES.remove(tx, await ROUTE_TABLES.get(ctx, tx, vpc.main_table))
    VPCS.remove(tx, vpc)
    return None


@declare("DescribeVpcAttribute")
async def describe_vpc_attribute(ctx: Context, tx: Transaction, params: Params) -> Result:
    vpc = await VPCS.get(ctx, tx, params["VpcId"])
    name = params["Attribute"]
    member = name[0].upper() + name[1:]
    return {"VpcId": vpc.name, member: {"Value": getattr(vpc, _ATTRIBUTES[name])}}


@declare("ModifyVpcAttribute")
async def modify_vpc_attribute(ctx: Context, tx: Transaction, params: Params) -> Result:
    vpc = await VPCS.get(ctx, tx, params["VpcId"])
    given = {
        "dns_support": params.get("EnableDnsSupport"),
        "dns_hostnames": params.get("EnableDnsHostnames"),
        "network_metrics": params.get("EnableNetworkAddressUsageMetrics"),
    }
    changed = {field: value.get("Value", False) for field, value in given.items() if value is not None}
    if len(changed) != 1:
        text = "Fields for multiple attribute types specified" if changed else "No attributes specified."
        raise InvalidCombination(text)
    if changed.get("network_metrics"):
        raise UnsupportedFeature("metrics of network address usage")
    if changed.get("dns_hostnames") and not vpc.dns_support:
        text = "Enabling DNS hostnames requires DNS support to be enabled."
        raise AwsError("InvalidParameterCombination", text)
    for field, value in changed.items():
        setattr(vpc, field, value)
    VPCS.save(tx, vpc)
    return None


@declare("AssociateVpcCidrBlock", (*_IPV6, *IPAM))
async def associate_vpc_cidr_block(ctx: Context, tx: Transaction, params: Params) -> Result:
    vpc = await VPCS.get(ctx, tx, params["VpcId"])
    if "CidrBlock" not in params:
        raise MissingParameter("CidrBlock")
    network = _parse_range(params["CidrBlock"])
    for _, side in await peering.list_active(ctx, tx, vpc.name):
        peer = await peering.find_vpc(ctx, tx, side)
        if peer is not None and find_overlap(network, peer.ranges) is not None:
            raise AwsError("InvalidVpc.Range", f"The CIDR '{network}' overlaps with that of the peer {peer.name}.")
    if (other := find_overlap(network, vpc.ranges)) is not None:
        text = f"The CIDR '{network}' conflicts with another subnet: it overlaps with {other} of the VPC."
        raise AwsError("InvalidVpc.Range", text)
    if len(vpc.cidrs) == limits.MAX_CIDR_BLOCKS:
        text = f"This network '{vpc.name}' has met its maximum number of allowed CIDRs: {limits.MAX_CIDR_BLOCKS}"
        raise AwsError("CidrLimitExceeded", text)
    association = CidrAssociation(make_association_id("vpc-cidr-assoc"), str(network))
    vpc.cidrs.append(association)
    VPCS.save(tx, vpc)
    await peering.request_peers(ctx, tx, vpc.name)
    return {"VpcId": vpc.name, "CidrBlockAssociation": to_association(association, "associating")}


@declare("DisassociateVpcCidrBlock")
async def disassociate_vpc_cidr_block(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params["AssociationId"]
    vpc, association = await _find_association(ctx, tx, name)
    if association is vpc.cidrs[0]:
        raise ForbiddenOperation(
            f"The vpc CIDR block with association ID {name} may not be disassociated. It is the primary IPv4 CIDR block"
            " of the VPC"
        )
    network = IPv4Network(association.cidr)
    if any(each.addresses.subnet_of(network) for each in await SUBNETS.list_dependent(ctx, tx, vpc.name)):
        text = f"The vpc CIDR block with association ID {name} has dependencies and cannot be disassociated."
        raise AwsError("InvalidCidrBlock.InUse", text)
    vpc.cidrs.remove(association)
    VPCS.save(tx, vpc)
    await peering.request_peers(ctx, tx, vpc.name)
    return {"VpcId": vpc.name, "CidrBlockAssociation": to_association(association, "disassociating")}


async def _find_association(ctx: Context, tx: Transaction, name: str) -> tuple[Vpc, CidrAssociation]:
    for vpc in await VPCS.list_all(ctx, tx):
        for association in vpc.cidrs:
            if association.id == name:
                return vpc, association
    text = f"The vpc CIDR block association ID '{name}' does not exist"
    raise AwsError("InvalidVpcCidrBlockAssociationID.NotFound", text)
