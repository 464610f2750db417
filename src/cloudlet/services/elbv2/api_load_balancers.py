"""The operations on load balancers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.listing import list_page
from cloudlet.services.elbv2 import (
    arns,
    attributes,
    certificate_use,
    dns_names,
    interfaces,
    limits,
    log_buckets,
    machine_addresses,
    network_changes,
    networks,
    storing,
    tagging,
)
from cloudlet.services.elbv2.balancer_record import APPLICATION, NETWORK, LoadBalancer, Placement
from cloudlet.services.elbv2.block import service
from cloudlet.services.elbv2.errors import (
    ForbiddenOperation,
    InvalidConfiguration,
    QuotaExcess,
    ResourceInUse,
    UnsupportedFeature,
    ValidationError,
)
from cloudlet.services.elbv2.storing import LOAD_BALANCERS, get_load_balancer

_PREFIXES: Final = {APPLICATION: "app", NETWORK: "net"}
_LIMITS: Final = {
    APPLICATION: limits.MAX_APPLICATION_LOAD_BALANCERS,
    NETWORK: limits.MAX_NETWORK_LOAD_BALANCERS,
}
_UNSUPPORTED: Final = ("CustomerOwnedIpv4Pool", "IpamPools")


def check_name(noun: str, name: str) -> None:
    """Raise ValidationError for what is no name of a load balancer or target group."""
    if len(name) > 32:
        raise ValidationError(f"The {noun} name '{name}' cannot be longer than '32' characters")
    if re.fullmatch(r"[A-Za-z0-9-]+", name) is None:
        text = f"The {noun} name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)"
        raise ValidationError(text)
    if name.startswith("-") or name.endswith("-"):
        raise ValidationError(f"The {noun} name '{name}' cannot begin or end with a hyphen(-)")


def _check_address_type(params: Params) -> None:
    if params.get("IpAddressType", "ipv4") != "ipv4":
        raise UnsupportedFeature(f"the IP address type '{params['IpAddressType']}': there is no IPv6 in VPCs")
    if params.get("EnablePrefixForIpv6SourceNat", "off") != "off":
        raise UnsupportedFeature("IPv6 prefixes for source NAT")


@service.direct("CreateLoadBalancer")
async def create_load_balancer(ctx: Context, params: Params) -> FinalTransaction:
    title, type_name = params["Name"], params.get("Type", APPLICATION)
    check_name("load balancer", title)
    if title.startswith("internal-"):
        raise ValidationError(f"The load balancer name '{title}' cannot begin with 'internal-'")
    if type_name not in _PREFIXES:
        raise UnsupportedFeature("Gateway Load Balancers")
    for member in _UNSUPPORTED:
        if params.get(member):
            raise UnsupportedFeature(f"{member} of load balancers")
    _check_address_type(params)
    scheme = params.get("Scheme", "internet-facing")
    vpc, placements = await networks.find_places(ctx, networks.read_mappings(params), type_name, scheme)
    given = params.get("SecurityGroups") or ()
    if given:
        groups = await networks.check_groups(ctx, vpc, given)
    else:
        groups = (await networks.get_default_group(ctx, vpc),) if type_name == APPLICATION else ()
    made_tags = tagging.read_new(params.get("Tags"))
    known = await ctx.transact(lambda tx: storing.find_title(tx, arns.LOAD_BALANCER, ctx.account, ctx.region, title))
    if known is None:
        await networks.check_free_addresses(ctx, placements)
        await _ensure_role(ctx)

    async def create(tx: Transaction) -> Result:
        name = await storing.find_title(tx, arns.LOAD_BALANCER, ctx.account, ctx.region, title)
        found = None if name is None else await LOAD_BALANCERS.find(tx, ctx.account, ctx.region, name)
        if found is not None:
            wanted = (type_name, scheme, _list_wanted(placements), set(groups))
            same = (found.type, found.scheme, _list_wanted(found.placements), set(found.security_groups)) == wanted
            if not same or await tags.load(tx, found.arn) != made_tags:
                text = f"A load balancer with the same name '{title}' exists, but with different settings"
                raise AwsError("DuplicateLoadBalancerNameException", text)
            return {"LoadBalancers": [to_api(found)]}
        prefix, limit = _PREFIXES[type_name], _LIMITS[type_name]
        if await storing.count_records(tx, LOAD_BALANCERS, ctx, limit, f"{prefix}/") >= limit:
            text = f"The maximum number of load balancers has been reached: '{limit}'"
            raise QuotaExcess("TooManyLoadBalancersException", text)
        found = LoadBalancer(
            account=ctx.account,
            region=ctx.region,
            name=f"{prefix}/{title}/{arns.make_id()}",
            title=title,
            type=type_name,
            scheme=scheme,
            vpc=vpc,
            placements=placements,
            security_groups=groups,
            created=ctx.now(),
        )
        found = replace(found, machine_address=await machine_addresses.take(tx, found.arn))
        LOAD_BALANCERS.save(tx, found)
        tx.put(storing.TITLES.key(arns.LOAD_BALANCER, ctx.account, ctx.region, title), found.name.encode())
        tx.put(storing.NETWORKS.key(ctx.account, ctx.region, vpc, found.name), b"")
        tags.save(tx, found.arn, made_tags)
        interfaces.request(tx, found)
        return {"LoadBalancers": [to_api(found)]}

    return FinalTransaction(create)


def _list_wanted(placements: Sequence[Placement]) -> set[tuple[str, str, str]]:
    return {(each.subnet, each.allocation, each.wanted_address) for each in placements}


async def _ensure_role(ctx: Context) -> None:
    """Have the service-linked role made, by the caller's permissions, where it is not there."""
    if not ctx.block.cloud.has("iam"):
        return
    try:
        await ctx.call("iam", "GetRole", {"RoleName": "AWSServiceRoleForElasticLoadBalancing"})
    except AwsError as error:
        if error.code not in ("NoSuchEntity", "NoSuchEntityException"):
            raise
        name = "elasticloadbalancing.amazonaws.com"
        try:
            await ctx.call_as_caller("iam", "CreateServiceLinkedRole", {"AWSServiceName": name})
        except AwsError as second:
            # Another call may have made it meanwhile.
            if second.code not in ("InvalidInput", "InvalidInputException"):
                raise


