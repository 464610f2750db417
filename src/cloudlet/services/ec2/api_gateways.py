"""The operations on internet gateways and NAT gateways."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import limits
from cloudlet.services.ec2.address import ADDRESSES, Address
from cloudlet.services.ec2.api_addresses import give_address, take_address_away
from cloudlet.services.ec2.errors import DependencyViolation, InvalidCombination, MissingParameter, UnsupportedFeature
from cloudlet.services.ec2.filters import parse_filters
from cloudlet.services.ec2.interface import INTERFACES, NAT_GATEWAY, delete_interface, make_interface
from cloudlet.services.ec2.internet_gateway import GATEWAYS, InternetGateway
from cloudlet.services.ec2.nat_gateway import NAT_GATEWAYS, NatGateway
from cloudlet.services.ec2.operations import declare, describe, find_repeated
from cloudlet.services.ec2.subnet import SUBNETS, Subnet
from cloudlet.services.ec2.tagging import read_specifications
from cloudlet.services.ec2.vpc import VPCS

_UNSUPPORTED: Final = (
    "VpcId", "AvailabilityZoneAddresses", "SecondaryAllocationIds", "SecondaryPrivateIpAddresses",
    "SecondaryPrivateIpAddressCount",
)  # fmt: skip

describe(GATEWAYS, "DescribeInternetGateways")
describe(NAT_GATEWAYS, "DescribeNatGateways", filter_member="Filter")


@declare("CreateInternetGateway")
async def create_internet_gateway(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit = limits.MAX_INTERNET_GATEWAYS
    await GATEWAYS.check_quota(ctx, tx, limit, "InternetGatewayLimitExceeded", "internet gateways")
    tags = read_specifications(params, GATEWAYS.resource_type)
    gateway = InternetGateway(account=ctx.account, region=ctx.region, name=GATEWAYS.make_id(), tags=tags)
    GATEWAYS.save(tx, gateway)
    return {"InternetGateway": await GATEWAYS.show(ctx, tx, gateway)}


@declare("DeleteInternetGateway")
async def delete_internet_gateway(ctx: Context, tx: Transaction, params: Params) -> Result:
    gateway = await GATEWAYS.get(ctx, tx, params["InternetGatewayId"])
    if gateway.vpc:
        raise DependencyViolation(GATEWAYS.noun, gateway.name)
    GATEWAYS.remove(tx, gateway)
    return None


@declare("AttachInternetGateway")
async def attach_internet_gateway(ctx: Context, tx: Transaction, params: Params) -> Result:
    gateway = await GATEWAYS.get(ctx, tx, params["InternetGatewayId"])
    vpc = await VPCS.get(ctx, tx, params["VpcId"])
    if gateway.vpc:
        text = f"resource {gateway.name} is already attached to network {gateway.vpc}"
        raise AwsError("Resource.AlreadyAssociated", text)
    if await GATEWAYS.list_dependent(ctx, tx, vpc.name):
        raise AwsError("InvalidParameterValue", f"Network {vpc.name} already has an internet gateway attached")
    gateway.vpc = vpc.name
    GATEWAYS.save(tx, gateway)
    return None


@declare("DetachInternetGateway")
async def detach_internet_gateway(ctx: Context, tx: Transaction, params: Params) -> Result:
    gateway = await GATEWAYS.get(ctx, tx, params["InternetGatewayId"])
    vpc = await VPCS.get(ctx, tx, params["VpcId"])
    if gateway.vpc != vpc.name:
        raise AwsError("Gateway.NotAttached", f"resource {gateway.name} is not attached to network {vpc.name}")
    if any(each.public_address for each in await INTERFACES.list_dependent(ctx, tx, vpc.name)):
        text = (
            f"Network {vpc.name} has some mapped public address(es)."
            " Please unmap those public address(es) before detaching the gateway."
        )
        raise AwsError("DependencyViolation", text)
    # Its network is to know that this gateway is gone.
    GATEWAYS.remove(tx, gateway)
    gateway.vpc, gateway.parents = "", []
    GATEWAYS.save(tx, gateway)
    return None


# NAT gateways


@declare("CreateNatGateway", _UNSUPPORTED)
async def create_nat_gateway(ctx: Context, tx: Transaction, params: Params) -> Result:
    nat, token = await find_repeated(ctx, tx, NAT_GATEWAYS, "CreateNatGateway", params)
    if nat is None:
        nat = await _make_nat_gateway(ctx, tx, params, token)
    return {"NatGateway": await NAT_GATEWAYS.show(ctx, tx, nat), "ClientToken": params.get("ClientToken")}


async def _make_nat_gateway(ctx: Context, tx: Transaction, params: Params, token: str) -> NatGateway:
    if params.get("AvailabilityMode", "zonal") != "zonal":
        raise UnsupportedFeature("regional NAT gateways")
    if "SubnetId" not in params:
        raise MissingParameter("SubnetId")
    subnet = await SUBNETS.get(ctx, tx, params["SubnetId"])
    is_public = params.get("ConnectivityType", "public") == "public"
    allocation = params.get("AllocationId", "")
    if is_public and not allocation:
        raise MissingParameter("AllocationId")
    if allocation and not is_public:
        raise InvalidCombination("AllocationId cannot be specified for a private NAT gateway")
    await _check_nat_limit(ctx, tx, subnet)
    elastic = await ADDRESSES.get(ctx, tx, allocation) if is_public else None
    nat = NatGateway(
        account=ctx.account,
        region=ctx.region,
        name=NAT_GATEWAYS.make_id(),
        vpc=subnet.vpc,
        subnet=subnet.name,
        is_public=is_public,
        interface="",
        address="",
        allocation=allocation,
        association="",
        public_address="",
        created=ctx.now(),
        tags=read_specifications(params, NAT_GATEWAYS.resource_type),
        token=token,
    )
    nat.failure = None if elastic is None else await _find_failure(ctx, tx, nat, elastic)
    if nat.failure is not None:
        nat.deleted = ctx.now()
    else:
        await _give_addresses(ctx, tx, nat, subnet, params.get("PrivateIpAddress"), elastic)
    NAT_GATEWAYS.save(tx, nat)
    return nat


async def _find_failure(ctx: Context, tx: Transaction, nat: NatGateway, elastic: Address) -> tuple[str, str] | None:
    """Return what a public one fails of, if anything. AWS notices it later."""
    if not await GATEWAYS.list_dependent(ctx, tx, nat.vpc):
        return "Gateway.NotAttached", f"Network {nat.vpc} has no Internet gateway attached"
    if elastic.association:
        return "Resource.AlreadyAssociated", f"Elastic IP address [{elastic.name}] is already associated"
    return None


async def _give_addresses(
    ctx: Context, tx: Transaction, nat: NatGateway, subnet: Subnet, wanted: str | None, elastic: Address | None
) -> None:
    """Give one its interface, and its elastic address. Raises AwsError."""
    interface = await make_interface(
        ctx, tx, subnet, (), address=wanted, description=f"Interface for NAT Gateway {nat.name}",
        type_name=NAT_GATEWAY, requester=NAT_GATEWAY,
    )  # fmt: skip
    nat.interface, nat.address = interface.name, interface.address
    if elastic is not None:
        await give_address(ctx, tx, elastic, interface)
        elastic.owner = nat.name
        ADDRESSES.save(tx, elastic)
        nat.association, nat.public_address = elastic.association, elastic.address


async def _check_nat_limit(ctx: Context, tx: Transaction, subnet: Subnet) -> None:
    """Raise AwsError where a zone has too many.

    Those that were deleted long ago are forgotten.
    """
    space = NAT_GATEWAYS.get_space(ctx)
    count = 0
    for _, raw in await tx.range(space.begin, space.end, limit=1000):
        nat = NAT_GATEWAYS.decode(raw)
        if not NAT_GATEWAYS.is_visible(ctx, nat):
            NAT_GATEWAYS.remove(tx, nat)
        elif not nat.deleted and (await SUBNETS.get(ctx, tx, nat.subnet)).zone == subnet.zone:
            count += 1
    if count >= limits.MAX_NAT_GATEWAYS:
        text = f"The maximum limit of {limits.MAX_NAT_GATEWAYS} NAT gateways per availability zone has been reached."
        raise AwsError("NatGatewayLimitExceeded", text)


@declare("DeleteNatGateway")
async def delete_nat_gateway(ctx: Context, tx: Transaction, params: Params) -> Result:
    nat = await NAT_GATEWAYS.get(ctx, tx, params["NatGatewayId"])
    if not nat.deleted:
        nat.deleted = ctx.now()
        NAT_GATEWAYS.save(tx, nat)
        interface = await INTERFACES.get(ctx, tx, nat.interface)
        if nat.allocation:
            await take_address_away(ctx, tx, await ADDRESSES.get(ctx, tx, nat.allocation))
            interface = await INTERFACES.get(ctx, tx, nat.interface)
        await delete_interface(ctx, tx, interface)
    return {"NatGatewayId": nat.name}


@declare("DescribeVpnGateways")
async def describe_vpn_gateways(ctx: Context, tx: Transaction, params: Params) -> Result:
    names = (
        "amazon-side-asn", "attachment.state", "attachment.vpc-id", "availability-zone", "state", "type",
        "vpn-gateway-id",
    )  # fmt: skip
    parse_filters(params.get("Filters"), dict.fromkeys(names, ""))
    for each in params.get("VpnGatewayIds") or ():
        raise AwsError("InvalidVpnGatewayID.NotFound", f"The vpnGateway ID '{each}' does not exist")
    # None can be made. Tools that look a VPC up ask for them.
    return {"VpnGateways": []}
