"""Discovery: the instances of a service, by names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.kernel.ids import random_below
from cloudlet.services.servicediscovery import errors, limits, storing
from cloudlet.services.servicediscovery.attributes import HEALTHY, UNHEALTHY
from cloudlet.services.servicediscovery.block import service
from cloudlet.services.servicediscovery.health import has_health, read_health
from cloudlet.services.servicediscovery.map_record import DiscoveryService, Instance
from cloudlet.services.servicediscovery.states import VISIBLE

_DEFAULT_FILTER: Final = "HEALTHY_OR_ELSE_ALL"


async def _find_service(ctx: Context, tx: Transaction, params: Params) -> DiscoveryService:
    """Return the service that names lead to. Raises NamespaceNotFound and ServiceNotFound."""
    name, owner = params["NamespaceName"], params.get("OwnerAccount")
    row = None
    if owner is None or owner == ctx.account:
        row = await tx.get(storing.NAMESPACE_NAMES.key(ctx.account, ctx.region, name))
    if row is None:
        raise errors.NamespaceNotFound(name)
    title = params["ServiceName"].lower()
    found = await tx.get(storing.SERVICE_NAMES.key(ctx.account, ctx.region, row.decode(), title))
    if found is None:
        raise errors.ServiceNotFound(params["ServiceName"])
    return await storing.get_service(ctx, tx, found.decode())


@service.direct("DiscoverInstances")
async def discover_instances(ctx: Context, params: Params) -> Result:
    async def read(tx: Transaction) -> tuple[DiscoveryService, list[Instance], int]:
        found = await _find_service(ctx, tx, params)
        space = storing.INSTANCES.sub(found.account, found.region, found.name)
        rows = await tx.range(space.begin, space.end, limit=limits.MAX_INSTANCES)
        there = [storing.decode_instance(raw) for _, raw in rows]
        return found, [each for each in there if each.state in VISIBLE], await storing.get_revision(tx, found.name)

    found, there, revision = await ctx.transact(read)
    matching = [each for each in there if _has(each, params.get("QueryParameters"))]
    optional = [each for each in matching if _has(each, params.get("OptionalParameters"))]
    states = {}
    if has_health(found):
        known = await asyncio.gather(*(read_health(ctx.block, found, each) for each in matching))
        states = {each.id: state for each, state in zip(matching, known, strict=True)}
    chosen = _choose(optional or matching, states, params.get("HealthStatus") or _DEFAULT_FILTER)
    page = _shuffle(chosen)[: params.get("MaxResults") or limits.PAGE]
    shown = [_describe(params["NamespaceName"], found, each, states) for each in page]
    return {"Instances": shown, "InstancesRevision": revision}


def _has(instance: Instance, wanted: Mapping[str, str] | None) -> bool:
    """Whether an instance has all of these attributes."""
    return all(instance.attributes.get(key) == value for key, value in (wanted or {}).items())


def _choose(candidates: list[Instance], states: Mapping[str, str], wanted: str) -> list[Instance]:
    """Return the instances whose health is wanted; all of them where it is not known."""
    if not states or wanted == "ALL":
        return candidates
    healthy = [each for each in candidates if states[each.id] == HEALTHY]
    if wanted == _DEFAULT_FILTER:
        return healthy or candidates
    return healthy if wanted == HEALTHY else [each for each in candidates if states[each.id] == UNHEALTHY]


def _shuffle(candidates: list[Instance]) -> list[Instance]:
    """Return instances in an order by chance."""
    left = list(candidates)
    return [left.pop(random_below(len(left))) for _ in range(len(left))]


def _describe(namespace: str, found: DiscoveryService, instance: Instance, states: Mapping[str, str]) -> dict[str, Any]:
    return {
        "InstanceId": instance.id,
        "NamespaceName": namespace,
        "ServiceName": found.title,
        "HealthStatus": states.get(instance.id, "UNKNOWN"),
        "Attributes": instance.attributes,
    }


@service.operation("DiscoverInstancesRevision")
async def discover_instances_revision(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _find_service(ctx, tx, params)
    return {"InstancesRevision": await storing.get_revision(tx, found.name)}
