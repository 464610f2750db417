"""Express services, and all that ECS makes for services, as answers have them."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Transaction
from cloudlet.core.aws import tags
from cloudlet.services.ecs import (
    definitions,
    express_making,
    express_record,
    express_rules,
    gateway_shape,
    ingress,
    ingress_pending,
    resource_tags,
)
from cloudlet.services.ecs.express_record import Express
from cloudlet.services.ecs.ingress_pending import Pending
from cloudlet.services.ecs.ingress_record import Balancer, Route, make_resource_arn
from cloudlet.services.ecs.service_record import DRAINING, INACTIVE, Revision, Service


async def describe(tx: Transaction, service: Service, express: Express, *, has_tags: bool) -> dict[str, Any]:
    """Return an Express service."""
    routes = await ingress.list_routes(tx, service.key)
    pending = await ingress_pending.find(tx, service.key)
    configurations = []
    if service.status != INACTIVE:
        if pending is not None:
            configurations.append(await _describe_pending(tx, service, express, routes, pending))
        revisions = {each.revision.id: each.revision for each in service.deployments}
        configurations += [
            await _describe_configuration(tx, service, express, routes, each.id, each.members, each.created)
            for each in revisions.values()
        ]
    primary = service.primary
    newest = pending.operation if pending else primary.operation if primary else ""
    return {
        **await _describe_head(tx, service, express, routes),
        "infrastructureRoleArn": express.role,
        "currentDeployment": service.make_arn("service-deployment", newest) if newest else None,
        "activeConfigurations": configurations,
        "tags": resource_tags.to_api(await tags.load(tx, service.arn)) if has_tags else None,
    }


async def describe_target(tx: Transaction, service: Service, express: Express, target: Pending) -> dict[str, Any]:
    """Return an Express service with the configuration that it is to have."""
    routes = await ingress.list_routes(tx, service.key)
    head = await _describe_head(tx, service, express, routes)
    return {**head, "targetConfiguration": await _describe_pending(tx, service, express, routes, target)}


async def _describe_head(tx: Transaction, service: Service, express: Express, routes: list[Route]) -> dict[str, Any]:
    reasons = [express.failure, *(route.failure for route in routes)]
    for route in routes:
        balancer = await ingress.find_balancer(tx, route.account, route.region, route.balancer)
        reasons.append(balancer.failure if balancer else "")
    # What was made for it goes after its tasks.
    status = DRAINING if service.status == INACTIVE and routes else service.status
    return {
        "cluster": service.cluster,
        "serviceName": service.name,
        "serviceArn": service.arn,
        "status": {"statusCode": status, "statusReason": " ".join(filter(None, reasons)) or None},
        "createdAt": service.created,
        "updatedAt": express.updated,
    }


async def _describe_pending(
    tx: Transaction, service: Service, express: Express, routes: list[Route], pending: Pending
) -> dict[str, Any]:
    return await _describe_configuration(
        tx, service, express, routes, pending.revision, pending.members, pending.created
    )


async def _describe_configuration(
    tx: Transaction,
    service: Service,
    express: Express,
    routes: list[Route],
    revision: str,
    members: dict[str, Any],
    created: float,
) -> dict[str, Any]:
    definition = await definitions.find(tx, service.account, service.region, members["taskDefinition"])
    shape = definition.shape if definition else {}
    main = next((each for each in shape.get("containerDefinitions") or () if each["name"] == express_rules.MAIN), None)
    configuration = express.get_configuration(revision)
    network = members["networkConfiguration"]["awsvpcConfiguration"]
    return {
        "serviceRevisionArn": service.make_arn("service-revision", revision),
        "executionRoleArn": shape.get("executionRoleArn"),
        "taskRoleArn": shape.get("taskRoleArn"),
        "taskDefinitionArn": members["taskDefinition"],
        "cpu": shape.get("cpu"),
        "memory": shape.get("memory"),
        "cpuArchitecture": (shape.get("runtimePlatform") or {}).get("cpuArchitecture"),
        "networkConfiguration": {"subnets": network["subnets"], "securityGroups": network.get("securityGroups") or []},
        "healthCheckPath": configuration.check_path,
        "primaryContainer": express_rules.read_container(main) if main else None,
        "scalingTarget": configuration.scaling,
        "ingressPaths": [{"accessType": each.access, "endpoint": each.endpoint} for each in routes if not each.gateway],
        "createdAt": created,
    }


async def describe_resources(tx: Transaction, service: Service, revision: Revision) -> dict[str, Any] | None:
    """Return what ECS has made for a revision of a service, or None."""
    express = await express_record.find(tx, service.key)
    routes = await ingress.list_routes(tx, service.key)
    connections = [await gateway_shape.describe_connection(tx, route) for route in routes if route.gateway]
    if express is None:
        return {"gatewayConnections": connections} if connections else None
    paths = []
    for route in routes:
        if not route.gateway:
            balancer = await ingress.find_balancer(tx, route.account, route.region, route.balancer)
            paths.append(_describe_path(route, balancer, express.get_configuration(revision.id).check_path))
    resources = {
        "ingressPaths": paths,
        "autoScaling": _describe_scaling(express),
        "metricAlarms": [_describe_alarm(express)],
        "serviceSecurityGroups": [
            _describe_one(route, route.security_group_arn) for route in routes if not route.gateway
        ],
        "logGroups": [_describe_logs(express)] if express.manages_log_group else [],
        "gatewayConnections": connections or None,
    }
    return {name: value for name, value in resources.items() if value is not None}


def _describe_one(owner: Route | Balancer, arn: str) -> dict[str, Any]:
    """Return a resource of a route or a load balancer."""
    status = owner.get_status(arn)
    reason = owner.failure if not arn else ""
    return {"arn": arn or None, "status": status, "statusReason": reason or None, "updatedAt": owner.updated}


def _describe_path(route: Route, balancer: Balancer | None, check_path: str) -> dict[str, Any]:
    path: dict[str, Any] = {
        "accessType": route.access,
        "endpoint": route.endpoint,
        "certificate": {**_describe_one(route, route.certificate), "domainName": route.host},
        "rule": _describe_one(route, route.rule),
        "targetGroups": [
            {
                **_describe_one(route, group.arn),
                "healthCheckPath": group.check.get("HealthCheckPath") or check_path,
                "healthCheckPort": group.port,
                "port": group.port,
            }
            for group in route.groups
        ],
    }
    if balancer is not None:
        path |= {
            "loadBalancer": {
                **_describe_one(balancer, balancer.arn),
                "scheme": balancer.scheme,
                "subnetIds": balancer.subnets,
                "securityGroupIds": [balancer.security_group] if balancer.security_group else [],
            },
            "loadBalancerSecurityGroups": [_describe_one(balancer, balancer.security_group_arn)],
            "listener": _describe_one(balancer, balancer.listener),
        }
    return path


def _describe_own(express: Express, arn: str, is_made: object) -> dict[str, Any]:
    """Return a resource that Express Mode adds to a service."""
    reason = express.failure if not is_made else ""
    return {
        "arn": arn or None,
        "status": express.get_status(is_made),
        "statusReason": reason or None,
        "updatedAt": express.updated,
    }


def _describe_scaling(express: Express) -> dict[str, Any]:
    scaling = express.newest.scaling
    target = {
        **_describe_own(express, express.target, express.target),
        "minCapacity": scaling["minTaskCount"],
        "maxCapacity": scaling["maxTaskCount"],
    }
    policy = {
        **_describe_own(express, express.policy, express.policy),
        "policyType": "TargetTrackingScaling",
        "targetValue": float(scaling["autoScalingTargetValue"]),
        "metric": express_making.METRICS[scaling["autoScalingMetric"]],
    }
    return {"scalableTarget": target, "applicationAutoScalingPolicies": [policy]}


def _describe_alarm(express: Express) -> dict[str, Any]:
    arn = make_resource_arn("cloudwatch", express.region, express.account, f"alarm:{express.alarm}")
    return _describe_own(express, arn, express.alarmed)


def _describe_logs(express: Express) -> dict[str, Any]:
    arn = make_resource_arn("logs", express.region, express.account, f"log-group:{express.log_group}")
    return {**_describe_own(express, arn, express.has_log_group), "logGroupName": express.log_group}
