"""Services that are connected to the gateways of their cluster.

Developer guide, "Connect Amazon ECS services to a gateway".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import Context, Params, Transaction
from cloudlet.services.ecs import (
    errors,
    express_networks,
    gateways,
    ingress,
    ingress_balancing,
    ingress_pending,
    ingress_settling,
)
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.connect_record import Connect
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.express_networks import Network
from cloudlet.services.ecs.gateway_record import Gateway
from cloudlet.services.ecs.ingress_balancing import Place
from cloudlet.services.ecs.ingress_record import Route
from cloudlet.services.ecs.service_record import Service

_CHECKS: Final = {
    "healthCheckProtocol": "HealthCheckProtocol",
    "healthCheckPath": "HealthCheckPath",
    "healthCheckTimeoutSeconds": "HealthCheckTimeoutSeconds",
    "healthCheckIntervalSeconds": "HealthCheckIntervalSeconds",
    "healthyThresholdCount": "HealthyThresholdCount",
    "unhealthyThresholdCount": "UnhealthyThresholdCount",
}
"""The members of health checks, as Elastic Load Balancing has them."""


class Reach(NamedTuple):
    """The network and the security group that gateways reach tasks in."""

    network: Network
    security_group: str


class _Target(NamedTuple):
    """The container that gets the traffic of a connector."""

    container: str
    port: int


async def find_reach(ctx: Context, params: Params) -> Reach | None:
    """Return where the tasks of a request with a gateway connector are, or None. Raises AwsError."""
    connectors = params.get("gatewayConnectors") or ()
    if not connectors:
        return None
    if len(connectors) > 1:
        raise errors.InvalidParameter("A service can have at most one gateway connector.")
    configuration = (params.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if configuration is None:
        return None
    network = await express_networks.find_network(ctx, configuration["subnets"])
    groups = configuration.get("securityGroups") or [await _find_default(ctx, network.vpc)]
    return Reach(network, groups[0])


async def _find_default(ctx: Context, vpc: str) -> str:
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    answer = await ctx.call("ec2", "DescribeSecurityGroups", {"Filters": filters}) or {}
    return str(answer["SecurityGroups"][0]["GroupId"])


async def connect(
    ctx: Context,
    tx: Transaction,
    service: Service,
    cluster: Cluster,
    definition: Definition,
    members: dict[str, Any],
    connector: Mapping[str, Any] | None,
    reach: Reach | None,
    connected: Connect | None,
) -> None:
    """Give a service routes by its connector, and have it deployed once they are there.

    Without `reach`, those that it has stay. Raises InvalidParameterException.
    """
    routes = [each for each in await ingress.list_routes(tx, service.key) if each.gateway and not each.is_leaving]
    if connector is None:
        for route in routes:
            ingress.save_route(tx, replace(route, is_leaving=True, updated=ctx.now()))
    else:
        target = _find_target(definition, connector["portName"])
        if reach is not None:
            routes = await _change_routes(ctx, tx, service, cluster, routes, connector, target, reach)
        for route in routes:
            _save(ctx, tx, route, connector, target)
    await ingress_pending.add(tx, service, members, ctx.now(), connected)
    ingress_settling.request(tx, service.key)


def _find_target(definition: Definition, name: str) -> _Target:
    """Return the container and the port that a port name means. Raises InvalidParameterException."""
    if definition.network_mode != "awsvpc":
        raise errors.InvalidParameter("Gateway connectors require the awsvpc network mode.")
    for container in definition.containers:
        for mapping in container["portMappings"]:
            if mapping.get("name") == name and mapping.get("protocol", "tcp") == "tcp":
                return _Target(container["name"], mapping["containerPort"])
    raise errors.InvalidParameter(f"The task definition has no TCP port mapping with the name {name}.")


async def _change_routes(
    ctx: Context,
    tx: Transaction,
    service: Service,
    cluster: Cluster,
    routes: list[Route],
    connector: Mapping[str, Any],
    target: _Target,
    reach: Reach,
) -> list[Route]:
    """Return the routes through all gateways that fit; others are left."""
    found = await gateways.list_for_cluster(tx, cluster)
    if not found:
        raise errors.InvalidParameter(f"No gateway is associated with the cluster {cluster.name}.")
    access_types = (connector.get("filters") or {}).get("accessTypes") or []
    network = reach.network
    fitting = {
        each.name: each for each in found if gateways.is_compatible(each, network.vpc, network.zones, access_types)
    }
    if not fitting:
        raise errors.InvalidParameter(
            f"No gateway of the cluster {cluster.name} is compatible with the service: it must be in the same VPC, "
            "match the access types, and cover the Availability Zones of the service's subnets."
        )
    kept = [route for route in routes if route.gateway in fitting]
    for route in routes:
        if route.gateway not in fitting:
            ingress.save_route(tx, replace(route, is_leaving=True, updated=ctx.now()))
    known = {route.gateway for route in kept}
    opened = [
        await _open(ctx, tx, service, gateway, connector, target, reach.security_group)
        for gateway in fitting.values()
        if gateway.name not in known
    ]
    return [*kept, *opened]


async def _open(
    ctx: Context,
    tx: Transaction,
    service: Service,
    gateway: Gateway,
    connector: Mapping[str, Any],
    target: _Target,
    security_group: str,
) -> Route:
    zones = tuple(gateway.zones.values())
    place = Place(ctx.account, ctx.region, gateway.name, gateway.access, gateway.vpc, zones)
    wanted = await gateways.make_wanted(tx, gateway)
    balancer = {"role": gateway.role, "wanted": wanted, "tags": wanted["tags"]}
    check = make_check(connector)
    route = {
        "cluster": service.cluster,
        "service": service.name,
        "role": gateway.role,
        "port_name": connector["portName"],
        "container": target.container,
        "port": target.port,
        "check": check,
        "groups": [ingress.make_group(target.port, check) for _ in range(2)],
        "security_group": security_group,
        "delay": _get_delay(connector),
        "tags": wanted["tags"],
    }
    return await ingress_balancing.open_route(tx, place, ctx.now(), balancer, route, gateway.max_balancers)


def _save(ctx: Context, tx: Transaction, route: Route, connector: Mapping[str, Any], target: _Target) -> None:
    """Write what a route is to be like."""
    changed = replace(
        route,
        port_name=connector["portName"],
        container=target.container,
        port=target.port,
        check=make_check(connector),
        delay=_get_delay(connector),
    )
    if changed != route:
        ingress.save_route(tx, replace(changed, is_settled=False, updated=ctx.now()))


def make_check(connector: Mapping[str, Any]) -> dict[str, Any]:
    """Return the health check of a connector, as Elastic Load Balancing has it."""
    given = connector.get("healthCheck") or {}
    check = {name: given[member] for member, name in _CHECKS.items() if given.get(member) is not None}
    if given.get("healthCheckPort") is not None:
        check["HealthCheckPort"] = str(given["healthCheckPort"])
    if matcher := given.get("matcher"):
        check["Matcher"] = {name[0].upper() + name[1:]: value for name, value in matcher.items() if value}
    return check


def _get_delay(connector: Mapping[str, Any]) -> int:
    seconds = (connector.get("deregistrationDelay") or {}).get("timeoutSeconds")
    return -1 if seconds is None else int(seconds)
