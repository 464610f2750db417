"""The operations on target groups."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.listing import list_page
from cloudlet.services.elbv2 import (
    arns,
    attributes,
    health_checks,
    limits,
    network_changes,
    networks,
    protocols,
    storing,
    tagging,
    targets,
)
from cloudlet.services.elbv2.api_load_balancers import check_name
from cloudlet.services.elbv2.block import service
from cloudlet.services.elbv2.errors import QuotaExcess, ResourceInUse, UnsupportedFeature, ValidationError
from cloudlet.services.elbv2.group_record import TargetGroup
from cloudlet.services.elbv2.paging import show_page
from cloudlet.services.elbv2.storing import TARGET_GROUPS, get_load_balancer, get_target_group

_NETWORK_MEMBERS: Final = ("Protocol", "ProtocolVersion", "Port", "VpcId")


@service.direct("CreateTargetGroup")
async def create_target_group(ctx: Context, params: Params) -> FinalTransaction:
    made = _parse(ctx, params)
    made_tags = tagging.read_new(params.get("Tags"))
    if made.vpc:
        await networks.list_subnets(ctx, made.vpc)

    async def create(tx: Transaction) -> Result:
        name = await storing.find_title(tx, arns.TARGET_GROUP, ctx.account, ctx.region, made.title)
        known = None if name is None else await TARGET_GROUPS.find(tx, ctx.account, ctx.region, name)
        if known is not None:
            same = replace(known, name=made.name, attributes={}) == made
            if not same or await tags.load(tx, known.arn) != made_tags:
                text = f"A target group with the same name '{made.title}' exists, but with different settings"
                raise AwsError("DuplicateTargetGroupNameException", text)
            return {"TargetGroups": [await _show(tx, known)]}
        if await storing.count_records(tx, TARGET_GROUPS, ctx, limits.MAX_TARGET_GROUPS) >= limits.MAX_TARGET_GROUPS:
            text = f"The maximum number of target groups has been reached: '{limits.MAX_TARGET_GROUPS}'"
            raise QuotaExcess("TooManyTargetGroupsException", text)
        TARGET_GROUPS.save(tx, made)
        tx.put(storing.TITLES.key(arns.TARGET_GROUP, ctx.account, ctx.region, made.title), made.name.encode())
        tags.save(tx, made.arn, made_tags)
        return {"TargetGroups": [await _show(tx, made)]}

    return FinalTransaction(create)


def _parse(ctx: Context, params: Params) -> TargetGroup:
    """Return a new target group. Raises AwsError."""
    title, type_name = params["Name"], params.get("TargetType", "instance")
    check_name("target group", title)
    if params.get("IpAddressType", "ipv4") != "ipv4":
        raise UnsupportedFeature("target groups of IPv6 addresses")
    if params.get("TargetControlPort"):
        raise UnsupportedFeature("the target optimizer (TargetControlPort)")
    protocol, version = params.get("Protocol", ""), ""
    protocols.check_supported(protocol)
    if type_name == "lambda":
        for member in _NETWORK_MEMBERS:
            if params.get(member):
                raise ValidationError(f"{member} cannot be specified for target groups with target type 'lambda'")
    else:
        for member, noun in (("Protocol", "protocol"), ("Port", "port"), ("VpcId", "VPC ID")):
            if not params.get(member):
                raise ValidationError(f"A {noun} must be specified")
        if type_name == "alb" and protocol != "TCP":
            raise ValidationError(f"Protocol '{protocol}' must be 'TCP' for target groups with target type 'alb'")
        version = _read_version(params, protocol)
    return TargetGroup(
        account=ctx.account,
        region=ctx.region,
        name=f"{title}/{arns.make_id()}",
        type=type_name,
        check=health_checks.make(params, type_name, protocol, version),
        protocol=protocol,
        version=version,
        port=params.get("Port", 0),
        vpc=params.get("VpcId", ""),
    )


def _read_version(params: Params, protocol: str) -> str:
    given = params.get("ProtocolVersion")
    if protocol not in protocols.WEB:
        if given:
            raise ValidationError(f"Protocol versions cannot be specified for protocol '{protocol}'")
        return ""
    version = given or "HTTP1"
    if version not in protocols.VERSIONS:
        raise ValidationError(f"Protocol version '{version}' must be one of '{', '.join(protocols.VERSIONS)}'")
    return str(version)


async def _show(tx: Transaction, found: TargetGroup) -> dict[str, Any]:
    users = await storing.list_using_load_balancers(tx, found.arn)
    return to_api(found, [arns.make_arn(arns.LOAD_BALANCER, found.account, found.region, name) for name in users])


def to_api(found: TargetGroup, load_balancers: list[str]) -> dict[str, Any]:
    """Return a target group as the API has it, with the ARNs of load balancers."""
    shown: dict[str, Any] = {
        "TargetGroupArn": found.arn,
        "TargetGroupName": found.title,
        "TargetType": found.type,
        "LoadBalancerArns": load_balancers,
        "IpAddressType": "ipv4",
        **health_checks.to_api(found.check, found.version),
    }
    if found.type != "lambda":
        shown |= {"Protocol": found.protocol, "Port": found.port, "VpcId": found.vpc}
    if found.version:
        shown["ProtocolVersion"] = found.version
    return shown


@service.operation("DescribeTargetGroups")
async def describe_target_groups(ctx: Context, tx: Transaction, params: Params) -> Result:
    names, titles, balancer = params.get("TargetGroupArns"), params.get("Names"), params.get("LoadBalancerArn")
    if sum(bool(each) for each in (names, titles, balancer)) > 1:
        text = "Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time"
        raise ValidationError(text)
    marker, size = params.get("Marker"), params.get("PageSize")
    if names:
        found = [await get_target_group(ctx, tx, each) for each in dict.fromkeys(names)]
    elif titles:
        found = [await _get_titled(ctx, tx, each) for each in dict.fromkeys(titles)]
    elif balancer:
        using = await get_load_balancer(ctx, tx, balancer)
        holders = await storing.list_holders(tx, using)
        used = dict.fromkeys(arn for each in holders for arn in storing.list_target_groups(each.actions))
        found = [await get_target_group(ctx, tx, arn) for arn in used]
    else:
        space = TARGET_GROUPS.get_space(ctx.account, ctx.region)
        wrong = ValidationError("The specified marker is not valid")
        page, marker = await list_page(tx, space, marker, size or limits.PAGE_SIZE, TARGET_GROUPS.decode, wrong)
        return {"TargetGroups": [await _show(tx, each) for each in page], "NextMarker": marker}
    return show_page("TargetGroups", [await _show(tx, each) for each in found], marker, size)


async def _get_titled(ctx: Context, tx: Transaction, title: str) -> TargetGroup:
    name = await storing.find_title(tx, arns.TARGET_GROUP, ctx.account, ctx.region, title)
    if name is None:
        raise AwsError("TargetGroupNotFoundException", "One or more target groups not found")
    return await TARGET_GROUPS.get(tx, ctx.account, ctx.region, name)


@service.operation("ModifyTargetGroup")
async def modify_target_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_target_group(ctx, tx, params["TargetGroupArn"])
    changed = replace(found, check=health_checks.change(params, found))
    TARGET_GROUPS.save(tx, changed)
    await network_changes.request_by_group(tx, changed)
    return {"TargetGroups": [await _show(tx, changed)]}


@service.operation("DeleteTargetGroup")
async def delete_target_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["TargetGroupArn"]
    found = await TARGET_GROUPS.find(tx, ctx.account, ctx.region, arns.parse_name(ctx, arns.TARGET_GROUP, arn))
    if found is None:
        return {}
    if await storing.list_users(tx, found.arn):
        raise ResourceInUse(f"Target group '{arn}' is currently in use by a listener or a rule")
    for target in await storing.list_targets(tx, found):
        targets.remove(tx, found, target)
    tx.delete(storing.TITLES.key(arns.TARGET_GROUP, ctx.account, ctx.region, found.title))
    tags.save(tx, found.arn, {})
    TARGET_GROUPS.remove(tx, found)
    return {}


def get_attributes(found: TargetGroup) -> dict[str, str]:
    """Return all attributes of a target group."""
    known = attributes.list_group_attributes(found.type, found.protocol, found.version)
    return attributes.fill(known, found.attributes)


@service.operation("DescribeTargetGroupAttributes")
async def describe_target_group_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_target_group(ctx, tx, params["TargetGroupArn"])
    return {"Attributes": attributes.to_api(get_attributes(found))}


@service.operation("ModifyTargetGroupAttributes")
async def modify_target_group_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await get_target_group(ctx, tx, params["TargetGroupArn"])
    known = attributes.list_group_attributes(found.type, found.protocol, found.version)
    attributes.check_stickiness_type(known, found.protocol, params["Attributes"])
    values = attributes.change("Target group", known, found.attributes, params["Attributes"])
    attributes.check_group_attributes(values)
    changed = replace(found, attributes=values)
    TARGET_GROUPS.save(tx, changed)
    await network_changes.request_by_group(tx, changed)
    return {"Attributes": attributes.to_api(get_attributes(changed))}
