"""The operations on network ACLs."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import limits
from cloudlet.services.ec2.cidr import parse_any_network
from cloudlet.services.ec2.errors import InvalidCombination, InvalidValue, MissingParameter, QuotaError
from cloudlet.services.ec2.making import make_association_id
from cloudlet.services.ec2.network_acl import ACLS, ALL, LAST_RULE, Entry, NetworkAcl
from cloudlet.services.ec2.operations import declare, describe, find_repeated
from cloudlet.services.ec2.permissions import LAST_PORT
from cloudlet.services.ec2.resource import get_associated
from cloudlet.services.ec2.subnet import SUBNETS
from cloudlet.services.ec2.tagging import read_specifications
from cloudlet.services.ec2.vpc import VPCS

_NAMES: Final = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": ALL}
_LAST_PROTOCOL: Final = 255

describe(ACLS, "DescribeNetworkAcls")


@declare("CreateNetworkAcl")
async def create_network_acl(ctx: Context, tx: Transaction, params: Params) -> Result:
    acl, token = await find_repeated(ctx, tx, ACLS, "CreateNetworkAcl", params)
    if acl is None:
        vpc = await VPCS.get(ctx, tx, params["VpcId"])
        await ACLS.check_quota(ctx, tx, limits.MAX_NETWORK_ACLS, "NetworkAclLimitExceeded", "network ACLs", vpc.name)
        tags = read_specifications(params, ACLS.resource_type)
        acl = NetworkAcl(
            account=ctx.account, region=ctx.region, name=ACLS.make_id(), vpc=vpc.name, tags=tags, token=token
        )
        ACLS.save(tx, acl)
    return {"NetworkAcl": await ACLS.show(ctx, tx, acl), "ClientToken": params.get("ClientToken")}


@declare("DeleteNetworkAcl")
async def delete_network_acl(ctx: Context, tx: Transaction, params: Params) -> Result:
    acl = await ACLS.get(ctx, tx, params["NetworkAclId"])
    if acl.is_default:
        raise AwsError("InvalidParameterValue", f"cannot delete default network ACL {acl.name}")
    await ACLS.check_free(ctx, tx, acl.name)
    ACLS.remove(tx, acl)
    return None


def _parse_protocol(text: str) -> str:
    number = _NAMES.get(text.lower(), text)
    if number == ALL or (number.isdecimal() and int(number) <= _LAST_PROTOCOL):
        return number
    raise InvalidValue("protocol", text, "Unknown protocol.")


def _read_entry(params: Params) -> Entry:
    """Return the rule of a request. Raises AwsError."""
    number, protocol = params["RuleNumber"], _parse_protocol(params["Protocol"])
    if not 1 <= number < LAST_RULE:
        raise InvalidValue("ruleNumber", number, f"It must be from 1 to {LAST_RULE - 1}.")
    cidr, cidr6 = params.get("CidrBlock", ""), params.get("Ipv6CidrBlock", "")
    if bool(cidr) == bool(cidr6):
        raise InvalidCombination("The request must contain exactly one of cidrBlock, ipv6CidrBlock")
    network = parse_any_network(cidr or cidr6, "cidrBlock")
    if network.version != (4 if cidr else 6):
        raise InvalidValue("cidrBlock", cidr or cidr6, "This is not a valid CIDR block.")
    first = last = -1
    if protocol in ("6", "17"):
        ports = params.get("PortRange")
        if ports is None:
            raise MissingParameter("PortRange")
        first, last = ports.get("From", 0), ports.get("To", LAST_PORT)
        if not 0 <= first <= last <= LAST_PORT:
            raise InvalidValue("portRange", f"{first}-{last}", "It must be within 0 to 65535.")
    elif protocol in ("1", "58"):
        code = params.get("IcmpTypeCode")
        if code is None:
            raise MissingParameter("IcmpTypeCode")
        first, last = code.get("Type", -1), code.get("Code", -1)
    return Entry(
        number,
        params["Egress"],
        protocol,
        params["RuleAction"] == "allow",
        cidr=str(network) if cidr else "",
        cidr6=str(network) if cidr6 else "",
        first_port=first,
        last_port=last,
    )


def _get_entry(acl: NetworkAcl, number: int, *, is_egress: bool) -> Entry:
    found = next((each for each in acl.entries if each.number == number and each.is_egress == is_egress), None)
    if found is None:
        direction = "egress" if is_egress else "ingress"
        text = f"The specified network ACL {direction} entry with rule number {number} does not exist in {acl.name}"
        raise AwsError("InvalidNetworkAclEntry.NotFound", text)
    return found


@declare("CreateNetworkAclEntry")
async def create_network_acl_entry(ctx: Context, tx: Transaction, params: Params) -> Result:
    acl = await ACLS.get(ctx, tx, params["NetworkAclId"])
    entry = _read_entry(params)
    same = [each for each in acl.entries if each.is_egress == entry.is_egress]
    if any(each.number == entry.number for each in same):
        text = f"The network acl entry identified by {entry.number} already exists."
        raise AwsError("NetworkAclEntryAlreadyExists", text)
    if len(same) >= limits.MAX_ACL_ENTRIES:
        raise QuotaError("NetworkAclEntryLimitExceeded", "network acl entries")
    acl.entries.append(entry)
    ACLS.save(tx, acl)
    return None


@declare("ReplaceNetworkAclEntry")
async def replace_network_acl_entry(ctx: Context, tx: Transaction, params: Params) -> Result:
    acl = await ACLS.get(ctx, tx, params["NetworkAclId"])
    entry = _read_entry(params)
    acl.entries.remove(_get_entry(acl, entry.number, is_egress=entry.is_egress))
    acl.entries.append(entry)
    ACLS.save(tx, acl)
    return None


@declare("DeleteNetworkAclEntry")
async def delete_network_acl_entry(ctx: Context, tx: Transaction, params: Params) -> Result:
    acl = await ACLS.get(ctx, tx, params["NetworkAclId"])
    acl.entries.remove(_get_entry(acl, params["RuleNumber"], is_egress=params["Egress"]))
    ACLS.save(tx, acl)
    return None


@declare("ReplaceNetworkAclAssociation")
async def replace_network_acl_association(ctx: Context, tx: Transaction, params: Params) -> Result:
    acl = await ACLS.get(ctx, tx, params["NetworkAclId"])
    subnet = await SUBNETS.get(ctx, tx, await get_associated(ctx, tx, params["AssociationId"], "aclassoc"))
    if subnet.vpc != acl.vpc:
        text = f"network acl {acl.name} and subnet {subnet.name} belong to different networks"
        raise AwsError("InvalidParameterValue", text)
    subnet.acl, subnet.acl_association = acl.name, make_association_id("aclassoc")
    SUBNETS.save(tx, subnet)
    return {"NewAssociationId": subnet.acl_association}
