"""The operations on Express services."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.ecs import (
    api_clusters,
    api_definitions,
    arns,
    clusters,
    definitions,
    errors,
    express_networks,
    express_record,
    express_rules,
    express_shape,
    ingress,
    ingress_balancing,
    ingress_pending,
    ingress_settling,
    resource_tags,
    role_rules,
    service_history,
    service_rules,
    service_scheduler,
    services,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.express_networks import Network
from cloudlet.services.ecs.express_record import Configuration, Express
from cloudlet.services.ecs.ingress_balancing import Place
from cloudlet.services.ecs.ingress_pending import Pending
from cloudlet.services.ecs.ingress_record import PUBLIC
from cloudlet.services.ecs.service_record import ACTIVE, DRAINING, INACTIVE, Service

_MAX_BALANCERS: Final = 50
"""The quota of Elastic Load Balancing."""
_MAX_GROUPS: Final = 4
"""Security groups that a caller may name: one more is the service's own."""
_WORDS: Final = re.compile(r"[^A-Za-z0-9_-]+")


@service.direct("CreateExpressGatewayService")
async def create_express_gateway_service(ctx: Context, params: Params) -> Result:
    role_rules.check(ctx, "CreateExpressGatewayService", params)
    express_rules.check_new(params)
    given = params.get("networkConfiguration") or {}
    network = await express_networks.find_network(ctx, given.get("subnets") or ())
    express_networks.check_zones(network)
    if not params.get("cluster"):
        await _provide_cluster(ctx)
    name = params.get("serviceName") or _make_name(params)
    return await ctx.transact(lambda tx: _create(ctx, tx, {**params, "serviceName": name}, network))


async def _provide_cluster(ctx: Context) -> None:
    """Have the default cluster made, with Fargate as its capacity, where it is not there."""
    found = await ctx.transact(lambda tx: clusters.find(tx, ctx.account, ctx.region, None))
    if found is None or not found.is_active:
        await api_clusters.create_cluster(ctx, {"clusterName": clusters.DEFAULT, "capacityProviders": ["FARGATE"]})


def _make_name(params: Params) -> str:
    """Return a name for a service that has none: its image's, and four digits."""
    image = (params.get("primaryContainer") or {}).get("image") or "service"
    base = _WORDS.sub("-", image.rpartition("/")[2].partition("@")[0].partition(":")[0]).strip("-") or "service"
    return f"{base[:200]}-{random_bytes(2).hex()}"


async def _create(ctx: Context, tx: Transaction, params: Params, network: Network) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    name = params["serviceName"]
    if not service_rules.NAME.fullmatch(name):
        raise errors.InvalidParameter("Invalid identifier: a service name has up to 255 letters, numbers, "
                                      "underscores, and hyphens.")  # fmt: skip
    await _check_free(tx, cluster, name)
    log_group = f"/aws/ecs/{cluster.name}/{name}-{random_bytes(2).hex()}"
    definition = await _provide_definition(ctx, tx, params, cluster, name, log_group)
    configuration = Configuration(
        express_rules.read_check_path(params, express_rules.CHECK_PATH),
        express_rules.read_scaling(params),
        _read_groups(params, []),
    )
    express = Express(
        ctx.account,
        ctx.region,
        cluster.name,
        name,
        params["infrastructureRoleArn"],
        "",
        log_group,
        ctx.now(),
        configuration,
        manages_log_group=_uses_log_group(definition, log_group),
    )
    made = _make_service(ctx, cluster, express)
    tags.save(tx, made.arn, resource_tags.add({}, params.get("tags")))
    express = replace(express, route=await _open_route(ctx, tx, express, definition, network))
    members = _make_members(cluster, definition, network, configuration)
    pending = await ingress_pending.add(tx, made, members, ctx.now())
    revisions = express_record.add_configuration({}, pending.revision, configuration)
    express = replace(express, revisions=revisions)
    express_record.save(tx, express)
    services.save(tx, made)
    ingress_settling.request(tx, made.key)
    service_scheduler.request(tx, *made.key)
    return {"service": await express_shape.describe(tx, made, express, has_tags=True)}


async def _check_free(tx: Transaction, cluster: Cluster, name: str) -> None:
    """Raise InvalidParameterException where a name is taken, or what had it is not all gone."""
    known = await services.find(tx, cluster.account, cluster.region, cluster.name, name)
    if known is None:
        return
    if known.status == ACTIVE:
        raise errors.InvalidParameter("Creation of service was not idempotent.")
    if known.status == DRAINING or await ingress.list_routes(tx, known.key):
        raise errors.InvalidParameter("Unable to Start a service that is still Draining.")
    service_history.remove(tx, known.key)


