"""The operations on services."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing, tags
from cloudlet.services.ecs import (
    arns,
    clusters,
    connecting,
    definitions,
    deployment_start,
    deployment_states,
    errors,
    gateway_connecting,
    ingress,
    ingress_pending,
    ingress_settling,
    load_balancer_rules,
    namespaces,
    network_rules,
    resource_tags,
    role_rules,
    service_history,
    service_rules,
    service_scheduler,
    service_shape,
    services,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.capacity import Choice
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.connect_record import Connect
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.gateway_connecting import Reach
from cloudlet.services.ecs.load_balancer_rules import TargetTypes
from cloudlet.services.ecs.namespaces import Namespace
from cloudlet.services.ecs.service_record import ACTIVE, DRAINING, INACTIVE, Service

_MAX_DESCRIBED_ITEMS: Final = 10
_DEFAULT_PAGE: Final = 10
_MAX_PAGE_ITEMS: Final = 100
_BY_TASK_SETS: Final = (
    "taskDefinition",
    "networkConfiguration",
    "platformVersion",
    "serviceRegistries",
    "loadBalancers",
    "gatewayConnectors",
)
"""Members that task sets have, in a service whose deployments are made by them."""


@service.direct("CreateService")
async def create_service(ctx: Context, params: Params) -> Result:
    role_rules.check(ctx, "CreateService", params)
    await network_rules.check_subnets(ctx, params)
    others = await _find_others(ctx, params)
    return await ctx.transact(lambda tx: _create(ctx, tx, params, others))


class _Others(NamedTuple):
    """Resources of other blocks that a request names."""

    types: TargetTypes
    namespace: Namespace | None
    reach: Reach | None


async def _find_others(ctx: Context, params: Params) -> _Others:
    """Return what other blocks know of a request's resources. Raises AwsError."""
    types = await load_balancer_rules.load_types(ctx, params)
    cluster = await ctx.transact(lambda tx: clusters.get(tx, ctx.account, ctx.region, params.get("cluster")))
    namespace = await connecting.find_namespace(ctx, params, cluster)
    if params.get("gatewayConnectors") and not params.get("networkConfiguration") and params.get("service"):
        known = await ctx.transact(lambda tx: services.find_by_reference(tx, cluster, params["service"]))
        members = known.revision.members if known and known.revision else {}
        params = {**params, "networkConfiguration": members.get("networkConfiguration")}
    return _Others(types, namespace, await gateway_connecting.find_reach(ctx, params))


async def _create(ctx: Context, tx: Transaction, params: Params, others: _Others) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    name = params["serviceName"]
    if not service_rules.NAME.fullmatch(name):
        raise errors.InvalidParameter("Invalid identifier: a service name has up to 255 letters, numbers, "
                                      "underscores, and hyphens.")  # fmt: skip
    token = params.get("clientToken") or ""
    known = await services.find(tx, ctx.account, ctx.region, cluster.name, name)
    if known is not None and known.status == ACTIVE and token and token == known.token:
        return {"service": await service_shape.describe(tx, known, True)}
    if known is not None and known.status == DRAINING:
        raise errors.InvalidParameter("Unable to Start a service that is still Draining.")
    if known is not None and known.status == ACTIVE:
        raise errors.InvalidParameter("Creation of service was not idempotent.")
    if known is not None and await ingress.list_routes(tx, known.key):
        raise errors.InvalidParameter("Unable to Start a service that is still Draining.")
    service_rules.refuse_unsupported(params)
    made = await _make(ctx, tx, cluster, params, token)
    if known is not None:
        service_history.remove(tx, known.key)
    tags.save(tx, made.arn, resource_tags.add({}, params.get("tags")))
    if made.controller == "ECS":
        definition = await definitions.get_active(tx, ctx.account, ctx.region, params["taskDefinition"])
        members = service_rules.make_members(params, {}, cluster, definition, made.scheduling)
        choice = Choice(members.get("launchType") or "", members.get("capacityProviderStrategy") or [])
        service_rules.check_placement(made.options, choice, made.scheduling)
        connecting.complete(members, others.namespace)
        balancers = members.get("loadBalancers") or []
        connector = next(iter(members.get("gatewayConnectors") or ()), None)
        connect = connecting.make(members, others.namespace, definition)
        strategy, is_connected = made.configuration["strategy"], connector is not None or _has_ports(connect)
        load_balancer_rules.check(balancers, definition, strategy, others.types, is_connected=is_connected)
        load_balancer_rules.check_role(params.get("role"), balancers, definition)
        await connecting.check_names(tx, made, connect)
        if connector is None:
            made = await deployment_start.begin(tx, made, members, ctx.now(), connect)
        else:
            place = made, cluster, definition
            await gateway_connecting.connect(ctx, tx, *place, members, connector, others.reach, connect)
    services.save(tx, made)
    service_scheduler.request(tx, *made.key)
    return {"service": await service_shape.describe(tx, made, True)}