def to_api(found: LoadBalancer, *, is_for_service: bool = False) -> dict[str, Any]:
    """Return a load balancer as the API has it."""
    reason = interfaces.get_reason(found)
    shown: dict[str, Any] = {
        "LoadBalancerArn": found.arn,
        "DNSName": dns_names.get_dns_name(found),
        "CanonicalHostedZoneId": dns_names.get_hosted_zone(found),
        "CreatedTime": found.created,
        "LoadBalancerName": found.title,
        "Scheme": found.scheme,
        "VpcId": found.vpc,
        "State": {"Code": found.state, **({"Reason": reason} if reason else {})},
        "Type": found.type,
        "AvailabilityZones": [_show_zone(found, each, is_for_service=is_for_service) for each in found.placements],
        "IpAddressType": "ipv4",
    }
    if found.security_groups:
        shown["SecurityGroups"] = list(found.security_groups)
    if found.type == NETWORK:
        shown["EnablePrefixForIpv6SourceNat"] = "off"
        if found.security_groups:
            shown["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] = "on"
    return shown


def _show_zone(found: LoadBalancer, placement: Placement, *, is_for_service: bool) -> dict[str, Any]:
    address: dict[str, str] = {}
    # Nobody gets anywhere by an elastic address: Route 53 needs the others.
    if placement.allocation and not is_for_service:
        address["AllocationId"] = placement.allocation
        if placement.public_address:
            address["IpAddress"] = placement.public_address
    elif placement.address:
        # Route 53, and clients of this machine, learn from here where it is.
        address = {"IpAddress": found.machine_address, "PrivateIPv4Address": placement.address}
    return {
        "ZoneName": placement.zone,
        "SubnetId": placement.subnet,
        "LoadBalancerAddresses": [address] if address else [],
    }


@service.operation("DescribeLoadBalancers")
async def describe_load_balancers(ctx: Context, tx: Transaction, params: Params) -> Result:
    names, titles = params.get("LoadBalancerArns"), params.get("Names")
    show = partial(to_api, is_for_service=ctx.principal.kind == "service")
    if names and titles:
        raise ValidationError("Load balancer names and load balancer ARNs cannot be specified at the same time")
    if names:
        return {"LoadBalancers": [show(await get_load_balancer(ctx, tx, each)) for each in dict.fromkeys(names)]}
    if titles:
        found = [
            await storing.find_title(tx, arns.LOAD_BALANCER, ctx.account, ctx.region, each)
            for each in dict.fromkeys(titles)
        ]
        if None in found:
            missing = ", ".join(title for title, name in zip(dict.fromkeys(titles), found, strict=True) if name is None)
            raise AwsError("LoadBalancerNotFoundException", f"Load balancers '[{missing}]' not found")
        records = [await LOAD_BALANCERS.get(tx, ctx.account, ctx.region, each) for each in found if each is not None]
        return {"LoadBalancers": [show(each) for each in records]}
    space, size = LOAD_BALANCERS.get_space(ctx.account, ctx.region), params.get("PageSize", limits.PAGE_SIZE)
    wrong = ValidationError("The specified marker is not valid")
    page, marker = await list_page(tx, space, params.get("Marker"), size, LOAD_BALANCERS.decode, wrong)
    return {"LoadBalancers": [show(each) for each in page], "NextMarker": marker}


@service.operation("DeleteLoadBalancer")
async def delete_load_balancer(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["LoadBalancerArn"]
    found = await LOAD_BALANCERS.find(tx, ctx.account, ctx.region, arns.parse_name(ctx, arns.LOAD_BALANCER, arn))
    if found is None:
        return {}
    if found.attributes.get("deletion_protection.enabled") == "true":
        text = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        raise ForbiddenOperation(text)
    if await storing.list_users(tx, found.arn):
        raise ResourceInUse(f"Load balancer '{arn}' cannot be deleted because it is registered as a target")
    for listener in await storing.list_listeners(tx, found):
        certificate_use.request(tx, listener)
    await storing.remove_load_balancer(tx, found)
    interfaces.request(tx, found)
    network_changes.request(tx, found.account, found.region, found.vpc)
    return {}


@service.direct("SetSubnets")
async def set_subnets(ctx: Context, params: Params) -> FinalTransaction:
    arn = params["LoadBalancerArn"]
    before = await ctx.transact(lambda tx: get_load_balancer(ctx, tx, arn))
    _check_address_type(params)
    vpc, placements = await networks.find_places(ctx, networks.read_mappings(params), before.type, before.scheme)
    if vpc != before.vpc:
        raise InvalidConfiguration(f"All subnets must belong to the same VPC: '{before.vpc}'")
    known = {each.subnet for each in before.placements}
    await networks.check_free_addresses(ctx, [each for each in placements if each.subnet not in known])

    async def change(tx: Transaction) -> Result:
        found = await get_load_balancer(ctx, tx, arn)
        there = {each.subnet: each for each in found.placements}
        if found.type == NETWORK and not there.keys() <= {each.subnet for each in placements}:
            raise InvalidConfiguration("Subnets of a load balancer with type 'network' cannot be removed")
        changed = replace(found, placements=tuple(there.get(each.subnet, each) for each in placements))
        LOAD_BALANCERS.save(tx, changed)
        interfaces.request(tx, changed)
        shown = {"AvailabilityZones": to_api(changed)["AvailabilityZones"], "IpAddressType": "ipv4"}
        return {**shown, "EnablePrefixForIpv6SourceNat": "off"} if found.type == NETWORK else shown

    return FinalTransaction(change)


@service.direct("SetSecurityGroups")
async def set_security_groups(ctx: Context, params: Params) -> FinalTransaction:
    arn = params["LoadBalancerArn"]
    before = await ctx.transact(lambda tx: get_load_balancer(ctx, tx, arn))
    enforcing = params.get("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic")
    if before.type != NETWORK and enforcing:
        text = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic can be set for Network Load Balancers only"
        raise InvalidConfiguration(text)
    if enforcing == "off":
        raise UnsupportedFeature("traffic by AWS PrivateLink to load balancers")
    if before.type == NETWORK and not before.security_groups:
        text = "You cannot set security groups on a Network Load Balancer that was created without security groups"
        raise InvalidConfiguration(text)
    if not params["SecurityGroups"]:
        raise InvalidConfiguration("At least one security group must be specified")
    groups = await networks.check_groups(ctx, before.vpc, params["SecurityGroups"])

    async def change(tx: Transaction) -> Result:
        changed = replace(await get_load_balancer(ctx, tx, arn), security_groups=groups)
        LOAD_BALANCERS.save(tx, changed)
        interfaces.request(tx, changed)
        shown: dict[str, Any] = {"SecurityGroupIds": list(groups)}
        if changed.type == NETWORK:
            shown["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] = "on"
        return shown

    return FinalTransaction(change)


@service.operation("SetIpAddressType")
async def set_ip_address_type(ctx: Context, tx: Transaction, params: Params) -> Result:
    await get_load_balancer(ctx, tx, params["LoadBalancerArn"])
    _check_address_type(params)
    return {"IpAddressType": params["IpAddressType"]}


@service.operation("ModifyIpPools")
async def modify_ip_pools(ctx: Context, tx: Transaction, params: Params) -> Result:
    await get_load_balancer(ctx, tx, params["LoadBalancerArn"])
    if params.get("IpamPools"):
        raise UnsupportedFeature("IPAM pools of load balancers")
    if not params.get("RemoveIpamPools"):
        raise ValidationError("Either IpamPools or RemoveIpamPools must be specified")
    return {}


def get_attributes(found: LoadBalancer) -> dict[str, str]:
    """Return all attributes of a load balancer."""
    return attributes.fill(attributes.list_load_balancer_attributes(found.type, found.scheme), found.attributes)


@service.operation("DescribeLoadBalancerAttributes")
async def describe_load_balancer_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_load_balancer(ctx, tx, params["LoadBalancerArn"])
    return {"Attributes": attributes.to_api(get_attributes(found))}


@service.direct("ModifyLoadBalancerAttributes")
async def modify_load_balancer_attributes(ctx: Context, params: Params) -> FinalTransaction:
    arn = params["LoadBalancerArn"]

    async def change(tx: Transaction) -> tuple[LoadBalancer, LoadBalancer]:
        found = await get_load_balancer(ctx, tx, arn)
        known = attributes.list_load_balancer_attributes(found.type, found.scheme)
        values = attributes.change("Load balancer", known, found.attributes, params["Attributes"])
        return found, replace(found, attributes=values)

    before, after = await ctx.transact(change)
    await log_buckets.check(ctx, after, before.attributes)

    async def save(tx: Transaction) -> Result:
        _, changed = await change(tx)
        LOAD_BALANCERS.save(tx, changed)
        network_changes.request(tx, changed.account, changed.region, changed.vpc)
        return {"Attributes": attributes.to_api(get_attributes(changed))}

    return FinalTransaction(save)


def _show_capacity() -> dict[str, Any]:
    return {"DecreaseRequestsRemaining": 2, "CapacityReservationState": []}


@service.operation("DescribeCapacityReservation")
async def describe_capacity_reservation(ctx: Context, tx: Transaction, params: Params) -> Result:
    await get_load_balancer(ctx, tx, params["LoadBalancerArn"])
    return _show_capacity()


@service.operation("ModifyCapacityReservation")
async def modify_capacity_reservation(ctx: Context, tx: Transaction, params: Params) -> Result:
    await get_load_balancer(ctx, tx, params["LoadBalancerArn"])
    units = (params.get("MinimumLoadBalancerCapacity") or {}).get("CapacityUnits")
    if (units is None) == (not params.get("ResetCapacityReservation")):
        raise ValidationError("Either MinimumLoadBalancerCapacity or ResetCapacityReservation must be specified")
    if units is not None:
        # The machine's capacity cannot be reserved: the quota of reserved units is none.
        text = f"You've exceeded the capacity units limit. Requested: '{units}', limit: '0'"
        raise AwsError("CapacityUnitsLimitExceededException", text)
    return _show_capacity()
