"""The operations on network interfaces.

A service that asks for an interface manages it: it is attached to what that runs, and nobody else changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import limits
from cloudlet.services.ec2.address import ADDRESSES, release_public_address, take_public_address
from cloudlet.services.ec2.api_addresses import take_address_away
from cloudlet.services.ec2.errors import ForeignResource, InvalidCombination, MissingParameter, UnsupportedFeature
from cloudlet.services.ec2.interface import (
    INTERFACES,
    PLAIN,
    NetworkInterface,
    delete_interface,
    make_interface,
)
from cloudlet.services.ec2.operations import declare, describe, find_repeated
from cloudlet.services.ec2.security_group import GROUPS
from cloudlet.services.ec2.subnet import SUBNETS
from cloudlet.services.ec2.tagging import read_specifications
from cloudlet.services.ec2.vpc import VPCS

_UNSUPPORTED: Final = (
    "Ipv4Prefixes", "Ipv4PrefixCount", "Ipv6Prefixes", "Ipv6PrefixCount", "EnablePrimaryIpv6",
    "ConnectionTrackingSpecification", "Operator", "Ipv6Addresses", "Ipv6AddressCount",
    "SecondaryPrivateIpAddressCount",
)  # fmt: skip

describe(INTERFACES, "DescribeNetworkInterfaces", refuses=("IncludeManagedResources",))


async def _read_groups(ctx: Context, tx: Transaction, vpc: str, names: Sequence[str] | None) -> list[str]:
    """Return the groups of an interface: the default one where none are given. Raises AwsError."""
    if not names:
        return [(await VPCS.get(ctx, tx, vpc)).default_group]
    for each in names:
        if (await GROUPS.get(ctx, tx, each)).vpc != vpc:
            text = "You have specified two resources that belong to different networks."
            raise AwsError("InvalidParameterValue", text)
    if len(set(names)) > limits.MAX_GROUPS:
        text = "The maximum number of security groups per interface has been reached."
        raise AwsError("SecurityGroupsPerInterfaceLimitExceeded", text)
    return list(names)


def _read_address(params: Params) -> str | None:
    """Return the address that an interface is to have, None where any will do. Raises AwsError."""
    given = params.get("PrivateIpAddresses") or []
    if not given:
        address: str | None = params.get("PrivateIpAddress")
        return address
    primary = [each for each in given if each.get("Primary")]
    if "PrivateIpAddress" in params or len(primary) > 1:
        text = "Only one primary private IP address can be specified."
        raise InvalidCombination(text)
    if len(given) > 1:
        raise UnsupportedFeature("secondary private addresses")
    found: str | None = given[0].get("PrivateIpAddress")
    return found


@declare("CreateNetworkInterface", _UNSUPPORTED)
async def create_network_interface(ctx: Context, tx: Transaction, params: Params) -> Result:
    interface, token = await find_repeated(ctx, tx, INTERFACES, "CreateNetworkInterface", params)
    if interface is None:
        if params.get("InterfaceType", PLAIN) != PLAIN:
            raise UnsupportedFeature(f"interfaces of the type {params['InterfaceType']}")
        subnet = await SUBNETS.get(ctx, tx, params["SubnetId"])
        interface = await make_interface(
            ctx,
            tx,
            subnet,
            await _read_groups(ctx, tx, subnet.vpc, params.get("Groups")),
            address=_read_address(params),
            description=params.get("Description", ""),
            requester=ctx.principal.arn if ctx.principal.kind == "service" else "",
            tags=read_specifications(params, INTERFACES.resource_type),
            token=token,
        )
    shown = await INTERFACES.show(ctx, tx, interface)
    return {"NetworkInterface": shown, "ClientToken": params.get("ClientToken")}


def _check_manager(ctx: Context, interface: NetworkInterface) -> None:
    """Raise AwsError unless the caller may change an interface."""
    if interface.requester and (ctx.principal.kind != "service" or ctx.principal.arn != interface.requester):
        raise ForeignResource


@declare("DeleteNetworkInterface")
async def delete_network_interface(ctx: Context, tx: Transaction, params: Params) -> Result:
    interface = await INTERFACES.get(ctx, tx, params["NetworkInterfaceId"])
    _check_manager(ctx, interface)
    if interface.allocation:
        await take_address_away(ctx, tx, await ADDRESSES.get(ctx, tx, interface.allocation))
        interface = await INTERFACES.get(ctx, tx, interface.name)
    elif interface.public_address:
        release_public_address(tx, interface.public_address)
    await delete_interface(ctx, tx, interface)
    return None


@declare("DescribeNetworkInterfaceAttribute")
async def describe_network_interface_attribute(ctx: Context, tx: Transaction, params: Params) -> Result:
    interface = await INTERFACES.get(ctx, tx, params["NetworkInterfaceId"])
    shown = await INTERFACES.show(ctx, tx, interface)
    answers: dict[str, dict[str, Any]] = {
        "description": {"Description": {"Value": interface.description}},
        "groupSet": {"Groups": shown["Groups"]},
        "sourceDestCheck": {"SourceDestCheck": {"Value": shown["SourceDestCheck"]}},
        "attachment": {"Attachment": shown.get("Attachment")},
        "associatePublicIpAddress": {"AssociatePublicIpAddress": bool(interface.public_address)},
    }
    if "Attribute" not in params:
        raise MissingParameter("Attribute")
    return {"NetworkInterfaceId": interface.name, **answers[params["Attribute"]]}


@declare(
    "ModifyNetworkInterfaceAttribute",
    (
        "EnaSrdSpecification",
        "EnablePrimaryIpv6",
        "ConnectionTrackingSpecification",
        "AssociatedSubnetIds",
        "Attachment",
    ),
)
async def modify_network_interface_attribute(ctx: Context, tx: Transaction, params: Params) -> Result:
    interface = await INTERFACES.get(ctx, tx, params["NetworkInterfaceId"])
    _check_manager(ctx, interface)
    given = [
        name for name in ("AssociatePublicIpAddress", "Description", "SourceDestCheck", "Groups") if name in params
    ]
    if len(given) != 1:
        text = "Fields for multiple attribute types specified" if given else "No attributes specified."
        raise InvalidCombination(text)
    if "Description" in params:
        interface.description = params["Description"].get("Value", "")
    elif "Groups" in params:
        interface.groups = await _read_groups(ctx, tx, interface.vpc, params["Groups"])
    elif "AssociatePublicIpAddress" in params:
        await _set_public_address(tx, interface, is_wanted=params["AssociatePublicIpAddress"])
    elif not params["SourceDestCheck"].get("Value"):
        raise UnsupportedFeature("interfaces that pass on what is not theirs (SourceDestCheck)")
    INTERFACES.save(tx, interface)
    return None


async def _set_public_address(tx: Transaction, interface: NetworkInterface, *, is_wanted: bool) -> None:
    """Give an interface a public address of its own, or take that away."""
    if is_wanted and not interface.public_address:
        interface.public_address = await take_public_address(tx)
    elif not is_wanted and interface.public_address and not interface.allocation:
        release_public_address(tx, interface.public_address)
        interface.public_address = ""