async def _make(ctx: Context, tx: Transaction, cluster: Cluster, params: Params, token: str) -> Service:
    """Return a new service without its first deployment."""
    scheduling = params.get("schedulingStrategy") or "REPLICA"
    controller = (params.get("deploymentController") or {}).get("type") or "ECS"
    if controller == "EXTERNAL":
        _refuse_external(params)
        if scheduling == "DAEMON":
            message = "The DAEMON scheduling strategy is not supported for the EXTERNAL deployment controller."
            raise errors.InvalidParameter(message)
    elif not params.get("taskDefinition"):
        raise errors.InvalidParameter("TaskDefinition can not be blank.")
    if scheduling == "DAEMON" and params.get("desiredCount") is not None:
        raise errors.InvalidParameter("desiredCount must not be specified for the DAEMON scheduling strategy.")
    if scheduling == "REPLICA" and params.get("desiredCount") is None and controller == "ECS":
        raise errors.InvalidParameter("desiredCount must be specified for the REPLICA scheduling strategy.")
    options = service_rules.read_options(params, {}, scheduling, controller)
    options.setdefault("availabilityZoneRebalancing", "DISABLED" if scheduling == "DAEMON" else "ENABLED")
    return Service(
        ctx.account,
        ctx.region,
        cluster.name,
        params["serviceName"],
        ctx.now(),
        ctx.principal.arn,
        service_rules.check_count(params.get("desiredCount") or 0),
        scheduling,
        controller,
        options,
        token=token,
    )


def _refuse_external(params: Params) -> None:
    if params.get("forceNewDeployment"):
        raise errors.InvalidParameter("Force new deployment is not supported for the EXTERNAL deployment controller.")
    for member in (*_BY_TASK_SETS, "launchType", "capacityProviderStrategy"):
        given = params.get(member)
        if given and given != {"enabled": False}:
            raise errors.InvalidParameter(f"{member} must be specified in task sets, when the deployment controller is "
                                          "EXTERNAL.")  # fmt: skip


@service.direct("UpdateService")
async def update_service(ctx: Context, params: Params) -> Result:
    role_rules.check(ctx, "UpdateService", params)
    await network_rules.check_subnets(ctx, params)
    others = await _find_others(ctx, params)
    return await ctx.transact(lambda tx: _update(ctx, tx, params, others))