async def _provide_definition(
    ctx: Context, tx: Transaction, params: Params, cluster: Cluster, name: str, log_group: str
) -> Definition:
    """Return the task definition of a new service: the caller's, or a new one."""
    if params.get("taskDefinitionArn"):
        return await definitions.get_active(tx, ctx.account, ctx.region, params["taskDefinitionArn"])
    family = express_rules.make_family(cluster.name, name)
    return await api_definitions.register(ctx, tx, express_rules.make_definition(params, family, ctx.region, log_group))


def _uses_log_group(definition: Definition, log_group: str) -> bool:
    main = express_rules.find_main(definition)
    options = (main.get("logConfiguration") or {}).get("options") or {}
    return bool(options.get("awslogs-group") == log_group)


def _make_service(ctx: Context, cluster: Cluster, express: Express) -> Service:
    """Return the service that an Express service is, without a deployment."""
    alarms = {"alarmNames": [express.alarm], "enable": True, "rollback": True}
    request = {"deploymentConfiguration": {**express_rules.DEPLOYMENT, "alarms": alarms}}
    options = service_rules.read_options(request, {}, "REPLICA", "ECS")
    options |= {"availabilityZoneRebalancing": "ENABLED", "resourceManagementType": "ECS"}
    desired = express.newest.scaling["minTaskCount"]
    return Service(
        ctx.account,
        ctx.region,
        cluster.name,
        express.service,
        ctx.now(),
        ctx.principal.arn,
        desired,
        "REPLICA",
        "ECS",
        options,
    )


async def _open_route(ctx: Context, tx: Transaction, express: Express, definition: Definition, network: Network) -> str:
    """Give a service a route through a load balancer; return its id."""
    mapping = express_rules.find_port(definition)
    port, check = mapping["containerPort"], _make_check(express.newest.check_path)
    place = Place(ctx.account, ctx.region, "", network.access, network.vpc, tuple(network.zones.values()))
    members = {
        "cluster": express.cluster,
        "service": express.service,
        "role": express.role,
        "port_name": mapping["name"],
        "container": express_rules.MAIN,
        "port": port,
        "check": check,
        "groups": [ingress.make_group(port, check) for _ in range(2)],
    }
    role = {"role": express.role}
    route = await ingress_balancing.open_route(tx, place, ctx.now(), role, members, _MAX_BALANCERS)
    return route.id


def _make_check(path: str) -> dict[str, Any]:
    return {"HealthCheckPath": path}


def _read_groups(params: Params, known: list[str]) -> list[str]:
    """Return the security groups that a request names. Raises InvalidParameterException."""
    groups = (params.get("networkConfiguration") or {}).get("securityGroups")
    if groups is None:
        return known
    if len(groups) > _MAX_GROUPS:
        raise errors.InvalidParameter(f"securityGroups can have at most {_MAX_GROUPS} items.")
    return [*groups]


def _make_members(
    cluster: Cluster, definition: Definition, network: Network, configuration: Configuration
) -> dict[str, Any]:
    """Return the members of the first revision of a service."""
    awsvpc = {
        "subnets": network.subnets,
        "securityGroups": configuration.given_groups,
        "assignPublicIp": "ENABLED" if network.access == PUBLIC else "DISABLED",
    }
    request = {"launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration": awsvpc}}
    return service_rules.make_members(request, {}, cluster, definition, "REPLICA")


async def _find(ctx: Context, tx: Transaction, arn: str) -> tuple[Service, Express] | None:
    """Return an Express service by its ARN, or None."""
    names = arns.parse_names("service", arn, ctx.account, ctx.region)
    if len(names) != 2:
        return None
    found = await services.find(tx, ctx.account, ctx.region, *names)
    express = await express_record.find(tx, (ctx.account, ctx.region, names[0], names[1]))
    return None if found is None or express is None else (found, express)


async def _get_active(ctx: Context, tx: Transaction, arn: str) -> tuple[Service, Express]:
    found = await _find(ctx, tx, arn)
    if found is None:
        raise errors.ServiceNotFound
    if found[0].status != ACTIVE:
        raise errors.ServiceNotActive
    return found


