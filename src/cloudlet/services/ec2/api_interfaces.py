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
from cloudlet.services.ec2.errors import ForbiddenOperation, InvalidCombination, MissingParameter, UnsupportedFeature
from cloudlet.services.ec2.interface import (
    INTERFACES,
    MANAGED_ATTACHMENT,
    PLAIN,
    NetworkInterface,
    delete_interface,
    find_type,
    make_interface,
)
from cloudlet.services.ec2.managers import check_manager, find_service
from cloudlet.services.ec2.operations import declare, describe, find_repeated
from cloudlet.services.ec2.resource import list_dependents
from cloudlet.services.ec2.security_group import GROUPS
from cloudlet.services.ec2.subnet import SUBNETS, Subnet, release_address, take_address
from cloudlet.services.ec2.tagging import read_specifications
from cloudlet.services.ec2.vpc import VPCS

_UNSUPPORTED: Final = (
    "Ipv4Prefixes", "Ipv4PrefixCount", "Ipv6Prefixes", "Ipv6PrefixCount", "EnablePrimaryIpv6",
    "ConnectionTrackingSpecification", "Operator", "Ipv6Addresses", "Ipv6AddressCount",
)  # fmt: skip

describe(INTERFACES, "DescribeNetworkInterfaces", refuses=("IncludeManagedResources",))


async def _read_groups(ctx: Context, tx: Transaction, vpc: str, names: Sequence[str] | None) -> list[str]:
    """Return the groups of an interface: the default one where none are given. Raises AwsError."""
    if names is not None and not names and find_service(ctx):
        # Network Load Balancers may have none.
        return []
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


def _read_addresses(params: Params) -> tuple[str | None, list[str]]:
    """Return the primary address, None where any will do, and secondary ones. Raises AwsError."""
    given = params.get("PrivateIpAddresses") or []
    primary = [each.get("PrivateIpAddress") for each in given if each.get("Primary")]
    others = [each["PrivateIpAddress"] for each in given if not each.get("Primary") and "PrivateIpAddress" in each]
    if "PrivateIpAddress" in params:
        primary.append(params["PrivateIpAddress"])
    if len(primary) > 1:
        raise InvalidCombination("Only one primary private IP address can be specified.")
    if others and params.get("SecondaryPrivateIpAddressCount"):
        raise InvalidCombination("Secondary private IP addresses can be given by number or by address.")
    return (primary[0] if primary else None), others


async def _assign(
    tx: Transaction, interface: NetworkInterface, subnet: Subnet, wanted: Sequence[str], count: int
) -> list[str]:
    """Give an interface secondary addresses: those that are wanted, or so many. Raises AwsError."""
    if len(interface.addresses) + max(len(wanted), count) > limits.MAX_PRIVATE_ADDRESSES:
        text = f"Number of private addresses will exceed limit ({limits.MAX_PRIVATE_ADDRESSES})."
        raise AwsError("PrivateIpAddressLimitExceeded", text)
    asked: Sequence[str | None] = wanted or [None] * count
    made = [await take_address(tx, subnet, interface.name, each) for each in asked]
    interface.secondary_addresses += made
    interface.is_multihomed = interface.is_multihomed or bool(made)
    INTERFACES.save(tx, interface)
    return made


@declare("CreateNetworkInterface", _UNSUPPORTED)
async def create_network_interface(ctx: Context, tx: Transaction, params: Params) -> Result:
    interface, token = await find_repeated(ctx, tx, INTERFACES, "CreateNetworkInterface", params)
    if interface is None:
        if params.get("InterfaceType", PLAIN) != PLAIN:
            raise UnsupportedFeature(f"interfaces of the type {params['InterfaceType']}")
        subnet = await SUBNETS.get(ctx, tx, params["SubnetId"])
        address, others = _read_addresses(params)
        requester, description = find_service(ctx), params.get("Description", "")
        interface = await make_interface(
            ctx,
            tx,
            subnet,
            await _read_groups(ctx, tx, subnet.vpc, params.get("Groups")),
            address=address,
            description=description,
            type_name=find_type(requester, description),
            requester=requester,
            tags=read_specifications(params, INTERFACES.resource_type),
            token=token,
        )
        await _assign(tx, interface, subnet, others, params.get("SecondaryPrivateIpAddressCount", 0))
    shown = await INTERFACES.show(ctx, tx, interface)
    return {"NetworkInterface": shown, "ClientToken": params.get("ClientToken")}


@declare("DetachNetworkInterface")
async def detach_network_interface(ctx: Context, tx: Transaction, params: Params) -> Result:
    # There are no other attachments than those of services, which detach by deleting.
    params.get("Force")
    if await list_dependents(ctx, tx, name := params["AttachmentId"], limit=1):
        raise ForbiddenOperation(f"You are not allowed to manage '{MANAGED_ATTACHMENT}' attachments.")
    raise AwsError("InvalidAttachmentID.NotFound", f"The attachment ID '{name}' does not exist")


@declare("DeleteNetworkInterface")
async def delete_network_interface(ctx: Context, tx: Transaction, params: Params) -> Result:
    interface = await INTERFACES.get(ctx, tx, params["NetworkInterfaceId"])
    if interface.attachment and find_service(ctx) != interface.requester:
        text = f"Network interface '{interface.name}' is currently in use."
        raise AwsError("InvalidParameterValue", text)
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
    check_manager(ctx, interface)
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


# Secondary addresses


@declare("AssignPrivateIpAddresses", ("Ipv4Prefixes", "Ipv4PrefixCount", "AllowReassignment"))
async def assign_private_ip_addresses(ctx: Context, tx: Transaction, params: Params) -> Result:
    interface = await INTERFACES.get(ctx, tx, params["NetworkInterfaceId"])
    check_manager(ctx, interface)
    wanted, count = params.get("PrivateIpAddresses") or [], params.get("SecondaryPrivateIpAddressCount", 0)
    if bool(wanted) == bool(count):
        text = "The request must contain exactly one of privateIpAddresses, secondaryPrivateIpAddressCount"
        raise InvalidCombination(text)
    made = await _assign(tx, interface, await SUBNETS.get(ctx, tx, interface.subnet), wanted, count)
    assigned = [{"PrivateIpAddress": each} for each in made]
    return {"NetworkInterfaceId": interface.name, "AssignedPrivateIpAddresses": assigned}


@declare("UnassignPrivateIpAddresses", ("Ipv4Prefixes",))
async def remove_private_ip_addresses(ctx: Context, tx: Transaction, params: Params) -> Result:
    interface = await INTERFACES.get(ctx, tx, params["NetworkInterfaceId"])
    check_manager(ctx, interface)
    subnet = await SUBNETS.get(ctx, tx, interface.subnet)
    for each in dict.fromkeys(params.get("PrivateIpAddresses") or ()):
        if each not in interface.secondary_addresses:
            text = f"Some of {each} are not assigned to interface {interface.name}"
            raise AwsError("InvalidParameterValue", text)
        interface.secondary_addresses.remove(each)
        release_address(tx, subnet, each)
    INTERFACES.save(tx, interface)
    return None
