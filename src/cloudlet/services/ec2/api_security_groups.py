"""The operations on security groups and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.ec2 import limits, peering
from cloudlet.services.ec2.defaults import find_default_vpc
from cloudlet.services.ec2.errors import InvalidCombination, MissingParameter, QuotaError
from cloudlet.services.ec2.filters import parse_filters
from cloudlet.services.ec2.making import DEFAULT, make_rule
from cloudlet.services.ec2.operations import declare, describe, read_page
from cloudlet.services.ec2.permissions import (
    check_description,
    describe_rule,
    parse_ports,
    parse_protocol,
    read_rules,
)
from cloudlet.services.ec2.resource import Place, list_dependents
from cloudlet.services.ec2.security_group import (
    GROUPS,
    RULES,
    SecurityGroup,
    SecurityGroupRule,
    find_group_by_name,
    list_rules,
    make_reference_mark,
    to_permissions,
)
from cloudlet.services.ec2.tagging import read_specifications
from cloudlet.services.ec2.vpc import VPCS

_MAX_NAME_CHARACTERS: Final = 255
_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-:/()#,@[]+=&;{}!$*")
_PEERS: Final = ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId")

describe(RULES, "DescribeSecurityGroupRules")


@declare("DescribeSecurityGroups")
async def describe_security_groups(ctx: Context, tx: Transaction, params: Params) -> Result:
    matches = parse_filters(params.get("Filters"), GROUPS.filters)
    names = params.get("GroupNames")
    if names or params.get("GroupIds"):
        if params.get("MaxResults"):
            raise InvalidCombination("The parameter groupIds cannot be used with the parameter maxResults")
        groups = [await GROUPS.get(ctx, tx, each) for each in dict.fromkeys(params.get("GroupIds") or ())]
        groups += [await _get_named(ctx, tx, each) for each in names or ()]
    else:
        groups = await GROUPS.list_all(ctx, tx)
    known = (
        {each.name: each.group_name for each in await GROUPS.list_all(ctx, tx)} if _is_about_peer_names(params) else {}
    )
    found = []
    for each in groups:
        shown = await GROUPS.show(ctx, tx, each)
        if matches(_add_peer_names(shown, known)):
            found.append(shown)
    page, token = read_page(found, params)
    return {"SecurityGroups": page, "NextToken": token}


def _is_about_peer_names(params: Params) -> bool:
    """Whether a filter is about names of groups that rules refer to. The API does not show them."""
    return any(each.get("Name", "").endswith("ip-permission.group-name") for each in params.get("Filters") or ())


def _add_peer_names(shown: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a group with the names of the groups that its rules refer to."""
    named = dict(shown)
    for side in ("IpPermissions", "IpPermissionsEgress") if names else ():
        pairs = [pair for each in shown[side] for pair in each["UserIdGroupPairs"]]
        peers = [{"UserIdGroupPairs": {"GroupName": names.get(each["GroupId"])}} for each in pairs]
        named[side] = [*shown[side], *peers]
    return named


async def _get_named(ctx: Context, tx: Transaction, name: str) -> SecurityGroup:
    """Return the group of the default VPC with a name. Raises AwsError."""
    vpc = await find_default_vpc(ctx, tx)
    found = None if vpc is None else await find_group_by_name(ctx, tx, vpc.name, name)
    if found is None:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC")
    return found


async def _find_group(ctx: Context, tx: Transaction, params: Params) -> SecurityGroup:
    if "GroupId" in params:
        return await GROUPS.get(ctx, tx, params["GroupId"])
    if "GroupName" in params:
        return await _get_named(ctx, tx, params["GroupName"])
    raise AwsError("MissingParameter", "The request must contain the parameter groupName or groupId")


@declare("CreateSecurityGroup")
async def create_security_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, description = params["GroupName"], params["Description"]
    if name.startswith("sg-"):
        text = f"Invalid group name. Names may not be in the format sg-*: {name}"
        raise AwsError("InvalidParameterValue", text)
    for member, text in (("groupName", name), ("GroupDescription", description)):
        if not 0 < len(text) <= _MAX_NAME_CHARACTERS or not _NAME.issuperset(text):
            message = (
                f"Value ({text}) for parameter {member} is invalid. Character sets beyond ASCII are not supported."
            )
            raise AwsError("InvalidParameterValue", message)
    vpc = await VPCS.get(ctx, tx, params["VpcId"]) if "VpcId" in params else await find_default_vpc(ctx, tx)
    if vpc is None:
        raise AwsError("VPCIdNotSpecified", "No default VPC for this user")
    if name == DEFAULT:
        raise AwsError("InvalidParameterValue", "Cannot use reserved security group name: default")
    if await find_group_by_name(ctx, tx, vpc.name, name) is not None:
        raise AwsError("InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc.name}'")
    tags = read_specifications(params, GROUPS.resource_type)
    limit = limits.MAX_SECURITY_GROUPS
    await GROUPS.check_quota(ctx, tx, limit, "SecurityGroupLimitExceeded", "security groups")
    group = SecurityGroup(
        account=ctx.account,
        region=ctx.region,
        name=GROUPS.make_id(),
        vpc=vpc.name,
        group_name=name,
        description=description,
        tags=tags,
    )
    GROUPS.save(tx, group)
    make_rule(tx, group, is_egress=True)
    shown = await GROUPS.show(ctx, tx, group)
    return {"GroupId": group.name, "Tags": shown["Tags"], "SecurityGroupArn": shown["SecurityGroupArn"]}


