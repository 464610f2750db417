"""The operations on elastic addresses."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import limits
from cloudlet.services.ec2.address import ADDRESSES, Address, release_public_address, take_public_address
from cloudlet.services.ec2.errors import ForeignResource, InvalidValue, MissingParameter, UnsupportedFeature
from cloudlet.services.ec2.filters import parse_filters
from cloudlet.services.ec2.interface import INTERFACES, NetworkInterface
from cloudlet.services.ec2.internet_gateway import GATEWAYS
from cloudlet.services.ec2.making import make_association_id
from cloudlet.services.ec2.managers import check_manager
from cloudlet.services.ec2.operations import declare, read_page
from cloudlet.services.ec2.resource import get_associated, list_dependents
from cloudlet.services.ec2.tagging import read_specifications

_DOMAIN_NAME: Final = "domain-name"
_POOLS: Final = ("CustomerOwnedIpv4Pool", "IpamPoolId")


@declare("AllocateAddress", _POOLS)
async def allocate_address(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("Domain", "vpc") != "vpc":
        raise UnsupportedFeature("addresses outside VPCs")
    if params.get("PublicIpv4Pool", "amazon") != "amazon":
        raise UnsupportedFeature("PublicIpv4Pool of AllocateAddress")
    if params.get("NetworkBorderGroup", ctx.region) != ctx.region:
        raise InvalidValue("networkBorderGroup", params["NetworkBorderGroup"], "It is the region here.")
    await ADDRESSES.check_quota(ctx, tx, limits.MAX_ADDRESSES, "AddressLimitExceeded", "addresses")
    tags = read_specifications(params, ADDRESSES.resource_type)
    address = Address(
        account=ctx.account,
        region=ctx.region,
        name=ADDRESSES.make_id(),
        address=await take_public_address(tx, params.get("Address")),
        tags=tags,
    )
    ADDRESSES.save(tx, address)
    return {
        "AllocationId": address.name,
        "PublicIp": address.address,
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": ctx.region,
        "Domain": "vpc",
    }


async def _find_address(ctx: Context, tx: Transaction, params: Params) -> Address:
    if "AllocationId" in params:
        return await ADDRESSES.get(ctx, tx, params["AllocationId"])
    if "PublicIp" in params:
        return await _find_public(ctx, tx, params["PublicIp"])
    raise MissingParameter("AllocationId")


async def _find_public(ctx: Context, tx: Transaction, text: str) -> Address:
    for name in await list_dependents(ctx, tx, f"address/{text}", limit=1):
        return await ADDRESSES.get(ctx, tx, name)
    raise AwsError("InvalidAddress.NotFound", f"Address '{text}' not found.")


@declare("ReleaseAddress")
async def release_address(ctx: Context, tx: Transaction, params: Params) -> Result:
    address = await _find_address(ctx, tx, params)
    if params.get("NetworkBorderGroup", ctx.region) != ctx.region:
        raise InvalidValue("networkBorderGroup", params["NetworkBorderGroup"], "It is the region here.")
    if address.association:
        raise AwsError("InvalidIPAddress.InUse", f"Address {address.address} is in use.")
    release_public_address(tx, address.address)
    ADDRESSES.remove(tx, address)
    return None


@declare("DescribeAddresses")
async def describe_addresses(ctx: Context, tx: Transaction, params: Params) -> Result:
    matches = parse_filters(params.get("Filters"), ADDRESSES.filters)
    if "AllocationIds" in params or "PublicIps" in params:
        found = [await ADDRESSES.get(ctx, tx, each) for each in params.get("AllocationIds", ())]
        found += [await _find_public(ctx, tx, each) for each in params.get("PublicIps", ())]
    else:
        found = await ADDRESSES.list_all(ctx, tx)
    return {"Addresses": [shown for each in found if matches(shown := await ADDRESSES.show(ctx, tx, each))]}


@declare("DescribeAddressesAttribute")
async def describe_addresses_attribute(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("Attribute", _DOMAIN_NAME) != _DOMAIN_NAME:
        raise InvalidValue("attribute", params["Attribute"], f"It must be {_DOMAIN_NAME}.")
    names = params.get("AllocationIds")
    found = [await ADDRESSES.get(ctx, tx, each) for each in names] if names else await ADDRESSES.list_all(ctx, tx)
    # No address has a name of its own: PTR records are made by ModifyAddressAttribute, which is not built.
    page, token = read_page([{"PublicIp": each.address, "AllocationId": each.name} for each in found], params)
    return {"Addresses": page, "NextToken": token}


@declare("AssociateAddress", ("InstanceId",))
async def associate_address(ctx: Context, tx: Transaction, params: Params) -> Result:
    address = await _find_address(ctx, tx, params)
    if "NetworkInterfaceId" not in params:
        raise MissingParameter("NetworkInterfaceId")
    interface = await INTERFACES.get(ctx, tx, params["NetworkInterfaceId"])
    check_manager(ctx, interface)
    wanted = params.get("PrivateIpAddress", interface.address)
    if wanted not in interface.addresses:
        text = f"The private IP address {wanted} is not assigned to network interface {interface.name}"
        raise AwsError("InvalidParameterValue", text)
    if wanted != interface.address:
        raise UnsupportedFeature("elastic addresses of secondary private addresses")
    if address.owner:
        raise ForeignResource
    if address.association:
        if address.interface == interface.name:
            return {"AssociationId": address.association}
        if params.get("AllowReassociation") is False:
            text = f"resource {address.name} is already associated with associate-id {address.association}"
            raise AwsError("Resource.AlreadyAssociated", text)
        await take_address_away(ctx, tx, address)
    if interface.allocation:
        if not params.get("AllowReassociation", True):
            raise AwsError("Resource.AlreadyAssociated", f"resource {interface.name} is already associated")
        await take_address_away(ctx, tx, await ADDRESSES.get(ctx, tx, interface.allocation))
        interface = await INTERFACES.get(ctx, tx, interface.name)
    if not await GATEWAYS.list_dependent(ctx, tx, interface.vpc):
        text = f"Network {interface.vpc} is not attached to any internet gateway"
        raise AwsError("Gateway.NotAttached", text)
    await give_address(ctx, tx, address, interface)
    return {"AssociationId": address.association}


async def give_address(ctx: Context, tx: Transaction, address: Address, interface: NetworkInterface) -> None:
    """Give an elastic address to an interface."""
    if interface.public_address and not interface.allocation:
        # One that came with the interface goes for an elastic one.
        release_public_address(tx, interface.public_address)
    address.interface, address.association = interface.name, make_association_id("eipassoc")
    address.private_address = interface.address
    interface.public_address, interface.allocation = address.address, address.name
    interface.association = address.association
    ADDRESSES.save(tx, address)
    INTERFACES.save(tx, interface)


async def take_address_away(ctx: Context, tx: Transaction, address: Address) -> None:
    """Take an elastic address from its interface."""
    interface = await INTERFACES.find(ctx, tx, address.interface)
    if interface is not None:
        interface.public_address = interface.allocation = interface.association = ""
        INTERFACES.save(tx, interface)
    address.interface = address.association = address.private_address = address.owner = ""
    ADDRESSES.save(tx, address)


@declare("DisassociateAddress")
async def disassociate_address(ctx: Context, tx: Transaction, params: Params) -> Result:
    if "AssociationId" in params:
        address = await ADDRESSES.get(ctx, tx, await get_associated(ctx, tx, params["AssociationId"], "eipassoc"))
    elif "PublicIp" in params:
        address = await _find_public(ctx, tx, params["PublicIp"])
    else:
        raise MissingParameter("AssociationId")
    if address.owner:
        raise ForeignResource
    if address.association:
        await take_address_away(ctx, tx, address)
    return None
