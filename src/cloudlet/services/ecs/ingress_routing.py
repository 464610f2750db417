"""Routes through load balancers that ECS makes: their target groups, rules and certificates.

A step is one call, or a few that may be repeated, and what they have made. It is told to be written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError
from cloudlet.services.ecs.ingress_calls import Calling, make_permission
from cloudlet.services.ecs.ingress_record import Balancer, Group, Route

ALL: Final = 100
_GROUP_NAME_CHARACTERS: Final = 255
_DEFAULT_DELAY_SECONDS: Final = 300
_Changes = dict[str, Any]


async def make(calling: Calling, route: Route, balancer: Balancer, serving: str) -> _Changes | None:
    """Make something that is missing of a route; return it, or None. Raises AwsError.

    `serving` is the target group that serves requests, if any does.
    """
    if not route.security_group:
        name = f"{route.cluster}-{route.service}-{route.vpc}"[-_GROUP_NAME_CHARACTERS:]
        made = await calling.create_group(name, route.vpc, "Service managed by Amazon ECS")
        return {"security_group": made, "owns_group": True}
    if route.opened != route.port:
        rules = await calling.let_in(route.security_group, route.port, _make_source(balancer))
        return {"opened": route.port, **({"rule_ids": [*route.rule_ids, *rules]} if rules else {})}
    if not route.certificate:
        return {"certificate": await calling.request_certificate(route.host, route.id)}
    if not route.is_certified:
        if not await calling.is_issued(route.certificate):
            return {}
        given = {"ListenerArn": balancer.listener, "Certificates": [{"CertificateArn": route.certificate}]}
        await calling.call("elbv2", "AddListenerCertificates", given)
        return {"is_certified": True}
    if any(not group.arn for group in route.groups):
        # New ones have the default delay.
        groups = [await _make_group(calling, route, group) for group in route.groups]
        return {"groups": groups, "used_delay": -1}
    if route.delay != route.used_delay:
        await _set_delay(calling, route)
        return {"used_delay": route.delay}
    return await _make_rules(calling, route, balancer, serving)


def _make_source(balancer: Balancer) -> dict[str, Any]:
    """Return a load balancer as the source in a rule of a security group."""
    return {"UserIdGroupPairs": [{"GroupId": balancer.security_group}]}


async def _make_group(calling: Calling, route: Route, group: Group) -> Group:
    if group.arn:
        return group
    params = {
        "Name": group.name,
        "Protocol": "HTTP",
        "Port": group.port,
        "VpcId": route.vpc,
        "TargetType": "ip",
        **group.check,
        "Tags": calling.tags,
    }
    made = await calling.call("elbv2", "CreateTargetGroup", params)
    return replace(group, arn=made["TargetGroups"][0]["TargetGroupArn"])


async def _set_delay(calling: Calling, route: Route) -> None:
    """Give both target groups of a route its deregistration delay. Raises AwsError."""
    seconds = _DEFAULT_DELAY_SECONDS if route.delay < 0 else route.delay
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}]
    for group in route.groups:
        params = {"TargetGroupArn": group.arn, "Attributes": attributes}
        await calling.call("elbv2", "ModifyTargetGroupAttributes", params)


async def _make_rules(calling: Calling, route: Route, balancer: Balancer, serving: str) -> _Changes | None:
    slot, header = balancer.slots[route.id], (balancer.wanted.get("testTrafficRules") or {}).get("header") or {}
    forwarded = [group.arn for group in route.groups]
    action = _make_action(route, serving or forwarded[0])
    if header != route.test_header and route.test_rule:
        await calling.remove("elbv2", "DeleteRule", {"RuleArn": route.test_rule})
        return {"test_rule": "", "test_header": {}}
    if header and not route.test_rule:
        condition = {"HttpHeaderName": header["name"], "Values": header["values"]}
        conditions = [{"Field": "http-header", "HttpHeaderConfig": condition}]
        made = await _make_rule(calling, route, balancer, 2 * slot + 1, action, *conditions)
        return {"test_rule": made, "test_header": header, "forwarded": route.forwarded or forwarded}
    if not route.rule:
        made = await _make_rule(calling, route, balancer, 2 * slot + 2, action)
        return {"rule": made, "forwarded": forwarded}
    return None


async def _make_rule(
    calling: Calling,
    route: Route,
    balancer: Balancer,
    priority: int,
    action: Mapping[str, Any],
    *conditions: Mapping[str, Any],
) -> str:
    """Return the ARN of a rule for the host of a route."""
    params = {
        "ListenerArn": balancer.listener,
        "Priority": priority,
        "Conditions": [{"Field": "host-header", "HostHeaderConfig": {"Values": [route.host]}}, *conditions],
        "Actions": [action],
        "Tags": calling.tags,
    }
    made = await calling.call("elbv2", "CreateRule", params)
    return str(made["Rules"][0]["RuleArn"])


def _make_action(route: Route, serving: str) -> dict[str, Any]:
    """Return the action that forwards all to one of the two target groups."""
    groups = [{"TargetGroupArn": group.arn, "Weight": ALL if group.arn == serving else 0} for group in route.groups]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


async def redirect(calling: Calling, route: Route, serving: str) -> None:
    """Have the rules forward to the groups of a route as they are now. Raises AwsError."""
    action = _make_action(route, serving)
    for rule in filter(None, (route.rule, route.test_rule)):
        await calling.call("elbv2", "ModifyRule", {"RuleArn": rule, "Actions": [action]})


async def remove(calling: Calling, route: Route, balancer: Balancer | None) -> _Changes | None:
    """Remove something of a route; return what is gone, or None where nothing is left. Raises AwsError."""
    for member in ("test_rule", "rule"):
        if arn := getattr(route, member):
            await calling.remove("elbv2", "DeleteRule", {"RuleArn": arn})
            return {member: ""}
    if route.is_certified:
        if balancer is not None and balancer.listener:
            given = {"ListenerArn": balancer.listener, "Certificates": [{"CertificateArn": route.certificate}]}
            await calling.remove("elbv2", "RemoveListenerCertificates", given)
        return {"is_certified": False}
    if route.certificate:
        await calling.remove("acm", "DeleteCertificate", {"CertificateArn": route.certificate})
        return {"certificate": ""}
    groups = await _find_groups(calling, route)
    if groups:
        for arn in groups:
            await calling.remove("elbv2", "DeleteTargetGroup", {"TargetGroupArn": arn})
        return {"groups": [replace(group, id="", arn="") for group in route.groups], "discarded": []}
    if route.owns_group:
        await calling.remove("ec2", "DeleteSecurityGroup", {"GroupId": route.security_group})
        return {"security_group": "", "owns_group": False, "rule_ids": [], "opened": 0}
    if route.rule_ids:
        params = {"GroupId": route.security_group, "SecurityGroupRuleIds": route.rule_ids}
        await calling.remove("ec2", "RevokeSecurityGroupIngress", params)
        return {"rule_ids": []}
    if route.opened:
        # One whose id a killed process has not written down.
        if balancer is not None:
            permission = make_permission(route.opened, _make_source(balancer))
            given = {"GroupId": route.security_group, "IpPermissions": [permission]}
            await calling.remove("ec2", "RevokeSecurityGroupIngress", given)
        return {"opened": 0}
    return None


async def _find_groups(calling: Calling, route: Route) -> list[str]:
    """Return the target groups of a route, also those not written down."""
    found = [*route.discarded, *(group.arn for group in route.groups if group.arn)]
    for group in route.groups:
        if group.id and not group.arn:
            try:
                answer = await calling.call("elbv2", "DescribeTargetGroups", {"Names": [group.name]})
            except AwsError as error:
                if "NotFound" not in error.code:
                    raise
                continue
            found += [each["TargetGroupArn"] for each in answer["TargetGroups"]]
    return found
