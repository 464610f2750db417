"""Gateways and their routes as answers have them."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Transaction
from cloudlet.core.aws import tags
from cloudlet.services.ecs import gateways, ingress, resource_tags
from cloudlet.services.ecs.arns import make_arn
from cloudlet.services.ecs.gateway_changing import PORT
from cloudlet.services.ecs.gateway_record import Gateway
from cloudlet.services.ecs.ingress_record import SCHEMES, Balancer, Route
from cloudlet.services.ecs.ingress_states import find_route_status


async def describe(tx: Transaction, gateway: Gateway) -> dict[str, Any]:
    """Return a gateway."""
    balancers = await ingress.list_balancers(tx, gateway.account, gateway.region, gateway.name)
    failures = [{"arn": each.arn, "errors": each.failures} for each in balancers if each.failures]
    reasons = [each.failure for each in balancers if each.failure]
    if failures:
        reasons.insert(0, f"{len(failures)} of {len(balancers)} load balancers could not be changed as they should.")
    network = {"subnets": gateway.subnets, "ipAddressType": "ipv4"}
    if inbound := gateway.settings.get("inboundSecurityGroup"):
        network["inboundSecurityGroup"] = inbound
    settings = {name: value for name, value in gateway.settings.items() if name != "inboundSecurityGroup"}
    configuration = {
        "networkConfiguration": network,
        "scheme": SCHEMES[gateway.access],
        "port": PORT,
        "protocol": "HTTPS",
        "maxAlbCount": gateway.max_balancers,
        "currentAlbCount": len(balancers),
        "httpDesync": "defensive",
        **settings,
    }
    return {
        **describe_briefly(gateway, balancers),
        "statusReason": " ".join(reasons) or None,
        "failures": failures,
        "infrastructureRoleArn": gateway.role,
        "deletionProtection": gateway.is_protected,
        "configuration": {"hostSharedAlb": configuration},
        "accessType": gateway.access,
        "propagateTags": gateway.propagate,
        "tags": resource_tags.to_api(await tags.load(tx, gateway.arn)),
        "updatedAt": gateway.updated,
    }


def describe_briefly(gateway: Gateway, balancers: list[Balancer]) -> dict[str, Any]:
    """Return a gateway as lists have it."""
    return {**describe_change(gateway, gateways.find_status(gateway, balancers)), "createdAt": gateway.created}


def describe_change(gateway: Gateway, status: str) -> dict[str, Any]:
    """Return a gateway that was made, changed or deleted."""
    return {"gatewayArn": gateway.arn, "name": gateway.name, "status": status}


def get_status(route: Route) -> str:
    """Return the state of a route."""
    is_changing = any((group.port, group.check) != (route.port, route.check) for group in route.groups)
    is_made = bool(route.rule)
    return find_route_status(
        route.failure, is_made=is_made, is_changing=is_changing and not route.is_settled, is_leaving=route.is_leaving
    )


def describe_route_briefly(route: Route) -> dict[str, Any]:
    """Return a route as lists have it."""
    return {
        "gatewayRouteArn": route.arn,
        "gatewayArn": make_arn(route.region, route.account, "gateway", route.gateway),
        "clusterArn": make_arn(route.region, route.account, "cluster", route.cluster),
        "serviceArn": route.service_arn,
        "serviceContainerPortName": route.port_name,
        "status": get_status(route),
    }


async def describe_route(tx: Transaction, route: Route) -> dict[str, Any]:
    """Return a route."""
    balancer = await ingress.find_balancer(tx, route.account, route.region, route.balancer)
    resources: dict[str, Any] = {
        **_list_shared(route, balancer),
        "testListenerRuleArns": [route.test_rule] if route.test_rule else [],
        "serviceSecurityGroupArn": route.security_group_arn,
    }
    if balancer is not None and balancer.security_group:
        resources["loadBalancerSecurityGroups"] = [{"arn": balancer.security_group_arn}]
    brief = describe_route_briefly(route)
    return {
        **{name: brief[name] for name in ("gatewayRouteArn", "serviceArn", "serviceContainerPortName", "status")},
        "serviceUrl": route.endpoint,
        "resources": {"hostSharedAlb": [resources]},
    }


def _list_shared(route: Route, balancer: Balancer | None) -> dict[str, Any]:
    found = {
        "acmCertificateArn": route.certificate,
        "loadBalancerArn": balancer.arn if balancer else "",
        "listenerArn": balancer.listener if balancer else "",
        "listenerRuleArn": route.rule,
    }
    return {name: arn for name, arn in found.items() if arn}


async def describe_connection(tx: Transaction, route: Route) -> dict[str, Any]:
    """Return the connection of a service with a gateway."""
    balancer = await ingress.find_balancer(tx, route.account, route.region, route.balancer)
    first, second = route.groups
    resources = {
        **_list_shared(route, balancer),
        "loadBalancerSecurityGroupArns": [balancer.security_group_arn] if balancer else [],
        "testListenerRuleArn": route.test_rule,
        "targetGroupArn": first.arn,
        "alternateTargetGroupArn": second.arn,
    }
    brief = describe_route_briefly(route)
    return {
        "gatewayArn": brief["gatewayArn"],
        "gatewayRouteArn": route.arn,
        "portName": route.port_name,
        "serviceUrl": route.endpoint,
        "accessType": route.access,
        "status": brief["status"],
        "resources": {"hostSharedAlb": [{name: value for name, value in resources.items() if value}]},
    }


def describe_balancer(balancer: Balancer) -> dict[str, Any]:
    """Return a load balancer with the routes through it."""
    found = {
        "loadBalancerArn": balancer.arn,
        "listenerArn": balancer.listener,
        "securityGroup": balancer.security_group,
        "gatewayRouteArns": [
            make_arn(balancer.region, balancer.account, "gateway-route", balancer.gateway, id) for id in balancer.routes
        ],
    }
    return {name: value for name, value in found.items() if value}
