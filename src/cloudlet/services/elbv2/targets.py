"""Targets: checks of new ones, their deregistration, and their health."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.machine_instance import make_instance_id
from cloudlet.core.background.jobs import run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.engines.network import endpoint_addresses
from cloudlet.services.elbv2 import arns, attributes, ending, health_checks, limits, network_changes, networks, storing
from cloudlet.services.elbv2.balancer_record import APPLICATION
from cloudlet.services.elbv2.errors import InvalidTarget, QuotaExcess, UnsupportedFeature, ValidationError
from cloudlet.services.elbv2.group_record import Target, TargetGroup

_DRAINING: Final = Subspace("draining")
"""Targets whose deregistration delay ends, each with when that is."""
_TOPIC: Final = b"draining"
_PRIVATE: Final = tuple(
    IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
_LAST_PORT: Final = 65535

_NOT_REGISTERED: Final = ("unused", "Target.NotRegistered", "Target is not registered to the target group")
_NOT_IN_USE: Final = (
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
_NO_ZONE: Final = (
    "unused",
    "Target.NotInUse",
    "Target is in an Availability Zone that is not enabled for the load balancer",
)
_DRAINS: Final = ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
_INITIAL: Final = ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
_UNCHECKED: Final = ("unavailable", "Target.HealthCheckDisabled", "Health checks are not enabled for this target")


async def make(ctx: Context, group: TargetGroup, given: Sequence[Mapping[str, Any]]) -> list[Target]:
    """Return the targets that a request registers. Raises AwsError."""
    if not given:
        raise ValidationError("A target must be specified")
    subnets = await networks.list_subnets(ctx, group.vpc) if group.type == "ip" else []
    return [await _make(ctx, group, each, subnets) for each in given]


async def _make(
    ctx: Context, group: TargetGroup, given: Mapping[str, Any], subnets: Sequence[Mapping[str, Any]]
) -> Target:
    if given.get("QuicServerId"):
        raise UnsupportedFeature("the protocol 'QUIC'")
    port = given.get("Port", group.port)
    if group.type == "lambda":
        if "Port" in given:
            raise ValidationError("A port cannot be specified for targets of target groups with target type 'lambda'")
        port = 0
    elif not 1 <= port <= _LAST_PORT:
        raise ValidationError(f"The port '{port}' must be between '1' and '65535' inclusive")
    zone = given.get("AvailabilityZone", "")
    target = Target(id=given["Id"], port=port, registered=ctx.now(), zone=zone)
    match group.type:
        case "ip":
            return _locate_address(target, subnets)
        case "lambda":
            if zone not in ("", "all"):
                raise ValidationError(f"The Availability Zone '{zone}' must be 'all' for Lambda functions")
            await _check_function(ctx, target.id)
        case "alb":
            if zone:
                raise ValidationError("Availability Zones are not supported for target groups with target type 'alb'")
            if port != group.port:
                raise InvalidTarget(f"The port '{port}' must be the target group's port '{group.port}'")
        case _:
            if zone:
                text = "Availability Zones are not supported for target groups with target type 'instance'"
                raise ValidationError(text)
            if group.protocol in ("UDP", "TCP_UDP"):
                raise UnsupportedFeature(f"the protocol '{group.protocol}' with targets of the type 'instance'")
            return _locate_instance(ctx, target)
    return target


def _locate_instance(ctx: Context, target: Target) -> Target:
    """Return a target that is this machine with its address. Raises AwsError for other instances."""
    if re.fullmatch(r"i-([0-9a-f]{8}|[0-9a-f]{17})", target.id) is None:
        raise ValidationError(f"Instance ID '{target.id}' is not valid")
    if target.id != make_instance_id(ctx.account, ctx.region):
        text = f"The following targets are not in a running state and cannot be registered: '{target.id}'"
        raise InvalidTarget(text)
    return replace(target, address=str(endpoint_addresses.MACHINE))


def _locate_address(target: Target, subnets: Sequence[Mapping[str, Any]]) -> Target:
    """Return a target with its address and zone. Raises AwsError."""
    try:
        address = IPv4Address(target.id)
    except ValueError:
        raise ValidationError(f"The IP address '{target.id}' is not a valid IPv4 address") from None
    own = next((each for each in subnets if networks.is_in_block(target.id, each["CidrBlock"])), None)
    if own is not None:
        zone = own["AvailabilityZone"]
        if target.zone not in ("", zone):
            raise ValidationError(
                f"The IP address '{target.id}' is within the VPC, and cannot have its Availability Zone "
                f"overridden to '{target.zone}' from '{zone}'"
            )
        return replace(target, zone=zone, address=target.id)
    if not any(address in block for block in _PRIVATE):
        raise InvalidTarget(f"The IP address '{target.id}' is not in the VPC, nor of a private range")
    if not target.zone:
        raise ValidationError(
            f"The Availability Zone is required for IP address '{target.id}' because it is not in the VPC"
        )
    if target.zone not in {"all", *(each["AvailabilityZone"] for each in subnets)}:
        raise ValidationError(
            "You must specify a valid Availability Zone or select 'all' for all enabled Availability zones, "
            f"since the IP address '{target.id}' is outside the VPC"
        )
    return replace(target, address=target.id)


async def _check_function(ctx: Context, arn: str) -> None:
    if re.fullmatch(r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:[^:]+(:[^:]+)?", arn) is None:
        raise InvalidTarget(f"'{arn}' is not a valid Lambda function ARN")
    wrong = InvalidTarget(f"The Lambda function '{arn}' does not exist")
    if not ctx.block.cloud.has("lambda"):
        raise wrong
    try:
        await ctx.call("lambda", "GetFunctionConfiguration", {"FunctionName": arn})
    except AwsError as error:
        if error.code == "ResourceNotFoundException":
            raise wrong from None
        # Load balancers may invoke functions, at most: one that may not be looked at is there.
        if error.code != "AccessDeniedException":
            raise


async def register(ctx: Context, tx: Transaction, group: TargetGroup, made: Sequence[Target]) -> None:
    """Register targets, also those that are draining. Raises AwsError."""
    known = {(each.id, each.port): each for each in await storing.list_targets(tx, group)}
    both = known | {(each.id, each.port): each for each in made}
    registered = [each for each in both.values() if each.draining_until is None]
    if group.type in ("lambda", "alb") and len(registered) > 1:
        text = f"A target group with target type '{group.type}' can have one target only"
        raise QuotaExcess("TooManyTargetsException", text)
    if len(registered) > limits.MAX_TARGETS:
        text = f"The maximum number of targets has been reached on target group '{group.arn}'"
        raise QuotaExcess("TooManyTargetsException", text)
    for each in made:
        before = known.get((each.id, each.port))
        if before is not None and before.draining_until is None:
            each = replace(each, registered=before.registered, state=before.state, reason=before.reason)
        if group.type == "alb":
            await _check_load_balancer(ctx, tx, group, each.id)
            tx.put(storing.USES.key(each.id, group.name, group.name), group.name.encode())
        storing.save_target(tx, group, each)
    for name in await storing.list_using_load_balancers(tx, group.arn):
        await storing.check_target_count(tx, await storing.LOAD_BALANCERS.get(tx, group.account, group.region, name))
    await network_changes.request_by_group(tx, group)


async def _check_load_balancer(ctx: Context, tx: Transaction, group: TargetGroup, arn: str) -> None:
    if arns.find_kind(arn) != arns.LOAD_BALANCER:
        raise InvalidTarget(f"'{arn}' is not a valid load balancer ARN")
    name = arns.parse_name(ctx, arns.LOAD_BALANCER, arn)
    found = await storing.LOAD_BALANCERS.find(tx, ctx.account, ctx.region, name)
    if found is None or found.type != APPLICATION:
        raise InvalidTarget(f"The Application Load Balancer '{arn}' does not exist")
    if found.vpc != group.vpc:
        raise InvalidTarget(f"The following targets are not in the target group VPC '{group.vpc}': '{arn}'")
    if all(each.port != group.port for each in await storing.list_listeners(tx, found)):
        raise InvalidTarget(
            f"The Application Load Balancer '{arn}' must have at least one listener that matches the target group "
            f"port '{group.port}'"
        )


async def remove_gracefully(
    ctx: Context, tx: Transaction, group: TargetGroup, given: Sequence[Mapping[str, Any]]
) -> None:
    """Remove targets, which drain first where a load balancer uses them."""
    delay = int(get_attribute(group, "deregistration_delay.timeout_seconds") or 0)
    is_used = bool(await storing.list_users(tx, group.arn))
    for each in given:
        found = await storing.find_target(tx, group, each["Id"], each.get("Port", group.port))
        if found is None or found.draining_until is not None:
            continue
        if not is_used or not delay:
            await ending.note(tx, group, found)
            remove(tx, group, found)
            continue
        until = ctx.now() + delay
        _forget_use(tx, group, found)
        storing.save_target(tx, group, replace(found, draining_until=until))
        due = int(until * 1000)
        tx.put(_DRAINING.key(due, group.account, group.region, group.name, found.id, found.port), b"")
        tx.notify(_TOPIC)
    await network_changes.request_by_group(tx, group)


def get_attribute(group: TargetGroup, key: str) -> str:
    """Return an attribute of a target group; "" for one that it has not."""
    known = attributes.list_group_attributes(group.type, group.protocol, group.version)
    return attributes.fill(known, group.attributes).get(key, "")


def remove(tx: Transaction, group: TargetGroup, target: Target) -> None:
    """Delete a target, and what it is found by."""
    storing.remove_target(tx, group, target)
    _forget_use(tx, group, target)


def _forget_use(tx: Transaction, group: TargetGroup, target: Target) -> None:
    """Let a load balancer that is a target be deleted."""
    if group.type == "alb":
        tx.delete(storing.USES.key(target.id, group.name, group.name))


async def drain(block: Block) -> None:
    """Delete targets whose deregistration delay has ended, for ever."""
    await run_timers(block, _TOPIC, _DRAINING, "the end of a deregistration delay:", _end_delay)


async def _end_delay(tx: Transaction, row: tuple[Any, ...], now: float) -> None:
    due, account, region, name, target_id, port = row
    group = await storing.TARGET_GROUPS.find(tx, account, region, name)
    target = None if group is None else await storing.find_target(tx, group, target_id, port)
    if group is None or target is None or target.draining_until is None or target.draining_until * 1000 > due + 1:
        return
    await ending.note(tx, group, target)
    remove(tx, group, target)
    await network_changes.request_by_group(tx, group)


async def list_health(
    ctx: Context, tx: Transaction, group: TargetGroup, given: Sequence[Mapping[str, Any]] | None
) -> list[dict[str, Any]]:
    """Return the health of some targets, or of all, as the API has it."""
    zones: set[str] | None = None
    for name in await storing.list_using_load_balancers(tx, group.arn):
        found = await storing.LOAD_BALANCERS.find(tx, ctx.account, ctx.region, name)
        zones = (zones or set()) | {each.zone for each in (found.placements if found else ())}
    if not given:
        return [_show(group, each, zones) for each in await storing.list_targets(tx, group)]
    shown = []
    for each in given:
        port = each.get("Port", group.port)
        target = await storing.find_target(tx, group, each["Id"], port)
        if target is None:
            described = {"Id": each["Id"], **({"Port": port} if port else {})}
            shown.append({"Target": described, "TargetHealth": _show_state(*_NOT_REGISTERED)})
        else:
            shown.append(_show(group, target, zones))
    return shown


def _show(group: TargetGroup, target: Target, zones: set[str] | None) -> dict[str, Any]:
    described: dict[str, Any] = {"Id": target.id}
    if target.port:
        described["Port"] = target.port
    if target.zone:
        described["AvailabilityZone"] = target.zone
    shown: dict[str, Any] = {"Target": described, "TargetHealth": _show_state(*find_state(group, target, zones))}
    if group.check.port:
        is_own = group.check.port == health_checks.TRAFFIC_PORT
        shown["HealthCheckPort"] = str(target.port) if is_own else group.check.port
    return shown


def find_state(group: TargetGroup, target: Target, zones: set[str] | None) -> tuple[str, str, str]:
    """Return the state, the reason and the description of a target.

    `zones` are those of the load balancer that uses its group; None where none does.
    """
    if target.draining_until is not None:
        return _DRAINS
    if zones is None:
        return _NOT_IN_USE
    if target.zone not in ("", "all") and target.zone not in zones:
        return _NO_ZONE
    if not group.check.is_enabled:
        return _UNCHECKED
    return (target.state, target.reason, target.description) if target.state else _INITIAL


def _show_state(state: str, reason: str, description: str) -> dict[str, str]:
    shown = {"State": state}
    if reason:
        shown["Reason"] = reason
    if description:
        shown["Description"] = description
    return shown
