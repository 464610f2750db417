"""The rules for load balancers of services.

API reference, LoadBalancer and AdvancedConfiguration; errors are in AWS's words where they are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params
from cloudlet.services.ecs import elb_calls, errors
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.deployment_states import CANARY, LINEAR, ROLLING

_MAX_GROUPS: Final = 5
_TARGET_TYPES: Final = {"awsvpc": "ip", "bridge": "instance", "host": "instance"}
"""The types of targets that tasks may be, by their network modes."""
TargetTypes = Mapping[str, str]
"""The types of targets of the target groups that a request names."""


async def load_types(ctx: Context, params: Params) -> TargetTypes:
    """Return the types of targets of the groups that a request names. Raises AwsError for what is not there."""
    balancers = params.get("loadBalancers") or ()
    if not balancers:
        return {}
    if any(each.get("loadBalancerName") for each in balancers):
        raise errors.NotBuilt("Classic Load Balancers (loadBalancerName)")
    if not ctx.block.cloud.has(elb_calls.BLOCK):
        raise errors.NotBuilt("Elastic Load Balancing (loadBalancers)")
    types: dict[str, str] = {}
    for each in balancers:
        if not each.get("targetGroupArn"):
            raise errors.InvalidParameter("Target group ARN can not be blank.")
        advanced = each.get("advancedConfiguration") or {}
        types[each["targetGroupArn"]] = await _load_type(ctx, each["targetGroupArn"], needs_balancer=True)
        if (other := advanced.get("alternateTargetGroupArn")) is not None:
            types[other] = await _load_type(ctx, other, needs_balancer=False)
        for name in ("productionListenerRule", "testListenerRule"):
            if advanced.get(name):
                await _check_rule(ctx, name, advanced[name])
    return types


async def _load_type(ctx: Context, group: str, *, needs_balancer: bool) -> str:
    try:
        answer = await ctx.call(elb_calls.BLOCK, "DescribeTargetGroups", {"TargetGroupArns": [group]}) or {}
    except AwsError as error:
        if error.status is None or error.status >= 500:
            raise
        raise errors.InvalidParameter(f"The specified target group {group} does not exist.") from None
    (found,) = answer["TargetGroups"]
    if needs_balancer and not found.get("LoadBalancerArns"):
        raise errors.InvalidParameter(
            f"The target group with targetGroupArn {group} does not have an associated load balancer."
        )
    return str(found["TargetType"])


async def _check_rule(ctx: Context, member: str, arn: str) -> None:
    """Raise InvalidParameterException for a listener rule, or a listener, that is not there."""
    is_rule = ":listener-rule/" in arn
    operation, name = ("DescribeRules", "RuleArns") if is_rule else ("DescribeListeners", "ListenerArns")
    try:
        await ctx.call(elb_calls.BLOCK, operation, {name: [arn]})
    except AwsError as error:
        if error.status is None or error.status >= 500:
            raise
        raise errors.InvalidParameter(f"The specified {member} {arn} does not exist.") from None


def check(
    balancers: list[dict[str, Any]],
    definition: Definition,
    strategy: str,
    types: TargetTypes,
    *,
    is_connected: bool = False,
) -> None:
    """Raise InvalidParameterException unless load balancers go with a task definition and a strategy.

    Traffic is shifted by gateways and Service Connect, too, where a service is connected to such.
    """
    if len(balancers) > _MAX_GROUPS:
        raise errors.InvalidParameter(f"A service can have at most {_MAX_GROUPS} target groups.")
    containers = {each["name"]: each for each in definition.containers}
    for each in balancers:
        _check_container(each, containers)
        advanced = each.get("advancedConfiguration")
        if advanced is not None:
            _check_advanced(advanced)
        elif strategy != ROLLING:
            raise errors.InvalidParameter(
                "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment "
                "strategy."
            )
        for group in (each["targetGroupArn"], (advanced or {}).get("alternateTargetGroupArn")):
            kind = types.get(group or "")
            if kind not in (None, _TARGET_TYPES.get(definition.network_mode)):
                raise errors.InvalidParameter(
                    f"The provided target group {group} has target type {kind}, which is incompatible with the "
                    f"{definition.network_mode} network mode specified in the task definition."
                )
    if strategy in (LINEAR, CANARY) and not balancers and not is_connected:
        raise errors.InvalidParameter(
            f"The deployment strategy {strategy} requires load balancers or services of Service Connect."
        )


def _check_container(balancer: Mapping[str, Any], containers: Mapping[str, Mapping[str, Any]]) -> None:
    name, port = balancer.get("containerName"), balancer.get("containerPort")
    if not name:
        raise errors.InvalidParameter("Container name can not be blank.")
    if port is None:
        raise errors.InvalidParameter("Container port can not be blank.")
    if name not in containers:
        raise errors.InvalidParameter(f"The container {name} does not exist in the task definition.")
    if not any(port == each.get("containerPort") for each in containers[name]["portMappings"]):
        raise errors.InvalidParameter(f"The container {name} did not have a container port {port} defined.")


def _check_advanced(advanced: Mapping[str, Any]) -> None:
    for member in ("alternateTargetGroupArn", "productionListenerRule", "roleArn"):
        if not advanced.get(member):
            raise errors.InvalidParameter(f"advancedConfiguration must have the field {member}.")


def check_role(role: str | None, balancers: list[dict[str, Any]], definition: Definition) -> None:
    """Raise InvalidParameterException unless a service may have a role for its load balancers."""
    if not role:
        return
    if not balancers:
        raise errors.InvalidParameter("You cannot specify an IAM role for services without load balancers.")
    if definition.network_mode == "awsvpc" or len(balancers) > 1:
        raise errors.InvalidParameter("You cannot specify an IAM role for services that require a service linked role.")