@declare("DeleteSecurityGroup")
async def delete_security_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await _find_group(ctx, tx, params)
    if group.group_name == DEFAULT:
        text = f'the specified group: "{group.name}" name: "default" cannot be deleted by a user'
        raise AwsError("CannotDelete", text)
    if await list_dependents(ctx, tx, group.name, limit=1):
        raise AwsError("DependencyViolation", f"resource {group.name} has a dependent object")
    for rule in await list_rules(ctx, tx, group.name):
        RULES.remove(tx, rule)
    GROUPS.remove(tx, group)
    return {"Return": True, "GroupId": group.name}


@declare("GetSecurityGroupsForVpc")
async def get_security_groups_for_vpc(ctx: Context, tx: Transaction, params: Params) -> Result:
    vpc = await VPCS.get(ctx, tx, params["VpcId"])
    names = {"group-id": "", "description": "", "group-name": "", "owner-id": "", "primary-vpc-id": "PrimaryVpcId"}
    matches = parse_filters(params.get("Filters"), names)
    found = []
    for group in await GROUPS.list_dependent(ctx, tx, vpc.name):
        shown = await GROUPS.show(ctx, tx, group)
        kept = {name: shown[name] for name in ("Description", "GroupName", "OwnerId", "GroupId", "Tags")}
        if matches(each := {**kept, "PrimaryVpcId": vpc.name}):
            found.append(each)
    page, token = read_page(found, params)
    return {"SecurityGroupForVpcs": page, "NextToken": token}


@declare("DescribeSecurityGroupReferences")
async def describe_security_group_references(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = []
    for name in params["GroupId"]:
        group = await GROUPS.get(ctx, tx, name)
        for linked, side in await peering.list_active(ctx, tx, group.vpc):
            place = Place(side.account, side.region, ctx.block)
            for rule in await RULES.list_dependent(place, tx, make_reference_mark(name)):
                if rule.vpc == side.vpc:
                    found.append((name, rule.vpc, linked.name))
    members = ("GroupId", "ReferencingVpcId", "VpcPeeringConnectionId")
    return {"SecurityGroupReferenceSet": [dict(zip(members, each, strict=True)) for each in dict.fromkeys(found)]}


# Rules


async def _authorize(ctx: Context, tx: Transaction, params: Params, *, is_egress: bool) -> Result:
    group = await _find_group(ctx, tx, params)
    rules = await read_rules(ctx, tx, group, params, is_egress=is_egress)
    known = [each for each in await list_rules(ctx, tx, group.name) if each.is_egress == is_egress]
    keys = {each.key for each in known}
    tags = read_specifications(params, RULES.resource_type)
    for rule in rules:
        if rule.key in keys:
            text = f'the specified rule "{describe_rule(rule)}" already exists'
            raise AwsError("InvalidPermission.Duplicate", text)
        rule.tags = dict(tags)
        RULES.save(tx, rule)
    # Ranges of IPv4 and of IPv6 count each by themselves, all else for both.
    for other in ("CidrIpv4", "CidrIpv6"):
        if len([each for each in (*known, *rules) if each.member != other]) > limits.MAX_RULES:
            raise QuotaError("RulesPerSecurityGroupLimitExceeded", "rules per security group")
    return {"Return": True, "SecurityGroupRules": [await RULES.show(ctx, tx, each) for each in rules]}


async def _revoke(ctx: Context, tx: Transaction, params: Params, *, is_egress: bool) -> Result:
    group = await _find_group(ctx, tx, params)
    names = params.get("SecurityGroupRuleIds")
    unknown: list[SecurityGroupRule] = []
    if names:
        if params.get("IpPermissions"):
            raise InvalidCombination("The parameter securityGroupRuleIds may not be used with ipPermissions")
        found = [await _get_rule(ctx, tx, group, each, is_egress=is_egress) for each in dict.fromkeys(names)]
    else:
        given = await read_rules(ctx, tx, group, params, is_egress=is_egress)
        known = {each.key: each for each in await list_rules(ctx, tx, group.name)}
        found = [known[each.key] for each in given if each.key in known]
        unknown = [each for each in given if each.key not in known]
        if unknown and not (await VPCS.get(ctx, tx, group.vpc)).is_default:
            text = "The specified rule does not exist in this security group."
            raise AwsError("InvalidPermission.NotFound", text)
    for rule in found:
        RULES.remove(tx, rule)
    return {
        "Return": True,
        "UnknownIpPermissions": to_permissions(unknown),
        "RevokedSecurityGroupRules": [_make_revoked(each) for each in found],
    }


def _make_revoked(rule: SecurityGroupRule) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": rule.name,
        "GroupId": rule.group,
        "IsEgress": rule.is_egress,
        "IpProtocol": rule.protocol,
        "FromPort": rule.first_port,
        "ToPort": rule.last_port,
        rule.member: rule.peer,
        "Description": rule.description,
    }