async def _update(ctx: Context, tx: Transaction, params: Params, others: _Others) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    found = await services.get_active(tx, cluster, params["service"])
    service_rules.refuse_unsupported(params)
    controller = (params.get("deploymentController") or {}).get("type") or found.controller
    if controller != found.controller:
        raise errors.InvalidParameter("The deployment controller of a service cannot be changed by Cloudlet.")
    options = service_rules.read_options(params, found.options, found.scheduling, found.controller)
    if (
        options.get("resourceManagementType") == "ECS"
        and (kind := options["deploymentConfiguration"]["strategy"]) == "ROLLING"
    ):
        raise errors.InvalidParameter(
            f"Updating to {kind} deployment strategy is not supported for ExpressGatewayServices."
        )
    changed = replace(found, options=options)
    if params.get("desiredCount") is not None:
        if found.scheduling == "DAEMON":
            raise errors.InvalidParameter("desiredCount must not be specified for the DAEMON scheduling strategy.")
        changed = replace(changed, desired=service_rules.check_count(params["desiredCount"]), is_steady=False, stuck="")
    if found.controller == "EXTERNAL":
        _refuse_external(params)
    else:
        changed = await _deploy(ctx, tx, cluster, changed, params, others)
    services.save(tx, changed)
    service_scheduler.request(tx, *changed.key)
    return {"service": await service_shape.describe(tx, changed, False)}


async def _deploy(
    ctx: Context, tx: Transaction, cluster: Cluster, changed: Service, params: Params, others: _Others
) -> Service:
    """Return a service with a new deployment, where its tasks are to be others."""
    if not changed.deployments:
        raise errors.InvalidParameter("The service cannot be deployed while its load balancers are being made.")
    known = changed.deployments[0].revision.members
    reference = params.get("taskDefinition")
    if reference:
        definition = await definitions.get_active(tx, ctx.account, ctx.region, reference)
    else:
        definition = await definitions.get(tx, ctx.account, ctx.region, known["taskDefinition"])
    members = service_rules.make_members(params, known, cluster, definition, changed.scheduling)
    choice = Choice(members.get("launchType") or "", members.get("capacityProviderStrategy") or [])
    service_rules.check_placement(changed.options, choice, changed.scheduling)
    connecting.complete(members, others.namespace)
    balancers = members.get("loadBalancers") or []
    connector = next(iter(members.get("gatewayConnectors") or ()), None)
    connect = _change_connect(changed, params, members, others.namespace, definition)
    strategy, is_connected = changed.configuration["strategy"], connector is not None or _has_ports(connect)
    load_balancer_rules.check(balancers, definition, strategy, others.types, is_connected=is_connected)
    await connecting.check_names(tx, changed, connect)
    is_new = members != known or params.get("forceNewDeployment")
    if not is_new and not (reference and await _has_failed(tx, changed)):
        return changed
    if connector is not None or await ingress.list_routes(tx, changed.key):
        # Its target groups are ECS's, which has them ready first.
        place = changed, cluster, definition
        await gateway_connecting.connect(ctx, tx, *place, members, connector, others.reach, connect)
        return changed
    return await deployment_start.begin(tx, changed, members, ctx.now(), connect)


def _has_ports(connect: Connect | None) -> bool:
    """Whether others may call a service by Service Connect."""
    return connect is not None and bool(connect.ports)


def _change_connect(
    changed: Service, params: Params, members: Params, namespace: Namespace | None, definition: Definition
) -> Connect | None:
    """Return the part of a service in its namespace after an update. Raises AwsError."""
    if params.get("serviceConnectConfiguration") is not None:
        return connecting.make(params, namespace, definition)
    known = changed.deployments[0].revision.connect
    return None if known is None else connecting.make_again(members, known, definition)


async def _has_failed(tx: Transaction, changed: Service) -> bool:
    """Whether the newest deployment has failed. A task definition that is named then is deployed."""
    operation = await service_history.find_deployment(tx, changed.key, changed.deployments[0].operation)
    return operation is not None and operation.status in deployment_states.FAILURES


