"""The operations on gateways, their associations with clusters, and their routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Subspace, Transaction
from cloudlet.core.aws import listing, page_tokens, tags
from cloudlet.services.ecs import (
    arns,
    clusters,
    errors,
    express_networks,
    gateway_rules,
    gateway_shape,
    gateways,
    ingress,
    ingress_settling,
    resource_tags,
    role_rules,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.express_networks import Network
from cloudlet.services.ecs.gateway_record import Association, Gateway
from cloudlet.services.ecs.gateways import ASSOCIATIONS, GATEWAYS, MAX_ASSOCIATIONS
from cloudlet.services.ecs.ingress_balancing import BALANCERS
from cloudlet.services.ecs.ingress_record import PRIVATE, PUBLIC, Route
from cloudlet.services.ecs.ingress_states import (
    ACTIVE,
    DELETED,
    DISASSOCIATING,
    INACTIVE,
    OF_ASSOCIATIONS,
    OF_GATEWAYS,
    UPDATE_IN_PROGRESS,
)

_MAX_PAGE_ITEMS: Final = 100
_MAX_NAMES: Final = 10
_MAX_PAGE_BALANCERS: Final = 20
_BALANCERS_PAGE: Final = 10


@service.direct("CreateGateway")
async def create_gateway(ctx: Context, params: Params) -> Result:
    role_rules.check(ctx, "CreateGateway", params)
    if not gateway_rules.NAME.fullmatch(params["name"]):
        raise errors.InvalidParameter("A gateway name has up to 255 letters, numbers and hyphens.")
    configuration = gateway_rules.get_configuration(params)
    gateway_rules.check_configuration(configuration)
    subnets = (configuration.get("networkConfiguration") or {}).get("subnets") or ()
    network = await express_networks.find_network(ctx, subnets)
    express_networks.check_zones(network)
    await gateway_rules.check_group(ctx, configuration, network.vpc)
    return await ctx.transact(lambda tx: _create(ctx, tx, params, network))


async def _create(ctx: Context, tx: Transaction, params: Params, network: Network) -> Result:
    configuration = gateway_rules.get_configuration(params)
    token = params.get("clientToken") or ""
    known = await GATEWAYS.find(tx, ctx.account, ctx.region, params["name"])
    if known is not None and token and token == known.token:
        return gateway_shape.describe_change(known, ACTIVE)
    if known is not None:
        raise errors.InvalidParameter(f"A gateway with the name {known.name} already exists.")
    is_protected = params.get("deletionProtection")
    made = Gateway(
        ctx.account,
        ctx.region,
        params["name"],
        params["infrastructureRoleArn"],
        ctx.now(),
        ctx.now(),
        PRIVATE if configuration.get("scheme") == "internal" else PUBLIC,
        network.vpc,
        network.zones,
        network.subnets,
        configuration.get("maxAlbCount") or gateway_rules.MAX_BALANCERS,
        True if is_protected is None else is_protected,
        params.get("propagateTags") or "GATEWAY",
        gateway_rules.read_settings(configuration, {}),
        token,
    )
    GATEWAYS.save(tx, made)
    tags.save(tx, made.arn, resource_tags.add({}, params.get("tags")))
    return gateway_shape.describe_change(made, ACTIVE)


@service.operation("DescribeGateway")
async def describe_gateway(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await gateways.get(tx, ctx.account, ctx.region, params["gateway"])
    return {"gateway": await gateway_shape.describe(tx, found)}


@service.direct("UpdateGateway")
async def update_gateway(ctx: Context, params: Params) -> Result:
    role_rules.check(ctx, "UpdateGateway", params)
    if params.get("configuration") is not None:
        configuration = gateway_rules.get_configuration(params)
        gateway_rules.check_configuration(configuration)
        found = await ctx.transact(lambda tx: gateways.get(tx, ctx.account, ctx.region, params["gateway"]))
        await gateway_rules.check_group(ctx, configuration, found.vpc)
    return await ctx.transact(lambda tx: _update(ctx, tx, params))


async def _update(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await gateways.get(tx, ctx.account, ctx.region, params["gateway"])
    await _check_follower(tx, found, UPDATE_IN_PROGRESS)
    configuration = gateway_rules.get_configuration(params) if params.get("configuration") is not None else {}
    is_protected = params.get("deletionProtection")
    changed = replace(
        found,
        role=params.get("infrastructureRoleArn") or found.role,
        is_protected=found.is_protected if is_protected is None else is_protected,
        max_balancers=configuration.get("maxAlbCount") or found.max_balancers,
        propagate=params.get("propagateTags") or found.propagate,
        settings=gateway_rules.read_settings(configuration, found.settings),
        updated=ctx.now(),
        was_updated=True,
    )
    GATEWAYS.save(tx, changed)
    await _apply(tx, changed)
    return gateway_shape.describe_change(changed, UPDATE_IN_PROGRESS)


async def _apply(tx: Transaction, changed: Gateway) -> None:
    """Have the load balancers of a gateway and their routes be as it is now."""
    for balancer in await gateways.apply(tx, changed):
        BALANCERS.request(tx, *balancer.key)
        for id, (cluster, name) in balancer.routes.items():
            key = (changed.account, changed.region, cluster, name)
            route = await ingress.find_route(tx, (*key, id))
            if route is not None:
                ingress.save_route(tx, replace(route, role=changed.role))
                ingress_settling.request(tx, key)


async def _check_follower(tx: Transaction, found: Gateway, following: str) -> None:
    """Raise InvalidParameterException where a state cannot follow the one that a gateway has."""
    balancers = await ingress.list_balancers(tx, found.account, found.region, found.name)
    status = gateways.find_status(found, balancers)
    if following not in OF_GATEWAYS[status]:
        raise errors.InvalidParameter(f"The gateway {found.name} cannot be changed while its status is {status}.")


@service.operation("DeleteGateway")
async def delete_gateway(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await gateways.get(tx, ctx.account, ctx.region, params["gateway"])
    if found.is_protected:
        raise errors.InvalidParameter(
            f"The gateway {found.name} cannot be deleted: its deletion protection is enabled."
        )
    associations = await gateways.list_associations(tx, ctx.account, ctx.region)
    if any(each.gateway == found.name for each in associations):
        raise errors.InvalidParameter(f"The gateway {found.name} cannot be deleted: it is associated with clusters.")
    await _check_follower(tx, found, DELETED)
    GATEWAYS.remove(tx, found)
    tags.save(tx, found.arn, {})
    return gateway_shape.describe_change(found, DELETED)


def _read_limit(params: Params, default: int = _MAX_PAGE_ITEMS, most: int = _MAX_PAGE_ITEMS) -> int:
    limit = params.get("maxResults") or default
    if not 1 <= limit <= most:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {most}.")
    return int(limit)


async def _list(
    tx: Transaction, space: Subspace, params: Params, select: Callable[[bytes], Any]
) -> tuple[list[Any], str | None]:
    """Return a page of what a function selects."""
    wrong = errors.InvalidParameter("Invalid token: the nextToken is not valid.")
    return await listing.list_page(tx, space, params.get("nextToken"), _read_limit(params), select, wrong)


@service.operation("ListGateways")
async def list_gateways(ctx: Context, tx: Transaction, params: Params) -> Result:
    names = params.get("names") or []
    if len(names) > _MAX_NAMES:
        raise errors.InvalidParameter(f"names can have at most {_MAX_NAMES} items.")

    def select(raw: bytes) -> Gateway | None:
        each = GATEWAYS.decode(raw)
        return each if not names or each.name in names else None

    found, following = await _list(tx, GATEWAYS.get_space(ctx.account, ctx.region), params, select)
    shown = []
    for each in found:
        balancers = await ingress.list_balancers(tx, ctx.account, ctx.region, each.name)
        brief = gateway_shape.describe_briefly(each, balancers)
        if not params.get("status") or brief["status"] in params["status"]:
            shown.append(brief)
    return {"gateways": shown, "nextToken": following}


async def _find_both(ctx: Context, tx: Transaction, params: Params) -> tuple[Gateway, Cluster]:
    found = await gateways.get(tx, ctx.account, ctx.region, params["gateway"])
    return found, await clusters.get(tx, ctx.account, ctx.region, params["cluster"])


def _describe_association(each: Association) -> dict[str, Any]:
    return {"gatewayArn": each.gateway_arn, "clusterArn": each.cluster_arn, "status": each.status}


@service.operation("AssociateGatewayWithCluster")
async def associate_gateway_with_cluster(ctx: Context, tx: Transaction, params: Params) -> Result:
    found, cluster = await _find_both(ctx, tx, params)
    made = Association(ctx.account, ctx.region, found.name, cluster.name, ACTIVE)
    known = await ASSOCIATIONS.find(tx, ctx.account, ctx.region, made.name)
    if known is None:
        others = await gateways.list_associations(tx, ctx.account, ctx.region)
        if sum(each.cluster == cluster.name for each in others) >= MAX_ASSOCIATIONS:
            raise errors.InvalidParameter(f"A cluster can be associated with at most {MAX_ASSOCIATIONS} gateways.")
    ASSOCIATIONS.save(tx, made)
    return _describe_association(made)


@service.operation("DisassociateGatewayFromCluster")
async def disassociate_gateway_from_cluster(ctx: Context, tx: Transaction, params: Params) -> Result:
    found, cluster = await _find_both(ctx, tx, params)
    known = await ASSOCIATIONS.find(tx, ctx.account, ctx.region, f"{found.name}/{cluster.name}")
    if known is None:
        raise errors.ResourceNotFound("The specified gateway is not associated with the cluster.")
    if await gateways.list_routes(tx, ctx.account, ctx.region, found.name, cluster.name):
        if DISASSOCIATING in OF_ASSOCIATIONS[known.status]:
            ASSOCIATIONS.save(tx, replace(known, status=DISASSOCIATING))
        return _describe_association(replace(known, status=DISASSOCIATING))
    ASSOCIATIONS.remove(tx, known)
    return _describe_association(replace(known, status=INACTIVE))


@service.operation("ListGatewayClusterAssociations")
async def list_gateway_cluster_associations(ctx: Context, tx: Transaction, params: Params) -> Result:
    gateway = _read_name("gateway", ctx, params.get("gateway"))
    cluster = _read_name("cluster", ctx, params.get("cluster"))

    def select(raw: bytes) -> dict[str, Any] | None:
        each = ASSOCIATIONS.decode(raw)
        is_wanted = gateway in (None, each.gateway) and cluster in (None, each.cluster)
        is_listed = is_wanted and (not params.get("status") or each.status in params["status"])
        return _describe_association(each) if is_listed else None

    found, following = await _list(tx, ASSOCIATIONS.get_space(ctx.account, ctx.region), params, select)
    return {"gatewayClusterAssociations": found, "nextToken": following}


def _read_name(kind: str, ctx: Context, reference: str | None) -> str | None:
    """Return the name in a filter, or None."""
    if not reference:
        return None
    names = arns.parse_names(kind, reference, ctx.account, ctx.region)
    return names[-1] if names else ""


@service.operation("DescribeGatewayResources")
async def describe_gateway_resources(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await gateways.get(tx, ctx.account, ctx.region, params["gateway"])
    limit = _read_limit(params, _BALANCERS_PAGE, _MAX_PAGE_BALANCERS)
    balancers = await ingress.list_balancers(tx, ctx.account, ctx.region, found.name)
    wrong = errors.InvalidParameter("Invalid token: the nextToken is not valid.")
    begin = (page_tokens.parse_page_token(params.get("nextToken"), wrong) or b"").decode(errors="replace")
    rest = [each for each in balancers if each.id > begin]
    following = page_tokens.make_page_token(rest[limit - 1].id.encode()) if len(rest) > limit else None
    shown = [gateway_shape.describe_balancer(each) for each in rest[:limit]]
    return {
        "gatewayResources": {"gatewayArn": found.arn, "resources": {"hostSharedAlb": shown}},
        "nextToken": following,
    }


@service.operation("DescribeGatewayRoute")
async def describe_gateway_route(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["gatewayRouteArn"]
    names = arns.parse_names("gateway-route", arn, ctx.account, ctx.region)
    route = await _find_route(ctx, tx, *names) if len(names) == 2 else None
    if route is None:
        raise errors.ResourceNotFound("The specified gateway route was not found.")
    return {"gatewayRoute": await gateway_shape.describe_route(tx, route)}


async def _find_route(ctx: Context, tx: Transaction, gateway: str, id: str) -> Route | None:
    balancer = await ingress.find_balancer(tx, ctx.account, ctx.region, id[:8])
    names = balancer.routes.get(id) if balancer is not None and balancer.gateway == gateway else None
    return await ingress.find_route(tx, (ctx.account, ctx.region, names[0], names[1], id)) if names else None


@service.operation("ListGatewayRoutes")
async def list_gateway_routes(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("gateway"):
        await gateways.get(tx, ctx.account, ctx.region, params["gateway"])
    gateway, cluster, name = (_read_name(kind, ctx, params.get(kind)) for kind in ("gateway", "cluster", "service"))
    wanted_arn = params.get("service") if (params.get("service") or "").startswith("arn:") else None

    def select(raw: bytes) -> dict[str, Any] | None:
        each = ingress.decode_route(raw)
        is_wanted = (
            bool(each.gateway)
            and gateway in (None, each.gateway)
            and cluster in (None, each.cluster)
            and name in (None, each.service)
            and wanted_arn in (None, each.service_arn)
            and params.get("serviceContainerPortName") in (None, each.port_name)
            and (not params.get("status") or gateway_shape.get_status(each) in params["status"])
        )
        return gateway_shape.describe_route_briefly(each) if is_wanted else None

    found, following = await _list(tx, ingress.get_route_space(ctx.account, ctx.region), params, select)
    return {"gatewayRoutes": found, "nextToken": following}
