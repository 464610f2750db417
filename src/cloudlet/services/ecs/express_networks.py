"""The networks of Express services and gateways.

Developer guide, "Resources created by Amazon ECS Express Mode services".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cloudlet.core import AwsError, Context
from cloudlet.services.ecs import errors
from cloudlet.services.ecs.ingress_record import PRIVATE, PUBLIC

_MIN_ZONES = 2


class Network(NamedTuple):
    """Subnets of a VPC."""

    vpc: str
    subnets: list[str]
    zones: dict[str, str]
    """A subnet of each Availability Zone."""
    access: str


async def find_network(ctx: Context, subnets: Sequence[str]) -> Network:
    """Return the network of subnets, or of the default VPC. Raises InvalidParameterException."""
    if not ctx.block.cloud.has("ec2") or not ctx.block.cloud.has("elbv2"):
        raise errors.NotBuilt("Amazon EC2 and Elastic Load Balancing, which load balancers of ECS need")
    if subnets:
        found = await _describe(ctx, {"SubnetIds": [*subnets]})
    else:
        found = await _describe(ctx, {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]})
    if not found:
        raise errors.InvalidParameter("There is no default VPC in this Region: specify subnets.")
    vpcs = {each["VpcId"] for each in found}
    if len(vpcs) > 1:
        raise errors.InvalidParameter("The specified subnets must be in one VPC.")
    (vpc,) = vpcs
    zones: dict[str, str] = {}
    for each in sorted(found, key=lambda subnet: str(subnet["SubnetId"])):
        zones.setdefault(each["AvailabilityZone"], each["SubnetId"])
    ids = [each["SubnetId"] for each in found]
    access = PUBLIC if await _has_public(ctx, vpc, ids) else PRIVATE
    return Network(vpc, [*subnets] or sorted(ids), dict(sorted(zones.items())), access)


def check_zones(network: Network) -> None:
    """Raise InvalidParameterException unless a load balancer can be in a network."""
    if len(network.zones) < _MIN_ZONES:
        raise errors.InvalidParameter("At least two subnets in two different Availability Zones must be specified")


async def _describe(ctx: Context, params: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        answer = await ctx.call("ec2", "DescribeSubnets", params) or {}
    except AwsError as error:
        if error.status is None or error.status >= 500:
            raise
        text = f"Error retrieving subnet information: {error.message} (ErrorCode: {error.code})"
        raise errors.InvalidParameter(text) from None
    return [dict(each) for each in answer.get("Subnets") or ()]


async def _has_public(ctx: Context, vpc: str, subnets: Sequence[str]) -> bool:
    """Whether all subnets lead to an internet gateway."""
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    answer = await ctx.call("ec2", "DescribeRouteTables", {"Filters": filters}) or {}
    tables = answer.get("RouteTables") or ()
    main = next((table for table in tables if any(each.get("Main") for each in table["Associations"])), None)
    own = {each["SubnetId"]: table for table in tables for each in table["Associations"] if each.get("SubnetId")}
    return all(_has_way_out(own.get(subnet, main)) for subnet in subnets)


def _has_way_out(table: dict[str, Any] | None) -> bool:
    routes = (table or {}).get("Routes") or ()
    return any(str(route.get("GatewayId", "")).startswith("igw-") for route in routes)
