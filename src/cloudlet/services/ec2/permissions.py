"""Permissions in requests about security groups: they become rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.services.ec2 import peering
from cloudlet.services.ec2.cidr import parse_any_network
from cloudlet.services.ec2.errors import InvalidCombination, InvalidValue, MissingParameter, UnsupportedFeature
from cloudlet.services.ec2.prefix_list import PREFIX_LISTS
from cloudlet.services.ec2.resource import Place
from cloudlet.services.ec2.security_group import (
    ALL,
    GROUPS,
    NUMBERS,
    RULES,
    Reference,
    SecurityGroup,
    SecurityGroupRule,
    find_group_by_name,
)

Peer = tuple[str, str, str | None, Reference | None]
"""The member and value of a peer, its description, and its place in another VPC."""
LAST_PORT: Final = 65535
_LAST_ICMP_TYPE: Final = 255
_DESCRIPTION: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-:/()#,@[]+=&;{}!$*")
_MAX_DESCRIPTION_CHARACTERS: Final = 255


def parse_protocol(text: str | None) -> str:
    """Return a protocol by its name or its number. Raises AwsError."""
    if text is None:
        raise MissingParameter("IpProtocol")
    name = NUMBERS.get(text, text.lower())
    if name in (ALL, *NUMBERS.values()):
        return name
    if name == "all":
        return ALL
    if name.isdecimal() and int(name) <= _LAST_ICMP_TYPE:
        return name
    raise InvalidValue("IpProtocol", text, "Unsupported IP protocol.")


def parse_ports(protocol: str, given: Mapping[str, Any]) -> tuple[int, int]:
    """Return the first and the last port, or the type and code. Raises AwsError."""
    first, last = given.get("FromPort"), given.get("ToPort")
    if protocol in ("tcp", "udp"):
        if first is None or last is None:
            text = "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."
            raise AwsError("InvalidParameterValue", text)
        if first == last == -1:
            return 0, LAST_PORT
        if not (0 <= first <= LAST_PORT and 0 <= last <= LAST_PORT):
            wrong = first if not 0 <= first <= LAST_PORT else last
            raise AwsError("InvalidParameterValue", f"Invalid value '{wrong}' for portRange. Must be from 0 to 65535.")
        if first > last:
            text = f"Invalid TCP/UDP port range ({first}:{last})"
            raise AwsError("InvalidParameterValue", text)
        return first, last
    if protocol in ("icmp", "icmpv6"):
        kind, code = -1 if first is None else first, -1 if last is None else last
        if not (-1 <= kind <= _LAST_ICMP_TYPE and -1 <= code <= _LAST_ICMP_TYPE) or (kind == -1 and code != -1):
            raise AwsError("InvalidParameterValue", f"ICMP code ({code}) out of range for type ({kind})")
        return kind, code
    return -1, -1


def check_description(text: str | None) -> None:
    """Raise AwsError for a text that no description can be."""
    if text is not None and (len(text) > _MAX_DESCRIPTION_CHARACTERS or not _DESCRIPTION.issuperset(text)):
        raise AwsError(
            "InvalidParameterValue",
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:"
            "  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
        )


async def read_rules(
    ctx: Context, tx: Transaction, group: SecurityGroup, params: Params, *, is_egress: bool
) -> list[SecurityGroupRule]:
    """Return the rules that a request names, which are not stored yet. Raises AwsError."""
    permissions = params.get("IpPermissions") or []
    single: dict[str, Any] = {name: params[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in params}
    source = params.get("SourceSecurityGroupName")
    if params.get("SourceSecurityGroupOwnerId", ctx.account) != ctx.account:
        raise UnsupportedFeature("security groups of other accounts")
    if single or "CidrIp" in params or source:
        if permissions:
            raise InvalidCombination("The parameter ipPermissions may not be used with cidrIp, ipProtocol or ports")
        if "CidrIp" in params:
            single["IpRanges"] = [{"CidrIp": params["CidrIp"]}]
        if source:
            single |= {"IpProtocol": single.get("IpProtocol", ALL), "UserIdGroupPairs": [{"GroupName": source}]}
        permissions = [single]
    if not permissions:
        raise MissingParameter("IpPermissions")
    found: dict[tuple[object, ...], SecurityGroupRule] = {}
    for permission in permissions:
        protocol = parse_protocol(permission.get("IpProtocol"))
        first, last = parse_ports(protocol, permission)
        peers: list[Peer] = [each async for each in _read_peers(ctx, tx, group, permission)]
        if not peers:
            raise AwsError(
                "InvalidParameterValue", "Invalid value 'null' for peer. A rule needs a source or a destination."
            )
        for member, peer, description, reference in peers:
            check_description(description)
            rule = SecurityGroupRule(
                account=ctx.account,
                region=ctx.region,
                name=RULES.make_id(),
                vpc=group.vpc,
                group=group.name,
                is_egress=is_egress,
                protocol=protocol,
                first_port=first,
                last_port=last,
                member=member,
                peer=peer,
                description=description,
                reference=reference,
            )
            if rule.key in found:
                raise AwsError("InvalidParameterValue", "The same permission must not appear multiple times")
            found[rule.key] = rule
    return list(found.values())


def _list_cidrs(permission: Mapping[str, Any]) -> Iterator[Peer]:
    for each in permission.get("IpRanges") or ():
        yield "CidrIpv4", _parse_cidr(each.get("CidrIp", ""), 4), each.get("Description"), None
    for each in permission.get("Ipv6Ranges") or ():
        yield "CidrIpv6", _parse_cidr(each.get("CidrIpv6", ""), 6), each.get("Description"), None


def _parse_cidr(text: str, version: int) -> str:
    try:
        network = parse_any_network(text, "cidr")
    except AwsError:
        network = None
    if network is None or network.version != version:
        raise AwsError("InvalidParameterValue", f"CIDR block {text} is malformed")
    return str(network)


async def _read_peers(
    ctx: Context, tx: Transaction, group: SecurityGroup, permission: Mapping[str, Any]
) -> AsyncIterator[Peer]:
    for each in _list_cidrs(permission):
        yield each
    for each in permission.get("PrefixListIds") or ():
        prefix_list = await PREFIX_LISTS.get(ctx, tx, each.get("PrefixListId", ""))
        yield "PrefixListId", prefix_list.name, each.get("Description"), None
    for each in permission.get("UserIdGroupPairs") or ():
        # The status is AWS's to say: it is there where a rule is given as it was shown.
        each.get("PeeringStatus")
        found = await _find_reference(ctx, tx, group, each)
        name = await _read_peer_group(ctx, tx, group, each) if found is None else each["GroupId"]
        yield "ReferencedGroupId", name, each.get("Description"), found


async def _find_reference(
    ctx: Context, tx: Transaction, group: SecurityGroup, pair: Mapping[str, Any]
) -> Reference | None:
    """Return the place of a group of a linked VPC, None for all others."""
    account, wanted = pair.get("UserId", ctx.account), pair.get("VpcPeeringConnectionId")
    for linked, side in await peering.list_active(ctx, tx, group.vpc) if "GroupId" in pair else ():
        is_asked = wanted in (None, linked.name) and pair.get("VpcId", side.vpc) == side.vpc
        if is_asked and (side.account, side.region) == (account, ctx.region):
            found = await GROUPS.find(Place(account, ctx.region, ctx.block), tx, pair["GroupId"])
            if found is not None and found.vpc == side.vpc:
                return Reference(account, side.vpc, linked.name)
    return None


async def _read_peer_group(ctx: Context, tx: Transaction, group: SecurityGroup, pair: Mapping[str, Any]) -> str:
    if pair.get("UserId", ctx.account) != ctx.account:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{pair.get('GroupId', '')}' does not exist")
    if "GroupId" in pair:
        found = await GROUPS.get(ctx, tx, pair["GroupId"])
    elif "GroupName" in pair:
        named = await find_group_by_name(ctx, tx, group.vpc, pair["GroupName"])
        if named is None:
            text = f"The security group '{pair['GroupName']}' does not exist in VPC '{group.vpc}'"
            raise AwsError("InvalidGroup.NotFound", text)
        found = named
    else:
        raise MissingParameter("GroupId")
    if found.vpc != group.vpc or pair.get("VpcId", group.vpc) != group.vpc:
        text = "You have specified two resources that belong to different networks."
        raise AwsError("InvalidGroup.NotFound", text)
    return found.name


def describe_rule(rule: SecurityGroupRule) -> str:
    """Return a rule in the words of AWS's errors."""
    ports = ""
    if rule.protocol in ("tcp", "udp"):
        ports = f", from port: {rule.first_port}, to port: {rule.last_port}"
    protocol = "ALL" if rule.protocol == ALL else rule.protocol.upper()
    return f"peer: {rule.peer}, {protocol}{ports}, ALLOW"