async def _get_rule(
    ctx: Context, tx: Transaction, group: SecurityGroup, name: str, *, is_egress: bool | None = None
) -> SecurityGroupRule:
    rule = await RULES.get(ctx, tx, name)
    if rule.group != group.name or is_egress not in (None, rule.is_egress):
        text = f"The security group rule ID '{name}' does not exist in security group '{group.name}'"
        raise AwsError("InvalidSecurityGroupRuleId.NotFound", text)
    return rule


@declare("ModifySecurityGroupRules")
async def modify_security_group_rules(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await GROUPS.get(ctx, tx, params["GroupId"])
    for each in params["SecurityGroupRules"]:
        if "SecurityGroupRuleId" not in each:
            raise MissingParameter("SecurityGroupRuleId")
        rule = await _get_rule(ctx, tx, group, each["SecurityGroupRuleId"])
        wanted = each.get("SecurityGroupRule") or {}
        peers = [name for name in _PEERS if wanted.get(name)]
        if len(peers) != 1 or (peers[0] in _PEERS[:2] and rule.member in _PEERS[:2] and peers[0] != rule.member):
            raise InvalidCombination("A rule needs exactly one source or destination, of the same type as before.")
        protocol = parse_protocol(wanted.get("IpProtocol"))
        changed = await _make_changed(ctx, tx, group, rule, {**wanted, "IpProtocol": protocol})
        others = [each for each in await list_rules(ctx, tx, group.name) if each.name != rule.name]
        if changed.key in {each.key for each in others}:
            text = f'the specified rule "{describe_rule(changed)}" already exists'
            raise AwsError("InvalidPermission.Duplicate", text)
        RULES.save(tx, changed)
    return {"Return": True}


async def _make_changed(
    ctx: Context, tx: Transaction, group: SecurityGroup, rule: SecurityGroupRule, wanted: dict[str, Any]
) -> SecurityGroupRule:
    """Return a rule as it is wanted. Raises AwsError."""
    parse_ports(wanted["IpProtocol"], wanted)
    permission: dict[str, Any] = {name: wanted[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in wanted}
    if wanted.get("CidrIpv4"):
        permission["IpRanges"] = [{"CidrIp": wanted["CidrIpv4"]}]
    if wanted.get("CidrIpv6"):
        permission["Ipv6Ranges"] = [{"CidrIpv6": wanted["CidrIpv6"]}]
    if wanted.get("PrefixListId"):
        permission["PrefixListIds"] = [{"PrefixListId": wanted["PrefixListId"]}]
    if wanted.get("ReferencedGroupId"):
        known = {} if rule.reference is None else rule.reference.to_api()
        permission["UserIdGroupPairs"] = [{**known, "GroupId": wanted["ReferencedGroupId"]}]
    (made,) = await read_rules(ctx, tx, group, {"IpPermissions": [permission]}, is_egress=rule.is_egress)
    check_description(wanted.get("Description"))
    made.name, made.tags, made.parents = rule.name, rule.tags, rule.parents
    made.description = wanted.get("Description", rule.description)
    return made


async def _describe_rules(ctx: Context, tx: Transaction, params: Params, *, is_egress: bool) -> Result:
    group = await _find_group(ctx, tx, params)
    given = params.get("SecurityGroupRuleDescriptions")
    if given:
        for each in given:
            rule = await _get_rule(ctx, tx, group, each.get("SecurityGroupRuleId", ""), is_egress=is_egress)
            _describe_rule(tx, rule, each.get("Description"))
        return {"Return": True}
    known = {each.key: each for each in await list_rules(ctx, tx, group.name)}
    for wanted in await read_rules(ctx, tx, group, params, is_egress=is_egress):
        found = known.get(wanted.key)
        if found is None:
            text = "The specified rule does not exist in this security group."
            raise AwsError("InvalidPermission.NotFound", text)
        _describe_rule(tx, found, wanted.description)
    return {"Return": True}


def _describe_rule(tx: Transaction, rule: SecurityGroupRule, description: str | None) -> None:
    check_description(description)
    rule.description = description or None
    RULES.save(tx, rule)


for _direction, _is_egress in (("Ingress", False), ("Egress", True)):
    declare(f"AuthorizeSecurityGroup{_direction}")(partial(_authorize, is_egress=_is_egress))
    declare(f"RevokeSecurityGroup{_direction}")(partial(_revoke, is_egress=_is_egress))
    declare(f"UpdateSecurityGroupRuleDescriptions{_direction}")(partial(_describe_rules, is_egress=_is_egress))