@service.operation("DescribeExpressGatewayService")
async def describe_express_gateway_service(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _find(ctx, tx, params["serviceArn"])
    if found is None:
        raise errors.ResourceNotFound("The specified Express service was not found.")
    has_tags = "TAGS" in (params.get("include") or ())
    return {"service": await express_shape.describe(tx, *found, has_tags=has_tags)}


@service.direct("UpdateExpressGatewayService")
async def update_express_gateway_service(ctx: Context, params: Params) -> Result:
    role_rules.check(ctx, "UpdateExpressGatewayService", params)
    express_rules.check_definition_choice(params)
    subnets = (params.get("networkConfiguration") or {}).get("subnets")
    network = await express_networks.find_network(ctx, subnets) if subnets else None
    return await ctx.transact(lambda tx: _update(ctx, tx, params, network))


async def _update(ctx: Context, tx: Transaction, params: Params, network: Network | None) -> Result:
    found, express = await _get_active(ctx, tx, params["serviceArn"])
    route = await ingress.find_route(tx, (*found.key, express.route))
    if route is None:
        raise errors.ServiceNotActive
    if network is not None and network.vpc != route.vpc:
        raise errors.InvalidParameter("The VPC of an Express service cannot be changed.")
    cluster = await clusters.get(tx, ctx.account, ctx.region, found.cluster)
    waiting = await ingress_pending.find(tx, found.key)
    known = waiting.members if waiting else found.deployments[0].revision.members
    definition = await _change_definition(ctx, tx, params, express, known["taskDefinition"])
    mapping = express_rules.find_port(definition)
    newest = express.newest
    configuration = Configuration(
        express_rules.read_check_path(params, newest.check_path),
        express_rules.read_scaling(params, newest.scaling),
        _read_groups(params, newest.given_groups),
    )
    awsvpc = dict(known["networkConfiguration"]["awsvpcConfiguration"])
    own = [route.security_group] if route.security_group else []
    awsvpc["securityGroups"] = [*configuration.given_groups, *own]
    if network is not None:
        is_public = "ENABLED" if network.access == PUBLIC else "DISABLED"
        awsvpc |= {"subnets": network.subnets, "assignPublicIp": is_public}
    request = {"networkConfiguration": {"awsvpcConfiguration": awsvpc}}
    members = service_rules.make_members(request, known, cluster, definition, found.scheduling)
    changed_route = replace(
        route,
        port=mapping["containerPort"],
        port_name=mapping["name"],
        check=_make_check(configuration.check_path),
    )
    ingress.save_route(tx, changed_route)
    express = replace(
        express,
        newest=configuration,
        updated=ctx.now(),
        manages_log_group=express.manages_log_group or _uses_log_group(definition, express.log_group),
    )
    is_same = members == known and (route.port, route.check) == (changed_route.port, changed_route.check)
    if is_same and waiting is None:
        # Nothing but the scaling is another one: the revision stays.
        revision = found.deployments[0].revision
        pending = Pending(revision.id, members, revision.created, "")
    else:
        pending = await ingress_pending.add(tx, found, members, ctx.now())
    express = replace(
        express, revisions=express_record.add_configuration(express.revisions, pending.revision, configuration)
    )
    express_record.save(tx, express)
    ingress_settling.request(tx, found.key)
    return {"service": await express_shape.describe_target(tx, found, express, pending)}


async def _change_definition(ctx: Context, tx: Transaction, params: Params, express: Express, known: str) -> Definition:
    """Return the task definition of a service after an update; what changes is registered anew."""
    if params.get("taskDefinitionArn"):
        return await definitions.get_active(tx, ctx.account, ctx.region, params["taskDefinitionArn"])
    before = await definitions.get(tx, ctx.account, ctx.region, known)
    if not any(params.get(member) for member in express_rules.OF_DEFINITIONS):
        return before
    family = express_rules.make_family(express.cluster, express.service)
    request = express_rules.make_definition(params, family, ctx.region, express.log_group, before)
    return await api_definitions.register(ctx, tx, request)


@service.operation("DeleteExpressGatewayService")
async def delete_express_gateway_service(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _find(ctx, tx, params["serviceArn"])
    if found is None:
        raise errors.ServiceNotFound
    known, express = found
    if known.status == INACTIVE:
        raise errors.ServiceNotActive
    gone = replace(known, status=DRAINING, desired=0)
    express = replace(express, updated=ctx.now())
    express_record.save(tx, express)
    services.save(tx, gone)
    tags.save(tx, gone.arn, {})
    await ingress_pending.remove(tx, gone.key, ctx.now())
    ingress_settling.request(tx, gone.key)
    service_scheduler.request(tx, *gone.key)
    return {"service": await express_shape.describe(tx, gone, express, has_tags=False)}