@service.operation("DeleteService")
async def delete_service(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    found = await services.find_by_reference(tx, cluster, params["service"])
    if found is None:
        raise errors.ServiceNotFound
    if found.status == DRAINING:
        return {"service": await service_shape.describe(tx, found, False)}
    if found.status != ACTIVE:
        raise errors.ServiceNotActive
    is_forced = params.get("force") or found.scheduling == "DAEMON"
    if found.desired > 0 and not is_forced:
        raise errors.InvalidParameter("The service cannot be stopped while it is scaled above 0.")
    if any(task_set.scale > 0 for task_set in found.task_sets) and not params.get("force"):
        raise errors.InvalidParameter("The service cannot be stopped while it has task sets.")
    gone = replace(found, status=DRAINING, desired=0)
    services.save(tx, gone)
    tags.save(tx, gone.arn, {})
    await ingress_pending.remove(tx, gone.key, ctx.now())
    ingress_settling.request(tx, gone.key)
    service_scheduler.request(tx, *gone.key)
    return {"service": await service_shape.describe(tx, gone, False)}


@service.operation("DescribeServices")
async def describe_services(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    references = params["services"]
    if not references:
        raise errors.InvalidParameter("Services cannot be empty.")
    if len(references) > _MAX_DESCRIBED_ITEMS:
        raise errors.InvalidParameter(f"Services can have at most {_MAX_DESCRIBED_ITEMS} items.")
    has_tags = "TAGS" in (params.get("include") or ())
    found, failures = [], []
    for reference in references:
        known = await services.find_by_reference(tx, cluster, reference)
        if known is not None:
            found.append(await service_shape.describe(tx, known, has_tags))
        else:
            is_name = not reference.startswith("arn:")
            arn = arns.make_arn(ctx.region, ctx.account, "service", cluster.name, reference) if is_name else reference
            failures.append({"arn": arn, "reason": "MISSING"})
    return {"services": found, "failures": failures}


@service.operation("ListServices")
async def list_services(ctx: Context, tx: Transaction, params: Params) -> Result:
    cluster = await clusters.get(tx, ctx.account, ctx.region, params.get("cluster"))
    limit = params.get("maxResults") or _DEFAULT_PAGE
    if not 1 <= limit <= _MAX_PAGE_ITEMS:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {_MAX_PAGE_ITEMS}.")

    def select(raw: bytes) -> str | None:
        each = services.decode(raw)
        return each.arn if each.status == ACTIVE and _matches(each, params) else None

    space = services.get_space(ctx.account, ctx.region, cluster.name)
    wrong = errors.InvalidParameter("Invalid token: the nextToken is not valid.")
    found, following = await listing.list_page(tx, space, params.get("nextToken"), limit, select, wrong)
    return {"serviceArns": found, "nextToken": following}


def _matches(each: Service, params: dict[str, Any]) -> bool:
    revision = each.revision
    launch_type = revision.choice.launch_type if revision else None
    return (
        params.get("launchType") in (None, launch_type)
        and params.get("schedulingStrategy") in (None, each.scheduling)
        and params.get("resourceManagementType") in (None, each.options.get("resourceManagementType") or "CUSTOMER")
        and each.status != INACTIVE
    )


@service.direct("ListServicesByNamespace")
async def list_services_by_namespace(ctx: Context, params: Params) -> Result:
    limit = params.get("maxResults") or _DEFAULT_PAGE
    if not 1 <= limit <= _MAX_PAGE_ITEMS:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {_MAX_PAGE_ITEMS}.")
    namespace = await namespaces.get(ctx, params["namespace"])

    def select(raw: bytes) -> str | None:
        each = services.decode(raw)
        connect = each.revision.connect if each.revision else None
        return each.arn if each.status == ACTIVE and connect and connect.namespace_id == namespace.id else None

    async def read(tx: Transaction) -> Result:
        space = services.get_region_space(ctx.account, ctx.region)
        wrong = errors.InvalidParameter("Invalid token: the nextToken is not valid.")
        found, following = await listing.list_page(tx, space, params.get("nextToken"), limit, select, wrong)
        return {"serviceArns": found, "nextToken": following}

    return await ctx.transact(read)
