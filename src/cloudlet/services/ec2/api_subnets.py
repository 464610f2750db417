"""The operations on subnets."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import defaults, limits
from cloudlet.services.ec2.cidr import find_overlap, parse_network
from cloudlet.services.ec2.errors import InvalidCombination, MissingParameter
from cloudlet.services.ec2.making import make_subnet
from cloudlet.services.ec2.operations import IPAM, declare, describe
from cloudlet.services.ec2.subnet import SUBNETS
from cloudlet.services.ec2.tagging import read_specifications
from cloudlet.services.ec2.vpc import VPCS
from cloudlet.services.ec2.zones import find_zone

_UNSUPPORTED: Final = (
    "AssignIpv6AddressOnCreation", "MapCustomerOwnedIpOnLaunch", "CustomerOwnedIpv4Pool", "EnableDns64",
    "EnableResourceNameDnsAAAARecordOnLaunch", "EnableLniAtDeviceIndex", "DisableLniAtDeviceIndex",
)  # fmt: skip
"""Attributes of subnets with IPv6, or of Outposts."""

describe(SUBNETS, "DescribeSubnets")


@declare("CreateSubnet", ("Ipv6CidrBlock", "Ipv6Native", "OutpostArn", *IPAM))
async def create_subnet(ctx: Context, tx: Transaction, params: Params) -> Result:
    vpc = await VPCS.get(ctx, tx, params["VpcId"])
    if "CidrBlock" not in params:
        raise MissingParameter("CidrBlock")
    text = params["CidrBlock"]
    network = parse_network(text, "cidrBlock")
    subnets = await SUBNETS.list_dependent(ctx, tx, vpc.name)
    zone = find_zone(ctx.region, params.get("AvailabilityZone"), params.get("AvailabilityZoneId"), default=len(subnets))
    within = any(network.subnet_of(parse_network(each, "cidrBlock")) for each in vpc.ranges)
    if not within or not 16 <= network.prefixlen <= 28:
        raise AwsError("InvalidSubnet.Range", f"The CIDR '{text}' is invalid.")
    if find_overlap(network, [each.cidr for each in subnets]) is not None:
        raise AwsError("InvalidSubnet.Conflict", f"The CIDR '{text}' conflicts with another subnet")
    await SUBNETS.check_quota(ctx, tx, limits.MAX_SUBNETS, "SubnetLimitExceeded", "subnets", vpc.name)
    tags = read_specifications(params, SUBNETS.resource_type)
    subnet = make_subnet(tx, vpc, str(network), zone.name, tags)
    return {"Subnet": await SUBNETS.show(ctx, tx, subnet)}


@declare("CreateDefaultSubnet", ("Ipv6Native",))
async def create_default_subnet(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, zone_id = params.get("AvailabilityZone"), params.get("AvailabilityZoneId")
    if not name and not zone_id:
        raise MissingParameter("AvailabilityZone")
    subnet = await defaults.make_default_subnet(ctx, tx, find_zone(ctx.region, name, zone_id))
    return {"Subnet": await SUBNETS.show(ctx, tx, subnet)}


@declare("DeleteSubnet")
async def delete_subnet(ctx: Context, tx: Transaction, params: Params) -> Result:
    subnet = await SUBNETS.get(ctx, tx, params["SubnetId"])
    await SUBNETS.check_free(ctx, tx, subnet.name)
    SUBNETS.remove(tx, subnet)
    return None


@declare("ModifySubnetAttribute", _UNSUPPORTED)
async def modify_subnet_attribute(ctx: Context, tx: Transaction, params: Params) -> Result:
    subnet = await SUBNETS.get(ctx, tx, params["SubnetId"])
    hostname_type = params.get("PrivateDnsHostnameTypeOnLaunch")
    given = {
        "maps_public_addresses": (params.get("MapPublicIpOnLaunch") or {}).get("Value"),
        "is_name_resolved": (params.get("EnableResourceNameDnsARecordOnLaunch") or {}).get("Value"),
        "hostname_type": hostname_type,
    }
    changed = {field: value for field, value in given.items() if value is not None}
    if len(changed) > 1:
        raise InvalidCombination("Only one attribute can be modified at a time")
    for field, value in changed.items():
        setattr(subnet, field, value)
    SUBNETS.save(tx, subnet)
    return None
