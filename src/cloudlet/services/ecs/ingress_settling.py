"""Reconciles routes, what Express Mode adds, and the deployments that wait for them.

A service whose load balancers are ECS's has no deployment until they are there. What is to be is written by the
operations, what is there by this; each step may be killed and repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.retrying import is_transient
from cloudlet.services.ecs import (
    deployment_start,
    deployment_states,
    express_making,
    express_record,
    ingress,
    ingress_pending,
    ingress_routing,
    service_history,
    service_scheduler,
    services,
)
from cloudlet.services.ecs.express_record import Express
from cloudlet.services.ecs.ingress_balancing import forget_route, share_rules
from cloudlet.services.ecs.ingress_calls import (
    POLL_SECONDS,
    RETRY_SECONDS,
    Calling,
    describe_failure,
    find_pause,
)
from cloudlet.services.ecs.ingress_pending import Pending
from cloudlet.services.ecs.ingress_record import Balancer, Group, Route
from cloudlet.services.ecs.service_record import ACTIVE, INACTIVE, Revision, Service

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.ecs")
_PATIENCE_SECONDS: Final = 1.0
_ServiceKey = tuple[str, str, str, str]


class _Look(NamedTuple):
    """A service, and what ECS makes for it."""

    service: Service | None
    routes: list[Route]
    balancers: dict[str, Balancer]
    pending: Pending | None
    express: Express | None
    is_busy: bool
    """Whether a deployment is under way."""

    @property
    def is_gone(self) -> bool:
        return self.service is None or self.service.status == INACTIVE


async def _read(tx: Transaction, key: _ServiceKey) -> _Look:
    service = await services.find(tx, *key)
    routes = await ingress.list_routes(tx, key)
    found = [await ingress.find_balancer(tx, route.account, route.region, route.balancer) for route in routes]
    primary = service.primary if service else None
    operation = await service_history.find_deployment(tx, key, primary.operation) if primary else None
    return _Look(
        service,
        routes,
        {each.id: each for each in found if each is not None},
        await ingress_pending.find(tx, key),
        await express_record.find(tx, key),
        operation is not None and not deployment_states.is_final(operation.status),
    )


async def _reconcile(block: Block, key: Key) -> float | None:
    """Do one step for a service."""
    account, region, cluster, name = key
    place = account, region, cluster, name
    look = await block.store.transact(lambda tx: _read(tx, place))
    pauses = [await _settle_route(block, look, route) for route in look.routes]
    if look.express is not None:
        pauses.append(await _settle_express(block, look, look.express))
    if look.service is not None and look.service.status != ACTIVE and not look.is_gone:
        # What serves its tasks stays until they have stopped.
        pauses.append(POLL_SECONDS)
    if look.pending is not None and look.service is not None and look.service.status == ACTIVE and _is_ready(look):
        pauses.append(await _begin(block, look, look.service))
    return min((pause for pause in pauses if pause is not None), default=None)


INGRESS: Final = Reconciler("ingress", _reconcile, patience_seconds=_PATIENCE_SECONDS)


def request(tx: Transaction, key: _ServiceKey) -> None:
    """Have what ECS makes for a service looked at once this is committed."""
    INGRESS.request(tx, *key)


def _is_ready(look: _Look) -> bool:
    """Whether all is there that a deployment needs."""
    routes = [route for route in look.routes if not route.is_leaving]
    return all(route.is_made for route in routes) and (look.express is None or express_making.is_ready(look.express))


def _is_used(look: _Look, route: Route) -> bool:
    """Whether tasks of a service may be in the target groups of a route."""
    groups = {group.arn for group in route.groups}
    starters = look.service.starters if look.service and not look.is_gone else []
    return any(groups.intersection(each.revision.groups) for each in starters)


async def _settle_route(block: Block, look: _Look, route: Route) -> float | None:
    """Do one step for a route. Return after how many seconds to look again."""
    if look.is_gone and not route.is_leaving:
        await _note(block, route, {"is_leaving": True})
        return 0.0
    balancer = look.balancers.get(route.balancer)
    calling = Calling.make(block, route)
    if route.is_leaving and _is_used(look, route):
        return POLL_SECONDS
    if route.is_leaving and not route.was_repeated:
        return await _repeat(block, look, route, balancer)
    try:
        if route.is_leaving:
            route = await block.store.transact(lambda tx: share_rules(tx, route))
            changes = await ingress_routing.remove(calling, route, balancer)
        elif balancer is None or not balancer.listener:
            return POLL_SECONDS
        else:
            changes = await ingress_routing.make(calling, route, balancer, _find_serving(route, look.service))
    except AwsError as error:
        await _note(block, route, {"failure": describe_failure(error)})
        return find_pause(log, f"the route {route.host}", error, route.failure)
    if changes is None and route.is_leaving:
        await block.store.transact(lambda tx: forget_route(tx, route))
        return None
    if changes:
        await _note(block, route, {**changes, "failure": ""})
    elif changes is not None:
        return POLL_SECONDS
    elif route.failure:
        await _note(block, route, {"failure": ""})
    return None if changes is None else 0.0


async def _repeat(block: Block, look: _Look, route: Route, balancer: Balancer | None) -> float:
    """Repeat the step that a killed process may have been in.

    What it has made is not written down.
    """
    changes: dict[str, Any] = {}
    try:
        if balancer is not None and balancer.listener:
            calling = Calling.make(block, route)
            changes = await ingress_routing.make(calling, route, balancer, _find_serving(route, look.service)) or {}
    except AwsError as error:
        if is_transient(error.code, error.status):
            return RETRY_SECONDS
    await _note(block, route, {**changes, "was_repeated": True})
    return 0.0


async def _note(block: Block, known: Route, changes: dict[str, Any]) -> None:
    async def body(tx: Transaction) -> None:
        found = await ingress.find_route(tx, known.key)
        if found is not None:
            changed = replace(found, **changes)
            if changed != found:
                ingress.save_route(tx, replace(changed, updated=block.clock.now()))

    await block.store.transact(body)


async def _settle_express(block: Block, look: _Look, express: Express) -> float | None:
    """Do one step for what Express Mode adds to a service. Return after how many seconds to look again."""
    route = next((each for each in look.routes if not each.gateway), None)
    calling = Calling(block, express.account, express.region, express.role)
    serving = (look.service.last_completed or look.service.revision) if look.service else None
    try:
        if look.service is None or look.service.status != ACTIVE:
            changes = await express_making.remove(calling, express)
        else:
            changes = await express_making.make(calling, express, route, serving)
    except AwsError as error:
        await _note_express(block, express, {"failure": describe_failure(error)})
        return find_pause(log, f"the Express service {express.resource}", error, express.failure)
    if changes is not None:
        await _note_express(block, express, {**changes, "failure": ""})
        return 0.0
    if express.failure:
        await _note_express(block, express, {"failure": ""})
    # By requests, a service is scaled in the target group that serves.
    return RETRY_SECONDS if look.is_busy and express_making.follows_group(express) else None


async def _note_express(block: Block, known: Express, changes: dict[str, Any]) -> None:
    async def body(tx: Transaction) -> None:
        found = await express_record.find(tx, known.key)
        if found is not None:
            express_record.save(tx, replace(found, **changes))

    await block.store.transact(body)


async def _begin(block: Block, look: _Look, service: Service) -> float | None:
    """Begin the deployment that waits, in target groups as it wants them. Return after how many seconds to go on."""
    for route in look.routes:
        if route.is_leaving:
            continue
        serving = _find_serving(route, service)
        kept = serving if service.deployments else ""
        groups = [_renew_group(route, group, kept) for group in route.groups]
        if groups != route.groups:
            if look.is_busy:
                return RETRY_SECONDS
            gone = [group.arn for group in route.groups if group not in groups and group.arn]
            await _note(block, route, {"groups": groups, "discarded": [*route.discarded, *gone]})
            return 0.0
        if {*route.forwarded} != {group.arn for group in groups}:
            return await _redirect(block, route, serving)
    await block.store.transact(lambda tx: _deploy(tx, service.key, block.clock.now()))
    return 0.0


def _find_serving(route: Route, service: Service | None) -> str:
    """Return the target group of a route that serves, or its first one."""
    revision = (service.last_completed or service.revision) if service else None
    used = revision.groups if revision else []
    return next((group.arn for group in route.groups if group.arn in used), route.groups[0].arn)


def _renew_group(route: Route, group: Group, kept: str) -> Group:
    """Return another target group, unless one is as wanted or to be kept."""
    is_as_wanted = (group.port, group.check) == (route.port, route.check)
    return group if is_as_wanted or (kept and group.arn == kept) else ingress.make_group(route.port, route.check)


async def _redirect(block: Block, route: Route, serving: str) -> float:
    """Have a route forward to its two groups, and remove those that were there. Return after how long to go on."""
    calling = Calling.make(block, route)
    try:
        await ingress_routing.redirect(calling, route, serving)
        for arn in route.discarded:
            await calling.remove("elbv2", "DeleteTargetGroup", {"TargetGroupArn": arn})
    except AwsError as error:
        await _note(block, route, {"failure": describe_failure(error)})
        return find_pause(log, f"the target groups of {route.host}", error, route.failure)
    changes = {"forwarded": [group.arn for group in route.groups], "discarded": [], "failure": ""}
    await _note(block, route, changes)
    return 0.0


async def _deploy(tx: Transaction, key: _ServiceKey, now: float) -> None:
    """Begin the deployment of a service that waits."""
    look = await _read(tx, key)
    service, pending = look.service, look.pending
    if service is None or service.status != ACTIVE or pending is None or not _is_ready(look):
        return
    routes = [route for route in look.routes if not route.is_leaving]
    own = [route.load_balancer for route in routes if not route.gateway]
    managed = [route.load_balancer for route in routes if route.gateway]
    members = {**pending.members, "loadBalancers": own} if own else pending.members
    if look.express is not None:
        groups = [*look.express.get_configuration(pending.revision).given_groups]
        groups += [route.security_group for route in routes if route.owns_group]
        network = {**members["networkConfiguration"]["awsvpcConfiguration"], "securityGroups": groups}
        members = {**members, "networkConfiguration": {"awsvpcConfiguration": network}}
    service = _renew(service, own, managed)
    for route in routes:
        ingress.save_route(tx, replace(route, is_settled=True))
    planned = await service_history.find_deployment(tx, key, pending.operation)
    if planned is not None and planned.status == deployment_states.ROLLBACK_REQUESTED:
        await ingress_pending.remove(tx, key, now)
        return
    ingress_pending.forget(tx, key)
    changed = await deployment_start.begin(tx, service, members, now, pending.connect, planned=planned, managed=managed)
    services.save(tx, changed)
    service_scheduler.request(tx, *key)
    # What depends on which tasks there are is looked at again.
    request(tx, key)


def _renew(service: Service, own: Sequence[dict[str, Any]], managed: Sequence[dict[str, Any]]) -> Service:
    """Return a service whose revisions know the target groups that have replaced others."""

    def renew(revision: Revision) -> Revision:
        members = {**revision.members, "loadBalancers": [*own]} if own else revision.members
        same = len(managed) == len(revision.managed)
        return replace(revision, members=members, managed=[*managed] if same else revision.managed)

    last = service.last_completed
    deployments = [replace(each, revision=renew(each.revision)) for each in service.deployments]
    return replace(service, deployments=deployments, last_completed=None if last is None else renew(last))
