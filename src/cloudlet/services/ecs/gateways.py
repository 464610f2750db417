"""Gateways and their associations: found, and what their load balancers are to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.records import Records
from cloudlet.services.ecs import arns, errors, ingress
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.gateway_record import Association, Gateway
from cloudlet.services.ecs.ingress_record import Balancer, Route
from cloudlet.services.ecs.ingress_states import (
    ACTIVE,
    DISASSOCIATING,
    UPDATE_COMPLETE,
    UPDATE_FAILED,
    UPDATE_IN_PROGRESS,
)

MAX_ASSOCIATIONS: Final = 5
"""The gateways of a cluster."""
_MAX_ROWS: Final = 1000

GATEWAYS: Final = Records(Subspace("gateway"), Gateway, lambda name: errors.GatewayNotFound())
ASSOCIATIONS: Final = Records(Subspace("gateway-association"), Association, lambda name: errors.GatewayNotFound())


async def find(tx: Transaction, account: str, region: str, reference: str) -> Gateway | None:
    """Return a gateway by its name or ARN, or None."""
    names = arns.parse_names("gateway", reference, account, region)
    return await GATEWAYS.find(tx, account, region, names[0]) if len(names) == 1 else None


async def get(tx: Transaction, account: str, region: str, reference: str) -> Gateway:
    """Return a gateway by its name or ARN. Raises GatewayNotFoundException."""
    found = await find(tx, account, region, reference)
    if found is None:
        raise errors.GatewayNotFound
    return found


async def list_associations(tx: Transaction, account: str, region: str) -> list[Association]:
    """Return the associations of all gateways of an account in a region."""
    space = ASSOCIATIONS.get_space(account, region)
    return [ASSOCIATIONS.decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=_MAX_ROWS)]


async def list_for_cluster(tx: Transaction, cluster: Cluster) -> list[Gateway]:
    """Return the gateways that services of a cluster may be connected to."""
    associations = await list_associations(tx, cluster.account, cluster.region)
    names = [each.gateway for each in associations if each.cluster == cluster.name and each.status == ACTIVE]
    return [await GATEWAYS.get(tx, cluster.account, cluster.region, name) for name in names]


async def list_routes(tx: Transaction, account: str, region: str, gateway: str, cluster: str) -> list[Route]:
    """Return the routes of a gateway to services of a cluster."""
    space = ingress.get_route_space(account, region).sub(cluster)
    rows = await tx.range(space.begin, space.end, limit=_MAX_ROWS)
    return [route for _, raw in rows if (route := ingress.decode_route(raw)).gateway == gateway]


async def forget_association(tx: Transaction, account: str, region: str, gateway: str, cluster: str) -> None:
    """Forget an association that is to end, once it has no routes."""
    found = await ASSOCIATIONS.find(tx, account, region, f"{gateway}/{cluster}")
    if found is None or found.status != DISASSOCIATING:
        return
    if not await list_routes(tx, account, region, gateway, cluster):
        ASSOCIATIONS.remove(tx, found)


async def make_wanted(tx: Transaction, gateway: Gateway) -> dict[str, Any]:
    """Return what a load balancer of a gateway is to be like."""
    own = await tags.load(tx, gateway.arn) if gateway.propagate == "GATEWAY" else {}
    return {**gateway.settings, "deletionProtection": gateway.is_protected, "tags": dict(own)}


async def apply(tx: Transaction, gateway: Gateway) -> list[Balancer]:
    """Have the load balancers of a gateway be as it is now; return them."""
    wanted = await make_wanted(tx, gateway)
    changed = []
    for each in await ingress.list_balancers(tx, gateway.account, gateway.region, gateway.name):
        made = replace(each, wanted=wanted, role=gateway.role, failures=[], tags=wanted["tags"])
        ingress.save_balancer(tx, made)
        changed.append(made)
    return changed


def find_status(gateway: Gateway, balancers: list[Balancer]) -> str:
    """Return the state of a gateway, by those of its load balancers."""
    if not gateway.was_updated:
        return ACTIVE
    if any(each.listener and each.wanted != each.settings for each in balancers):
        return UPDATE_IN_PROGRESS
    return UPDATE_FAILED if any(each.failures for each in balancers) else UPDATE_COMPLETE


def is_compatible(gateway: Gateway, vpc: str, zones: Mapping[str, str], access_types: list[str]) -> bool:
    """Whether a service in some zones of a VPC can be reached by a gateway."""
    return gateway.vpc == vpc and {*zones} <= {*gateway.zones} and (not access_types or gateway.access in access_types)
